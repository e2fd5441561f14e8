//! Ranges and sizes without a GPU: parts make the whole, their ranges hold what they use, and no size leaves u32.

use super::parts::{Axis, Part, Sizes, Tensors};
use super::stages;
use crate::recipe::Recipe;
use crate::{Capabilities, Columns, Format, Granularity, Kernel, MatmulDesc, Operand, Pair};
use langevin_gpu::ParamValue;
use langevin_reference::Op;
use proptest::prelude::*;

const AXES: [Axis; 4] = [Axis::Item, Axis::Row, Axis::Column, Axis::Depth];

fn parts(desc: &MatmulDesc, size: Sizes) -> Vec<Part> {
    AXES.into_iter().fold(vec![Part::whole(desc)], |parts, axis| {
        parts.into_iter().flat_map(|part| part.along(axis, size[axis])).collect()
    })
}

/// The elements of `a`, `b` and `out` that a position of the product uses, in the whole tensors.
fn elements(desc: &MatmulDesc, [item, row, column, depth]: [usize; 4]) -> [(&'static str, usize, usize); 3] {
    let at = |operand: Operand, by_depth: bool, across: usize, rows: usize| {
        let (line, along) = if by_depth { (across, depth) } else { (depth, across) };
        let (lines, length) = if by_depth { (rows, desc.k) } else { (desc.k, rows) };
        let columns = operand.columns.unwrap_or(Columns::all(length));
        let pitch = columns.width.next_multiple_of(operand.format.per_word());
        (if operand.shared { 0 } else { item * lines * pitch }) + line * pitch + columns.start + along
    };
    let pitch = desc.n.next_multiple_of(desc.out.per_word());
    [
        ("a", at(desc.a, !desc.a.transposed, row, desc.m), desc.a.format.bytes()),
        ("b", at(desc.b, desc.b.transposed, column, desc.b_columns()), desc.b.format.bytes()),
        ("out", (item * desc.m + row) * pitch + column, desc.out.bytes()),
    ]
}

proptest! {
    #[test]
    fn parts_make_the_whole_and_bind_what_they_use(
        (batch, m, k, n) in (1usize..5, 1usize..300, 1usize..700, 1usize..80),
        formats in (0usize..6, 0usize..6, 0usize..6),
        flags in any::<u16>(),
        limit in 4096u64..40_000,
    ) {
        let bit = |i: u32| flags >> i & 1 == 1;
        let operand = |format, i| Operand {
            transposed: bit(i),
            shared: bit(i + 1),
            scale: bit(i + 2).then_some(Granularity::PerGroup(32)),
            ..Operand::from(Format::ALL[format])
        };
        let [a, b] = [operand(formats.0, 0), operand(formats.1, 3)];
        let pair = bit(6).then_some(Pair::GateLast);
        let desc = MatmulDesc { batch, m, k, n: 4 * n, a, b, out: Format::ALL[formats.2], pair, bias: true, residual: true, ..Default::default() };
        let mut capabilities = Capabilities::minimal();
        capabilities.limits.max_storage_buffer_binding_size = limit;
        let tensors = Tensors::new(&desc, &capabilities);
        let size = tensors.lengths(&desc);
        let parts = parts(&desc, size);
        let volume = |sizes: Sizes| AXES.iter().map(|&axis| sizes[axis]).product::<usize>();
        prop_assert_eq!(parts.iter().map(|part| volume(part.size)).sum::<usize>(), volume(Sizes::of(&desc)));
        let totals: Vec<_> = desc.tensors().iter().map(|spec| (spec.name, spec.gpu_bytes().unwrap())).collect();
        for part in parts {
            let corner = |last: usize| AXES.map(|axis| part.start[axis] + last * (part.size[axis] - 1));
            for (first, last) in elements(&desc, corner(0)).into_iter().zip(elements(&desc, corner(1))) {
                let (name, element) = (first.0, first.2);
                let (window, start) = tensors.place(name, &part);
                let total = totals.iter().find(|(tensor, _)| *tensor == name).unwrap().1;
                let (offset, bytes) = window.map_or((0, total), |window| (window.offset, window.bytes));
                // What the shader adds to its position inside the part leads to the element, which is bound.
                prop_assert_eq!(offset as usize + start * element, first.1 * element, "{} of {:?}", name, part);
                prop_assert!(((last.1 + 1) * element) as u64 <= offset + bytes, "{name} of {part:?}");
                prop_assert!(offset + bytes <= total && offset.is_multiple_of(256) && bytes.is_multiple_of(4));
                prop_assert!(window.is_none() || bytes <= limit || least_piece(&desc, name) + 256 > limit, "{name}: {bytes} of {part:?}");
            }
        }
    }
}

/// Bytes of the least piece that a tensor may be cut into: 32 depths, 4 columns, a row or, beside rows of `a` that share
/// words, 4; a whole item where a pair keeps its columns together.
fn least_piece(desc: &MatmulDesc, name: &str) -> u64 {
    let rows = if desc.a.transposed { 4 } else { 1 };
    let columns = if desc.pair.is_some() { desc.b_columns() } else { 4 };
    let (lines, line, format) = match name {
        "a" if desc.a.transposed => (32, desc.m, desc.a.format),
        "a" => (rows, desc.k, desc.a.format),
        "b" if desc.b.transposed => (columns, desc.k, desc.b.format),
        "b" => (32, desc.b_columns(), desc.b.format),
        _ => (rows, desc.n, desc.out),
    };
    (lines * line.next_multiple_of(format.per_word()) * format.bytes()) as u64
}

/// The descriptors with the largest m, n, k or batch that the rules accept, found by bisection.
fn largest() -> Vec<MatmulDesc> {
    let mut found = Vec::new();
    for format in [Format::F32, Format::F16, Format::E4m3] {
        let b = Operand::from(format).scaled(Granularity::PerGroup(32));
        let base = MatmulDesc { m: 1, k: 1, n: 1, a: format.into(), b, out: format, ..Default::default() };
        let grow: [fn(&MatmulDesc, usize) -> MatmulDesc; 4] = [
            |desc, m| MatmulDesc { m, ..desc.clone() },
            |desc, n| MatmulDesc { n, ..desc.clone() },
            |desc, k| MatmulDesc { k, ..desc.clone() },
            |desc, batch| MatmulDesc { batch, ..desc.clone() },
        ];
        for grow in grow {
            let (mut valid, mut invalid) = (1usize, 1usize << 33);
            while invalid - valid > 1 {
                let middle = valid.midpoint(invalid);
                if grow(&base, middle).validate().is_ok() { valid = middle } else { invalid = middle }
            }
            found.push(grow(&base, valid));
        }
    }
    found
}

fn params(recipe: &Recipe) -> Vec<(&'static str, u32)> {
    let value = |(name, value): &(&'static str, ParamValue)| match value {
        ParamValue::U32(value) => (*name, *value),
        other => panic!("{name}: {other:?}"),
    };
    recipe.stages.iter().flat_map(|stage| stage.shader.params.iter().map(value)).collect()
}

/// Up to the largest sizes that a descriptor may have, every size and every index that a shader forms fits u32, or the grid
/// is refused.
#[test]
fn sizes_near_the_end_of_u32_fit() {
    let mut capabilities = Capabilities::minimal();
    capabilities.limits.max_storage_buffer_binding_size = u64::MAX;
    for desc in largest() {
        assert!(desc.batch.max(desc.m).max(desc.n).max(desc.k) > 1 << 29, "{desc:?} is not large");
        for variant in desc.variants(&capabilities) {
            let recipe = stages::recipe(&desc, variant, &capabilities);
            for (name, value) in params(&recipe) {
                // `groups` saturates where the plan refuses the grid.
                let refused =
                    name == "groups" && recipe.stages.iter().any(|stage| stage.groups > u64::from(u32::MAX));
                assert!(value < u32::MAX || refused, "{name} of {desc:?} ({})", variant.name);
            }
            for stage in &recipe.stages {
                let get = |wanted: &str| {
                    let param = stage.shader.params.iter().find(|(name, _)| *name == wanted);
                    param.map_or(
                        0,
                        |(_, value)| if let ParamValue::U32(value) = value { u128::from(*value) } else { 0 },
                    )
                };
                let items = get("batch") - 1;
                // The last element of each tensor, and the end of a tile that reaches past it.
                for [stride, lines, pitch, along] in [
                    ["a_stride", "m", "a_pitch", "k"],
                    ["out_stride", "m", "out_pitch", "n"],
                    ["residual_stride", "m", "residual_pitch", "n"],
                    ["b_stride", "k", "b_pitch", "n"],
                ] {
                    let last = items * get(stride) + (get(lines) - 1) * get(pitch) + get(along) - 1;
                    assert!(last < 1 << 32, "{stride} of {desc:?}");
                    assert!(
                        get(along) + 256 < 1 << 32 && get(lines) + 256 < 1 << 32,
                        "{along}, {lines} of {desc:?}"
                    );
                }
                assert!(8 * get("tiles_n") < 1 << 32);
                let scratch = get("slices").max(1) * get("batch") * get("m") * get("scratch_pitch");
                assert!(scratch < 1 << 32, "scratch of {desc:?}");
            }
        }
    }
}
