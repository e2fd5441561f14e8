use crate::files::Directory;
use crate::process::{has_gpu, langevin, text};

#[test]
fn settings_are_compared_in_a_table_and_on_a_page() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("evaluate");
    let page = directory.path("page.html");
    let candidates = ["--candidate", "steps=2", "--candidate", "weights=e4m3,steps=2,cache=static:2"];
    let json = directory.path("record.json");
    let files = ["--html", text(&page), "--json", text(&json)];
    let report = langevin(
        &[&["evaluate", "--each", "1", "--baseline", "steps=8"], &files[..], &candidates[..]].concat(),
    )
    .succeeds();
    let rows: Vec<&str> = report.lines().skip(2).collect();
    assert_eq!(rows.len(), 4, "{report}");
    assert!(rows[3].starts_with("10 digits are too few"), "{report}");
    // The last one is found wrong before the first one runs.
    let error = langevin(&["evaluate", "--candidate", "steps=8", "--candidate", "steps=0"]).fails();
    assert!(error.starts_with("steps must be"), "{error}");
    assert!(
        rows[0].starts_with("baseline, steps=8") && rows[0].contains("same") && rows[0].contains("8 of 8"),
        "{report}"
    );
    assert!(
        rows[1].starts_with("steps=2") && rows[1].contains(" dB") && rows[1].contains("2 of 2"),
        "{report}"
    );
    let html = std::fs::read_to_string(&page).unwrap();
    assert_eq!(html.matches("<img alt=").count(), 3);
    assert!(html.contains("weights=e4m3,steps=2,cache=static:2") && !html.contains("http"), "{html}");
    let usage = langevin(&["evaluate", "--candidate", "colour=red"]).fails_as_usage();
    assert!(
        usage.contains("`colour` is none of weights, precision, steps, sampler, cache and guidance"),
        "{usage}"
    );
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let names: Vec<_> =
        record["rows"].as_array().unwrap().iter().map(|row| row["settings"].as_str()).collect();
    assert_eq!(
        names,
        [Some("baseline, steps=8"), Some("steps=2"), Some("weights=e4m3,steps=2,cache=static:2")]
    );
    assert!(
        record["rows"][0]["psnr_decibels"].is_null() && record["rows"][1]["psnr_decibels"].is_f64(),
        "{record}"
    );
    let error = langevin(&["evaluate", "--html", text(&page), "--json", text(&page)]).fails();
    assert!(error.starts_with("--html and --json must be two files"), "{error}");
    assert_eq!(directory.files(), ["page.html", "record.json"]);
}
