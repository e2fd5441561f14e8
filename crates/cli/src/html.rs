//! What the program's pages have in common.

/// The style sheet, for light and dark screens.
pub(crate) const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
    color:#222;background:#fff}svg{width:100%;height:auto}svg text{font-size:12px;fill:currentColor}\
    .x{text-anchor:middle}.y{text-anchor:end}.grid{stroke:currentColor;stroke-opacity:.15}\
    .limit{fill:none;stroke:currentColor;stroke-width:1.5}table{border-collapse:collapse;font-size:13px}\
    td,th{padding:.2rem .6rem;text-align:left;border-bottom:1px solid #8884}\
    .dot{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin:0 .3em 0 1em}\
    @media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}}";

/// Text that stands in HTML as itself.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

pub(crate) fn section(title: &str, html: &str) -> String {
    format!("<h2>{title}</h2>\n{html}")
}

pub(crate) fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", escaped(text))
}

/// A line of a table; its cells are of the tag `td` or `th`.
pub(crate) fn line(tag: &str, cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect();
    format!("<tr>{cells}</tr>\n")
}

pub(crate) fn table(lines: &str) -> String {
    format!("<table>\n{lines}</table>\n")
}
