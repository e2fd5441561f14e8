//! The report as one page that needs nothing else.

use super::{EvaluateArgs, Outcome, rows};
use crate::CliError;
use crate::generate::{contact_sheet, png};
use std::fmt::Write as _;

/// Pictures shown of each setting: two of each class.
const SHOWN: usize = 20;

pub(super) fn html(adapter: &str, args: &EvaluateArgs, outcomes: &[Outcome]) -> Result<String, CliError> {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>langevin evaluate</title>\n<style>body{font:15px \
         sans-serif;margin:2em}td,th{padding:.2em .8em;text-align:right}td:first-child,th:first-child{text-align:left}\
         img{width:360px;image-rendering:pixelated}figure{display:inline-block;margin:.6em}</style>\n",
    );
    let digits = args.each;
    _ = writeln!(page, "<h1>What settings do to the digits</h1>");
    _ = writeln!(
        page,
        "<p>{digits} of each class, seed {}, on {}.</p>\n<table>",
        args.seed,
        escaped(adapter)
    );
    for (i, row) in rows(outcomes).iter().enumerate() {
        let tag = if i == 0 { "th" } else { "td" };
        let cells = row.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell)));
        _ = writeln!(page, "<tr>{}</tr>", cells.collect::<String>());
    }
    page.push_str("</table>\n");
    for outcome in outcomes {
        let shown = &outcome.pictures[..outcome.pictures.len().min(SHOWN * 64)];
        let picture = base64(&png(&contact_sheet(shown, 8, 10))?);
        let name = escaped(&outcome.name);
        _ = writeln!(
            page,
            "<figure><img alt=\"{name}\" src=\"data:image/png;base64,{picture}\"><figcaption>{name}</figcaption></figure>"
        );
    }
    page.push_str("</html>\n");
    Ok(page)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// RFC 4648.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |bytes: &[u8]| {
        let bits =
            bytes.iter().enumerate().fold(0u32, |bits, (i, byte)| bits | u32::from(*byte) << (16 - 8 * i));
        let letter = move |i: usize| {
            if i <= bytes.len() { char::from(LETTERS[(bits >> (18 - 6 * i) & 63) as usize]) } else { '=' }
        };
        [letter(0), letter(1), letter(2), letter(3)]
    };
    bytes.chunks(3).flat_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 4648.
    #[test]
    fn bytes_become_letters() {
        for (text, letters) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(text.as_bytes()), letters);
        }
        assert_eq!(base64(&[0xff, 0xfe]), "//4=");
    }
}
