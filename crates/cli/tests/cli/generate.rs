use crate::files::{Directory, load};
use crate::process::{Finished, has_gpu, langevin, text};
use std::fs;

/// Two digits in two steps, by the CPU references where `device` says so.
fn generate(directory: &Directory, out: &str, options: &[&str]) -> Finished {
    let out = directory.path(out);
    let fixed = ["generate", "--digits", "38", "--steps", "2", "--seed", "5", "--out", text(&out)];
    langevin(&[&fixed[..], options].concat())
}

#[test]
fn the_reference_writes_a_sheet_and_the_samples() {
    let directory = Directory::new("generate-cpu");
    let samples = directory.path("samples.safetensors");
    let options = ["--cpu", "--rows", "2", "--samples", text(&samples)];
    generate(&directory, "sheet.png", &options).succeeds();
    let sheet = image::open(directory.path("sheet.png")).unwrap().into_luma8();
    // Two columns and two rows of 8 x 8 pixels, each shown as 8 x 8, with margins of 8.
    assert_eq!(sheet.dimensions(), (2 * 72 + 8, 2 * 72 + 8));
    let pictures = load(&samples, "samples");
    assert_eq!(pictures.shape, [4, 8, 8]);
    let values = pictures.to_f32();
    assert!(values.iter().all(|value| value.is_finite()) && values.iter().any(|value| value.abs() > 0.5));
    assert_eq!(load(&samples, "labels").bytes, [3, 8, 3, 8].map(i32::to_le_bytes).concat());
    assert_eq!(directory.files(), ["samples.safetensors", "sheet.png"]);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_the_first_step_is_checked() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("generate-gpu");
    let report = generate(&directory, "a.png", &["--weights", "e4m3", "--check"]).succeeds();
    assert!(report.contains("first step against the CPU references: pictures: ok"), "{report}");
    generate(&directory, "b.png", &["--weights", "e4m3"]).succeeds();
    generate(&directory, "c.png", &["--weights", "e5m2"]).succeeds();
    let [a, b, c] = ["a.png", "b.png", "c.png"].map(|name| fs::read(directory.path(name)).unwrap());
    assert_eq!(a, b);
    assert_ne!(a, c);
}

/// A policy of precisions by layer, some of it calibrated; what cannot be followed is one sentence.
#[test]
fn layers_have_the_precision_of_a_policy() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("generate-precision");
    let policy = directory.path("policy.toml");
    let rules = |names: &str| {
        format!(
            "[[layer]]\nnames = \"transformer_blocks.*.ff.**\"\nweights = \"i8\"\nactivations = \"i8\"\ncalibrated = true\n\n\
             [[layer]]\nnames = \"{names}\"\nweights = \"mxfp8\"\nactivations = \"e4m3\"\n"
        )
    };
    fs::write(&policy, rules("transformer_blocks.*.attn1.**")).unwrap();
    let options = ["--precision", text(&policy)];
    generate(&directory, "a.png", &options).succeeds();
    generate(&directory, "b.png", &[]).succeeds();
    let [a, b] = ["a.png", "b.png"].map(|name| fs::read(directory.path(name)).unwrap());
    assert_ne!(a, b);
    fs::write(&policy, rules("blocks.**")).unwrap();
    let error = generate(&directory, "d.png", &options).fails();
    assert!(error.ends_with("precision rule 2: no layer of the model is named `blocks.**`"), "{error}");
    fs::write(&policy, "[[layer]]\nnames = \"**\"\nweights = \"i9\"\n").unwrap();
    let error = generate(&directory, "d.png", &options).fails();
    assert!(error.contains("line 3: unknown format \"i9\", expected f32, f16"), "{error}");
    assert!(!directory.path("d.png").exists());
}

/// Pictures of an earlier run come back changed a little, and only as many as were asked for.
#[test]
fn pictures_lead_to_pictures() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("generate-from");
    let [first, second] = ["first.safetensors", "second.safetensors"].map(|name| directory.path(name));
    generate(&directory, "a.png", &["--samples", text(&first)]).succeeds();
    // Four steps, of which a quarter is the last one; by a sampler with memory, noise and guidance of its own.
    let from =
        ["--from", text(&first), "--steps", "4", "--sampler", "ddim:0.3", "--guidance-interval", "0", "0.5"];
    let from = [&from[..], &["--in-turn", "--samples", text(&second)]].concat();
    let run = |strength: &str| {
        let options = [&["--strength", strength], &from[..]].concat();
        let out = directory.path("b.png");
        langevin(
            &[&["generate", "--digits", "38", "--seed", "6", "--out", text(&out)], &options[..]].concat(),
        )
    };
    let distance = || {
        let [a, b] = [&first, &second].map(|path| load(path, "samples").to_f32());
        a.iter().zip(&b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
    };
    run("0.25").succeeds();
    let little = distance();
    run("1").succeeds();
    let much = distance();
    assert!(0.0 < little && little < much, "{little} {much}");
    let error = run("0.2").fails();
    assert_eq!(error, "strength must be from 1/4 (one step) to 1, got 0.2");
    let out = directory.path("c.png");
    let all = [&["generate", "--out", text(&out), "--strength", "0.5"], &from[..2]].concat();
    let error = langevin(&all).fails();
    assert!(
        error.contains("tensor `samples` must hold 640 numbers, as many as are made, got 128"),
        "{error}"
    );
}

#[test]
fn bad_wishes_are_one_sentence_and_leave_no_file() {
    let directory = Directory::new("generate-bad");
    for (option, value, part) in [
        ("--digits", "3x", "'x' is not a digit from 0 to 9"),
        ("--digits", "", "at least one digit is needed"),
        ("--steps", "0", "0 is not in 1..=100000"),
        ("--rows", "0", "0 is not in 1..=1000"),
        ("--weights", "e3m4", "e3m4"),
        ("--sampler", "runge", "there is no sampler `runge`; the samplers are euler, "),
        ("--strength", "0.5", "--from"),
    ] {
        let out = directory.path("out.png");
        let usage = langevin(&["generate", option, value, "--out", text(&out)]).fails_as_usage();
        assert!(usage.contains(part), "{usage}");
    }
    let error = generate(&directory, "out.png", &["--cpu", "--guidance", "inf"]).fails();
    assert_eq!(error, "guidance must be a finite number, got inf");
    if has_gpu() {
        let error = generate(&directory, "out.png", &["--guidance", "1e38"]).fails();
        assert!(error.contains("not finite; the guidance 1e38 must be smaller"), "{error}");
    }
    for (options, part) in [
        (&["--sampler", "ddim:2"][..], "eta must be from 0 to 1, got 2"),
        (&["--sampler", "lms:9"], "order must be from 1 to 4, got 9"),
        (&["--shift", "0"], "shift must be a positive number, got 0"),
        (
            &["--guidance-interval", "0.7", "0.2"],
            "the guidance interval must be times within 0 to 1, in order, got 0.7",
        ),
    ] {
        let error = generate(&directory, "out.png", &[&["--cpu"], options].concat()).fails();
        assert!(error.contains(part), "{error}");
    }
    let out = directory.path("out.png");
    let error = generate(&directory, "out.png", &["--cpu", "--samples", text(&out)]).fails();
    assert!(error.starts_with("--out and --samples must be two files"), "{error}");
    let error = generate(&directory, "absent/out.png", &["--cpu"]).fails();
    assert!(error.starts_with("cannot write"), "{error}");
    assert!(directory.files().is_empty(), "{:?}", directory.files());
}
