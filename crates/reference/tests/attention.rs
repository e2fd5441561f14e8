//! Attention against JAX in f64: `goldens/attention.safetensors`, written by `goldens/attention.py`.

use langevin_reference::{
    Align, Answer, AttentionDesc, Dtype, Format, Heads, Op, Tensor, Tensors, Window, attention,
};
use ndarray::{ArrayD, Ix4, IxDyn};
use safetensors::SafeTensors;

const GOLDEN: &[u8] = include_bytes!("../goldens/attention.safetensors");

/// How much smaller a unit in the last place of f64 is than one of f32.
const F64_UNITS: f64 = f64::EPSILON / f32::EPSILON as f64;

/// The largest finite magnitude.
fn largest(values: &ArrayD<f64>) -> f64 {
    values.iter().filter(|value| value.is_finite()).fold(0.0, |largest, value| value.abs().max(largest))
}

fn golden() -> SafeTensors<'static> {
    SafeTensors::deserialize(GOLDEN).unwrap()
}

/// An input as it is stored.
fn input(name: &str) -> Tensor {
    let view = golden();
    let view = view.tensor(name).unwrap();
    let dtype = match view.dtype() {
        safetensors::Dtype::U8 => Dtype::Bool,
        safetensors::Dtype::I32 => Dtype::I32,
        _ => Format::F32.into(),
    };
    Tensor::new(dtype, view.shape(), view.data().to_vec()).unwrap()
}

/// An answer in f64.
fn answer(name: &str) -> ArrayD<f64> {
    let view = golden();
    let view = view.tensor(name).unwrap();
    let values = view.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
    ArrayD::from_shape_vec(IxDyn(view.shape()), values).unwrap()
}

/// The first keys of a `[2, 2, 7, dim]` tensor.
fn first_keys(tensor: &Tensor, keys: usize) -> Tensor {
    let row_bytes = tensor.shape()[3] * 4;
    let rows = tensor.bytes().chunks(7 * row_bytes).flat_map(|head| &head[..keys * row_bytes]);
    let shape = [2, 2, keys, tensor.shape()[3]];
    Tensor::new(tensor.dtype(), &shape, rows.copied().collect()).unwrap()
}

fn check(name: &str, desc: &AttentionDesc) {
    let sizes =
        AttentionDesc { batch: 2, heads: 4, kv_heads: 2, seq_q: 5, head_dim: 6, v_dim: 3, ..desc.clone() };
    let desc = AttentionDesc { seq_kv: if desc.seq_kv == 0 { 7 } else { desc.seq_kv }, lse: true, ..sizes };
    let mut inputs = Tensors::new();
    for spec in desc.tensors().iter().filter(|spec| !["out", "lse"].contains(&spec.name)) {
        let tensor = input(spec.name);
        let shorter = ["k", "v"].contains(&spec.name).then(|| first_keys(&tensor, desc.seq_kv));
        inputs.insert(spec.name, shorter.unwrap_or(tensor));
    }
    agree(name, &desc, &inputs);
}

fn agree(name: &str, desc: &AttentionDesc, inputs: &Tensors) {
    for expected in desc.evaluate(inputs).unwrap() {
        let golden = answer(&format!("{name}.{}", expected.name));
        let Answer::Bounded { bound, .. } = &expected.answer else { unreachable!("attention is bounded") };
        assert_eq!(golden.shape(), expected.values().shape());
        for (index, &value) in expected.values().indexed_iter() {
            let want = golden[index.clone()];
            // JAX and this crate sum in another order: two computations in f64, each as far off as f32 may be, by the bound,
            // in units of f64.
            let allowed = 2.0 * bound[index.clone()] * F64_UNITS;
            let close = value == want || (value - want).abs() <= allowed;
            assert!(close, "{name}: {} at {index:?} is {value}, JAX says {want}", expected.name);
        }
    }
}

#[test]
fn jax_agrees_on_every_option() {
    let diagonal = |align| AttentionDesc { causal: Some(align), ..Default::default() };
    check("plain", &AttentionDesc::default());
    check("scale", &AttentionDesc { scale: Some(1.5), ..Default::default() });
    check("top_left", &diagonal(Align::TopLeft));
    check("bottom_right", &diagonal(Align::BottomRight));
    check("more_queries", &AttentionDesc { seq_kv: 3, ..diagonal(Align::BottomRight) });
    check("offset", &diagonal(Align::Offset(-2)));
    let (mask, bias) = (Some([2, 1, 5, 7]), Some([1, 4, 5, 7]));
    check("mask", &AttentionDesc { mask, ..Default::default() });
    check("bias", &AttentionDesc { bias, ..diagonal(Align::TopLeft) });
    check("softcap", &AttentionDesc { softcap: Some(0.5), ..Default::default() });
    check("sinks", &AttentionDesc { sinks: true, ..Default::default() });
    let window = |left, right, align| Some(Window { left: Some(left), right, align });
    check("window", &AttentionDesc { window: window(1, Some(1), Align::BottomRight), ..Default::default() });
    let sliding =
        AttentionDesc { window: window(2, None, Align::TopLeft), sinks: true, ..diagonal(Align::TopLeft) };
    check("window_causal", &sliding);
    let [q, k, v] = [[2, 4, 5], [1, 2, 1], [2, 1, 7]].map(|shape| Heads::default().scaled(shape));
    check("scales", &AttentionDesc { q, k, v, scale: Some(0.5), ..Default::default() });
    let options = AttentionDesc { mask, bias, sinks: true, ..diagonal(Align::Offset(1)) };
    check("everything", &AttentionDesc { scale: Some(0.75), softcap: Some(2.0), ..options });
}

#[test]
fn jax_agrees_on_sequences() {
    let window = Some(Window { left: Some(2), right: None, align: Align::BottomRight });
    let sizes = AttentionDesc {
        heads: 4,
        kv_heads: 2,
        seq_q: 9,
        seq_kv: 11,
        head_dim: 6,
        v_dim: 3,
        ..Default::default()
    };
    let desc =
        AttentionDesc { sequences: Some(3), causal: Some(Align::BottomRight), window, lse: true, ..sizes };
    let mut inputs = Tensors::new();
    for name in ["q", "k", "v", "q_offsets", "kv_offsets"] {
        inputs.insert(name, input(&format!("packed.{name}")));
    }
    agree("sequences", &desc, &inputs);
}

/// The goldens hold what they are meant to show: rows that see nothing, and answers that differ.
#[test]
fn the_goldens_are_not_vacuous() {
    assert!(answer("mask.lse").iter().any(|lse| *lse == f64::NEG_INFINITY));
    assert!(answer("more_queries.out").iter().any(|value| *value == 0.0));
    let plain = answer("plain.out");
    assert!(answer("sequences.lse").iter().any(|lse| *lse == f64::NEG_INFINITY));
    let options = ["scale", "top_left", "bottom_right", "mask", "bias", "softcap", "sinks", "everything"];
    for name in options.into_iter().chain(["window", "window_causal", "scales"]) {
        assert_ne!(answer(&format!("{name}.out")), plain, "{name}");
    }
}

#[test]
fn the_plain_function_agrees_with_jax() {
    let stored = |name: &str| input(name).to_f64().into_dimensionality::<Ix4>().unwrap();
    // The query heads' own key heads.
    let repeated = |name: &str| {
        let heads = stored(name);
        ndarray::Array4::from_shape_fn((2, 4, 7, heads.dim().3), |(b, h, j, d)| heads[[b, h / 2, j, d]])
    };
    let (q, k, v) = (stored("q"), repeated("k"), repeated("v"));
    for (name, causal) in
        [("plain", None), ("bottom_right", Some(Align::BottomRight)), ("offset", Some(Align::Offset(-2)))]
    {
        let (out, lse) = attention(q.view(), k.view(), v.view(), 6f64.powf(-0.5), causal).unwrap();
        for (got, want) in [
            (out.into_dyn(), answer(&format!("{name}.out"))),
            (lse.into_dyn(), answer(&format!("{name}.lse"))),
        ] {
            // Logits of six products, seven weights and values: some forty roundings of numbers that are less than 10.
            assert!(largest(&want) < 10.0 && largest(&stored("v").into_dyn()) < 10.0);
            let allowed = 40.0 * 10.0 * f64::EPSILON;
            assert!(got.iter().zip(&want).all(|(a, b)| a == b || (a - b).abs() <= allowed), "{name}");
        }
    }
    assert!(attention(q.view(), v.view(), v.view(), 1.0, None).is_err());
}

/// Options are JSON fields; what follows from the tensors is not.
#[cfg(feature = "serde")]
#[test]
fn the_options_read_from_json() {
    let read = |text: &str| serde_json::from_str::<AttentionDesc>(text);
    let text = r#"{"causal": {"offset": -3}, "window": {"left": 4, "align": "top_left"}, "scale": 0.5, "softcap": 30}"#;
    let desc = read(text).unwrap();
    let options = AttentionDesc {
        causal: Some(Align::Offset(-3)),
        window: Some(Window { left: Some(4), right: None, align: Align::TopLeft }),
        scale: Some(0.5),
        softcap: Some(30.0),
        ..Default::default()
    };
    assert_eq!(desc, options);
    for (name, causal) in [("top_left", Align::TopLeft), ("bottom_right", Align::BottomRight)] {
        assert_eq!(read(&format!(r#"{{"causal": "{name}"}}"#)).unwrap().causal, Some(causal));
    }
    let desc = read(r#"{"lse": true, "out": "bf16", "batch_invariant": true}"#).unwrap();
    assert_eq!((desc.lse, desc.out, desc.batch_invariant, desc.causal), (true, Format::BF16, true, None));
    assert_eq!(read(&serde_json::to_string(&desc).unwrap()).unwrap(), desc);
    assert!(read(r#"{"causal": "left"}"#).is_err());
    for derived in ["heads", "mask", "sinks", "sequences", "q", "out_view"] {
        let error = read(&format!(r#"{{"{derived}": 1}}"#)).unwrap_err().to_string();
        assert!(error.contains("unknown field"), "{error}");
    }
}
