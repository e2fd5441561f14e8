//! A report as one HTML file that needs nothing else, to attach to a bug report.

use super::report::{HEADING, Report, Row};
use crate::html::{STYLE, escaped, line, paragraph, section, table};
use crate::stamp::{WGPU_VERSION, command, now};

/// The whole page.
pub(super) fn html(report: &Report) -> String {
    let title = escaped(&format!("langevin doctor on {}", report.adapter));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         <h1>{title}</h1>\n"
    );
    let (cases, failures) = report.counts();
    let verdict = match failures {
        0 => format!("{cases} cases, all within their bounds"),
        _ => format!("{failures} of {cases} cases failed"),
    };
    page += &paragraph(&verdict);
    let identity = [
        ("adapter", report.adapter.clone()),
        ("driver", report.driver.clone()),
        ("backend", report.backend.clone()),
        ("type", report.device_type.clone()),
        ("tiers", report.tiers.join(", ")),
        ("langevin", report.version.to_owned()),
        ("wgpu", WGPU_VERSION.to_owned()),
        ("command", std::iter::once("langevin".to_owned()).chain(command()).collect::<Vec<_>>().join(" ")),
        ("date (UTC)", now()),
    ];
    let identity = identity.map(|(name, value)| line("td", &[name.to_owned(), value]));
    page += &section("Adapter", &table(&identity.concat()));
    let rows = report.rows.iter().map(|row| line("td", &row.cells())).collect::<String>();
    page += &section("Variants", &table(&(line("th", &HEADING.map(str::to_owned)) + &rows)));
    let failures: String = report.rows.iter().flat_map(failures_of).collect();
    if failures.is_empty() { page } else { page + &section("Failures", &failures) }
}

fn failures_of(row: &Row) -> impl Iterator<Item = String> + '_ {
    row.failures.iter().map(|failure| {
        let what = format!("{} by {}: {}", row.kernel, row.variant, failure.finding);
        paragraph(&what) + &format!("<pre>{}</pre>\n", escaped(&failure.descriptor))
    })
}
