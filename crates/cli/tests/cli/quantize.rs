use crate::files::{Directory, f32s, i32s, load, save};
use crate::process::{has_gpu, langevin, text};
use safetensors::{Dtype, SafeTensors};
use std::fs;
use std::path::Path;

const POLICY: &str = r#"
[[rule]]
tensors = "head.*"
format = "keep"

[[rule]]
tensors = "*.weight"
format = "i8"

[[rule]]
tensors = "mx"
format = "e4m3"
granularity = { per_group = 32 }
scale_rounding = "rceil"

[[rule]]
tensors = "table"
format = "bf16"
"#;

fn model(path: &Path) {
    let numbers = |count: usize| (0..count).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>();
    save(
        path,
        &[
            ("a.weight", f32s(&[2, 3], &[127.0, -1.0, 0.25, 254.0, 3.0, -5.1])),
            ("a.bias", f32s(&[2], &[1.0, 2.0])),
            ("head.weight", f32s(&[2, 2], &numbers(4))),
            ("mx", f32s(&[2, 40], &numbers(80))),
            ("table", f32s(&[3, 2], &[1.0, 1.0 + 1.0 / 256.0, 3.0, -0.0, 4.0, 6.0])),
            ("ids", i32s(&[2, 2], &[1, 2, 3, 4])),
        ],
    );
}

#[test]
fn a_model_is_quantized_by_its_policy() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("quantize");
    let [model_path, policy, out, json] =
        ["model.safetensors", "policy.toml", "q.safetensors", "report.json"].map(|name| directory.path(name));
    model(&model_path);
    fs::write(&policy, POLICY).unwrap();
    let arguments = ["quantize", text(&model_path), "--policy", text(&policy), "--out", text(&out)];
    let report = langevin(&[&arguments[..], &["--json", text(&json)]].concat()).succeeds();
    assert!(report.contains("3 of 6 tensors changed, 3 copied"), "{report}");

    let codes = load(&out, "a.weight");
    assert_eq!((codes.dtype, codes.shape), (Dtype::I8, vec![2, 3]));
    assert_eq!(codes.bytes, [127, -1_i8 as u8, 0, 127, 2, -3_i8 as u8]);
    assert_eq!(load(&out, "a.weight_scale"), f32s(&[2], &[1.0, 2.0]));
    for name in ["a.bias", "head.weight", "ids"] {
        assert_eq!(load(&out, name), load(&model_path, name), "{name}");
    }
    // 1 + 2^-8 is a tie, which goes to even.
    assert_eq!(load(&out, "table").bytes[2..4], [0x80, 0x3f]);
    let scales = load(&out, "mx_scale");
    assert_eq!((scales.dtype, scales.shape), (Dtype::F8_E8M0, vec![2, 2]));
    let bytes = fs::read(&out).unwrap();
    assert_eq!(SafeTensors::deserialize(&bytes).unwrap().len(), 8);
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let schemes: serde_json::Value =
        serde_json::from_str(&header.metadata().as_ref().unwrap()["langevin.quantization"]).unwrap();
    assert_eq!(schemes["a.weight"]["granularity"], "per_row");
    assert_eq!(schemes["mx"]["scale_rounding"], "rceil");

    let report: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let row = report["tensors"].as_array().unwrap().iter().find(|row| row["name"] == "a.weight").unwrap();
    assert_eq!((&row["from"], &row["to"]), (&"F32".into(), &"I8".into()));
    assert_eq!((&row["bytes_before"], &row["bytes_after"]), (&24.into(), &14.into()));
    assert_eq!(row["measure"]["max"], 254.0);
    // 0.25, 3 and -5.1 became 0, 4 and -6.
    let noise = 0.25_f64.powi(2) + 1.0 + (6.0 - f64::from(5.1_f32)).powi(2);
    assert_eq!(row["measure"]["noise"], noise);
    assert_eq!(row["clipped_fraction"], 0.0);
    assert_eq!(directory.files(), ["model.safetensors", "policy.toml", "q.safetensors", "report.json"]);
}

#[test]
fn the_model_may_be_replaced_and_a_second_run_changes_nothing() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("requantize");
    let [path, policy] = ["model.safetensors", "policy.toml"].map(|name| directory.path(name));
    model(&path);
    fs::write(&policy, POLICY).unwrap();
    let run =
        || langevin(&["quantize", text(&path), "--policy", text(&policy), "--out", text(&path)]).succeeds();
    run();
    let first = fs::read(&path).unwrap();
    assert!(run().contains("0 of 8 tensors changed"));
    let headers = [first, fs::read(&path).unwrap()].map(|bytes| {
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let mut all: Vec<_> =
            tensors.tensors().into_iter().map(|(name, view)| (name, view.data().to_vec())).collect();
        all.sort();
        all
    });
    assert_eq!(headers[0], headers[1]);
}

#[test]
fn errors_name_the_file_and_leave_nothing() {
    let directory = Directory::new("quantize-errors");
    let [model_path, policy, out] =
        ["model.safetensors", "policy.toml", "q.safetensors"].map(|name| directory.path(name));
    model(&model_path);
    let fails = |text_of_policy: &str| {
        fs::write(&policy, text_of_policy).unwrap();
        langevin(&["quantize", text(&model_path), "--policy", text(&policy), "--out", text(&out)]).fails()
    };
    let error = fails("[[rule]]\ntensors = \"*\"\nformat = \"fp8\"\n");
    assert!(error.contains("policy.toml is no policy: line 3: unknown format \"fp8\""), "{error}");
    let error = fails("[[rule]]\ntensors = \"*\"\nformat = \"i8\"\ngranularity = { per_group = 5 }\n");
    assert!(error.contains("is no policy: rule 1: quantize: `granularity` must be groups"), "{error}");
    let bytes = fs::read(&model_path).unwrap();
    fs::write(&model_path, &bytes[..bytes.len() - 1]).unwrap();
    let error = fails(POLICY);
    assert!(error.contains("model.safetensors: not a whole safetensors file"), "{error}");
    if has_gpu() {
        save(&model_path, &[("w", f32s(&[2, 2], &[1.0; 4])), ("w_scale", f32s(&[2], &[1.0; 2]))]);
        let error = fails("[[rule]]\ntensors = \"w\"\nformat = \"i8\"\n");
        let sentence = "tensor `w_scale` would be written, but the file has a tensor of that name";
        assert!(error.ends_with(sentence), "{error}");
    }
    assert_eq!(directory.files(), ["model.safetensors", "policy.toml"]);
}

#[test]
fn no_file_is_written_over_another() {
    let directory = Directory::new("quantize-same");
    let [model_path, policy, out] =
        ["model.safetensors", "policy.toml", "q.safetensors"].map(|name| directory.path(name));
    model(&model_path);
    fs::write(&policy, POLICY).unwrap();
    let respelled = |path: &Path| {
        let folder = path.parent().unwrap();
        folder.join("..").join(folder.file_name().unwrap()).join(path.file_name().unwrap())
    };
    for (out, json, names) in [
        (&policy, None, ["--policy", "--out"]),
        (&out, Some(&model_path), ["the model", "--json"]),
        (&out, Some(&policy), ["--policy", "--json"]),
        (&out, Some(&out), ["--out", "--json"]),
    ] {
        let last = json.unwrap_or(out);
        for last in [last.clone(), respelled(last)] {
            let out = if json.is_some() { out.clone() } else { last.clone() };
            let mut arguments =
                vec!["quantize", text(&model_path), "--policy", text(&policy), "--out", text(&out)];
            if json.is_some() {
                arguments.extend(["--json", text(&last)]);
            }
            let [first, second] = names;
            assert_eq!(
                langevin(&arguments).fails(),
                format!("{first} and {second} must be two files, got {} for both", last.display())
            );
        }
    }
    assert_eq!(directory.files(), ["model.safetensors", "policy.toml"]);
    assert_eq!(fs::read_to_string(&policy).unwrap(), POLICY);
}

/// Numbers that the new format cannot hold, rules that match nothing, and a second run over its own result.
#[test]
fn losses_idle_rules_and_parts_are_told() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("quantize-told");
    let [model_path, policy, out, json] =
        ["model.safetensors", "policy.toml", "q.safetensors", "report.json"].map(|name| directory.path(name));
    save(
        &model_path,
        &[
            ("destroyed", f32s(&[3], &[1e6; 3])),
            ("kept", f32s(&[2], &[1.0, 2.0])),
            ("nan.weight", f32s(&[1, 2], &[f32::NAN; 2])),
            ("inf.weight", f32s(&[1, 4], &[f32::INFINITY, 1.0, 2.0, 3.0])),
            ("empty.weight", f32s(&[9, 0], &[])),
        ],
    );
    let rules = "[[rule]]\ntensors = [\"destroyed\", \"kept\", \"mistyped\"]\nformat = \"f16\"\n\
                 [[rule]]\ntensors = \"*.weight\"\nformat = \"i8\"\n";
    fs::write(&policy, rules).unwrap();
    let arguments = [
        "quantize",
        text(&model_path),
        "--policy",
        text(&policy),
        "--out",
        text(&out),
        "--json",
        text(&json),
    ];
    let finished = langevin(&arguments);
    let warning = format!("langevin: {}: warning: rule 1: `mistyped` matches no tensor\n", policy.display());
    assert_eq!(finished.stderr, warning);
    let table = finished.succeeds();
    let line = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(line("destroyed").contains("  lost  "), "{table}");
    assert!(line("kept").contains("  exact  "), "{table}");
    assert!(line("nan.weight").contains("  lost  "), "{table}");
    assert!(line("nan.weight").ends_with("2 not finite, 2 of them made finite"), "{table}");
    assert!(line("inf.weight").ends_with("1 not finite, 1 of them made finite"), "{table}");
    assert!(table.contains("4 of 5 tensors changed, 1 copied; "), "{table}");
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!(report["unused"], serde_json::json!([{"rule": 1, "pattern": "mistyped", "min_axes": 0}]));
    let row = |name| report["tensors"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
    assert_eq!((&row("destroyed")["loss"], &row("kept")["loss"]), (&"total".into(), &"none".into()));
    assert_eq!(row("destroyed")["measure"]["noise"], serde_json::Value::Null);
    assert_eq!(row("inf.weight")["loss"], "some");

    let (first, first_report) = (fs::read(&out).unwrap(), fs::read(&json).unwrap());
    langevin(&arguments).succeeds();
    assert!(fs::read(&out).unwrap() == first && fs::read(&json).unwrap() == first_report);
    fs::write(&policy, "[[rule]]\ntensors = \"**\"\nformat = \"i8\"\nmin_axes = 1\n").unwrap();
    let again = ["quantize", text(&out), "--policy", text(&policy), "--out", text(&out)];
    let table = langevin(&again).succeeds();
    let sentence = "2 of 7 tensors changed, 5 copied (4 of them codes, scales and zero points of tensors quantized before)";
    assert!(table.contains(sentence), "{table}");
    assert_eq!(load(&out, "nan.weight_scale").dtype, Dtype::F32);
}
