//! Tokens of a transformer put back together into pictures.

use crate::patchify::{check_patches, copied};
use crate::{Cost, DescError, Expected, Format, Op, TensorSpec, Tensors};
use ndarray::{Array4, ArrayView3};

/// Puts patches back into pictures: `out[b, c, i patch + p, j patch + q] = x[b, (i, j), (p, q, c)]`.
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `x` | `[batch, tokens, patch * patch * channels]` | F32 |
/// | `out` | `[batch, channels, height, width]` | F32 |
///
/// Tokens run row by row over the `height / patch` by `width / patch` patches. Inside a token the channel comes last,
/// as the last layer of a DiT writes it - not first, as [`PatchifyDesc`](crate::PatchifyDesc) reads it. With one
/// channel the two are inverse.
///
/// A copy: every bit arrives, those of NaN too.
///
/// # Errors
/// [`DescError::Field`] for a `patch` of zero, or a height or width that is no multiple of it; [`DescError::TooLarge`]
/// for more elements than u32 counts.
///
/// # Example
/// ```
/// use langevin_reference::{Format, Op, Tensor, Tensors, UnpatchifyDesc};
/// let desc = UnpatchifyDesc { height: 2, width: 4, patch: 2, ..Default::default() };
/// let mut inputs = Tensors::new();
/// inputs.insert("x", Tensor::from_f32(Format::F32, &[1, 2, 4], &[0.0, 1.0, 4.0, 5.0, 2.0, 3.0, 6.0, 7.0])?);
/// let out = desc.evaluate(&inputs)?[0].values();
/// assert_eq!(out.as_slice(), Some(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0][..]));
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Source: Peebles and Xie, arXiv 2212.09748, section 3.2 (transformer decoder); the order is that of its published
/// code and of diffusers, `nhwpqc -> nchpwq`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct UnpatchifyDesc {
    /// Pictures.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub batch: usize,
    /// Channels of a picture.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub channels: usize,
    /// Rows of a picture.
    pub height: usize,
    /// Columns of a picture.
    pub width: usize,
    /// The side of a patch.
    pub patch: usize,
}

impl Default for UnpatchifyDesc {
    /// One empty picture of one channel in patches of one pixel: give `height`, `width` and `patch`.
    fn default() -> Self {
        Self { batch: 1, channels: 1, height: 0, width: 0, patch: 1 }
    }
}

impl UnpatchifyDesc {
    /// How many tokens a picture is made of.
    pub fn tokens(&self) -> usize {
        // Sizes whose product leaves usize are refused by their tensors.
        (self.height / self.patch.max(1)).saturating_mul(self.width / self.patch.max(1))
    }
}

impl Op for UnpatchifyDesc {
    const NAME: &'static str = "unpatchify";

    fn validate(&self) -> Result<(), DescError> {
        check_patches::<Self>(self.patch, self.height, self.width)?;
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let Self { batch, channels, height, width, patch } = *self;
        let token = channels.saturating_mul(patch).saturating_mul(patch);
        vec![
            TensorSpec::input("x", Format::F32, &[batch, self.tokens(), token]),
            TensorSpec::output("out", Format::F32, &[batch, channels, height, width]),
        ]
    }

    fn cost(&self) -> Cost {
        Cost::of(0.0, &self.tensors())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let Self { channels, width, patch, .. } = *self;
        let (across, tokens) = (width / patch.max(1), self.tokens());
        copied(self, inputs, |index: [usize; 4]| {
            let [item, channel, y, x] = index;
            let token = y / patch * across + x / patch;
            let element = (y % patch * patch + x % patch) * channels + channel;
            (item * tokens + token) * patch * patch * channels + element
        })
    }
}

/// Pictures `[batch, channels, height, width]` from tokens `[batch, tokens, patch * patch * channels]`, in f64.
///
/// # Errors
/// [`DescError::Field`] for a `patch` of zero, or a `height` or `width` that is no multiple of it; [`DescError::Shape`]
/// when the tokens are not those of such pictures.
pub fn unpatchify(
    x: ArrayView3<'_, f64>,
    height: usize,
    width: usize,
    patch: usize,
) -> Result<Array4<f64>, DescError> {
    check_patches::<UnpatchifyDesc>(patch, height, width)?;
    let (batch, tokens, token) = x.dim();
    let across = width / patch;
    if tokens != height / patch * across || token % (patch * patch) != 0 {
        return Err(DescError::Shape {
            op: UnpatchifyDesc::NAME,
            tensor: "x".into(),
            expected: format!("[{batch}, {}, {} * channels]", height / patch * across, patch * patch),
            got: x.shape().to_vec(),
        });
    }
    let channels = token / (patch * patch);
    Ok(Array4::from_shape_fn((batch, channels, height, width), |(item, channel, row, column)| {
        let element = (row % patch * patch + column % patch) * channels + channel;
        x[[item, row / patch * across + column / patch, element]]
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;
    use ndarray::Array3;

    #[test]
    fn the_channel_comes_last() {
        let desc = UnpatchifyDesc { channels: 2, height: 2, width: 2, patch: 2, ..Default::default() };
        let mut inputs = Tensors::new();
        let x: Vec<f32> = (0..8u8).map(f32::from).collect();
        inputs.insert("x", Tensor::from_f32(Format::F32, &[1, 1, 8], &x).unwrap());
        let out = desc.evaluate(&inputs).unwrap().remove(0).values();
        assert_eq!(out.as_slice(), Some(&[0.0, 2.0, 4.0, 6.0, 1.0, 3.0, 5.0, 7.0][..]));
    }

    #[test]
    fn one_channel_is_the_inverse_of_patchify() {
        let x = Array4::from_shape_fn((2, 1, 4, 6), |(n, _, i, j)| (n * 24 + i * 6 + j) as f64);
        let tokens = crate::patchify(x.view(), 2).unwrap();
        assert_eq!(unpatchify(tokens.view(), 4, 6, 2).unwrap(), x);
    }

    #[test]
    fn empty_pictures_are_fine_and_wrong_shapes_are_named() {
        let empty = UnpatchifyDesc { batch: 0, height: 4, width: 4, patch: 2, ..Default::default() };
        let inputs = crate::generate::inputs(&empty, 0);
        assert!(empty.evaluate(&inputs).unwrap().remove(0).values().is_empty());
        let x = Array3::zeros((1, 5, 4));
        let error = unpatchify(x.view(), 4, 4, 2).unwrap_err().to_string();
        assert_eq!(error, "unpatchify: tensor `x` must have shape [1, 4, 4 * channels], got [1, 5, 4]");
    }
}
