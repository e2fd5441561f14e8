//! Attention against its reference: shapes x formats x options x every variant, views, hidden keys, and the errors.

#[path = "attention/cooperative.rs"]
mod cooperative;
#[path = "attention/hidden.rs"]
mod hidden;
#[path = "attention/invariance.rs"]
mod invariance;
#[path = "attention/properties.rs"]
mod properties;
#[path = "attention/sequences.rs"]
mod sequences;
#[path = "attention/splits.rs"]
mod splits;
#[path = "attention/views.rs"]
mod views;

use langevin::reference::generate;
use langevin::verify::{self, Op, RunOptions};
use langevin::{
    Align, Attention, AttentionDesc, Format, Heads, Kernel, Pick, PlanError, PlanOptions, Tier, View, Window,
};
use langevin_testkit::{conform, conform_in_turns, gpu};

/// Two heads that share one key head.
fn two_heads(seq_q: usize, seq_kv: usize, head_dim: usize, v_dim: usize) -> AttentionDesc {
    AttentionDesc { heads: 2, seq_q, seq_kv, head_dim, v_dim, lse: true, ..Default::default() }
}

const OUTS: [Format; 3] = [Format::F32, Format::F16, Format::BF16];

/// 1, tile - 1, tile, tile + 1, 2 tile + 3 and primes, for the tiles of every variant (8, 32, 64).
#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    let sizes = [1, 7, 8, 9, 31, 32, 33, 67];
    let head_dims = [1, 3, 4, 5, 31, 32, 33, 63, 64, 65, 67, 128, 131, 255, 256];
    // Other blocks of columns are other shaders: once each, below.
    let v_dims = [1, 3, 4, 5, 15, 16];
    for (i, &seq_q) in sizes.iter().enumerate() {
        for (j, &seq_kv) in sizes.iter().enumerate() {
            let (a, b) = (i * sizes.len() + j, 7 * i + 2 * j);
            let desc = two_heads(seq_q, seq_kv, head_dims[a % head_dims.len()], v_dims[b % v_dims.len()]);
            conform(&gpu, &desc, a as u64);
        }
    }
    for (turn, v_dim) in [17, 31, 32, 33, 48, 63, 64, 65, 67, 128, 131, 256].into_iter().enumerate() {
        conform_in_turns(&gpu, &two_heads(9, 33, 20, v_dim), turn as u64);
    }
}

/// One head: with two that share their keys, the rows of a tile are even. Blocks of keys of 8 and 32, tiles of 8, 16, 32
/// and 64 rows, and primes between.
#[test]
fn tiles_of_one_head() {
    let Some(gpu) = gpu() else { return };
    let rows = [1, 7, 8, 9, 13, 15, 16, 17, 31, 32, 33, 61, 63, 64, 65, 127, 128, 129];
    let keys = [31, 64, 9, 1, 33, 61, 8, 32, 13, 7];
    for (i, seq_q) in rows.into_iter().enumerate() {
        conform_in_turns(
            &gpu,
            &AttentionDesc { heads: 1, ..two_heads(seq_q, keys[i % 10], 20, 16) },
            i as u64,
        );
    }
}

#[test]
fn grouped_heads() {
    let Some(gpu) = gpu() else { return };
    for (heads, kv_heads) in [(1, 1), (4, 2), (7, 1), (14, 2), (3, 3)] {
        conform(&gpu, &AttentionDesc { batch: 2, heads, kv_heads, ..two_heads(5, 11, 6, 9) }, heads as u64);
    }
}

/// How one tensor is read does not depend on the others, so each format once in each place is enough; and each kind of
/// scale: one for all, per head, per token of all heads, per token and head.
#[test]
fn every_format_in_every_place() {
    let Some(gpu) = gpu() else { return };
    for i in 0..6 {
        let scaled = |step: usize, [batch, heads, seq]: [usize; 3]| {
            let kinds = [[1, 1, 1], [1, heads, 1], [batch, 1, seq], [batch, heads, seq]];
            Heads::from(Format::ALL[(i + step) % 6]).scaled(kinds[(i + step) % 4])
        };
        for (seq_q, seq_kv, head_dim, v_dim) in [(9, 37, 7, 5), (20, 3, 5, 9), (3, 33, 21, 14)] {
            let (queries, keys) = ([2, 2, seq_q], [2, 1, seq_kv]);
            let (q, k, v) = (scaled(0, queries), scaled(1, keys), scaled(3, keys));
            let desc = AttentionDesc {
                batch: 2,
                q,
                k,
                v,
                out: OUTS[i % 3],
                ..two_heads(seq_q, seq_kv, head_dim, v_dim)
            };
            conform_in_turns(&gpu, &AttentionDesc { lse: false, ..desc }, i as u64);
        }
    }
}

/// Options by the bits of a number.
fn with_options(desc: AttentionDesc, bits: usize) -> AttentionDesc {
    let bit = |i: usize| bits >> i & 1 == 1;
    let desc = AttentionDesc { batch: if bit(8) { 1 } else { desc.batch }, ..desc };
    let AttentionDesc { batch, heads, kv_heads, seq_q, seq_kv, .. } = desc;
    let masks =
        [[batch, heads, seq_q, seq_kv], [1, 1, seq_q, seq_kv], [batch, 1, 1, seq_kv], [1, heads, seq_q, 1]];
    let diagonals = [Align::TopLeft, Align::BottomRight, Align::Offset(3), Align::Offset(-2)];
    let align = diagonals[bits / 2 % 4];
    let scaled = |shape| if bit(3) { Heads::default().scaled(shape) } else { Heads::default() };
    AttentionDesc {
        causal: bit(0).then_some(align),
        mask: bit(1).then(|| masks[bits / 4 % 4]),
        bias: bit(2).then(|| masks[bits / 8 % 4]),
        q: scaled([[batch, heads, seq_q], [1, heads, 1]][bits / 16 % 2]),
        k: scaled([[1, kv_heads, 1], [batch, 1, seq_kv]][bits / 32 % 2]),
        v: scaled([[batch, kv_heads, seq_kv], [1, 1, 1]][bits / 64 % 2]),
        sinks: bit(4),
        softcap: bit(5).then_some(0.7),
        lse: bit(6),
        window: bit(7).then_some(Window { left: Some(5), right: (!bit(0)).then_some(4), align }),
        sequences: bit(8).then_some(4),
        scale: bit(9).then_some(0.3),
        out: OUTS[bits % 128 % 3],
        ..desc
    }
}

/// Every pair of options on and off in few shaders: the design of Plackett and Burman in 12 runs; then all options at once.
#[test]
fn every_pair_of_options() {
    let Some(gpu) = gpu() else { return };
    // Nine bits choose shaders; whether the scale is given, the tenth, does not.
    let bits = |run: usize| {
        (0..9).fold(0, |bits, i| bits | usize::from([0, 1, 3, 4, 5, 9].contains(&((i + run) % 11))) << i)
    };
    for bits in (0..11).map(bits).chain([0, 511]) {
        for (seq_q, seq_kv) in [(31, 35), (6, 41), (30, 9)] {
            let desc = AttentionDesc { batch: 2, ..two_heads(seq_q, seq_kv, 12, 10) };
            conform_in_turns(&gpu, &with_options(desc, bits ^ ((seq_q & 1) << 9)), bits as u64);
        }
    }
}

/// With every option there are thirteen tensors; WebGPU promises eight bindings.
#[test]
fn every_stage_keeps_to_eight_buffers() {
    let Some(gpu) = gpu() else { return };
    // Composing takes 20 ms: an odd step meets every bit with every other.
    for bits in (0..512).step_by(7).chain([511]) {
        for seq_kv in [4, 4000] {
            let desc = with_options(two_heads(3, seq_kv, 5, 6), bits);
            for variant in desc.variants(gpu.capabilities()) {
                let sources = langevin::sources(&desc, gpu.capabilities(), &variant.into()).unwrap();
                assert!(sources.iter().all(|source| source.bindings.len() <= 8), "{desc:?}");
                let joins = sources.iter().any(|source| source.label == "attention: small tensors");
                let lists = sources.iter().any(|source| source.label == "attention: sequences");
                let adds = sources.iter().any(|source| source.label == "attention: splits");
                assert_eq!(lists, desc.sequences.is_some(), "{desc:?}");
                assert!(!adds || (!lists && desc.window.is_none() && seq_kv == 4000), "{desc:?}");
                assert!(adds || lists || joins == (desc.tensors().len() > 8), "{desc:?}");
            }
        }
    }
}

#[test]
fn empty_sizes_are_defined() {
    let Some(gpu) = gpu() else { return };
    for (batch, heads, seq_q) in [(0, 2, 3), (2, 0, 3), (2, 2, 0)] {
        conform(&gpu, &AttentionDesc { batch, heads, ..two_heads(seq_q, 5, 4, 4) }, 0);
    }
    // Without keys: zeros, and minus infinity.
    let desc = two_heads(5, 0, 4, 6);
    let out = verify::run(&gpu, &desc, &generate::inputs(&desc, 1), &RunOptions::default()).unwrap();
    assert!(out.get("out").unwrap().to_f32().iter().all(|value| value.to_bits() == 0));
    assert!(out.get("lse").unwrap().to_f32().iter().all(|value| *value == f32::NEG_INFINITY));
    conform(&gpu, &AttentionDesc { sinks: true, mask: Some([1, 1, 5, 0]), ..desc }, 2);
}

#[test]
fn checked_shaders_agree() {
    let Some(gpu) = gpu() else { return };
    let desc = AttentionDesc { causal: Some(Align::BottomRight), ..two_heads(20, 30, 40, 10) };
    let inputs = generate::inputs(&desc, 5);
    let run = |checked| {
        let plan = PlanOptions { checked, ..Default::default() };
        verify::run(&gpu, &desc, &inputs, &RunOptions { plan }).unwrap()
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn errors_name_the_field_and_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let error = |desc: AttentionDesc| Attention::new(gpu.device(), &desc).unwrap_err().to_string();
    let good = || two_heads(3, 4, 5, 6);
    let check = |desc, sentence: &str| assert_eq!(error(desc), format!("attention: {sentence}"));
    check(AttentionDesc { out: Format::I8, ..good() }, "`out` must be f32, f16 or bf16, got i8");
    check(AttentionDesc { head_dim: 257, ..good() }, "`head_dim` must be from 1 to 256, got 257");
    check(AttentionDesc { v_dim: 0, ..good() }, "`v_dim` must be from 1 to 256, got 0");
    check(
        AttentionDesc { heads: 4, kv_heads: 3, ..good() },
        "`kv_heads` must be at least 1 and a divisor of the 4 heads, got 3",
    );
    check(
        AttentionDesc { kv_heads: 0, ..good() },
        "`kv_heads` must be at least 1 and a divisor of the 2 heads, got 0",
    );
    check(
        AttentionDesc { mask: Some([1, 3, 3, 4]), ..good() },
        "`mask` must be [1, 2, 3, 4] with any extent 1 instead, got [1, 3, 3, 4]",
    );
    check(
        AttentionDesc { bias: Some([2, 1, 1, 1]), ..good() },
        "`bias` must be [1, 2, 3, 4] with any extent 1 instead, got [2, 1, 1, 1]",
    );
    check(AttentionDesc { scale: Some(f32::NAN), ..good() }, "`scale` must be from -1e38 to 1e38, got NaN");
    check(
        AttentionDesc { scale: Some(2.4e38), ..good() },
        "`scale` must be from -1e38 to 1e38, got 240000000000000000000000000000000000000",
    );
    check(AttentionDesc { softcap: Some(0.0), ..good() }, "`softcap` must be from 1e-20 to 1e20, got 0");
    check(
        AttentionDesc { k: Heads::default().scaled([1, 2, 4]), ..good() },
        "`k` must be scaled by [1, 1, 4] with any extent 1 instead, got [1, 2, 4]",
    );
    check(
        AttentionDesc { batch: 2, sequences: Some(2), ..good() },
        "`batch` must be 1 beside `sequences`, got 2",
    );
    check(AttentionDesc { sequences: Some(0), ..good() }, "`sequences` must be from 1 to 536870912, got 0");
    let window = |align| Some(Window { left: Some(1), right: Some(0), align });
    check(
        AttentionDesc { causal: Some(Align::TopLeft), window: window(Align::BottomRight), ..good() },
        "`window` must be aligned as `causal`, TopLeft, got BottomRight",
    );
    let nowhere = error(AttentionDesc { window: window(Align::Offset(-7)), ..good() });
    let start =
        "attention: `window` must be one in which some of the 3 queries see one of the 4 keys, got Window {";
    assert!(nowhere.starts_with(start), "{nowhere}");
    let view = |seq| Some(View::columns(3, seq, 0, 6));
    let odd = error(AttentionDesc { out: Format::F16, out_view: view(13), ..good() });
    assert!(
        odd.starts_with("attention: `out_view` must be multiples of 2, so that rows start on words"),
        "{odd}"
    );
    let overlap = error(AttentionDesc { out_view: view(11), ..good() });
    assert!(
        overlap.starts_with("attention: `out_view` must be strides that keep 3 rows of 6 apart"),
        "{overlap}"
    );
    let long = error(AttentionDesc { seq_kv: (1 << 29) + 1, ..good() });
    assert_eq!(long, "attention: `seq_kv` must be at most 536870912, got 536870913");
    let rows = error(AttentionDesc { seq_q: (1 << 28) + 1, ..good() });
    assert_eq!(
        rows,
        "attention: `seq_q` times the heads of a kv head must be at most 536870912, got 536870914"
    );
    let large = error(AttentionDesc { batch: 1 << 20, ..two_heads(1 << 10, 1, 4, 4) });
    assert!(large.starts_with("attention: the number of elements of `q` must be at most"), "{large}");
    let far = error(AttentionDesc {
        k: Heads::default().viewed(View { seq: usize::MAX, ..Default::default() }),
        ..good()
    });
    assert!(far.contains("the number of elements of `k` must be at most"), "{far}");
    let options = PlanOptions { pick: Pick::Tier(Tier::Dot4), ..Default::default() };
    let error = Attention::with_options(gpu.device(), &good(), &options).unwrap_err();
    assert!(matches!(error, PlanError::Variant { .. }), "{error}");
}
