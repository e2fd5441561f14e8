//! Every kernel from a file to a file, with numbers known from elsewhere.

use crate::files::{Directory, Tensor, f32s, i8s, i32s, load, tensor};
use crate::process::has_gpu;
use crate::run::run;
use ndarray::{Array2, ArrayView2, s};
use safetensors::Dtype;

/// Runs a kernel on the CPU and, with its check, on every adapter's preferred tier; the outputs of the CPU.
#[track_caller]
fn outputs<const N: usize>(
    kernel: &str,
    tensors: &[(&str, Tensor)],
    desc: &str,
    names: [&str; N],
) -> [Tensor; N] {
    let directory = Directory::new(kernel);
    if has_gpu() {
        let stdout = run(&directory, kernel, tensors, &["--desc", desc, "--check"]).succeeds();
        assert_eq!(stdout.matches(": ok, 0 of").count(), N, "{stdout}");
    }
    run(&directory, kernel, tensors, &["--desc", desc, "--cpu"]).succeeds();
    names.map(|name| load(&directory.path("out.safetensors"), name))
}

/// The reference rounds once: half a unit in the last place, and another half leaves room for the f64 computations.
fn close(got: &Tensor, shape: &[usize], expected: &[f64]) {
    assert_eq!((&got.shape[..], got.to_f32().len()), (shape, expected.len()));
    for (got, expected) in got.to_f32().iter().zip(expected) {
        let ulp = f64::from(f32::EPSILON) * expected.abs();
        assert!((f64::from(*got) - expected).abs() <= ulp, "{got} {expected}");
    }
}

/// Numbers between -1 and 1 without a pattern a kernel could hide in.
fn numbers(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 37 + seed * 101) % 64) as f32 / 32.0 - 1.0).collect()
}

/// Attention of one head, from the formula.
fn head(
    q: ArrayView2<'_, f64>,
    k: ArrayView2<'_, f64>,
    v: ArrayView2<'_, f64>,
    visible: &[u8],
) -> Array2<f64> {
    let mut weights = q.dot(&k.t()).mapv(|x| (x / (q.ncols() as f64).sqrt()).exp());
    for ((_, weight), &visible) in weights.indexed_iter_mut().zip(visible) {
        *weight *= f64::from(visible != 0);
    }
    for mut row in weights.rows_mut() {
        let sum = row.sum();
        row /= sum;
    }
    weights.dot(&v)
}

#[test]
fn attention_with_shared_heads_and_a_mask() {
    let (q, k, v) = (numbers(2 * 3 * 4, 1), numbers(5 * 4, 2), numbers(5 * 2, 3));
    let mask: Vec<u8> = vec![1, 0, 255, 0, 1, 0, 1, 1, 1, 1, 7, 0, 0, 0, 0];
    let matrix = |rows, columns, values: &[f32]| {
        Array2::from_shape_vec((rows, columns), values.iter().map(|&x| f64::from(x)).collect()).unwrap()
    };
    let queries = matrix(6, 4, &q);
    let expected: Vec<f64> = [s![..3, ..], s![3.., ..]]
        .into_iter()
        .flat_map(|head_rows| {
            let (k, v) = (matrix(5, 4, &k), matrix(5, 2, &v));
            head(queries.slice(head_rows), k.view(), v.view(), &mask).into_iter()
        })
        .collect();
    let tensors = [
        ("q", f32s(&[1, 2, 3, 4], &q)),
        ("k", f32s(&[1, 1, 5, 4], &k)),
        ("v", f32s(&[1, 1, 5, 2], &v)),
        ("mask", tensor(Dtype::U8, &[3, 5], mask)),
    ];
    let [out, lse] = outputs("attention", &tensors, r#"{"lse": true}"#, ["out", "lse"]);
    close(&out, &[1, 2, 3, 2], &expected);
    assert_eq!(lse.shape, [1, 2, 3]);
}

#[test]
fn attention_that_sees_one_key_returns_its_value() {
    let v = numbers(4 * 3, 5);
    let tensors = [
        ("q", f32s(&[1, 1, 2, 2], &numbers(4, 1))),
        ("k", f32s(&[1, 1, 4, 2], &numbers(8, 2))),
        ("v", f32s(&[1, 1, 4, 3], &v)),
    ];
    // The first query sees key 0 alone, the second keys 0 and 1.
    let [out] = outputs("attention", &tensors, r#"{"causal": "top_left"}"#, ["out"]);
    assert_eq!(out.to_f32()[..3], v[..3]);
    // Nothing is visible to the first query: zeros.
    let [out] = outputs("attention", &tensors, r#"{"causal": {"offset": -1}}"#, ["out"]);
    assert_eq!(out.to_f32(), [&[0.0; 3], &v[..3]].concat());
}

/// Weights 1/4 and 3/4 in the first row; the second has been seen by the second part alone.
#[test]
fn parts_of_an_attention_merge() {
    let none = f32::NEG_INFINITY;
    let tensors = [
        ("parts", f32s(&[2, 2, 1, 1], &[4.0, 100.0, 8.0, 5.0])),
        ("part_lse", f32s(&[2, 2, 1], &[0.0, none, 3f32.ln(), -7.0])),
    ];
    let [out, lse] = outputs("merge", &tensors, r#"{"lse": true}"#, ["out", "lse"]);
    close(&out, &[2, 1, 1], &[7.0, 5.0]);
    close(&lse, &[2, 1], &[4f64.ln(), -7.0]);
}

/// Quarter turns: of all elements as one axis, of neighbours, and by the table's other row.
#[test]
fn rows_turn_by_the_table() {
    let x = f32s(&[1, 1, 2, 4], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    let (cos, sin) = (f32s(&[2, 2], &[1.0, 1.0, 0.0, 1.0]), f32s(&[2, 2], &[0.0, 0.0, 1.0, 0.0]));
    let mut tensors = vec![("x", x), ("cos", cos), ("sin", sin)];
    let [out] = outputs("rotary", &tensors, "{}", ["out"]);
    assert_eq!(out, f32s(&[1, 1, 2, 4], &[1.0, 2.0, 3.0, 4.0, -7.0, 6.0, 5.0, 8.0]));
    let [out] = outputs("rotary", &tensors, r#"{"pairing": "interleaved"}"#, ["out"]);
    assert_eq!(out, f32s(&[1, 1, 2, 4], &[1.0, 2.0, 3.0, 4.0, -6.0, 5.0, 7.0, 8.0]));
    // Two axes of two elements: the second stays in row 0, and would not turn in row 1 either.
    tensors.push(("positions", i32s(&[2, 2], &[1, 0, 0, 1])));
    let [out] = outputs("rotary", &tensors, r#"{"axes": [2, 2]}"#, ["out"]);
    assert_eq!(out, f32s(&[1, 1, 2, 4], &[-2.0, 1.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]));
}

#[test]
fn a_periodic_convolution() {
    let tensors = [
        ("x", f32s(&[1, 1, 4], &[1.0, 2.0, 4.0, 8.0])),
        ("w", f32s(&[1, 1, 3], &[1.0, 0.0, -1.0])),
        ("bias", f32s(&[1], &[100.0])),
    ];
    let [out] = outputs("conv", &tensors, r#"{"padding": 1, "boundary": "periodic"}"#, ["out"]);
    assert_eq!(out, f32s(&[1, 1, 4], &[106.0, 97.0, 94.0, 103.0]));
    let [out] = outputs("conv", &tensors, r#"{"padding": [[1, 0]], "stride": 2}"#, ["out"]);
    assert_eq!(out, f32s(&[1, 1, 2], &[98.0, 94.0]));
    // Outside are threes: 3 - 2, 1 - 4, 2 - 8, 4 - 3.
    let [out] = outputs("conv", &tensors, r#"{"padding": 1, "boundary": {"constant": 3}}"#, ["out"]);
    assert_eq!(out, f32s(&[1, 1, 4], &[101.0, 97.0, 94.0, 101.0]));
}

#[test]
fn a_transposed_convolution_with_channels_last_and_everything_after_it() {
    // Two channels to one: 1 2 | 3 4 spread by the weights 1 2 | 10 20, an output further.
    let tensors = [
        ("x", i8s(&[1, 2, 2], &[1, 2, 3, 4])),
        ("w", i8s(&[2, 2, 1], &[1, 2, 10, 20])),
        ("x_scale", f32s(&[], &[0.5])),
        ("w_scale", f32s(&[1], &[2.0])),
        ("bias", f32s(&[1], &[-50.0])),
        ("residual", f32s(&[1, 3, 1], &[0.25, 0.5, 0.75])),
    ];
    let desc = r#"{"transposed": true, "layout": "channels_last", "activation": "relu"}"#;
    let [out] = outputs("conv", &tensors, desc, ["out"]);
    // 1 + 20, 2 + 40 + 3 + 40, 6 + 80; minus 50, and nothing below zero.
    assert_eq!(out, f32s(&[1, 3, 1], &[0.25, 35.5, 36.75]));
}

#[test]
fn a_laplacian_and_a_heat_step() {
    let spike = [("u", f32s(&[3, 4], &[0.0, 0.0, 0.0, 0.0, 0.0, 8.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]))];
    let [out] = outputs("laplacian", &spike, r#"{"boundary": "neumann"}"#, ["out"]);
    assert_eq!(out, f32s(&[3, 4], &[0.0, 8.0, 0.0, 0.0, 8.0, -32.0, 8.0, 0.0, 0.0, 8.0, 0.0, 0.0]));
    let [out] = outputs("heat", &spike, r#"{"boundary": "neumann", "time_step": 0.125}"#, ["out"]);
    assert_eq!(out, f32s(&[3, 4], &[0.0, 1.0, 0.0, 0.0, 1.0, 4.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]));
    let directory = Directory::new("heat-unstable");
    let error = run(&directory, "heat", &spike, &["--cpu", "--desc", r#"{"time_step": 0.3}"#]).fails();
    assert!(error.starts_with("heat: `time_step` must be at most"), "{error}");
}

#[test]
fn what_is_quantized_comes_back() {
    let x = numbers(12, 4);
    let desc = r#"{"q": "i8", "granularity": "per_row", "asymmetric": true}"#;
    let [q, scale, zero] =
        outputs("quantize", &[("x", f32s(&[3, 4], &x))], desc, ["q", "scale", "zero_point"]);
    assert_eq!((q.dtype, &q.shape[..]), (Dtype::I8, &[3, 4][..]));
    assert_eq!((scale.shape.as_slice(), zero.dtype), (&[3][..], Dtype::I32));
    let steps = scale.to_f32();
    let tensors = [("q", q), ("scale", scale), ("zero_point", zero)];
    let [out] = outputs("dequantize", &tensors, "{}", ["out"]);
    for (i, (got, expected)) in out.to_f32().iter().zip(&x).enumerate() {
        // Half a step, and the roundings of the inverse, the product and the way back.
        let bound = 0.5 * steps[i / 4] + 3.0 * f32::EPSILON * expected.abs();
        assert!((got - expected).abs() <= bound, "{got} {expected}");
    }
}

#[test]
fn a_given_scale_and_known_codes() {
    let tensors = [("x", f32s(&[4], &[1.0, -2.5, 1000.0, 0.0])), ("scale", f32s(&[1], &[0.5]))];
    let [q] = outputs("quantize", &tensors, "{}", ["q"]);
    assert_eq!(q, tensor(Dtype::F8_E4M3, &[4], vec![0x40, 0xca, 0x7e, 0x00]));
    let [q] = outputs("quantize", &tensors, r#"{"q": "i8"}"#, ["q"]);
    assert_eq!(q, i8s(&[4], &[2, -5, 127, 0]));
    let codes = [
        ("q", i8s(&[2, 2], &[3, 4, -128, 0])),
        ("scale", f32s(&[2], &[0.5, 2.0])),
        ("zero_point", i32s(&[2], &[1, 0])),
    ];
    let [out] = outputs("dequantize", &codes, "{}", ["out"]);
    assert_eq!(out, f32s(&[2, 2], &[1.0, 1.5, -256.0, 0.0]));
}

#[test]
fn what_a_quantizer_does_not_use_is_refused() {
    let directory = Directory::new("quantize-unused");
    let fails = |kernel: &str, tensor: (&'static str, Tensor), desc: &str| {
        let tensors = [("x", f32s(&[2, 4], &[1.0; 8])), ("scale", f32s(&[], &[0.5])), tensor];
        run(&directory, kernel, &tensors, &["--cpu", "--desc", desc]).fails()
    };
    let seed = || ("seed", i32s(&[2], &[1, 2]));
    let sentence = "`rounding` must be stochastic or absent where a seed is given, got nearest_even";
    assert_eq!(fails("quantize", seed(), r#"{"rounding": "nearest_even"}"#), format!("quantize: {sentence}"));
    let codes = r#"{"codes": {"rounding": "nearest_even"}}"#;
    assert_eq!(fails("fake_quantize", seed(), codes), format!("fake_quantize: {sentence}"));
    for desc in [r#"{"q": "i8"}"#, r#"{"q": "i8", "asymmetric": false}"#, "{}"] {
        assert_eq!(
            fails("quantize", ("zero_point", i32s(&[], &[3])), desc),
            "quantize: tensor `zero_point` was given, but the descriptor does not use it"
        );
    }
    let tensors =
        [("x", f32s(&[2], &[1.0, -2.0])), ("scale", f32s(&[], &[0.5])), ("zero_point", i32s(&[], &[3]))];
    let [q] = outputs("quantize", &tensors, r#"{"q": "i8", "asymmetric": true}"#, ["q"]);
    assert_eq!(q, i8s(&[2], &[5, -1]));
}

/// The axes of scales are those that the norm has, not those of the file.
#[test]
fn scales_of_a_norm_have_its_batch() {
    let desc = r#"{"codes": {"granularity": "per_token"}}"#;
    let x = ("x", f32s(&[6, 4], &numbers(24, 1)));
    let [_, scale] = outputs("norm_quantize", std::slice::from_ref(&x), desc, ["q", "scale"]);
    assert_eq!(scale.shape, [1, 6]);
    let x = ("x", f32s(&[2, 3, 4], &numbers(24, 1)));
    let [_, scale] = outputs("norm_quantize", std::slice::from_ref(&x), desc, ["q", "scale"]);
    assert_eq!(scale.shape, [1, 6]);
    let modulation = ("modulation", f32s(&[2, 8], &numbers(16, 2)));
    let desc = r#"{"norm": {"modulation": {"width": 8, "shift": 0, "scale": 4}}, "codes": {"granularity": "per_row"}}"#;
    let [_, scale] = outputs("norm_quantize", &[x, modulation], desc, ["q", "scale"]);
    assert_eq!(scale.shape, [2, 3]);
}

#[test]
fn a_norm_with_and_without_modulation() {
    let x = ("x", f32s(&[2, 1, 2], &[3.0, 5.0, -1.0, 1.0]));
    let [out] = outputs("norm", std::slice::from_ref(&x), r#"{"eps": 1e-30}"#, ["out"]);
    assert_eq!(out, f32s(&[2, 1, 2], &[-1.0, 1.0, -1.0, 1.0]));
    // Shift 1 2 then scale 0 1 for the first item, zeros for the second.
    let modulation = ("modulation", f32s(&[2, 4], &[1.0, 2.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]));
    let desc = r#"{"eps": 1e-30, "modulation": {"width": 4, "shift": 0, "scale": 2}}"#;
    let [out] = outputs("norm", &[x, modulation], desc, ["out"]);
    assert_eq!(out, f32s(&[2, 1, 2], &[0.0, 4.0, -1.0, 1.0]));
}

#[test]
fn the_rest_of_the_glue() {
    let x = f32s(&[2, 2], &[-1.0, 2.0, 3.0, -4.0]);
    let [out] = outputs("activation", &[("x", x.clone())], r#"{"activation": "relu"}"#, ["out"]);
    assert_eq!(out, f32s(&[2, 2], &[0.0, 2.0, 3.0, 0.0]));
    let ones = f32s(&[2, 2], &[1.0; 4]);
    let tensors = [("x", x.clone()), ("residual", ones), ("gate", f32s(&[2], &[10.0, 0.5]))];
    let [out] = outputs("gated_residual", &tensors, "{}", ["out"]);
    assert_eq!(out, f32s(&[2, 2], &[-9.0, 2.0, 31.0, -1.0]));
    // x + dt (u + s (c - u)) with s = 2 and dt = -0.5, c = 3 and u = 1.
    let prediction = f32s(&[2, 1], &[3.0, 1.0]);
    let factors = f32s(&[1, 3], &[1.0, -1.0, 0.5]);
    let tensors = [("prediction", prediction), ("state", f32s(&[1, 1], &[10.0])), ("factors", factors)];
    let [out] = outputs("combine", &tensors, "{}", ["state"]);
    assert_eq!(out, f32s(&[1, 1], &[7.5]));
    let [out] = outputs("change", &[("x", x.clone()), ("y", f32s(&[2, 2], &[1.0; 4]))], "{}", ["out"]);
    assert_eq!(out, f32s(&[2], &[10.0, 4.0]));
}

#[test]
fn patches_there_and_back() {
    let picture = f32s(&[1, 1, 2, 4], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    let [tokens] = outputs("patchify", &[("x", picture.clone())], r#"{"patch": 2}"#, ["out"]);
    assert_eq!(tokens, f32s(&[1, 2, 4], &[0.0, 1.0, 4.0, 5.0, 2.0, 3.0, 6.0, 7.0]));
    let [back] = outputs("unpatchify", &[("x", tokens)], r#"{"patch": 2, "height": 2, "width": 4}"#, ["out"]);
    assert_eq!(back, picture);
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let directory = Directory::new("shapes");
    let fails = |kernel: &str, tensors: &[(&str, Tensor)], desc: &str| {
        run(&directory, kernel, tensors, &["--cpu", "--desc", desc]).fails()
    };
    let vector = |len: usize| f32s(&[len], &vec![0.0; len]);
    let heads = |name, seq| (name, f32s(&[1, 1, seq, 2], &vec![0.0; 2 * seq]));
    let (q, k, v) = (heads("q", 2), heads("k", 3), heads("v", 3));
    let error = fails("attention", &[("q", vector(2)), k.clone(), v.clone()], "{}");
    assert_eq!(error, "attention: tensor `q` must have shape [b, h, sq, d], got [2]");
    let error = fails("attention", &[q.clone(), k.clone(), v.clone(), ("bias", vector(2))], "{}");
    assert_eq!(
        error,
        "attention: tensor `bias` must have shape [1, 1, 2, 3] with any extents 1 or left out in front, got [2]"
    );
    let error = fails("attention", &[q, k, heads("v", 4)], "{}");
    assert_eq!(error, "attention: tensor `v` must have shape [1, 1, 3, 2], got [1, 1, 4, 2]");
    let error = fails("conv", &[("x", f32s(&[1, 1, 2], &[0.0; 2])), ("w", f32s(&[1, 1], &[0.0]))], "{}");
    assert!(error.starts_with("conv: tensor `w` must have shape [o, 1 / groups, kernel..]"), "{error}");
    let error = fails("laplacian", &[("u", f32s(&[1, 1, 1, 1], &[0.0]))], "{}");
    assert!(error.starts_with("laplacian: `spatial` must be"), "{error}");
    let error = fails("quantize", &[("x", vector(2)), ("scale", vector(3))], "{}");
    assert_eq!(error, "quantize: tensor `scale` must have shape [] or [1], got [3]");
    let (state, noise) = (f32s(&[1, 2], &[1.0; 2]), vector(3));
    let error = fails("combine", &[("state", state), ("noise", noise), ("factors", vector(2))], "{}");
    assert_eq!(error, "combine: tensor `noise` must have shape [2], got [3]");
    assert_eq!(directory.files(), ["in.safetensors"]);
}
