use crate::files::{Directory, f32s};
use crate::process::{has_gpu, langevin, text};
use crate::run::run;
use std::fs;

#[test]
fn the_doctor_passes_and_its_report_is_whole() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("doctor");
    let [json, page, kept] = ["report.json", "report.html", "verdicts"].map(|name| directory.path(name));
    let files = ["--json", text(&json), "--html", text(&page), "--keep", text(&kept)];
    let table = langevin(&[&["doctor", "--quick"][..], &files].concat()).succeeds();
    assert!(table.contains("verdict") && table.contains("all within their bounds"), "{table}");
    assert!(!table.contains("FAILED"), "{table}");
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!(report["passed"], true);
    let rows = report["rows"].as_array().unwrap();
    // Every kernel runs on the portable tier, whatever the adapter.
    for kernel in kernels() {
        let portable = rows.iter().find(|row| row["kernel"] == kernel.as_str() && row["tier"] == "portable");
        let row = portable.unwrap_or_else(|| panic!("{kernel}: {table}"));
        let ratio = row["worst_ratio"].as_f64().unwrap();
        assert!(row["cases"].as_u64().unwrap() >= 2 && (0.0..=1.0).contains(&ratio), "{row}");
        assert!(table.lines().any(|line| line.starts_with(&kernel)), "{table}");
    }
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("all within their bounds") && !page.contains("Failures"), "{page}");
    assert!(
        page.contains(report["adapter"].as_str().unwrap())
            && page.matches("<td>ok</td>").count() == rows.len()
    );
    assert_eq!(directory.files(), ["report.html", "report.json", "verdicts"]);
    a_variant_that_failed_is_not_taken(&directory, &fs::read_to_string(&kept).unwrap());
}

/// With nothing but a failure added to what the doctor kept.
fn a_variant_that_failed_is_not_taken(directory: &Directory, kept: &str) {
    assert_eq!(kept.lines().count(), 3, "{kept}");
    let kept = kept.to_owned() + "activation quads [0] is 7 bounds off\n";
    let verdicts = directory.path("verdicts");
    fs::write(&verdicts, kept).unwrap();
    let x = [("x", f32s(&[1, 4], &[1.0, 2.0, 3.0, 4.0]))];
    let desc = ["--desc", r#"{"activation": "relu"}"#];
    run(directory, "activation", &x, &desc).succeeds();
    let error =
        run(directory, "activation", &x, &[&desc[..], &["--verdicts", text(&verdicts)]].concat()).fails();
    assert!(error.contains("quads") && error.contains("[0] is 7 bounds off"), "{error}");
    fs::write(&verdicts, "no verdicts").unwrap();
    let error =
        run(directory, "activation", &x, &[&desc[..], &["--verdicts", text(&verdicts)]].concat()).fails();
    assert!(error.contains("line 1") && error.contains("got \"no verdicts\""), "{error}");
}

/// One of the 256 parts, that of the numbers around 1.
#[test]
fn a_part_of_all_numbers_goes_through_every_encoder() {
    if !has_gpu() {
        return;
    }
    let table = langevin(&["doctor", "--exhaustive=1"]).succeeds();
    assert!(table.contains("15 cases, all within their bounds"), "{table}");
    assert!(table.contains("cast ") && table.contains("quantize "), "{table}");
    langevin(&["doctor", "--exhaustive=0"]).fails_as_usage();
    langevin(&["doctor", "--exhaustive", "--quick"]).fails_as_usage();
}

#[test]
fn one_kernel_is_checked_alone() {
    if !has_gpu() {
        return;
    }
    let table = langevin(&["doctor", "--full", "--kernel", "patchify"]).succeeds();
    assert!(table.contains("all within their bounds"), "{table}");
    assert_eq!(table.lines().filter(|line| line.contains(" ok")).count(), 1, "{table}");
    let cases = |share: &str| -> usize {
        let table = langevin(&["doctor", "--kernel", "patchify", "--share", share]).succeeds();
        let line = table.lines().last().unwrap_or_default().to_owned();
        line.split_once(" cases, all")
            .and_then(|(count, _)| count.parse().ok())
            .unwrap_or_else(|| panic!("{table}"))
    };
    let all = cases("1/1");
    assert_eq!(cases("1/2") + cases("2/2"), all);
    langevin(&["doctor", "--share", "3/2"]).fails_as_usage();
    // Where the whole doctor does not come to its end, verdicts on a part are better than none.
    let directory = Directory::new("doctor-part");
    let kept = directory.path("verdicts");
    langevin(&["doctor", "--kernel", "patchify", "--share", "1/2", "--keep", text(&kept)]).succeeds();
    assert_eq!(fs::read_to_string(&kept).unwrap().lines().count(), 3);
    langevin(&["doctor", "--kernel", "no such kernel"]).fails_as_usage();
}

/// The names that `run` lists.
fn kernels() -> Vec<String> {
    let usage = langevin(&["run", "no such kernel", "--input", "a", "--output", "b"]).fails_as_usage();
    let (_, list) = usage.split_once("[possible values: ").expect("a list of kernels");
    let (list, _) = list.split_once(']').expect("the end of the list");
    list.split(", ").map(str::to_owned).collect()
}

#[test]
fn an_unknown_adapter_and_an_unwritable_report_are_named_before_anything_runs() {
    let error = langevin(&["doctor", "--adapter", "no such GPU"]).fails();
    assert!(error.starts_with("no GPU adapter found whose name contains \"no such GPU\""), "{error}");
    let error = langevin(&["doctor", "--json", "/absent/report.json"]).fails();
    assert!(error.starts_with("cannot write /absent/report.json:"), "{error}");
}
