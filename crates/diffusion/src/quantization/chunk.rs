//! Tensors in pieces that fit the GPU's bindings.

use super::Scheme;
use langevin::Granularity;
use std::ops::Range;

/// Bytes of a tensor that are in memory at once: enough for a GPU, and a quarter of the smallest limit of a binding.
const CHUNK_BYTES: usize = 32 << 20;

/// Some rows of a matrix, or neighbouring elements where one scale is for all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chunk {
    /// As which it is quantized: `[rows, columns]`, or `[elements]`.
    pub(crate) shape: Vec<usize>,
    /// Its elements, counted through the tensor.
    pub(crate) elements: Range<usize>,
    /// Its scales, counted through those of the tensor.
    pub(crate) scales: Range<usize>,
}

/// Whether a chunk of rows has scales of its own, that no other rows share.
pub(crate) fn has_own_scales(granularity: Granularity) -> bool {
    !matches!(granularity, Granularity::PerTensor | Granularity::PerColumn)
}

/// The chunks of a matrix whose elements take that many bytes.
pub(crate) fn chunks(scheme: &Scheme, [rows, columns]: [usize; 2], element_bytes: usize) -> Vec<Chunk> {
    split(scheme, [rows, columns], CHUNK_BYTES / element_bytes)
}

/// Chunks of neighbouring elements of that many bytes, where rows do not matter.
pub(crate) fn flat(elements: usize, element_bytes: usize) -> Vec<Chunk> {
    split_flat(elements, CHUNK_BYTES / element_bytes)
}

fn split_flat(elements: usize, most: usize) -> Vec<Chunk> {
    // Codes of four elements are a word.
    let length = elements.div_ceil(elements.div_ceil(most).max(1)).next_multiple_of(4);
    let chunk = |elements: Range<usize>| Chunk { shape: vec![elements.len()], elements, scales: 0..1 };
    pieces(elements, length).map(chunk).collect()
}

/// Chunks of at most so many elements, but of one row, or one row of blocks, at least.
fn split(scheme: &Scheme, [rows, columns]: [usize; 2], most: usize) -> Vec<Chunk> {
    if scheme.granularity == Granularity::PerTensor {
        return split_flat(rows * columns, most);
    }
    let unit = match scheme.granularity {
        Granularity::PerBlock { rows, .. } => rows,
        _ => 1,
    };
    let units = rows.div_ceil(unit);
    let most_units = (most / columns.max(1) / unit).max(1);
    // As many chunks as needed, of equal size: equal shapes share a plan.
    let height = units.div_ceil(units.div_ceil(most_units).max(1)) * unit;
    let scales_before = |row: usize| scheme.scale_shape(&[row, columns]).iter().product::<usize>();
    let chunk = |of: Range<usize>| {
        let scales = match has_own_scales(scheme.granularity) {
            true => scales_before(of.start)..scales_before(of.end),
            false => 0..columns,
        };
        Chunk { shape: vec![of.len(), columns], elements: of.start * columns..of.end * columns, scales }
    };
    pieces(rows, height).map(chunk).collect()
}

fn pieces(total: usize, length: usize) -> impl Iterator<Item = Range<usize>> {
    (0..total).step_by(length.max(1)).map(move |start| start..(start + length).min(total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use langevin::Format;

    fn of(
        granularity: Granularity,
        matrix: [usize; 2],
        most: usize,
    ) -> Vec<(Vec<usize>, usize, Range<usize>)> {
        let scheme = Scheme { format: Format::E4m3, granularity, asymmetric: false, scale_rounding: None };
        let chunk = |chunk: Chunk| (chunk.shape, chunk.elements.start, chunk.scales);
        split(&scheme, matrix, most).into_iter().map(chunk).collect()
    }

    #[test]
    fn rows_stay_whole_and_so_do_rows_of_blocks() {
        let rows = of(Granularity::PerRow, [7, 10], 35);
        assert_eq!(rows, [(vec![3, 10], 0, 0..3), (vec![3, 10], 30, 3..6), (vec![1, 10], 60, 6..7)]);
        assert_eq!(of(Granularity::PerRow, [2, 10], 5).len(), 2);
        let groups = of(Granularity::PerGroup(4), [2, 10], 10);
        assert_eq!(groups, [(vec![1, 10], 0, 0..3), (vec![1, 10], 10, 3..6)]);
        let blocks = of(Granularity::PerBlock { rows: 4, columns: 8 }, [10, 10], 40);
        assert_eq!(blocks, [(vec![4, 10], 0, 0..2), (vec![4, 10], 40, 2..4), (vec![2, 10], 80, 4..6)]);
    }

    #[test]
    fn one_scale_and_scales_of_columns_are_for_all_chunks() {
        let tensor = of(Granularity::PerTensor, [3, 7], 10);
        assert_eq!(tensor, [(vec![8], 0, 0..1), (vec![8], 8, 0..1), (vec![5], 16, 0..1)]);
        let columns = of(Granularity::PerColumn, [4, 7], 14);
        assert_eq!(columns, [(vec![2, 7], 0, 0..7), (vec![2, 7], 14, 0..7)]);
    }

    #[test]
    fn nothing_has_no_chunks() {
        for granularity in [Granularity::PerTensor, Granularity::PerRow, Granularity::PerColumn] {
            assert!(of(granularity, [0, 5], 9).is_empty());
        }
        assert!(of(Granularity::PerTensor, [5, 0], 9).is_empty());
        // Rows without elements have scales.
        assert_eq!(of(Granularity::PerRow, [5, 0], 9), [(vec![5, 0], 0, 0..5)]);
    }
}
