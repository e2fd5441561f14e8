use crate::files::{Directory, Tensor, f32s, i8s, i32s, load, save, tensor};
use crate::process::{Finished, has_gpu, langevin, text};
use ndarray::{Array2, Array3, Axis};
use safetensors::Dtype;
use std::fs;

/// Runs a kernel on these tensors; the output is `out.safetensors` in the directory.
pub(crate) fn run(
    directory: &Directory,
    kernel: &str,
    tensors: &[(&str, Tensor)],
    options: &[&str],
) -> Finished {
    let (input, output) = (directory.path("in.safetensors"), directory.path("out.safetensors"));
    save(&input, tensors);
    let mut arguments = vec!["run", kernel, "--input", text(&input), "--output", text(&output)];
    arguments.extend(options);
    langevin(&arguments)
}

/// Runs a kernel that must fail without leaving anything; the sentence.
#[track_caller]
fn fails(directory: &Directory, kernel: &str, tensors: &[(&str, Tensor)], options: &[&str]) -> String {
    let sentence = run(directory, kernel, tensors, options).fails();
    assert_eq!(directory.files(), ["in.safetensors"]);
    sentence
}

fn product() -> Vec<(&'static str, Tensor)> {
    vec![
        ("a", f32s(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
        ("b", f32s(&[3, 2], &[1.0, 0.0, 0.0, 1.0, 1.0, -1.0])),
    ]
}

#[test]
fn a_product_by_the_reference() {
    let directory = Directory::new("matmul-cpu");
    let stdout = run(&directory, "matmul", &product(), &["--cpu"]).succeeds();
    assert!(stdout.contains("out  F32  [2, 2]"), "{stdout}");
    assert_eq!(load(&directory.path("out.safetensors"), "out"), f32s(&[2, 2], &[4.0, -1.0, 10.0, -1.0]));
    assert_eq!(directory.files(), ["in.safetensors", "out.safetensors"]);
}

#[test]
fn every_tier_gives_the_product_and_passes_the_check() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("matmul-tiers");
    for options in [&["--check"][..], &["--check", "--tier", "portable"]] {
        let stdout = run(&directory, "matmul", &product(), options).succeeds();
        assert!(stdout.contains("out: ok, 0 of 4 out of bounds"), "{stdout}");
        assert_eq!(load(&directory.path("out.safetensors"), "out"), f32s(&[2, 2], &[4.0, -1.0, 10.0, -1.0]));
    }
}

#[test]
fn leading_axes_come_back_and_agree_with_ndarray() {
    let a = Array3::from_shape_fn((6, 4, 5), |(i, j, k)| ((i * 7 + j * 3 + k) % 11) as f32 - 5.0);
    let b = Array2::from_shape_fn((5, 3), |(i, j)| ((i * 5 + j * 2) % 7) as f32 - 3.0);
    let expected: Vec<f32> = a.axis_iter(Axis(0)).flat_map(|item| item.dot(&b).into_iter()).collect();
    let tensors =
        [("a", f32s(&[2, 3, 4, 5], a.as_slice().unwrap())), ("b", f32s(&[5, 3], b.as_slice().unwrap()))];
    let directory = Directory::new("matmul-leading");
    let device: &[&str] = if has_gpu() { &["--check"] } else { &["--cpu"] };
    run(&directory, "matmul", &tensors, device).succeeds();
    // Small integers: every sum is exact.
    assert_eq!(load(&directory.path("out.safetensors"), "out"), f32s(&[2, 3, 4, 3], &expected));
}

#[test]
fn quantized_operands_scales_and_zero_points() {
    let directory = Directory::new("matmul-quantized");
    let tensors = [
        ("a", i8s(&[2, 2], &[11, 12, 13, 14])),
        ("b", i8s(&[2, 2], &[1, 2, 3, 4])),
        ("a_zero", i32s(&[1], &[10])),
        ("a_scale", f32s(&[2], &[1.0, 0.5])),
        ("b_scale", f32s(&[], &[2.0])),
        ("bias", f32s(&[2], &[100.0, 0.0])),
        ("residual", f32s(&[2, 2], &[0.0, 0.0, 0.0, 1000.0])),
    ];
    run(&directory, "matmul", &tensors, &["--cpu"]).succeeds();
    // [[1 2] [3 4]] [[1 2] [3 4]] = [[7 10] [15 22]]
    let expected = f32s(&[2, 2], &[114.0, 20.0, 115.0, 1022.0]);
    assert_eq!(load(&directory.path("out.safetensors"), "out"), expected);
    if has_gpu() {
        run(&directory, "matmul", &tensors, &["--check"]).succeeds();
        assert_eq!(load(&directory.path("out.safetensors"), "out"), expected);
    }
}

#[test]
fn json_fields_choose_the_output_format() {
    let directory = Directory::new("matmul-fields");
    run(&directory, "matmul", &product(), &["--cpu", "--desc", r#"{"out": "bf16", "activation": "relu"}"#])
        .succeeds();
    let bf16 =
        |values: &[f32]| values.iter().flat_map(|x| ((x.to_bits() >> 16) as u16).to_le_bytes()).collect();
    let expected = tensor(Dtype::BF16, &[2, 2], bf16(&[4.0, 0.0, 10.0, 0.0]));
    assert_eq!(load(&directory.path("out.safetensors"), "out"), expected);
}

#[test]
fn an_empty_product_is_an_empty_file_of_tensors() {
    let directory = Directory::new("matmul-empty");
    let tensors = [("a", f32s(&[0, 3], &[])), ("b", f32s(&[3, 2], &[0.0; 6]))];
    let device = if has_gpu() { "--check" } else { "--cpu" };
    run(&directory, "matmul", &tensors, &[device]).succeeds();
    assert_eq!(load(&directory.path("out.safetensors"), "out"), f32s(&[0, 2], &[]));
}

#[test]
fn wrong_tensors_are_named() {
    let directory = Directory::new("wrong-tensors");
    let fails = |change: fn(&mut Vec<(&'static str, Tensor)>)| {
        let mut tensors = product();
        change(&mut tensors);
        fails(&directory, "matmul", &tensors, &["--cpu"])
    };
    let error = fails(|tensors| tensors[1].1.shape = vec![2, 3]);
    assert_eq!(error, "matmul: tensor `b` must have shape [3, n], got [2, 3]");
    let error = fails(|tensors| {
        tensors[0].1.shape = vec![1, 2, 3];
        tensors[1].1.shape = vec![3, 2, 1];
    });
    assert_eq!(error, "matmul: tensor `b` must have shape [3, n] or [1, 3, n], got [3, 2, 1]");
    let error = fails(|tensors| tensors[0].1 = f32s(&[3], &[0.0; 3]));
    assert_eq!(error, "matmul: tensor `a` must have shape [.., m, k], got [3]");
    let error = fails(|tensors| drop(tensors.pop()));
    assert!(error.ends_with("in.safetensors: tensor `b`, which matmul needs, is missing"), "{error}");
    let error = fails(|tensors| tensors.push(("extra", f32s(&[], &[0.0]))));
    assert!(error.contains("matmul has no tensor `extra`; its tensors are a, b, a_scale,"), "{error}");
    let error = fails(|tensors| tensors[0].1 = tensor(Dtype::F64, &[1, 1], vec![0; 8]));
    let allowed = "F32, F16, BF16, F8_E4M3, F8_E5M2, I8";
    assert_eq!(error, format!("matmul: tensor `a` must have one of the dtypes {allowed}, got F64"));
    let error = fails(|tensors| tensors.push(("a_zero", i32s(&[], &[1]))));
    assert_eq!(error, "matmul: `a_zero` must be absent unless the operand is i8, got f32");
    let error = fails(|tensors| tensors.push(("residual", tensor(Dtype::F16, &[2, 2], vec![0; 8]))));
    assert_eq!(error, "matmul: tensor `residual` must hold f32, got f16");
    let error = fails(|tensors| tensors.push(("a_scale", f32s(&[3], &[1.0; 3]))));
    assert_eq!(error, "matmul: tensor `a_scale` must have shape [] or [1] or [2] or [2, 1], got [3]");
}

#[test]
fn extents_that_only_an_empty_axis_makes_possible_are_refused() {
    let directory = Directory::new("extents");
    let huge = |shape: &[usize]| f32s(shape, &[]);
    let tensors = [("a", huge(&[0, 1 << 40, 1 << 40])), ("b", huge(&[1 << 40, 0]))];
    let error = fails(&directory, "matmul", &tensors, &["--cpu"]);
    let expected = "matmul: the product of the extents of tensor `a` must be at most 4294967295, got 1208925819614629174706176";
    assert_eq!(error, expected);
    // An empty sum for each of more elements than any memory holds.
    let tensors = [("a", huge(&[1 << 31, 0])), ("b", huge(&[0, 1 << 20]))];
    let error = fails(&directory, "matmul", &tensors, &["--cpu"]);
    assert!(error.starts_with("matmul: the number of elements of `out` must be at most"), "{error}");
}

#[test]
fn a_scale_that_is_no_scale_is_named() {
    let directory = Directory::new("scales");
    for (value, shown) in [(f32::NAN, "NaN"), (-1.0, "-1"), (f32::INFINITY, "inf")] {
        let mut tensors = product();
        tensors.push(("b_scale", f32s(&[2], &[1.0, value])));
        let error = fails(&directory, "matmul", &tensors, &["--cpu"]);
        let expected = "matmul: tensor `b_scale` must hold finite numbers that are not negative";
        assert_eq!(error, format!("{expected}, got {shown} at [1]"));
    }
}

#[test]
fn wrong_json_names_what_is_allowed() {
    let directory = Directory::new("json");
    let error = fails(&directory, "matmul", &product(), &["--cpu", "--desc", r#"{"m": 3}"#]);
    assert!(
        error
            .starts_with("matmul: --desc: unknown field `m`, expected one of `a`, `b`, `activation`, `pair`"),
        "{error}"
    );
    let error = fails(&directory, "matmul", &product(), &["--cpu", "--desc", r#"{"activation": "tanh"}"#]);
    assert!(error.contains("unknown variant `tanh`, expected one of `identity`, `relu`"), "{error}");
    let error = fails(&directory, "matmul", &product(), &["--cpu", "--desc", "{"]);
    assert!(error.starts_with("matmul: --desc: EOF while parsing"), "{error}");
    let error = fails(&directory, "matmul", &product(), &["--cpu", "--desc", r#"{"out": "i4"}"#]);
    assert!(error.contains("unknown variant `i4`, expected one of `f32`, `f16`"), "{error}");
    let error = fails(&directory, "matmul", &product(), &["--cpu", "--desc", r#"{"pair": "gate_last"}"#]);
    assert_eq!(error, "matmul: `n` must be a multiple of 4 with a pair, got 1");
    // Lists tell what is wrong within them, and which of several fields it is.
    for (field, value, reason) in [
        ("boundary", r#"["zero","refl"]"#, "unknown variant `refl`, expected one of `zero`, `constant`"),
        ("boundary", r#""refl""#, "unknown variant `refl`"),
        ("padding", "[[1,2,3]]", "invalid length 3, expected"),
        ("padding", "-1", "invalid value: integer `-1`, expected usize"),
        ("stride", "0.5", "invalid type: floating point `0.5`, expected usize"),
    ] {
        let desc = format!(r#"{{"groups": 1, "{field}": {value}, "upsample": [1]}}"#);
        let error = fails(&directory, "conv", &product(), &["--cpu", "--desc", &desc]);
        assert!(error.starts_with(&format!("conv: --desc: `{field}`: {reason}")), "{error}");
        assert!(error.ends_with(&format!(", got {value}")), "{error}");
    }
}

#[test]
fn a_file_that_is_cut_or_garbage_is_named() {
    let directory = Directory::new("truncated");
    let (input, output) = (directory.path("in.safetensors"), directory.path("out.safetensors"));
    save(&input, &product());
    let whole = fs::read(&input).unwrap();
    let cuts = (0..whole.len()).step_by(13).map(|length| whole[..length].to_vec());
    for bytes in cuts.chain([vec![0xff; 4096], vec![0; 64]]) {
        fs::write(&input, bytes).unwrap();
        let error =
            langevin(&["run", "matmul", "--cpu", "--input", text(&input), "--output", text(&output)]).fails();
        assert!(error.contains("in.safetensors is no whole safetensors file: "), "{error}");
    }
    assert_eq!(directory.files(), ["in.safetensors"]);
}

#[test]
fn files_that_cannot_be_read_or_written_are_named() {
    let directory = Directory::new("paths");
    let (input, absent) = (directory.path("in.safetensors"), directory.path("absent/file"));
    save(&input, &product());
    let run = |input: &str, output: &str| {
        langevin(&["run", "matmul", "--cpu", "--input", input, "--output", output]).fails()
    };
    let error = run(text(&absent), text(&directory.path("out")));
    assert!(error.starts_with(&format!("cannot read {}: ", absent.display())), "{error}");
    for output in [absent, directory.path("")] {
        let error = run(text(&input), text(&output));
        assert!(error.starts_with(&format!("cannot write {}: ", output.display())), "{error}");
    }
    assert_eq!(directory.files(), ["in.safetensors"]);
}

#[test]
fn a_failure_leaves_the_old_output_alone() {
    let directory = Directory::new("old-output");
    fs::write(directory.path("out.safetensors"), "old").unwrap();
    run(&directory, "matmul", &product()[..1], &["--cpu"]).fails();
    assert_eq!(fs::read(directory.path("out.safetensors")).unwrap(), b"old");
}

#[test]
fn kernels_tiers_and_adapters_that_are_not_there_are_named() {
    let directory = Directory::new("names");
    let usage = run(&directory, "matmull", &product(), &[]).fails_as_usage();
    assert!(usage.contains("[possible values: matmul"), "{usage}");
    let usage = run(&directory, "matmul", &product(), &["--tier", "T0"]).fails_as_usage();
    assert!(usage.contains("a tier is one of portable, software"), "{usage}");
    run(&directory, "matmul", &product(), &["--cpu", "--tier", "portable"]).fails_as_usage();
    let error = fails(&directory, "matmul", &product(), &["--adapter", "no such GPU"]);
    assert!(error.starts_with("no GPU adapter found whose name contains \"no such GPU\""), "{error}");
    if has_gpu() {
        let error = fails(&directory, "matmul", &product(), &["--tier", "dot4"]);
        assert!(error.starts_with("matmul: no variant of tier `dot4` here"), "{error}");
    }
    // The reference's own result can be checked.
    run(&directory, "matmul", &product(), &["--cpu", "--check"]).succeeds();
}
