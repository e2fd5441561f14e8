//! Convolution along one, two or three axes, with the boundary as part of it.

use crate::bound::Rounded;
use crate::per_axis::{MAX_AXES, along, check_axes, check_list};
use crate::{Boundary, ConvAxis, Cost, DescError, Expected, Format, Op, TensorSpec, Tensors};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use rayon::prelude::*;

/// `out[n, o, i..] = bias[o] + sum over c, k.. of w[o, c, k..] x[n, c', i * stride + k * dilation - before..]`
///
/// A cross-correlation, as in every neural network: the kernel is not flipped. `c` counts the input channels of the
/// group of `o`: `c' = o / (out_channels / groups) * (in_channels / groups) + c`. Outside of `x` the [`Boundary`] of
/// the axis says what is read, so that no padded copy is needed.
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `x` | `[batch, in_channels, spatial..]` | [`ConvDesc::x`] |
/// | `w` | `[out_channels, in_channels / groups, kernel..]` | [`ConvDesc::w`] |
/// | `bias` | `[out_channels]` | F32 |
/// | `out` | `[batch, out_channels, out_spatial..]` | [`ConvDesc::out`] |
///
/// All are row-major with every row starting on a 4-byte word. An axis of `out` has
/// `(spatial + before + after - dilation * (kernel - 1) - 1) / stride + 1` elements, rounded down, and none where the
/// kernel is longer than the padded input.
///
/// `spatial` and `kernel` have one entry per axis, 1 to 3 of them. The lists `stride`, `dilation`, `padding` and
/// `boundary` have one entry per axis, or one for every axis, or none for the default. JSON also takes one value in
/// place of a list, and one number for both sides of a padding: `"padding": 1`, `[1, 2]` (1 on both sides of the first
/// axis, 2 of the second), `[[0, 1], [2, 2]]` (before, after).
///
/// Products and sums are f32 on every tier, in any order. Without input channels `out` is the bias. I8 operands count
/// as the integers they hold. NaN and infinity reach only outputs whose window they stand in, as some non-finite
/// value or none. An F16 or BF16 output overflows to infinity.
///
/// Error bound, per element, with `u = 2^-23` and `terms = in_channels / groups * kernel volume`:
/// `gamma(terms + 1) sum |w||x|`, one `u` of the running magnitude for the bias, and half a unit in the last place of
/// `out`.
///
/// # Errors
/// [`DescError::Field`] for other than 1 to 3 axes, a list of another length, an extent of `kernel`, a stride or a
/// dilation of 0, groups that do not divide the channels, a reflection that reaches past the far end, a padding by
/// something other than zeros where there is nothing to repeat, an 8-bit `out`; [`DescError::TooLarge`] where indices
/// would leave the shaders' integers.
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
    /// Adds a bias.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub bias: bool,
}

impl Default for ConvDesc {
    /// One F32 channel in and out, nothing padded: give `spatial` and `kernel`.
    fn default() -> Self {
        Self {
            batch: 1,
            in_channels: 1,
            out_channels: 1,
            spatial: Vec::new(),
            kernel: Vec::new(),
            x: Format::F32,
            w: Format::F32,
            out: Format::F32,
            groups: 1,
            stride: Vec::new(),
            dilation: Vec::new(),
            padding: Vec::new(),
            boundary: Vec::new(),
            bias: false,
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

    /// Products that are summed for one output.
    pub fn terms(&self) -> usize {
        self.kernel.iter().product::<usize>() * self.group_channels()
    }

    /// The sum of products, and of their magnitudes, for every output.
    fn sums(&self, x: &[f64], w: &[f64]) -> Vec<[f64; 2]> {
        let axes = self.three_axes();
        let [depth, height, width] = axes.map(|axis| axis.out_extent());
        let volume = depth * height * width;
        let in_volume: usize = axes.iter().map(|axis| axis.extent).product();
        let kernel_volume: usize = axes.iter().map(|axis| axis.kernel).product();
        let channels = self.group_channels();
        let group_outputs = self.out_channels / self.groups.max(1);
        let mut sums = vec![[0.0; 2]; self.batch * self.out_channels * volume];
        if sums.is_empty() {
            return sums;
        }
        let sources = axes.map(|axis| {
            let windows = 0..axis.out_extent();
            windows.map(|i| (0..axis.kernel).map(|k| axis.source(i, k)).collect()).collect::<Vec<Vec<_>>>()
        });
        sums.par_chunks_mut(volume).enumerate().for_each(|(plane, sums)| {
            let (item, o) = (plane / self.out_channels, plane % self.out_channels);
            let first_channel = item * self.in_channels + o / group_outputs * channels;
            for (position, sum) in sums.iter_mut().enumerate() {
                let at = [position / (height * width), position / width % height, position % width];
                for tap in 0..kernel_volume {
                    let (kernel_height, kernel_width) = (axes[1].kernel, axes[2].kernel);
                    let k = [
                        tap / (kernel_height * kernel_width),
                        tap / kernel_width % kernel_height,
                        tap % kernel_width,
                    ];
                    let source = |axis: usize| sources[axis][at[axis]][k[axis]];
                    let (Some(z), Some(y), Some(column)) = (source(0), source(1), source(2)) else {
                        continue;
                    };
                    let inside = (z * axes[1].extent + y) * axes[2].extent + column;
                    for c in 0..channels {
                        let weight = w[(o * channels + c) * kernel_volume + tap];
                        let product = weight * x[(first_channel + c) * in_volume + inside];
                        sum[0] += product;
                        sum[1] += product.abs();
                    }
                }
            }
        });
        sums
    }

    fn out_shape(&self) -> Vec<usize> {
        [vec![self.batch, self.out_channels], self.out_spatial()].concat()
    }

    /// One value per output element, by construction.
    fn shaped(&self, values: Vec<f64>) -> ArrayD<f64> {
        let shape = IxDyn(&self.out_shape());
        ArrayD::from_shape_vec(shape.clone(), values).unwrap_or_else(|_| ArrayD::zeros(shape))
    }
}

impl Op for ConvDesc {
    const NAME: &'static str = "conv";

    fn validate(&self) -> Result<(), DescError> {
        let axes = self.spatial.len();
        check_axes::<Self>(axes)?;
        if self.kernel.len() != axes {
            let expected = format!("the extents of {axes} axes, as `spatial` has");
            return Err(Self::field_error("kernel", expected, format!("{:?}", self.kernel)));
        }
        for (field, len) in [
            ("stride", self.stride.len()),
            ("dilation", self.dilation.len()),
            ("padding", self.padding.len()),
            ("boundary", self.boundary.len()),
        ] {
            check_list::<Self>(field, len, axes)?;
        }
        if !matches!(self.out, Format::F32 | Format::F16 | Format::BF16) {
            return Err(Self::field_error("out", "f32, f16 or bf16", self.out));
        }
        let divides = |channels: usize| self.groups > 0 && channels.is_multiple_of(self.groups);
        if !divides(self.in_channels) || !divides(self.out_channels) {
            let expected =
                format!("a divisor of {} input and {} output channels", self.in_channels, self.out_channels);
            return Err(Self::field_error("groups", expected, self.groups));
        }
        (0..axes).try_for_each(|axis| self.axis(axis).check())?;
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let x_shape = [&[self.batch, self.in_channels], &self.spatial[..]].concat();
        let w_shape = [&[self.out_channels, self.group_channels()], &self.kernel[..]].concat();
        let mut specs =
            vec![TensorSpec::input("x", self.x, &x_shape), TensorSpec::input("w", self.w, &w_shape)];
        specs.extend(self.bias.then(|| TensorSpec::input("bias", Format::F32, &[self.out_channels])));
        specs.push(TensorSpec::output("out", self.out, &self.out_shape()));
        specs
    }

    fn cost(&self) -> Cost {
        let outputs: f64 = self.out_shape().iter().map(|&extent| extent as f64).product();
        Cost::of(2.0 * outputs * self.terms() as f64, &self.tensors())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let values = |name: &str| inputs.values(name).unwrap_or_default().into_raw_vec_and_offset().0;
        let bias = self.bias.then(|| values("bias"));
        let sums = self.sums(&values("x"), &values("w"));
        let volume = self.out_spatial().iter().product::<usize>().max(1);
        let finish = |(i, [sum, magnitude]): (usize, &[f64; 2])| {
            let mut y = Rounded::dot(*sum, *magnitude, self.terms());
            if let Some(bias) = &bias {
                y = y.add(Rounded::exact(bias[i / volume % self.out_channels]));
            }
            y.store(self.out)
        };
        let (value, bound) = sums.iter().enumerate().map(finish).map(|y| (y.value, y.error)).unzip();
        vec![Expected::bounded("out", self.shaped(value), self.shaped(bound))]
    }
}

/// The convolution of a descriptor in f64, without bias; formats are not looked at.
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
    let dense = |array: ArrayViewD<'_, f64>| array.iter().copied().collect::<Vec<_>>();
    Ok(desc.shaped(desc.sums(&dense(x), &dense(w)).iter().map(|[sum, _]| *sum).collect()))
}
