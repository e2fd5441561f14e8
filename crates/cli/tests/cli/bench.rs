use crate::files::Directory;
use crate::process::{has_gpu, langevin, text};
use serde_json::Value;
use std::fs;

/// The smallest case there is.
const TINY: [&str; 6] = ["bench", "--quick", "--kernel", "combine", "--seconds", "0.01"];

fn with<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    TINY.iter().chain(arguments).copied().collect()
}

fn record(path: &std::path::Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_case_is_checked_timed_and_recorded() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("bench");
    let json = directory.path("record.json");
    let table = langevin(&with(&["--json", text(&json), "--commit", "0123abc"])).succeeds();
    assert!(
        table.contains("ceilings:") && table.contains("host: plan") && table.contains("DiT-XL/2 step"),
        "{table}"
    );
    let record = record(&json);
    assert_eq!((&record["schema"], &record["commit"]), (&Value::from(1), &Value::from("0123abc")));
    assert_eq!(record["command"][0], "bench");
    for ceiling in ["copy_bytes", "buffer_copy_bytes", "f32_flops"] {
        assert!(record["ceilings"][ceiling].as_f64().unwrap() > 1e6, "{record}");
    }
    let rows = record["rows"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().filter(|row| row["chosen"] == true).count() == 1, "{record}");
    for row in rows {
        assert_eq!((&row["kernel"], &row["failed"]), (&Value::from("combine"), &Value::from(false)), "{row}");
        assert!(row["checked"].as_str().unwrap().contains("full size"), "{row}");
        let gpu = &row["timing"]["gpu_seconds"];
        let [low, median, high] =
            ["lower_quartile", "median", "upper_quartile"].map(|q| gpu[q].as_f64().unwrap());
        assert!(0.0 < low && low <= median && median <= high && high < 60.0, "{row}");
        let rate = row["bytes"].as_f64().unwrap() / median;
        assert!((row["timing"]["rate"].as_f64().unwrap() / rate - 1.0).abs() < 1e-9, "{row}");
    }
    assert_eq!(directory.files(), ["record.json"]);
    let markdown = langevin(&["bench", "--from", text(&json), "--markdown"]).succeeds();
    let line =
        markdown.lines().find(|line| line.starts_with("| combine |")).unwrap_or_else(|| panic!("{markdown}"));
    assert_eq!(line.matches(" | ").count(), 6, "{line}");
    let page = directory.path("page.html");
    assert!(
        langevin(&["bench", "--from", text(&json), "--html", text(&page)])
            .succeeds()
            .contains("DiT-XL/2 step")
    );
    let html = fs::read_to_string(page).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.matches("<svg ").count() == 2, "{html}");
    assert!(html.contains("combine DiT-XL/2 step, guided (quads)") && !html.contains("NaN"), "{html}");
    assert!(markdown.contains(" at 0123abc,") && markdown.contains("Ceilings of the same run"), "{markdown}");
}

#[test]
fn a_record_is_compared_with_an_older_one() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("bench-compare");
    let json = directory.path("old.json");
    langevin(&with(&["--json", text(&json), "--rotate", "1"])).succeeds();
    // An old run that took a thousand times as long in a case, and did not know another.
    let mut old = record(&json);
    for quantile in ["lower_quartile", "median", "upper_quartile"] {
        let seconds = &mut old["rows"][0]["timing"]["gpu_seconds"][quantile];
        *seconds = Value::from(seconds.as_f64().unwrap() * 1000.0);
    }
    fs::write(&json, old.to_string()).unwrap();
    let table = langevin(&with(&["--compare", text(&json)])).succeeds();
    let (_, comparison) = table.split_once("\nagainst ").unwrap_or_else(|| panic!("{table}"));
    assert!(
        comparison.contains("new/old") && comparison.contains("0.00") && comparison.contains("faster"),
        "{table}"
    );
    assert!(!comparison.contains("another adapter"), "{table}");

    old["schema"] = Value::from(0);
    fs::write(&json, old.to_string()).unwrap();
    let error = langevin(&with(&["--compare", text(&json)])).fails();
    assert!(error.ends_with("has schema 0, this program reads 1"), "{error}");
    fs::write(&json, "{}").unwrap();
    let error = langevin(&with(&["--compare", text(&json)])).fails();
    assert!(error.contains("is no record of `langevin bench`"), "{error}");
}

#[test]
fn cases_are_listed_and_selected() {
    let all = langevin(&["bench", "--list"]).succeeds();
    for kernel in ["matmul: ", "attention: ", "conv: ", "heat: ", "quantize: ", "norm: "] {
        assert!(all.lines().any(|line| line.starts_with(kernel)), "{all}");
    }
    let some = langevin(&["bench", "--list", "--kernel", "matmul", "--filter", "DECODE"]).succeeds();
    assert!(
        some.lines().count() >= 4 && some.lines().all(|line| line.starts_with("matmul: LLM decode")),
        "{some}"
    );
    let error = langevin(&["bench", "--filter", "no such case"]).fails();
    assert_eq!(
        error,
        "no case whose name contains \"no such case\"; `langevin bench --list` prints the cases"
    );
    let error = langevin(&["bench", "--kernel", "quantize", "--quick"]).fails();
    assert_eq!(
        error,
        "quantize has no case that is small enough for --quick; `langevin bench --list` prints the cases"
    );
    langevin(&["bench", "--kernel", "no such kernel"]).fails_as_usage();
    langevin(&["bench", "--tier", "T0"]).fails_as_usage();
    langevin(&["bench", "--seconds", "0"]).fails_as_usage();
    langevin(&["bench", "--variant", "tiled", "--chosen"]).fails_as_usage();
}

#[test]
fn an_absent_variant_and_an_unwritable_record_are_named_before_anything_runs() {
    let error = langevin(&with(&["--json", "/absent/record.json"])).fails();
    assert!(error.starts_with("cannot write /absent/record.json:"), "{error}");
    let error = langevin(&with(&["--compare", "/absent/record.json"])).fails();
    assert!(error.starts_with("cannot read /absent/record.json:"), "{error}");
    if has_gpu() {
        let error = langevin(&with(&["--variant", "no such variant"])).fails();
        assert!(error.starts_with("no case has the variant asked for on this adapter"), "{error}");
    }
}
