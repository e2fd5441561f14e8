//! What the README says of speed, and the page of all records: both are made from the records, and a test says where they
//! differ. `cargo xtask record --write` makes them again.
//!
//! The README's section is `benches/records/figures.md` with a number in place of every `{VALUE FORMAT}`. A value is
//! `RECORD; POINTER`, or `RECORD; KERNEL; CASE; FIELD` of the row that a plan takes by itself (`-` for a record without kernels),
//! or `VALUE / VALUE`. A field is `time`, `rate`, `share` or a pointer. A format is a unit and the number of decimals: `us.0`,
//! `ms.2`, `T.0`, `%.0`, `x.2`.

use super::record::Record;
use serde_json::Value;
use std::path::{Path, PathBuf};

const BEGIN: &str =
    "<!-- From benches/records/figures.md, by `cargo xtask record --write`; a test compares. -->\n";
const END: &str = "<!-- The end of what is made from the records. -->\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn json(record: &str) -> Value {
    serde_json::from_str(&read(&format!("benches/records/{record}.json"))).unwrap()
}

/// The row of a case that a plan takes by itself.
fn row<'a>(record: &'a Value, kernel: &str, case: &str) -> Option<&'a Value> {
    record["rows"].as_array()?.iter().find(|row| {
        let of_kernel = kernel == "-" || row["kernel"] == kernel;
        of_kernel && row["case"] == case && row["chosen"] != false
    })
}

fn value(spec: &str) -> Option<f64> {
    if let Some((above, below)) = spec.split_once(" / ") {
        return Some(value(above)? / value(below)?);
    }
    match spec.split("; ").collect::<Vec<_>>()[..] {
        [record, pointer] => json(record).pointer(pointer)?.as_f64(),
        [record, kernel, case, field] => {
            let pointer = match field {
                "time" => "/timing/gpu_seconds/median",
                "rate" => "/timing/rate",
                "share" => "/timing/fraction_of_ceiling",
                pointer => pointer,
            };
            row(&json(record), kernel, case)?.pointer(pointer)?.as_f64()
        }
        _ => None,
    }
}

/// `VALUE FORMAT` as text.
fn figure(spec: &str) -> Option<String> {
    let (spec, format) = spec.rsplit_once(' ')?;
    let (unit, decimals) = format.split_once('.')?;
    let factor = match unit {
        "us" => 1e6,
        "ms" => 1e3,
        "T" => 1e-12,
        "%" => 100.0,
        "x" => 1.0,
        _ => return None,
    };
    Some(format!("{:.1$}", value(spec)? * factor, decimals.parse().ok()?))
}

fn filled(template: &str) -> String {
    let mut parts = template.split('{');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (spec, rest) = part.split_once('}').unwrap_or_else(|| panic!("no end: {part}"));
        text += &figure(spec).unwrap_or_else(|| panic!("benches/records/figures.md: no such value: {spec}"));
        text += rest;
    }
    text
}

/// The README with its section made anew.
fn readme() -> String {
    let old = read("README.md");
    let (before, rest) = old.split_once(BEGIN).expect("README.md has no section of figures");
    let (_, after) = rest.split_once(END).expect("the README's section of figures has no end");
    format!("{before}{BEGIN}{}{END}{after}", filled(&read("benches/records/figures.md")))
}

/// The page of all records.
fn page() -> String {
    let mut files: Vec<String> = std::fs::read_dir(root().join("benches/records"))
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".json")?.to_owned()))
        .collect();
    files.sort();
    let mut text = "# Records\n\nWhat was measured, where, and by which command. This page is made from the files beside it:\n\n\
                    ```sh slow\ncargo xtask record --write   # make it, and the README's figures, anew\ncargo xtask record --check   # \
                    compare them, as a test does\n```\n"
        .to_owned();
    for file in files {
        text += &format!("\n## [{file}]({file}.json)\n\n");
        match Record::read(&root().join("benches/records").join(format!("{file}.json"))) {
            Ok(record) => text += &record.markdown(),
            Err(_) => text += &other(&json(&file)),
        }
    }
    text
}

/// A record that another program wrote, or `doctor`: what it says of itself.
fn other(record: &Value) -> String {
    let mut text = String::new();
    for (name, value) in record.as_object().into_iter().flatten() {
        text += &match value {
            Value::Array(rows) if name == "rows" || name == "results" => format!("- {} rows\n", rows.len()),
            Value::Object(fields) if name == "ms" => {
                fields.iter().map(|(case, ms)| format!("- {case}: {ms:.3}\n")).collect()
            }
            Value::Array(_) | Value::Object(_) | Value::Null => continue,
            Value::String(sentence) => format!("- {name}: {sentence}\n"),
            value => format!("- {name}: {value}\n"),
        };
    }
    let rows = record["rows"].as_array().into_iter().flatten();
    for row in rows {
        if let (Some(case), Some(ratio)) = (row["case"].as_str(), row["ratio"].as_f64()) {
            text += &format!("- {case}: burn takes {ratio:.2} times as long\n");
        }
    }
    text
}

#[test]
fn published_figures_are_those_of_the_records() {
    for (path, text) in [("README.md", readme()), ("benches/records/README.md", page())] {
        if std::env::var_os("LANGEVIN_WRITE_RECORDS").is_some() {
            std::fs::write(root().join(path), &text).unwrap();
        }
        let old = read(path);
        let differs = old.lines().zip(text.lines()).find(|(old, new)| old != new);
        assert!(
            old == text,
            "{path} is not what the records say; `cargo xtask record --write` makes it anew: {differs:?}"
        );
    }
}
