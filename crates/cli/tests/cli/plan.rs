use crate::files::Directory;
use crate::process::{has_gpu, langevin, text};

#[test]
fn memory_and_cost_are_printed_and_a_budget_refuses() {
    if !has_gpu() {
        return;
    }
    let report = langevin(&["plan", "--samples", "4"]).succeeds();
    for part in ["weights", "activations", "total", "FLOP/byte", "attention", "a step"] {
        assert!(report.contains(part), "{report}");
    }
    let total: u64 = report
        .lines()
        .find_map(|line| line.strip_prefix("total")?.trim().strip_suffix(" bytes")?.parse().ok())
        .unwrap_or_else(|| panic!("{report}"));
    let (enough, too_little) = (total.to_string(), (total - 1).to_string());
    langevin(&["plan", "--samples", "4", "--budget", &enough]).succeeds();
    // A sentence and the table, whose lines say where it goes.
    let refused = langevin(&["plan", "--samples", "4", "--budget", &too_little]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    let first =
        format!("langevin: the pipeline needs {total} bytes, more than the {too_little} it may take:\n");
    assert!(refused.stderr.starts_with(&first), "{refused:?}");
    assert!(refused.stderr.contains("\nactivations"), "{refused:?}");
}

/// Ceilings that were measured say what bounds a step, and a measured step stands beside it.
#[test]
fn ceilings_say_what_bounds_a_step() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("plan");
    let ceilings = directory.path("ceilings.json");
    langevin(&["bench", "--ceilings", "--quick", "--seconds", "0.01", "--json", text(&ceilings)]).succeeds();
    let measured = directory.path("measured.json");
    let measure = ["--measure", "--json", text(&measured), "--commit", "abc"];
    let report = langevin(&[&["plan", "--steps", "1", "--ceilings", text(&ceilings)], &measure[..]].concat())
        .succeeds();
    assert!(report.contains("a step takes at least") && report.contains("bounds it"), "{report}");
    assert!(
        report.contains("measured: a step takes ") && report.contains(" times its kernels alone"),
        "{report}"
    );
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(&measured).unwrap()).unwrap();
    let number = |name: &str| record[name].as_f64().unwrap_or_else(|| panic!("{name}: {record}"));
    assert!(number("step_seconds") > 0.0 && number("kernels_seconds") > 0.0, "{record}");
    assert!(number("step_over_kernels") > 0.0, "{record}");
    assert_eq!((record["commit"].as_str(), record["command"][0].as_str()), (Some("abc"), Some("plan")));
    let other = directory.path("other.json");
    std::fs::write(&other, "{}").unwrap();
    assert!(
        langevin(&["plan", "--ceilings", text(&other)]).fails().contains("is no record of `langevin bench`")
    );
}

/// The policy of the documentation, for the model that it names; it is calibrated, and nothing runs for it, whatever the model.
#[test]
fn a_policy_is_planned_without_its_calibration() {
    if !has_gpu() {
        return;
    }
    let source = include_str!("../../../diffusion/src/precision.rs");
    let (_, example) = source.split_once("/// ```toml\n").unwrap();
    let lines = example.lines().map_while(|line| line.strip_prefix("///")).take_while(|line| *line != " ```");
    let directory = Directory::new("plan-policy");
    let policy = directory.path("policy.toml");
    std::fs::write(&policy, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let report = langevin(&["plan", "--model", "dit-xl-2", "--precision", text(&policy)]).succeeds();
    assert!(
        report.contains("f32 weights but for the layers of ") && report.contains("norm_quantize"),
        "{report}"
    );
    let refused = langevin(&["plan", "--precision", text(&policy), "--budget", "1KiB"]).fails();
    assert!(refused.contains("no layer of the model is named `transformer_blocks.27.attn1.**`"), "{refused}");
}

/// A model that embeds the guidance scale takes one forward pass; one that attends to a text is calibrated for none of it.
#[test]
fn texts_and_distilled_guidance_are_planned() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("plan-distilled");
    let (model, policy) = (directory.path("distilled.json"), directory.path("policy.toml"));
    std::fs::write(&model, include_str!("../../../diffusion/goldens/tiny_distilled.json")).unwrap();
    let rule = "[[layer]]\nnames = \"**.ff.**\"\nweights = \"i8\"\nactivations = \"i8\"\ncalibrated = true\n";
    std::fs::write(&policy, rule).unwrap();
    let arguments = ["plan", "--model", text(&model), "--text-tokens", "3", "--precision", text(&policy)];
    let report = langevin(&arguments).succeeds();
    assert!(report.contains("1 forward passes of 1 samples"), "{report}");
}

/// A configuration alone is enough, at sizes of which no weights exist here: four times the tokens are four times the
/// activations, and the weights stay.
#[test]
fn a_configuration_is_planned_at_any_size() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("plan-configuration");
    let config = directory.path("config.json");
    let json = r#"{"sample_size": 64, "patch_size": 2, "in_channels": 4, "out_channels": 4, "num_attention_heads": 12,
                   "attention_head_dim": 64, "num_layers": 12, "num_embeds_ada_norm": 10, "norm_eps": 1e-5}"#;
    std::fs::write(&config, json).unwrap();
    let bytes = |size: &str, part: &str| -> u64 {
        let options = ["--weights", "f16", "--samples", "1", "--size", size];
        let report = langevin(&[&["plan", "--model", text(&config)], &options[..]].concat()).succeeds();
        let line = report.lines().find(|line| line.starts_with(part)).unwrap_or_else(|| panic!("{report}"));
        line[part.len()..].split_whitespace().next().and_then(|word| word.parse().ok()).unwrap()
    };
    let [small, large] = ["64", "128"].map(|size| bytes(size, "activations"));
    // What does not grow with the tokens is a few rows of modulations.
    assert!(large < 4 * small && large > 39 * small / 10, "{small} {large}");
    // The fixed position embedding, of 1,024 tokens or 4,096.
    assert_eq!(bytes("128", "weights") - bytes("64", "weights"), (4096 - 1024) * 768 * 4);
    let absent = directory.path("absent.json");
    assert!(langevin(&["plan", "--model", text(&absent)]).fails().starts_with("cannot read"));
}

#[test]
fn bad_wishes_are_one_sentence() {
    let usage = langevin(&["plan", "--model", "dit-xxl"]).fails_as_usage();
    assert!(
        usage.contains("a model is digits, dit-s-2, dit-xl-2, a configuration in a file .json"),
        "{usage}"
    );
    let usage = langevin(&["plan", "--budget", "3GB"]).fails_as_usage();
    assert!(usage.contains("is no number of bytes, KiB, MiB or GiB"), "{usage}");
    if !has_gpu() {
        return;
    }
    for (options, part) in [
        (&["--steps", "0"][..], "steps must be between 1 and 100000, got 0"),
        (&["--size", "7"], "patch_size must be a divisor of sample_size 7, got 2"),
        (&["--text-tokens", "3"], "text_tokens must be 0 for a model without text, got 3"),
        (
            &["--cache", "dbcache:9:0.1"],
            "the first blocks of the cache must be from 1 to 3, one less than there are, got 9",
        ),
        (
            &["--cache", "static:2", "--in-turn"],
            "caching must be none where guidance's passes run in turn, got static:2",
        ),
    ] {
        let error = langevin(&[&["plan"], options].concat()).fails();
        assert_eq!(error, part);
    }
    let empty = Directory::new("plan-empty");
    let directory = empty.path("");
    assert!(langevin(&["plan", "--model", text(&directory)]).fails().starts_with("cannot read"));
}
