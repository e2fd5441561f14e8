//! Scales and zero points made on the CPU, and what they say of codes.

use super::{Measure, QuantizationError, ScaleChoice, Scheme, search};
use langevin::formats::scale;
use langevin::reference::Tensor;
use langevin::{Format, QuantizeDesc, ScaleSource};
use rayon::prelude::*;

/// Scales and zero points of a tensor or of some of its rows.
#[derive(Clone, Debug)]
pub(crate) struct Scales {
    pub(crate) scale: Tensor,
    pub(crate) zero: Option<Tensor>,
}

impl Scales {
    pub(crate) fn new(
        affines: Vec<(f32, i32)>,
        scheme: &Scheme,
        shape: &[usize],
    ) -> Result<Self, QuantizationError> {
        let (scales, zeros): (Vec<f32>, Vec<i32>) = affines.into_iter().unzip();
        let zero = if scheme.asymmetric { Some(Tensor::from_i32(shape, &zeros)?) } else { None };
        Ok(Self { scale: Tensor::from_f32(Format::F32, shape, &scales)?, zero })
    }

    /// One for each row, by a choice that looks at its numbers.
    pub(crate) fn of_rows(
        values: &[f32],
        scheme: &Scheme,
        choice: ScaleChoice,
        shape: &[usize],
    ) -> Result<Self, QuantizationError> {
        let (rows, columns) = (shape[0], shape[1]);
        let affine = |row: usize| {
            let row = &values[row * columns..][..columns];
            let finite = row.iter().filter(|value| value.is_finite());
            let counted: Vec<(f32, u64)> = finite.map(|&value| (value, 1)).collect();
            search::affine(&counted, scale::range(row), scheme, choice)
        };
        Self::new((0..rows).into_par_iter().map(affine).collect(), scheme, &[rows])
    }

    /// What the codes of numbers, made with these scales, did to them.
    pub(crate) fn measure(&self, values: &[f32], codes: &[u8], scheme: &Scheme, shape: &[usize]) -> Measure {
        let scales = self.scale.to_f32();
        let zeros: Option<Vec<f32>> = self.zero.as_ref().map(Tensor::to_f32);
        let desc = scheme.quantize([1, 1], Format::F32, ScaleSource::Dynamic);
        let desc = QuantizeDesc { shape: shape.to_vec(), ..desc };
        Measure::of(values, codes, scheme, |element| {
            let index = desc.scale_index(element);
            (scales[index], zeros.as_ref().map_or(0, |zeros| zeros[index] as i32))
        })
    }
}

/// Widens ranges that contain 0, one for all values or one for each column, by rows of values.
pub(crate) fn widen(ranges: &mut [(f32, f32)], values: &[f32]) {
    if let [(low, high)] = ranges {
        let (least, largest) = scale::range(values);
        (*low, *high) = (low.min(least), high.max(largest));
        return;
    }
    for row in values.chunks(ranges.len().max(1)) {
        for ((low, high), &value) in ranges.iter_mut().zip(row) {
            let (least, largest) = scale::range(&[value]);
            (*low, *high) = (low.min(least), high.max(largest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_columns_and_of_all() {
        let values = [1.0, -2.0, f32::NAN, 1e-40, f32::INFINITY, 7.0];
        let mut all = [(0.0, 0.0)];
        widen(&mut all, &values);
        assert_eq!(all, [(-2.0, 7.0)]);
        let mut columns = [(0.0, 0.0), (0.0, 0.0)];
        widen(&mut columns, &values);
        assert_eq!(columns, [(0.0, 1.0), (-2.0, 7.0)]);
    }
}
