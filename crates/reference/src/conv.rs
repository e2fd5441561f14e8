//! Convolution along one, two or three axes, with the boundary as part of it, and its transpose.

mod answer;
mod axis;
mod layout;
mod rules;

use crate::per_axis::{MAX_AXES, along};
use crate::{Activation, Boundary, Cost, DescError, Expected, Format, Granularity, Op, TensorSpec, Tensors};
pub use axis::{ConvAxis, ConvSource};
pub use layout::ConvLayout;
use ndarray::{ArrayD, ArrayViewD};

/// `out[n, o, i..] = residual + activation(x_scale w_scale[o] sum over c, k.. of w[o, c, k..] x[n, c', j..] + bias[o])`
/// with `j = i * stride + k * dilation - before`
///
/// A cross-correlation, as in every neural network: the kernel is not flipped. `c` counts the input channels of the
/// group of `o`: `c' = o / (out_channels / groups) * (in_channels / groups) + c`. Outside of `x` the [`Boundary`] of
/// the axis says what is read, so that no padded copy is needed; where a position is outside along several axes and
/// nothing is repeated there, the last of these axes says it. With [`ConvDesc::upsample`] the input is `x` with every
/// element repeated (nearest-neighbour upsampling), and paddings and boundaries are those of the repeated input.
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `x` | `[batch, in_channels, spatial..]` | [`ConvDesc::x`] |
/// | `w` | `[out_channels, in_channels / groups, kernel..]` | [`ConvDesc::w`] |
/// | `x_scale` | `[]` | F32 |
/// | `w_scale` | `[]` per tensor, `[out_channels]` per row | F32 |
/// | `bias` | `[out_channels]` | F32 |
/// | `residual` | as `out` | as `out` |
/// | `out` | `[batch, out_channels, out_spatial..]` | [`ConvDesc::out`] |
///
/// With [`ConvLayout::ChannelsLast`] the second axis of each of these is the last: `[batch, spatial.., in_channels]`,
/// `[out_channels, kernel.., in_channels / groups]`. All are row-major with every row starting on a 4-byte word. An
/// axis of `out` has `(upsample * spatial + before + after - dilation * (kernel - 1) - 1) / stride + 1` elements,
/// rounded down, and none where the kernel is longer than the padded input.
///
/// With [`ConvDesc::transposed`] it is the adjoint of that map from `out` to `x`, for the same `w`: PyTorch's
/// `ConvTranspose`, JAX's `conv_transpose` with `transpose_kernel`. Then `j = (i + before - k * dilation) / stride`,
/// products without such an integer are left out, `w` is `[in_channels, out_channels / groups, kernel..]`, an axis of
/// `out` has `(spatial - 1) * stride + dilation * (kernel - 1) + 1 + output_padding - before - after` elements (none
/// without input), and only zeros are outside.
///
/// `spatial` and `kernel` have one entry per axis, 1 to 3 of them. The lists `stride`, `dilation`, `padding`,
/// `boundary`, `upsample` and `output_padding` have one entry per axis, or one for every axis, or none for the default.
/// JSON also takes one value in place of a list, and one number for both sides of a padding: `"padding": 1`, `[1, 2]`
/// (1 on both sides of the first axis, 2 of the second), `[[0, 1], [2, 2]]` (before, after).
///
/// Products and sums are f32 on every tier, in any order; those of I8 by I8 are i32 and exact, up to the 131,071
/// products to an output that fit. Without input channels the sum is 0. I8 operands without scale count as the
/// integers they hold, and a constant outside is a value of `x` before its scale. NaN and infinity reach only outputs
/// whose window they stand in, as some non-finite value or none. An F16 or BF16 output overflows to infinity. Operands
/// that pass through f16, exactly, keep its subnormals on adapters that do; the bound does not count that WGSL lets one
/// lose them.
///
/// Error bound, per element, with `u = 2^-23`, `terms` the products of an output and `mag` the sum of their magnitudes:
/// `L gamma(terms + 1) mag` (for I8 by I8 nothing but the conversion of the sum, `u |sum|` beyond 2^24), plus one `u`
/// of the running magnitude for each scale, the bias and the residual (`L` the activation's slope, plus its own
/// evaluation error), and half a unit in the last place of `out`.
///
/// # Errors
/// [`DescError::Field`] for other than 1 to 3 axes, a list of another length, an extent of `kernel`, a stride, a
/// dilation or an upsampling of 0, groups that do not divide the channels, a reflection that reaches past the far end,
/// a padding by something other than zeros where there is no input, a constant that `x` cannot hold, an
/// `output_padding` that is not smaller than stride or dilation, sums of I8 that may leave i32, an 8-bit `out`, scales
/// of other parts; [`DescError::TooLarge`] where indices would leave the shaders' integers; [`DescError::Value`] for a
/// scale that is negative or not finite.
///
/// # Example
/// ```
/// use langevin_reference::{Boundary, ConvDesc, Format, Op, Tensor, Tensors};
/// let desc = ConvDesc {
///     spatial: vec![4],
///     kernel: vec![3],
///     padding: vec![[1, 1]],
///     boundary: vec![Boundary::Circular],
///     ..Default::default()
/// };
/// let mut inputs = Tensors::new();
/// inputs.insert("x", Tensor::from_f32(Format::F32, &[1, 1, 4], &[1.0, 2.0, 4.0, 8.0])?);
/// inputs.insert("w", Tensor::from_f32(Format::F32, &[1, 1, 3], &[1.0, 0.0, -1.0])?);
/// let out = desc.evaluate(&inputs)?[0].values();
/// assert_eq!(out.as_slice(), Some(&[6.0, -3.0, -6.0, 3.0][..]));
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, arXiv 1603.07285.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct ConvDesc {
    /// Independent inputs.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub batch: usize,
    /// Channels of `x`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub in_channels: usize,
    /// Channels of `out`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub out_channels: usize,
    /// Extents of `x`, the fastest axis last.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub spatial: Vec<usize>,
    /// Extents of `w`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub kernel: Vec<usize>,
    /// In which order the axes of `x`, `w`, `residual` and `out` are stored.
    pub layout: ConvLayout,
    /// How `x` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub x: Format,
    /// How `w` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub w: Format,
    /// How `out` is stored: F32, F16 or BF16.
    pub out: Format,
    /// Independent groups of channels; as many as there are channels for a depthwise convolution.
    pub groups: usize,
    /// Input elements between two outputs; 1.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "crate::per_axis::json::list"))]
    pub stride: Vec<usize>,
    /// Input elements between two kernel elements; 1.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "crate::per_axis::json::list"))]
    pub dilation: Vec<usize>,
    /// Elements added before and after; none.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "crate::per_axis::json::pairs"))]
    pub padding: Vec<[usize; 2]>,
    /// What the padding holds; zeros.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "crate::per_axis::json::list"))]
    pub boundary: Vec<Boundary>,
    /// How often each element of `x` is repeated before anything else; 1.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "crate::per_axis::json::list"))]
    pub upsample: Vec<usize>,
    /// It is the adjoint: every input spreads over the outputs. Strides and dilations then count outputs.
    pub transposed: bool,
    /// Elements added behind the output of a transposed convolution, to tell apart the extents that its stride merges;
    /// none.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "crate::per_axis::json::list"))]
    pub output_padding: Vec<usize>,
    /// Multiplies by a scale of `x`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub x_scale: bool,
    /// Multiplies by the scales of `w`: [`Granularity::PerTensor`], or [`Granularity::PerRow`], where the weights of an
    /// output channel are a row.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub w_scale: Option<Granularity>,
    /// Adds a bias.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub bias: bool,
    /// Applied after the bias.
    pub activation: Activation,
    /// Adds a residual after the activation.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub residual: bool,
}

impl Default for ConvDesc {
    /// One F32 channel in and out, nothing padded and nothing fused: give `spatial` and `kernel`.
    fn default() -> Self {
        Self {
            batch: 1,
            in_channels: 1,
            out_channels: 1,
            spatial: Vec::new(),
            kernel: Vec::new(),
            layout: ConvLayout::ChannelsFirst,
            x: Format::F32,
            w: Format::F32,
            out: Format::F32,
            groups: 1,
            stride: Vec::new(),
            dilation: Vec::new(),
            padding: Vec::new(),
            boundary: Vec::new(),
            upsample: Vec::new(),
            transposed: false,
            output_padding: Vec::new(),
            x_scale: false,
            w_scale: None,
            bias: false,
            activation: Activation::Identity,
            residual: false,
        }
    }
}

impl ConvDesc {
    /// The settings of an axis of a valid descriptor; [`ConvAxis::UNIT`] beyond the last.
    pub fn axis(&self, axis: usize) -> ConvAxis {
        let (Some(&extent), Some(&kernel)) = (self.spatial.get(axis), self.kernel.get(axis)) else {
            return ConvAxis::UNIT;
        };
        ConvAxis {
            extent,
            kernel,
            stride: along(&self.stride, axis, 1),
            dilation: along(&self.dilation, axis, 1),
            padding: along(&self.padding, axis, [0, 0]),
            boundary: along(&self.boundary, axis, Boundary::Zero),
            upsample: along(&self.upsample, axis, 1),
            transposed: self.transposed,
            output_padding: along(&self.output_padding, axis, 0),
        }
    }

    /// Always three axes: those missing are in front, so that the last one is the fastest.
    pub fn three_axes(&self) -> [ConvAxis; MAX_AXES] {
        let missing = MAX_AXES.saturating_sub(self.spatial.len());
        std::array::from_fn(|i| if i < missing { ConvAxis::UNIT } else { self.axis(i - missing) })
    }

    /// The extents of `out`.
    pub fn out_spatial(&self) -> Vec<usize> {
        (0..self.spatial.len()).map(|axis| self.axis(axis).out_extent()).collect()
    }

    /// Input channels of a group.
    pub fn group_channels(&self) -> usize {
        self.in_channels / self.groups.max(1)
    }

    /// Output channels of a group.
    pub fn group_outputs(&self) -> usize {
        self.out_channels / self.groups.max(1)
    }

    /// The most products that are summed for one output.
    pub fn terms(&self) -> usize {
        let taps = (0..self.spatial.len()).map(|axis| self.axis(axis).taps());
        taps.fold(self.group_channels(), usize::saturating_mul)
    }
}

impl Op for ConvDesc {
    const NAME: &'static str = "conv";

    fn validate(&self) -> Result<(), DescError> {
        rules::check(self)
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        self.specs()
    }

    fn cost(&self) -> Cost {
        let product = |extents: &[usize]| extents.iter().map(|&extent| extent as f64).product::<f64>();
        // Every input of a transposed convolution meets every kernel element, but for those that are cut off.
        let (spatial, channels) = match self.transposed {
            false => (self.out_spatial(), [self.batch, self.out_channels, self.group_channels()]),
            true => (self.spatial.clone(), [self.batch, self.in_channels, self.group_outputs()]),
        };
        Cost::of(2.0 * product(&channels) * product(&spatial) * product(&self.kernel), &self.tensors())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        vec![answer::answer(self, inputs)]
    }

    fn check_values(&self, inputs: &Tensors) -> Result<(), DescError> {
        ["x_scale", "w_scale"].into_iter().try_for_each(|name| {
            let expected = "finite scales that are not negative";
            inputs.check_values_of(Self::NAME, name, expected, |scale| scale.is_finite() && scale >= 0.0)
        })
    }
}

/// The convolution of a descriptor in f64, without scales, bias, activation and residual; formats are not looked at.
///
/// # Errors
/// Those of [`ConvDesc`], and [`DescError::Shape`] when an array has another shape.
pub fn conv(
    x: ArrayViewD<'_, f64>,
    w: ArrayViewD<'_, f64>,
    desc: &ConvDesc,
) -> Result<ArrayD<f64>, DescError> {
    desc.validate()?;
    for (spec, array) in desc.tensors().iter().zip([&x, &w]) {
        if spec.shape != array.shape() {
            return Err(DescError::Shape {
                op: ConvDesc::NAME,
                tensor: spec.name.into(),
                expected: format!("{:?}", spec.shape),
                got: array.shape().to_vec(),
            });
        }
    }
    Ok(answer::shaped(desc, answer::sums(desc, x, w).iter().map(|[sum, _]| *sum).collect()))
}
