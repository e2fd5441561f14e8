//! Pictures cut into the tokens of a transformer.

use crate::{Cost, DescError, Expected, Format, Op, Tensor, TensorSpec, Tensors};
use ndarray::{Array3, ArrayView1, ArrayView2, ArrayView4};

/// Cuts pictures into square patches, one token each: `out[r * batch + b, (i, j), (c, p, q)] = x[b, c, i patch + p, j
/// patch + q]` for every `r < repeat`.
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `x` | `[batch, channels, height, width]` | F32 |
/// | `out` | `[repeat * batch, tokens, channels * patch * patch]` | F32 |
///
/// Tokens run row by row over the `height / patch` by `width / patch` patches. Inside a token the channel comes first:
/// the order of a convolution's weight `[d, channels, patch, patch]`, flattened. So a patch embedding - a convolution
/// whose stride is its kernel - is this followed by a matmul with that weight transposed to `[channels patch patch,
/// d]`, its bias, and the position embedding as a residual shared by the batch
/// ([`MatmulDesc::residual_shared`](crate::MatmulDesc::residual_shared)); [`patch_embed`] is the formula.
/// [`UnpatchifyDesc`](crate::UnpatchifyDesc) is the way back, with another order inside the token.
///
/// `repeat` writes the whole batch several times: 2 for guidance, where both halves see the same picture.
///
/// A copy: every bit arrives, those of NaN too.
///
/// # Errors
/// [`DescError::Field`] for a `patch` of zero, or a height or width that is no multiple of it; [`DescError::TooLarge`]
/// for more elements than u32 counts.
///
/// # Example
/// ```
/// use langevin_reference::{Format, Op, PatchifyDesc, Tensor, Tensors};
/// let desc = PatchifyDesc { height: 2, width: 4, patch: 2, ..Default::default() };
/// let mut inputs = Tensors::new();
/// inputs.insert("x", Tensor::from_f32(Format::F32, &[1, 1, 2, 4], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])?);
/// let out = desc.evaluate(&inputs)?[0].values();
/// assert_eq!(out.as_slice(), Some(&[0.0, 1.0, 4.0, 5.0, 2.0, 3.0, 6.0, 7.0][..]));
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Source: Dosovitskiy et al., arXiv 2010.11929, section 3.1.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct PatchifyDesc {
    /// Pictures.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub batch: usize,
    /// Channels of a picture.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub channels: usize,
    /// Rows of a picture.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub height: usize,
    /// Columns of a picture.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub width: usize,
    /// The side of a patch.
    pub patch: usize,
    /// How many times the batch is written.
    pub repeat: usize,
}

impl Default for PatchifyDesc {
    /// One empty picture of one channel in patches of one pixel: give `height`, `width` and `patch`.
    fn default() -> Self {
        Self { batch: 1, channels: 1, height: 0, width: 0, patch: 1, repeat: 1 }
    }
}

impl PatchifyDesc {
    /// How many tokens a picture becomes.
    pub fn tokens(&self) -> usize {
        // Sizes whose product leaves usize are refused by their tensors.
        (self.height / self.patch.max(1)).saturating_mul(self.width / self.patch.max(1))
    }
}

impl Op for PatchifyDesc {
    const NAME: &'static str = "patchify";

    fn validate(&self) -> Result<(), DescError> {
        check_patches::<Self>(self.patch, self.height, self.width)?;
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let Self { batch, channels, height, width, patch, repeat } = *self;
        let token = channels.saturating_mul(patch).saturating_mul(patch);
        vec![
            TensorSpec::input("x", Format::F32, &[batch, channels, height, width]),
            TensorSpec::output("out", Format::F32, &[repeat.saturating_mul(batch), self.tokens(), token]),
        ]
    }

    fn cost(&self) -> Cost {
        Cost::of(0.0, &self.tensors())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let Self { channels, height, width, patch, .. } = *self;
        let across = width / patch.max(1);
        copied(self, inputs, |[copy, token, element]: [usize; 3]| {
            let item = copy % self.batch;
            let (channel, p, q) = (element / (patch * patch), element / patch % patch, element % patch);
            let (y, x) = (token / across * patch + p, token % across * patch + q);
            ((item * channels + channel) * height + y) * width + x
        })
    }
}

/// A height and a width are whole numbers of patches.
pub(crate) fn check_patches<O: Op>(patch: usize, height: usize, width: usize) -> Result<(), DescError> {
    if patch == 0 {
        return Err(O::field_error("patch", "at least 1", patch));
    }
    for (field, size) in [("height", height), ("width", width)] {
        if size % patch != 0 {
            return Err(O::field_error(field, format!("a multiple of the patch, {patch}"), size));
        }
    }
    Ok(())
}

/// The one F32 output of which every element is a copy of the element of `x` that `source` names.
pub(crate) fn copied<O: Op, const AXES: usize>(
    op: &O,
    inputs: &Tensors,
    source: impl Fn([usize; AXES]) -> usize,
) -> Vec<Expected> {
    let specs = op.tensors();
    let x = inputs.get("x").map(Tensor::bytes).unwrap_or_default();
    let expected = |spec: &TensorSpec| {
        let positions = ndarray::indices(spec.shape.as_slice());
        let bytes = positions.into_iter().flat_map(|index| {
            let at = source(std::array::from_fn(|axis| index[axis])) * 4;
            x[at..at + 4].iter().copied()
        });
        Some(Expected::exact(spec.name, Tensor::new(spec.dtype, &spec.shape, bytes.collect()).ok()?))
    };
    specs.last().and_then(expected).into_iter().collect()
}

/// The tokens of pictures `[batch, channels, height, width]` in f64: `[batch, tokens, channels * patch * patch]`.
///
/// # Errors
/// [`DescError::Field`] for a `patch` of zero, or a height or width that is no multiple of it.
pub fn patchify(x: ArrayView4<'_, f64>, patch: usize) -> Result<Array3<f64>, DescError> {
    let (batch, channels, height, width) = x.dim();
    check_patches::<PatchifyDesc>(patch, height, width)?;
    let across = width / patch;
    let shape = (batch, height / patch * across, channels * patch * patch);
    Ok(Array3::from_shape_fn(shape, |(item, token, element)| {
        let (channel, p, q) = (element / (patch * patch), element / patch % patch, element % patch);
        x[[item, channel, token / across * patch + p, token % across * patch + q]]
    }))
}

/// The patch embedding of a vision transformer in f64: a convolution with `weight` `[d, channels, patch, patch]` whose
/// stride is its kernel, plus `bias` `[d]`, plus `position` `[tokens, d]`; the result is `[batch, tokens, d]`.
///
/// # Errors
/// [`DescError::Field`] when the patches do not cover the pictures, [`DescError::Shape`] when shapes do not fit
/// together.
pub fn patch_embed(
    x: ArrayView4<'_, f64>,
    weight: ArrayView4<'_, f64>,
    bias: ArrayView1<'_, f64>,
    position: ArrayView2<'_, f64>,
) -> Result<Array3<f64>, DescError> {
    let (batch, channels, height, width) = x.dim();
    let (d, _, patch, _) = weight.dim();
    check_patches::<PatchifyDesc>(patch, height, width)?;
    let across = width / patch;
    let tokens = height / patch * across;
    let shape = |tensor: &str, expected: &[usize], got: &[usize]| {
        if expected == got {
            return Ok(());
        }
        let (tensor, expected) = (tensor.to_owned(), format!("{expected:?}"));
        Err(DescError::Shape { op: PatchifyDesc::NAME, tensor, expected, got: got.to_vec() })
    };
    shape("weight", &[d, channels, patch, patch], weight.shape())?;
    shape("bias", &[d], bias.shape())?;
    shape("position", &[tokens, d], position.shape())?;
    Ok(Array3::from_shape_fn((batch, tokens, d), |(item, token, feature)| {
        let (top, left) = (token / across * patch, token % across * patch);
        let taps = ndarray::indices((channels, patch, patch)).into_iter();
        let sum: f64 =
            taps.map(|(c, p, q)| weight[[feature, c, p, q]] * x[[item, c, top + p, left + q]]).sum();
        sum + bias[feature] + position[[token, feature]]
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2, Array4};

    #[test]
    fn the_channel_comes_first_and_the_batch_repeats() {
        let desc =
            PatchifyDesc { channels: 2, height: 2, width: 2, patch: 2, repeat: 2, ..Default::default() };
        let mut inputs = Tensors::new();
        let x: Vec<f32> = (0..8u8).map(f32::from).collect();
        inputs.insert("x", Tensor::from_f32(Format::F32, &[1, 2, 2, 2], &x).unwrap());
        let out = desc.evaluate(&inputs).unwrap().remove(0).values();
        assert_eq!(out.shape(), [2, 1, 8]);
        assert_eq!(
            out.as_slice(),
            Some(&[0., 1., 2., 3., 4., 5., 6., 7., 0., 1., 2., 3., 4., 5., 6., 7.][..])
        );
    }

    #[test]
    fn patches_of_one_pixel_only_move_the_channel() {
        let x = Array4::from_shape_fn((1, 2, 2, 3), |(_, c, i, j)| (c * 6 + i * 3 + j) as f64);
        let tokens = patchify(x.view(), 1).unwrap();
        let moved = x.permuted_axes([0, 2, 3, 1]);
        assert_eq!(tokens.into_shape_with_order((1, 2, 3, 2)).unwrap(), moved);
    }

    #[test]
    fn an_embedding_sums_its_patch() {
        let x = Array4::from_shape_fn((1, 1, 2, 4), |(.., i, j)| (i * 4 + j) as f64);
        let weight = Array4::ones((1, 1, 2, 2));
        let bias = Array1::from_elem(1, 100.0);
        let position = Array2::from_shape_vec((2, 1), vec![0.0, 1000.0]).unwrap();
        let out = patch_embed(x.view(), weight.view(), bias.view(), position.view()).unwrap();
        assert_eq!(out.as_slice(), Some(&[110.0, 1118.0][..]));
    }

    #[test]
    fn empty_pictures_are_fine_and_wrong_shapes_are_named() {
        let empty = PatchifyDesc { height: 0, width: 4, patch: 2, ..Default::default() };
        let inputs = crate::generate::inputs(&empty, 0);
        assert!(empty.evaluate(&inputs).unwrap().remove(0).values().is_empty());
        let (x, weight) = (Array4::zeros((1, 2, 4, 4)), Array4::zeros((3, 1, 2, 2)));
        let (bias, position) = (Array1::zeros(3), Array2::zeros((4, 3)));
        let error = patch_embed(x.view(), weight.view(), bias.view(), position.view()).unwrap_err();
        let sentence = "patchify: tensor `weight` must have shape [3, 2, 2, 2], got [3, 1, 2, 2]";
        assert_eq!(error.to_string(), sentence);
        let error = patchify(x.view(), 3).unwrap_err().to_string();
        assert_eq!(error, "patchify: `height` must be a multiple of the patch, 3, got 4");
    }
}
