//! Tensors larger than a binding may be are quantized window by window, with the same result.

use super::layout::{Layout, Workers};
use super::{Job, Numbers, PARTIAL_BYTES, Stages};
use crate::kernel::Variant;
use crate::recipe::{Recipe, Window};
use crate::{Capabilities, Granularity, QuantizeDesc, Rounding, ScaleSource};
use langevin_reference::{Op, TensorSpec};

/// Rows, and units of four elements, whose number is a multiple of this start at a multiple of 256 bytes in every tensor:
/// the largest alignment that a device asks for.
const ALIGNED: usize = 64;

/// A part of a problem that is a problem of its own, and where its tensors are in the whole ones.
#[derive(Debug, PartialEq)]
pub(super) struct Part {
    pub(super) desc: QuantizeDesc,
    pub(super) windows: Vec<(&'static str, Window)>,
}

/// The parts of a problem with a tensor above the limit; none where all fit, or where it cannot be split: random numbers are
/// counted through the tensor, and columns that find a scale need all rows.
pub(super) fn parts(desc: &QuantizeDesc, limit: u64) -> Vec<Part> {
    let fits = |spec: &TensorSpec| spec.gpu_bytes().is_some_and(|bytes| bytes <= limit);
    let by_column = desc.granularity == Granularity::PerColumn && desc.scale == ScaleSource::Dynamic;
    if desc.tensors().iter().all(fits) || desc.rounding == Rounding::Stochastic || by_column {
        return Vec::new();
    }
    let (rows, width) = (desc.rows(), desc.width());
    let whole = width.is_multiple_of(4) || rows == 1;
    if desc.granularity == Granularity::PerTensor && whole {
        return of_elements(desc, rows * width, limit);
    }
    of_rows(desc, limit)
}

/// Parts of neighbouring elements: rows of whole words have no gaps between them.
fn of_elements(desc: &QuantizeDesc, elements: usize, limit: u64) -> Vec<Part> {
    let x_bytes = desc.x.bytes();
    let length = limit as usize / x_bytes / (4 * ALIGNED) * (4 * ALIGNED);
    if length == 0 {
        return Vec::new();
    }
    let part = |start: usize| {
        let shape = vec![length.min(elements - start)];
        let desc = QuantizeDesc { shape, ..desc.clone() };
        let window_of = |spec: TensorSpec| match spec.name {
            "x" => Some(("x", window(start * x_bytes, &spec))),
            "q" => Some(("q", window(start, &spec))),
            _ => None,
        };
        Part { windows: desc.tensors().into_iter().filter_map(window_of).collect(), desc }
    };
    (0..elements).step_by(length).map(part).collect()
}

/// Parts of rows: whole rows of blocks where those share a scale.
fn of_rows(desc: &QuantizeDesc, limit: u64) -> Vec<Part> {
    let rows = desc.rows();
    let unit = match desc.granularity.within(desc.matrix_rows(), desc.width()) {
        // Blocks of one matrix only: with more, a part might end within one.
        Granularity::PerBlock { .. } if desc.matrix_rows() != rows => return Vec::new(),
        Granularity::PerBlock { rows: height, .. } => height,
        _ => 1,
    };
    let shared = matches!(desc.granularity, Granularity::PerTensor | Granularity::PerColumn);
    let split = |spec: &TensorSpec| spec.name == "x" || spec.name == "q" || !shared;
    let of = |height: usize| QuantizeDesc { shape: vec![height, desc.width()], ..desc.clone() };
    let aligned = unit * ALIGNED;
    // What so many rows, aligned in every tensor, take of the largest of them.
    let most =
        of(aligned).tensors().iter().filter(|spec| split(spec)).filter_map(TensorSpec::gpu_bytes).max();
    let height = (limit / most.unwrap_or(u64::MAX).max(1)) as usize * aligned;
    if height == 0 {
        return Vec::new();
    }
    let part = |start: usize| {
        let desc = of(height.min(rows - start));
        let before = of(start).tensors();
        let starts = before.iter().map(|spec| spec.gpu_bytes().unwrap_or(0) as usize);
        let tensors = desc.tensors().into_iter().zip(starts).filter(|(spec, _)| split(spec));
        Part { windows: tensors.map(|(spec, start)| (spec.name, window(start, &spec))).collect(), desc }
    };
    (0..rows).step_by(height).map(part).collect()
}

/// Where a part of a tensor is.
fn window(start: usize, part: &TensorSpec) -> Window {
    Window { offset: start as u64, bytes: part.gpu_bytes().unwrap_or(0) }
}

fn job(desc: &QuantizeDesc, variant: Variant) -> Job<'_> {
    Job::new(desc, desc.tensors(), Numbers::Stored, variant)
}

/// The dispatches of all parts; a scale for all of them is made of the extremes of all.
pub(super) fn recipe(parts: &[Part], variant: Variant, capabilities: &Capabilities) -> Recipe {
    let first = &parts[0].desc;
    let merged = first.granularity == Granularity::PerTensor && first.scale == ScaleSource::Dynamic;
    let mut recipe = Recipe::default();
    if !merged {
        for Part { desc, windows } in parts {
            let own = job(desc, variant).recipe(variant, capabilities);
            recipe.scratch_bytes = recipe.scratch_bytes.max(own.scratch_bytes);
            recipe.stages.extend(own.stages.into_iter().map(|stage| stage.within(windows)));
        }
        return recipe;
    }
    let layout = |desc| Layout::of(desc, Workers::of(variant, capabilities));
    let total = parts.iter().map(|part| layout(&part.desc).partials() as usize).sum();
    let (mut before, mut codes) = (0, Vec::new());
    for Part { desc, windows } in parts {
        let end = before + layout(desc).partials() as usize;
        let own = Job { partials: Some(before..end), ..job(desc, variant) };
        let extremes = Stages { job: &own, desc, layout: layout(desc) }.extremes();
        recipe.stages.push(extremes.within(windows));
        let all = Job { partials: Some(0..total), ..job(desc, variant) };
        codes.push(Stages { job: &all, desc, layout: layout(desc) }.codes().within(windows));
        before = end;
    }
    recipe.stages.extend(codes);
    recipe.scratch_bytes = total as u64 * PARTIAL_BYTES;
    recipe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    use std::ops::Range;

    fn of(desc: &QuantizeDesc, limit: u64) -> Vec<(Vec<usize>, Vec<Range<u64>>)> {
        let range = |(_, window): (&str, Window)| window.offset..window.offset + window.bytes;
        let shape = |part: Part| (part.desc.shape, part.windows.into_iter().map(range).collect());
        parts(desc, limit).into_iter().map(shape).collect()
    }

    #[test]
    fn what_fits_has_no_windows() {
        let desc = QuantizeDesc { shape: vec![64, 256], ..Default::default() };
        assert!(of(&desc, 4 * 64 * 256).is_empty());
    }

    #[test]
    fn elements_and_rows_start_on_256_bytes() {
        let tensor = QuantizeDesc { shape: vec![100, 20], ..Default::default() };
        assert_eq!(
            of(&tensor, 5000),
            [(vec![1024], vec![0..4096, 0..1024]), (vec![976], vec![4096..8000, 1024..2000])]
        );
        // Rows of five elements take eight bytes of codes.
        let broken = QuantizeDesc { shape: vec![200, 5], x: Format::BF16, ..Default::default() };
        let rows = |start, rows: u64| vec![12 * start..12 * (start + rows), 8 * start..8 * (start + rows)];
        assert_eq!(of(&broken, 1800), [(vec![128, 5], rows(0, 128)), (vec![72, 5], rows(128, 72))]);
        let by_row = QuantizeDesc { granularity: Granularity::PerRow, ..broken.clone() };
        let with_scales = |start, rows: u64| {
            vec![
                12 * start..12 * (start + rows),
                8 * start..8 * (start + rows),
                4 * start..4 * (start + rows),
            ]
        };
        assert_eq!(
            of(&by_row, 1800),
            [(vec![128, 5], with_scales(0, 128)), (vec![72, 5], with_scales(128, 72))]
        );
        let blocks = QuantizeDesc { granularity: Granularity::PerBlock { rows: 2, columns: 4 }, ..broken };
        assert_eq!(of(&blocks, 2000)[1].1, [12 * 128..12 * 200, 8 * 128..8 * 200, 8 * 64..8 * 100]);
    }

    #[test]
    fn what_needs_the_whole_tensor_is_not_split() {
        let desc = QuantizeDesc { shape: vec![100, 20], ..Default::default() };
        let random = QuantizeDesc { rounding: Rounding::Stochastic, ..desc.clone() };
        let columns = QuantizeDesc { granularity: Granularity::PerColumn, ..desc.clone() };
        let long = QuantizeDesc { granularity: Granularity::PerRow, shape: vec![2, 5000], ..desc };
        for desc in [random, columns, long] {
            assert!(parts(&desc, 5000).is_empty(), "{desc:?}");
        }
    }
}
