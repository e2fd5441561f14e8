//! Merging partial attentions against the reference: shapes x formats, parts of a real attention, properties, and the
//! errors.

use langevin::reference::generate;
use langevin::verify::{self, Answer, Op, RunOptions, Tensor, Tensors};
use langevin::{AttentionDesc, Format, Gpu, Merge, MergeDesc};
use langevin_testkit::{conform, conform_on, gpu};
use proptest::prelude::*;

const OUTS: [Format; 3] = [Format::F32, Format::F16, Format::BF16];
const NONE: f32 = f32::NEG_INFINITY;

fn of(parts: usize, rows: usize, dim: usize) -> MergeDesc {
    MergeDesc { parts, rows, dim, lse: true, ..Default::default() }
}

fn f32s(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor::from_f32(Format::F32, shape, values).unwrap()
}

fn run(gpu: &Gpu, desc: &MergeDesc, inputs: &Tensors) -> [Vec<f32>; 2] {
    let outputs = verify::run(gpu, desc, inputs, &RunOptions::default()).unwrap();
    ["out", "lse"].map(|name| outputs.get(name).unwrap().to_f32())
}

/// Around a vector of four columns and the 64 vectors of a workgroup.
#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    let rows = [1, 2, 3, 7, 63, 64, 65];
    for (i, dim) in [1, 2, 3, 4, 5, 31, 64, 67, 255, 256, 257].into_iter().enumerate() {
        for parts in [1, 2, 3, 8, 13, 16, 37] {
            let desc = of(parts, rows[(i + parts) % rows.len()], dim);
            conform(&gpu, &desc, i as u64);
            conform(&gpu, &MergeDesc { lse: false, ..desc }, i as u64);
        }
    }
    conform(&gpu, &of(301, 2, 5), 1);
}

#[test]
fn every_pair_of_formats() {
    let Some(gpu) = gpu() else { return };
    for x in Format::ALL {
        for out in OUTS {
            for dim in [13, 16] {
                conform(&gpu, &MergeDesc { x, out, ..of(3, 5, dim) }, 7);
            }
        }
    }
}

#[test]
fn empty_sizes_are_defined() {
    let Some(gpu) = gpu() else { return };
    for (parts, rows, dim) in [(2, 0, 3), (0, 0, 0), (0, 3, 0), (2, 3, 0)] {
        conform(&gpu, &of(parts, rows, dim), 0);
        conform(&gpu, &MergeDesc { lse: false, ..of(parts, rows, dim) }, 0);
    }
    // Without parts: zeros, and minus infinity.
    let desc = of(0, 3, 5);
    let [out, lse] = run(&gpu, &desc, &generate::inputs(&desc, 1));
    assert!(out.iter().all(|value| value.to_bits() == 0) && out.len() == 15);
    assert_eq!(lse, [NONE; 3]);
}

/// Whatever a part without keys holds; and a row that no part has seen.
#[test]
fn parts_that_saw_nothing_contribute_nothing() {
    let Some(gpu) = gpu() else { return };
    // More parts than one invocation goes through, too.
    for (garbage, count) in [(f32::NAN, 3), (f32::NAN, 19), (f32::INFINITY, 19), (f32::MAX, 3), (0.0, 3)] {
        for x in OUTS {
            let desc = MergeDesc { x, ..of(count, 8, 5) };
            let mut inputs = generate::inputs(&desc, 5);
            let (mut parts, mut lse) =
                (inputs.get("parts").unwrap().to_f32(), inputs.get("part_lse").unwrap().to_f32());
            // The bits of a row's number say which parts have seen nothing.
            for part in 0..count {
                for row in (0..8).filter(|row| row >> (part % 3) & 1 == 1) {
                    lse[part * 8 + row] = NONE;
                    parts[(part * 8 + row) * 5..][..5].fill(garbage);
                }
            }
            inputs.insert("parts", Tensor::from_f32(x, &[count, 8, 5], &parts).unwrap());
            inputs.insert("part_lse", f32s(&[count, 8], &lse));
            conform_on(&gpu, &desc, &inputs);
            let [out, lse] = run(&gpu, &desc, &inputs);
            assert!(out[35..].iter().all(|value| value.to_bits() == 0), "{garbage} {x}: {out:?}");
            assert_eq!((lse[7], lse[..7].contains(&NONE)), (NONE, false));
        }
    }
}

/// A logarithm that is no number must not vanish: neither among few parts nor among many.
#[test]
fn logarithms_that_are_no_numbers_spoil_their_row() {
    let Some(gpu) = gpu() else { return };
    for (parts, spoilt) in
        [(1, f32::NAN), (3, f32::NAN), (3, f32::INFINITY), (19, f32::NAN), (19, f32::INFINITY)]
    {
        for out in OUTS {
            let desc = MergeDesc { out, ..of(parts, 4, 5) };
            let mut inputs = generate::inputs(&desc, 7);
            let mut lse = inputs.get("part_lse").unwrap().to_f32();
            lse[(parts - 1) * 4 + 2] = spoilt;
            inputs.insert("part_lse", f32s(&[parts, 4], &lse));
            conform_on(&gpu, &desc, &inputs);
            let [out, lse] = run(&gpu, &desc, &inputs);
            assert!(
                out[10..15].iter().all(|value| value.is_nan()) && lse[2].is_nan(),
                "{parts} {out:?} {lse:?}"
            );
            assert!(out[..10].iter().chain(&out[15..]).all(|value| value.is_finite()), "{parts} {out:?}");
        }
    }
}

/// Weights far apart, as far as f32 goes: what is left is the larger part, and nothing overflows on the way.
#[test]
fn logarithms_may_be_anything() {
    let Some(gpu) = gpu() else { return };
    let logarithms = [0.0, 1e-30, -87.0, 104.0, 1e4, -1e4, f32::MAX, f32::MIN, NONE];
    let pairs: Vec<[f32; 2]> = logarithms.iter().flat_map(|&a| logarithms.map(|b| [a, b])).collect();
    let desc = of(2, pairs.len(), 3);
    let mut inputs = generate::inputs(&desc, 3);
    let lse: Vec<f32> = [0, 1].iter().flat_map(|&part| pairs.iter().map(move |pair| pair[part])).collect();
    inputs.insert("part_lse", f32s(&[2, pairs.len()], &lse));
    conform_on(&gpu, &desc, &inputs);
}

/// A part is a row of an attention over some of its keys, and so is what they merge to: merged by twos, in another order,
/// or at once.
struct Split {
    whole: AttentionDesc,
    inputs: Tensors,
}

impl Split {
    fn rows(&self) -> usize {
        self.whole.heads * self.whole.seq_q
    }

    /// What the GPU says of some keys, and how wrong its `out` and its `lse` may be.
    fn part(&self, gpu: &Gpu, keys: std::ops::Range<usize>) -> Part {
        let desc = AttentionDesc { seq_kv: keys.len(), ..self.whole.clone() };
        let mut inputs = Tensors::new();
        inputs.insert("q", self.inputs.get("q").unwrap().clone());
        for (name, dim) in [("k", desc.head_dim), ("v", desc.v_dim)] {
            let values = self.inputs.get(name).unwrap().to_f32();
            let some = &values[keys.start * dim..keys.end * dim];
            inputs.insert(name, f32s(&[1, 1, keys.len(), dim], some));
        }
        let outputs = verify::run(gpu, &desc, &inputs, &RunOptions::default()).unwrap();
        let [out, lse] = ["out", "lse"].map(|name| outputs.get(name).unwrap().to_f32());
        let [out_bound, lse_bound] = bounds(&desc, &inputs);
        Part { out, lse, out_bound, lse_bound }
    }

    fn inputs_of(&self, parts: &[Part]) -> (MergeDesc, Tensors) {
        let desc = of(parts.len(), self.rows(), self.whole.v_dim);
        let all = |f: fn(&Part) -> &Vec<f32>| -> Vec<f32> { parts.iter().flat_map(f).copied().collect() };
        let mut inputs = Tensors::new();
        inputs.insert("parts", f32s(&[desc.parts, desc.rows, desc.dim], &all(|part| &part.out)));
        inputs.insert("part_lse", f32s(&[desc.parts, desc.rows], &all(|part| &part.lse)));
        (desc, inputs)
    }

    /// Merges parts on the GPU. How wrong the result may be, as attention over all their keys: the merge's own bound, and
    /// what the parts bring. Logarithms that are off by `e` at most move each weight by a factor of `exp(2 e)` at most, so
    /// the mean by no more than `exp(2 e) - 1` times the spread of the parts, and the logarithm by `e`.
    fn merge(&self, gpu: &Gpu, parts: &[Part]) -> Part {
        let (desc, inputs) = self.inputs_of(parts);
        conform_on(gpu, &desc, &inputs);
        let [out, lse] = run(gpu, &desc, &inputs);
        let [mut out_bound, mut lse_bound] = bounds(&desc, &inputs);
        let rows = lse_bound.iter_mut().zip(out_bound.chunks_mut(desc.dim));
        for (row, (lse_bound, out_bound)) in rows.enumerate() {
            let seen = || parts.iter().filter(move |part| part.lse[row] != NONE);
            let off = seen().map(|part| part.lse_bound[row]).fold(0.0, f64::max);
            *lse_bound += off;
            for (column, bound) in out_bound.iter_mut().enumerate() {
                let at = row * desc.dim + column;
                let known = seen().map(|part| part.out_bound[at]).fold(0.0, f64::max);
                let end = |least: f64, f: fn(f64, f64) -> f64| {
                    seen().map(|part| f64::from(part.out[at])).fold(least, f)
                };
                let spread = (end(f64::MIN, f64::max) - end(f64::MAX, f64::min)).max(0.0) + 2.0 * known;
                *bound += known + (2.0 * off).exp_m1() * spread;
            }
        }
        Part { out, lse, out_bound, lse_bound }
    }

    /// Panics where a result is not attention over all keys within its bound, or where its bound says nothing.
    fn check(&self, result: &Part) {
        let answers = self.whole.evaluate(&self.inputs).unwrap();
        let pairs =
            [(&result.out, &result.out_bound, &answers[0]), (&result.lse, &result.lse_bound, &answers[1])];
        for (got, bound, expected) in pairs {
            for ((got, bound), want) in got.iter().zip(bound).zip(&expected.values()) {
                let error = (f64::from(*got) - want).abs();
                assert!(error <= *bound, "{} is {got}, not {want} to {bound}", expected.name);
                assert!(*bound < 1e-3 * (1.0 + want.abs()), "{bound} says nothing of {want}");
            }
        }
    }
}

/// What is known of some keys.
#[derive(Clone)]
struct Part {
    out: Vec<f32>,
    lse: Vec<f32>,
    out_bound: Vec<f64>,
    lse_bound: Vec<f64>,
}

/// How wrong `out` and `lse` may be.
fn bounds<D: Op>(desc: &D, inputs: &Tensors) -> [Vec<f64>; 2] {
    let answers = desc.evaluate(inputs).unwrap();
    [0, 1].map(|output| match &answers[output].answer {
        Answer::Bounded { bound, .. } => bound.iter().copied().collect(),
        Answer::Exact(_) => unreachable!("attention and its merge are bounded"),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..Default::default() })]

    #[test]
    fn any_merge_is_within_its_bound(
        (parts, rows, dim) in (0usize..40, 1usize..70, 0usize..90),
        formats in (0usize..6, 0usize..3),
        lse in any::<bool>(),
        spread in prop::sample::select(vec![1.0f32, 40.0, 1e4]),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = MergeDesc { x: Format::ALL[formats.0], out: OUTS[formats.1], lse, ..of(parts, rows, dim) };
        let mut inputs = generate::inputs(&desc, seed);
        let logarithms = inputs.get("part_lse").unwrap().to_f32();
        let logarithms: Vec<f32> = logarithms.iter().map(|lse| lse * spread).collect();
        inputs.insert("part_lse", f32s(&[parts, rows], &logarithms));
        conform_on(&gpu, &desc, &inputs);
    }

    /// Cut anywhere, also where a part gets no key, and merged at once or one after the other as a ring does.
    #[test]
    fn any_split_of_an_attention_merges_to_the_whole(
        (seq_q, seq_kv, v_dim) in (1usize..9, 1usize..90, 1usize..9),
        mut cuts in prop::collection::vec(0usize..90, 0..5),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let whole = AttentionDesc { heads: 2, seq_q, seq_kv, head_dim: 8, v_dim, lse: true, ..Default::default() };
        let split = Split { inputs: generate::inputs(&whole, seed), whole };
        cuts.iter_mut().for_each(|cut| *cut %= seq_kv + 1);
        cuts.extend([0, seq_kv]);
        cuts.sort_unstable();
        let parts: Vec<Part> =
            cuts.windows(2).map(|pair| split.part(&gpu, pair[0]..pair[1])).collect();
        split.check(&split.merge(&gpu, &parts));
        let ring = parts.iter().skip(1).fold(parts[0].clone(), |all, part| split.merge(&gpu, &[all, part.clone()]));
        split.check(&ring);
        let mut turned = parts;
        turned.reverse();
        split.check(&split.merge(&gpu, &turned));
    }

    /// The bits that came in, where there is nothing to round: the weight of a part by itself is 1.
    #[test]
    fn one_part_is_returned_within_the_bound((rows, dim) in (1usize..9, 1usize..70), out in 0usize..3, seed in any::<u64>()) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = MergeDesc { x: OUTS[out], out: OUTS[out], ..of(1, rows, dim) };
        let inputs = generate::inputs(&desc, seed);
        let answers = desc.evaluate(&inputs).unwrap();
        let exact = |name: &str| inputs.get(name).unwrap().to_f64().into_iter().collect::<Vec<f64>>();
        prop_assert_eq!(answers[0].values().into_iter().collect::<Vec<f64>>(), exact("parts"));
        prop_assert_eq!(answers[1].values().into_iter().collect::<Vec<f64>>(), exact("part_lse"));
        conform_on(&gpu, &desc, &inputs);
    }
}

#[test]
fn errors_name_the_field_and_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let error = |desc: &MergeDesc| Merge::new(gpu.device(), desc).unwrap_err().to_string();
    let desc = MergeDesc { out: Format::I8, ..of(2, 3, 4) };
    assert_eq!(error(&desc), "merge: `out` must be f32, f16 or bf16, got i8");
    let large = error(&of(1 << 10, 1 << 20, 1 << 10));
    assert!(large.contains("the number of elements of `parts` must be at most"), "{large}");
    // A buffer that is too small, and one that is missing, are named too.
    let desc = of(2, 3, 4);
    let merge = Merge::new(gpu.device(), &desc).unwrap();
    let buffer = gpu.empty("any", 64).unwrap();
    let bind = |names: &[&str]| {
        let bindings: Vec<_> = names.iter().map(|name| (*name, buffer.as_entire_buffer_binding())).collect();
        merge.bind_named(gpu.device(), &bindings).unwrap_err().to_string()
    };
    assert!(bind(&["parts", "part_lse", "out", "lse"]).contains("`parts`"));
    assert!(bind(&["part_lse", "parts"]).contains("`parts`"));
}
