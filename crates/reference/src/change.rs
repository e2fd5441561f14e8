//! How much a tensor has changed.

use crate::bound::Rounded;
use crate::{Cost, DescError, Expected, Format, Op, TensorSpec, Tensors};
use ndarray::{ArrayView1, arr1};

/// `out = [sum |x - y|, sum |y|]`: the change from `y` to `x`, and what it is relative to.
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `x` | `[elements]` | F32 |
/// | `y` | `[elements]` | F32 |
/// | `out` | `[2]` | F32 |
///
/// Sums are f32, in an order that depends on the number of elements alone. NaN or infinity in an input spoils the sums it
/// takes part in.
///
/// Error bound of a sum of n terms, of which none passes more than d = min(n, 64 + n / 65536) additions: `gamma(d + 1)` times the sum,
/// with `u = 2^-23`, and `2 (n + 1) 2^-126` for subnormals that were flushed. Where a sum leaves the range of f32 nothing is promised.
///
/// # Errors
/// [`DescError::TooLarge`] for more elements than u32 counts.
///
/// # Example
/// ```
/// use langevin_reference::{ChangeDesc, Format, Op, Tensor, Tensors};
/// let mut inputs = Tensors::new();
/// inputs.insert("x", Tensor::from_f32(Format::F32, &[2], &[1.0, -2.0])?);
/// inputs.insert("y", Tensor::from_f32(Format::F32, &[2], &[4.0, 0.5])?);
/// let out = ChangeDesc { elements: 2 }.evaluate(&inputs)?[0].values();
/// assert_eq!(out.as_slice(), Some(&[5.5, 4.5][..]));
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Source: the relative L1 distance of Liu et al., TeaCache, arXiv 2411.19108, equation 4.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct ChangeDesc {
    /// Numbers of each tensor, whatever its shape.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub elements: usize,
}

impl ChangeDesc {
    /// Additions that a term passes at most: an order that many invocations share.
    fn additions(elements: usize) -> usize {
        elements.min(64 + elements / 65536)
    }
}

impl Op for ChangeDesc {
    const NAME: &'static str = "change";

    fn validate(&self) -> Result<(), DescError> {
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        vec![
            TensorSpec::input("x", Format::F32, &[self.elements]),
            TensorSpec::input("y", Format::F32, &[self.elements]),
            TensorSpec::output("out", Format::F32, &[2]),
        ]
    }

    fn cost(&self) -> Cost {
        Cost::of(3.0 * self.elements as f64, &self.tensors())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let value = |name: &str| inputs.values(name).unwrap_or_default().into_iter().collect::<Vec<f64>>();
        let (x, y) = (value("x"), value("y"));
        let sums = change(ArrayView1::from(&x), ArrayView1::from(&y));
        let additions = Self::additions(self.elements);
        let sums = sums.map(|sum| Rounded::sum(sum, sum, self.elements, additions));
        let [value, error] = [sums.map(|sum| sum.value), sums.map(|sum| sum.error)];
        vec![Expected::bounded("out", arr1(&value).into_dyn(), arr1(&error).into_dyn())]
    }
}

/// `[sum |x - y|, sum |y|]` in f64; of unequal lengths the shorter counts.
pub fn change(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> [f64; 2] {
    let distance = x.iter().zip(y).map(|(x, y)| (x - y).abs()).sum();
    [distance, y.iter().map(|y| y.abs()).sum()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_tensors_have_not_changed_and_empty_ones_have_no_size() {
        let x = [3.0, -4.0];
        assert_eq!(change(ArrayView1::from(&x), ArrayView1::from(&x)), [0.0, 7.0]);
        let empty = ChangeDesc { elements: 0 };
        let answer = empty.evaluate(&crate::generate::inputs(&empty, 0)).unwrap();
        assert_eq!(answer[0].values().as_slice(), Some(&[0.0, 0.0][..]));
    }

    #[test]
    fn the_change_is_relative_to_the_second() {
        let (x, y) = ([1.0, -2.0, 0.0], [4.0, 0.5, -1.0]);
        assert_eq!(change(ArrayView1::from(&x), ArrayView1::from(&y)), [6.5, 5.5]);
        assert_eq!(change(ArrayView1::from(&y), ArrayView1::from(&x)), [6.5, 3.0]);
    }
}
