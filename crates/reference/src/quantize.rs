//! Quantization to 8-bit codes, exact to the bit.

use crate::affine::{
    check_affine, check_granularity, check_powers, matrix_rows, rows, scale_dtype, scale_index, scale_shape,
    sharing, width,
};
use crate::formats::e8m0::{self, ScaleRounding};
use crate::formats::{self, Rounding, i8, philox, quantize as code_of, scale};
use crate::{
    Cost, DescError, Dtype, Expected, Format, Granularity, Op, Overflow, Tensor, TensorSpec, Tensors,
};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use rayon::prelude::*;

/// Where the scale of a quantizer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ScaleSource {
    /// From the values themselves; it is an output.
    #[default]
    Dynamic,
    /// From the caller; it is an input.
    Static,
}

/// `q = encode(x * inverse(scale))`; for I8 `q = clamp(round(x * inverse(scale)) + zero_point)`
///
/// A code stands for `code * scale`, for I8 with a zero point for `(code - zero_point) * scale`. The inverse is one f32,
/// `1 / scale`; the code is that of the product, which now and then is not that of the quotient `x / scale`.
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `x` | [`shape`](Self::shape), any rank | [`QuantizeDesc::x`]: F32, F16, BF16 |
/// | `q` | the same | [`QuantizeDesc::q`]: E4M3, E5M2, I8 |
/// | `scale` | by [`granularity`](Self::granularity), below | F32; E8M0 with [`scale_rounding`](Self::scale_rounding) |
/// | `zero_point` | as `scale`; only with [`asymmetric`](Self::asymmetric) | I32, -128 to 127 |
/// | `seed` | `[2]`; only with [`Rounding::Stochastic`] | I32, any bits |
///
/// | granularity | one scale for | `scale` of `x` `[.., r, c]` |
/// |---|---|---|
/// | `PerTensor` | the tensor | `[]` |
/// | `PerRow` (token) | a row: the elements along the last axis | `[.., r]` |
/// | `PerColumn` (axis, channel) | what shares an index on the last axis | `[c]` |
/// | `PerGroup(g)`, `g` a multiple of 4 | `g` neighbours along a row | `[.., r, ceil(c / g)]` |
/// | `PerBlock { rows: h, columns: w }`, `w` 1 or a multiple of 4 | a block of the last two axes | `[.., ceil(r / h), ceil(c / w)]` |
///
/// The last group of a row, and the last block of either axis, may be smaller; a group longer than a row is the row. These
/// are the layouts that a matrix product reads: of a left factor `[m, k]` per row or per group, of a right one `[k, n]` per
/// column or by blocks of one column.
///
/// A static scale and zero point are inputs, dynamic ones are outputs:
///
/// | | scale | zero point | codes of I8 |
/// |---|---|---|---|
/// | symmetric | `amax / max_finite` (448, 57344, 127) | none | -127 to 127 |
/// | asymmetric | `(max - min) / 255`, the range widened to contain 0 | `round(-min / scale) - 128` | -128 to 127 |
/// | [`scale_rounding`](Self::scale_rounding) | a power of two by its code: [`encode_scale`](e8m0::encode_scale) | none | |
///
/// MXFP8 is E4M3 or E5M2 with `PerGroup(32)` and a `scale_rounding`. Its inverse is the power of two of the negated
/// exponent, so only the rounding to the code loses anything. Codes of dynamic scales are 1 to 247; a given one of 0
/// counts as 1, of 254 has an inverse that counts as 0, and of 255, NaN, makes NaN of its whole block.
///
/// A dynamic scale is at least 2^-126, so that its inverse is finite. Where there is nothing but zeros it is 1 and the
/// codes are those of zero (the asymmetric zero point is then -128). `amax`, `min` and `max` are of the finite values.
///
/// Everything rounds to nearest, ties to even: the scale, the inverse, the product (all f32), then the code; but with
/// [`Rounding::Stochastic`] the code is the next one up with the probability of what would be cut off, as
/// [`quantize_stochastic`](formats::quantize_stochastic) says to the bit. Its random numbers are those of Philox4x32-10
/// under the key `seed`, at the counter `[w, 0, 0, 0]` for the word `w` of four codes: they do not depend on anything else.
///
/// | `x` | E4M3 | E5M2 | I8 |
/// |---|---|---|---|
/// | NaN | NaN (7f), its sign | NaN (7f), its sign | the zero point, or 0 |
/// | infinity, or a product too large | 448, or NaN: [`overflow`](Self::overflow) | 57344, or infinity | saturates |
/// | zero, or an f32 subnormal (counts as zero) | zero, its sign | zero, its sign | the zero point, or 0 |
/// | infinity times an inverse of 0 (scale above 2^126) | NaN | NaN | the zero point, or 0 |
///
/// F16 subnormals are no f32 subnormals and count. FP8 subnormals are produced. Products overflow above 464 (E4M3) and
/// from 61440 on (E5M2). A static scale may be negative here (the
/// program refuses it); of magnitude below 2^-126 (zero too) it counts as 2^-126 of
/// its sign.
///
/// Error bound: none; `q`, `scale` and `zero_point` are the same bits on every adapter. Scales are made by integer
/// operations. The product is one f32 multiplication, and an FP8 code comes of one f32 sum; both are assumed to round to
/// nearest, which WGSL does not demand; a check on your adapter shows whether they do. What a code stands for is
/// within half a unit in the last place of its format, times the scale, plus `3 * 2^-24 |x|` for inverse and product, of an
/// `x` that does not overflow. Asymmetric codes -128 and 127 may be a whole step off: the zero point is rounded. With
/// stochastic rounding it is a whole unit wherever it was half of one. Three exceptions:
///
/// - An `x` that is an f32 subnormal counts as zero, and is off by itself, less than 2^-126.
/// - Under a static scale of magnitude above 2^126, whose inverse counts as zero, every finite `x` gets the code of zero, and
///   is off by itself.
/// - Under a static scale of magnitude below 2^-126, which counts as 2^-126 where codes are made but not where they are read,
///   a code stands for too little, for nothing under a scale of zero.
///
/// # Errors
/// [`DescError::Field`] for formats and granularities other than those above, for `asymmetric` without I8, and for
/// `scale_rounding` but with FP8 in groups of 32;
/// [`DescError::TooLarge`]; [`DescError::Value`] for a static scale that is not finite (a kernel cannot refuse it: NaN
/// gives NaN codes, or zero points) or a zero point out of range.
///
/// ```
/// use langevin_reference::{Format, Op, QuantizeDesc, Tensor, Tensors};
/// let desc = QuantizeDesc { shape: vec![3], q: Format::I8, ..Default::default() };
/// let mut inputs = Tensors::new();
/// inputs.insert("x", Tensor::from_f32(Format::F32, &[3], &[0.5, -254.0, f32::NAN])?);
/// let [q, scale] = &desc.evaluate(&inputs)?[..] else { unreachable!() };
/// assert_eq!(q.values().as_slice(), Some(&[0.0, -127.0, 0.0][..]));
/// assert_eq!(scale.values().sum(), 2.0);
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Source: OCP 8-bit floating point specification, revision 1.0; OCP microscaling formats specification, version 1.0; ONNX
/// QuantizeLinear for I8. The names of the roundings of scales are torchao's. Of torchao's granularities, PerTensor and
/// PerGroup are those here; PerRow and PerToken are `PerRow`; PerAxis of the last axis is `PerColumn`, and of the first axis of
/// a matrix `PerRow`; PerBlock is `PerBlock` where its size is 1 along all axes but the last two.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct QuantizeDesc {
    /// The shape of `x` and `q`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub shape: Vec<usize>,
    /// How `x` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub x: Format,
    /// How `q` is stored.
    pub q: Format,
    /// What shares one scale.
    pub granularity: Granularity,
    /// Where the scale, and the zero point, come from.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub scale: ScaleSource,
    /// I8 codes are offset by a zero point and use their full range.
    pub asymmetric: bool,
    /// The scales are powers of two, those of MXFP8, and `amax` is rounded to one so.
    pub scale_rounding: Option<ScaleRounding>,
    /// How a product between two codes becomes one of them.
    pub rounding: Rounding,
    /// What becomes of values that FP8 cannot hold; I8 saturates in both modes.
    pub overflow: Overflow,
}

impl Default for QuantizeDesc {
    /// F32 to E4M3, one dynamic scale for the whole tensor, saturating: give `shape`.
    fn default() -> Self {
        Self {
            shape: Vec::new(),
            x: Format::F32,
            q: Format::E4m3,
            granularity: Granularity::PerTensor,
            scale: ScaleSource::Dynamic,
            asymmetric: false,
            scale_rounding: None,
            rounding: Rounding::NearestEven,
            overflow: Overflow::Saturate,
        }
    }
}

impl Op for QuantizeDesc {
    const NAME: &'static str = "quantize";

    fn validate(&self) -> Result<(), DescError> {
        if !matches!(self.x, Format::F32 | Format::F16 | Format::BF16) {
            return Err(Self::field_error("x", "f32, f16 or bf16", self.x));
        }
        if !matches!(self.q, Format::E4m3 | Format::E5m2 | Format::I8) {
            return Err(Self::field_error("q", "e4m3, e5m2 or i8", self.q));
        }
        check_granularity::<Self>(&self.shape, self.granularity)?;
        if self.asymmetric && self.q != Format::I8 {
            return Err(Self::field_error("asymmetric", "false unless `q` is i8", self.q));
        }
        if self.scale_rounding.is_some() {
            check_powers::<Self>("scale_rounding", self.q, self.granularity)?;
        }
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let scale_shape = scale_shape(&self.shape, self.granularity);
        let mut specs = vec![TensorSpec::input("x", self.x, &self.shape)];
        specs.extend(self.is_stochastic().then(|| TensorSpec::input("seed", Dtype::I32, &[2])));
        let mut affine =
            vec![TensorSpec::input("scale", scale_dtype(self.scale_rounding.is_some()), &scale_shape)];
        affine.extend(self.asymmetric.then(|| TensorSpec::input("zero_point", Dtype::I32, &scale_shape)));
        let q = TensorSpec::output("q", self.q, &self.shape);
        match self.scale {
            ScaleSource::Static => {
                specs.extend(affine);
                specs.push(q);
            }
            ScaleSource::Dynamic => {
                specs.push(q);
                specs
                    .extend(affine.iter().map(|spec| TensorSpec::output(spec.name, spec.dtype, &spec.shape)));
            }
        }
        specs
    }

    /// Per element one product and one rounding, and where the scale is dynamic one comparison.
    fn cost(&self) -> Cost {
        let elements = self.rows() as f64 * self.width() as f64;
        let per_element = if self.scale == ScaleSource::Dynamic { 3.0 } else { 2.0 };
        Cost::of(per_element * elements, &self.tensors())
    }

    fn check_values(&self, inputs: &Tensors) -> Result<(), DescError> {
        check_affine::<Self>(inputs)
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let x = inputs.get("x").map(Tensor::to_f32).unwrap_or_default();
        let affines = self.affines(inputs, &x);
        let seed = inputs.get("seed").and_then(seed_words);
        let inverses: Vec<f32> = affines.iter().map(|(scale, _)| scale::inverse(*scale)).collect();
        let code = |(i, &value): (usize, &f32)| {
            let group = self.scale_index(i);
            self.code_of(value, inverses[group], affines[group].1, seed.map(|seed| self.random(i, seed)))
        };
        let codes: Vec<u8> = x.par_iter().enumerate().map(code).collect();
        let mut expected = vec![exact("q", self.q.into(), &self.shape, codes)];
        if self.scale == ScaleSource::Dynamic {
            let shape = scale_shape(&self.shape, self.granularity);
            let power = |scale: f32| (scale.to_bits() >> 23) as u8;
            let scales = match self.scale_rounding {
                Some(_) => affines.iter().map(|(scale, _)| power(*scale)).collect(),
                None => affines.iter().flat_map(|(scale, _)| scale.to_le_bytes()).collect(),
            };
            expected.push(exact("scale", scale_dtype(self.scale_rounding.is_some()), &shape, scales));
            if self.asymmetric {
                let zeros = affines.iter().flat_map(|(_, zero)| zero.to_le_bytes()).collect();
                expected.push(exact("zero_point", Dtype::I32, &shape, zeros));
            }
        }
        expected
    }
}

impl QuantizeDesc {
    /// How many rows there are: the product of all axes but the last.
    pub fn rows(&self) -> usize {
        rows(&self.shape)
    }

    /// How long a row, the last axis, is; 1 for a scalar.
    pub fn width(&self) -> usize {
        width(&self.shape)
    }

    fn is_stochastic(&self) -> bool {
        self.rounding == Rounding::Stochastic
    }

    /// The random bits of an element: Philox counts words of four codes, rows starting on a word.
    pub(crate) fn random(&self, element: usize, seed: [u32; 2]) -> u32 {
        let (row, column) = (element / self.width(), element % self.width());
        let word = row * self.width().div_ceil(4) + column / 4;
        philox::words([word as u32, 0, 0, 0], seed)[column % 4]
    }

    /// The code of a number under an inverse scale and a zero point, rounded by random bits if there are some.
    pub(crate) fn code_of(&self, value: f32, inverse: f32, zero: i32, random: Option<u32>) -> u8 {
        use i8::Range::Full;
        match (random, self.asymmetric) {
            (None, false) => code_of(value, inverse, self.q, self.overflow) as u8,
            (None, true) => i8::quantize(value, inverse, zero, Full) as u8,
            (Some(random), false) => {
                formats::quantize_stochastic(value, inverse, self.q, self.overflow, random) as u8
            }
            (Some(random), true) => formats::quantize_i8_stochastic(value, inverse, zero, Full, random) as u8,
        }
    }

    /// The shape of `scale` and `zero_point`.
    pub fn scale_shape(&self) -> Vec<usize> {
        scale_shape(&self.shape, self.granularity)
    }

    /// Which scale, counted through `scale`, an element has, counted through `x`.
    pub fn scale_index(&self, element: usize) -> usize {
        scale_index(&self.shape, self.granularity, element)
    }

    /// How many rows a matrix, the last two axes, has; 1 where there are fewer axes.
    pub fn matrix_rows(&self) -> usize {
        matrix_rows(&self.shape)
    }

    /// Scale and zero point of everything that shares them.
    fn affines(&self, inputs: &Tensors, x: &[f32]) -> Vec<(f32, i32)> {
        let shape = scale_shape(&self.shape, self.granularity);
        let groups: usize = shape.iter().product();
        let given = |name| inputs.get(name).map(Tensor::to_f32);
        if self.scale == ScaleSource::Static {
            let scales = given("scale").unwrap_or_default();
            let zeros = given("zero_point").unwrap_or(vec![0.0; groups]);
            return scales.into_iter().zip(zeros).map(|(scale, zero)| (scale, zero as i32)).collect();
        }
        let affine = |values: &Vec<f32>| {
            if self.asymmetric {
                let (low, high) = scale::range(values);
                return scale::asymmetric(low, high);
            }
            let amax = scale::amax(values);
            match self.scale_rounding {
                Some(rounding) => (e8m0::decode(e8m0::encode_scale(amax, self.q, rounding)), 0),
                None => (scale::symmetric(amax, self.q), 0),
            }
        };
        sharing(&self.shape, self.granularity, x).par_iter().map(affine).collect()
    }
}

/// The two words of a seed.
pub(crate) fn seed_words(seed: &Tensor) -> Option<[u32; 2]> {
    let bytes: [u8; 8] = seed.bytes().try_into().ok()?;
    let seed = u64::from_le_bytes(bytes);
    Some([seed as u32, (seed >> 32) as u32])
}

/// An exact answer whose bytes were made for its shape.
fn exact(name: &'static str, dtype: Dtype, shape: &[usize], bytes: Vec<u8>) -> Expected {
    let tensor = Tensor::new(dtype, shape, bytes);
    Expected::exact(name, tensor.unwrap_or_else(|error| unreachable!("{error}")))
}

/// The codes and the scales of an array, quantized symmetrically with scales of its own: [`QuantizeDesc`] without the
/// descriptor. The shape of the scales is the one there.
///
/// # Errors
/// Those of [`QuantizeDesc`].
pub fn quantize(
    x: ArrayViewD<'_, f32>,
    format: Format,
    granularity: Granularity,
    overflow: Overflow,
) -> Result<(ArrayD<u8>, ArrayD<f32>), DescError> {
    let desc =
        QuantizeDesc { shape: x.shape().to_vec(), q: format, granularity, overflow, ..Default::default() };
    desc.validate()?;
    let x: Vec<f32> = x.iter().copied().collect();
    let scales: Vec<f32> = desc.affines(&Tensors::new(), &x).into_iter().map(|(scale, _)| scale).collect();
    let code = |(i, &value)| {
        let scale = scales[scale_index(&desc.shape, granularity, i)];
        code_of(value, scale::inverse(scale), format, overflow) as u8
    };
    let codes = x.iter().enumerate().map(code).collect::<Vec<u8>>();
    Ok((shaped(&desc.shape, codes), shaped(&scale_shape(&desc.shape, granularity), scales)))
}

/// Values that were made for their shape.
fn shaped<T: Clone>(shape: &[usize], values: Vec<T>) -> ArrayD<T> {
    ArrayD::from_shape_vec(IxDyn(shape), values).unwrap_or_else(|error| unreachable!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    fn x(values: &[f32]) -> Tensors {
        let mut inputs = Tensors::new();
        inputs.insert("x", Tensor::from_f32(Format::F32, &[values.len()], values).unwrap());
        inputs
    }

    fn values(desc: &QuantizeDesc, inputs: &Tensors) -> Vec<Vec<f64>> {
        let expected = desc.evaluate(inputs).unwrap();
        expected.iter().map(|output| output.values().iter().copied().collect()).collect()
    }

    #[test]
    fn by_hand() {
        let desc = QuantizeDesc { shape: vec![4], ..Default::default() };
        assert_eq!(values(&desc, &x(&[896.0, -1.0, 0.0, 3.3])), [vec![448.0, -0.5, 0.0, 1.625], vec![2.0]]);
        let desc = QuantizeDesc { q: Format::I8, asymmetric: true, ..desc };
        assert_eq!(
            values(&desc, &x(&[-10.0, 500.0, 0.0, 2.5])),
            [vec![-128.0, 127.0, -123.0, -122.0], vec![2.0], vec![-123.0]]
        );
    }

    #[test]
    fn rows_have_scales_of_their_own() {
        let array = arr2(&[[127.0, -1.0], [254.0, -1.0], [0.0, 0.0]]).into_dyn();
        let quantized =
            |granularity| quantize(array.view(), Format::I8, granularity, Overflow::Saturate).unwrap();
        let (codes, scales) = quantized(Granularity::PerRow);
        assert_eq!(codes, arr2(&[[127, 255], [127, 0], [0, 0]]).into_dyn());
        assert_eq!(scales.as_slice(), Some(&[1.0, 2.0, 1.0][..]));
        let (codes, scales) = quantized(Granularity::PerTensor);
        assert_eq!(codes, arr2(&[[64, 0], [127, 0], [0, 0]]).into_dyn());
        assert_eq!((scales.ndim(), scales.sum()), (0, 2.0));
    }

    /// Two matrices of 3 x 5, the element at row r and column c of matrix m being 100 m + 10 r + c + 1.
    #[test]
    fn every_granularity_by_hand() {
        let x: Vec<f32> = (0..30).map(|i| (i / 15 * 100 + i / 5 % 3 * 10 + i % 5 + 1) as f32).collect();
        let array = shaped(&[2, 3, 5], x);
        let amax = |granularity| {
            let (_, scales) = quantize(array.view(), Format::I8, granularity, Overflow::Saturate).unwrap();
            (
                scales.shape().to_vec(),
                scales.iter().map(|scale| (scale * 127.0).round() as i32).collect::<Vec<_>>(),
            )
        };
        assert_eq!(amax(Granularity::PerTensor), (vec![], vec![125]));
        assert_eq!(amax(Granularity::PerRow), (vec![2, 3], vec![5, 15, 25, 105, 115, 125]));
        assert_eq!(amax(Granularity::PerColumn), (vec![5], vec![121, 122, 123, 124, 125]));
        let groups = vec![4, 5, 14, 15, 24, 25, 104, 105, 114, 115, 124, 125];
        assert_eq!(amax(Granularity::PerGroup(4)), (vec![2, 3, 2], groups));
        let blocks = amax(Granularity::PerBlock { rows: 2, columns: 4 });
        assert_eq!(blocks, (vec![2, 2, 2], vec![14, 15, 24, 25, 114, 115, 124, 125]));
        let columns = amax(Granularity::PerBlock { rows: 2, columns: 1 });
        let expected =
            vec![11, 12, 13, 14, 15, 21, 22, 23, 24, 25, 111, 112, 113, 114, 115, 121, 122, 123, 124, 125];
        assert_eq!(columns, (vec![2, 2, 5], expected));
    }

    #[test]
    fn empty_tensors_have_the_scale_of_zeros() {
        for (shape, granularity, scales) in [
            (vec![0], Granularity::PerTensor, 1),
            (vec![3, 0], Granularity::PerRow, 3),
            (vec![0, 3], Granularity::PerRow, 0),
            (vec![0, 3], Granularity::PerColumn, 3),
            (vec![3, 0], Granularity::PerGroup(32), 0),
            (vec![0, 3], Granularity::PerBlock { rows: 2, columns: 4 }, 0),
        ] {
            let desc = QuantizeDesc { shape: shape.clone(), granularity, ..Default::default() };
            let mut inputs = Tensors::new();
            inputs.insert("x", Tensor::from_f32(Format::F32, &shape, &[]).unwrap());
            assert_eq!(values(&desc, &inputs), [vec![], vec![1.0; scales]]);
        }
    }

    /// Multiplying everything by a power of two multiplies the scale and leaves the codes.
    #[test]
    fn powers_of_two_move_into_the_scale() {
        let at = |factor: f32| x(&[3.7, -0.2, 1.0, 0.9].map(|value| value * factor));
        let desc = QuantizeDesc { shape: vec![4], ..Default::default() };
        let (one, eight) = (values(&desc, &at(1.0)), values(&desc, &at(8.0)));
        assert_eq!((&one[0], one[1][0] * 8.0), (&eight[0], eight[1][0]));
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let desc = QuantizeDesc { shape: vec![2], ..Default::default() };
        let error = |desc: QuantizeDesc| desc.validate().unwrap_err().to_string();
        let wrong = QuantizeDesc { shape: vec![usize::MAX, 0, usize::MAX], ..desc.clone() };
        let sentence =
            "quantize: the product of the extents of `x`, 0 left out, must be at most 4294901759, got 3402";
        assert!(error(wrong).starts_with(sentence));
        let wrong = QuantizeDesc { x: Format::I8, ..desc.clone() };
        assert_eq!(error(wrong), "quantize: `x` must be f32, f16 or bf16, got i8");
        let wrong = QuantizeDesc { q: Format::F16, ..desc.clone() };
        assert_eq!(error(wrong), "quantize: `q` must be e4m3, e5m2 or i8, got f16");
        let wrong = QuantizeDesc { asymmetric: true, ..desc.clone() };
        assert_eq!(error(wrong), "quantize: `asymmetric` must be false unless `q` is i8, got e4m3");
        let of = |granularity| QuantizeDesc { granularity, ..desc.clone() };
        assert_eq!(
            error(of(Granularity::PerGroup(6))),
            "quantize: `granularity` must be groups of a multiple of 4, got per_group of 6"
        );
        assert_eq!(
            error(QuantizeDesc { shape: vec![2, 2], ..of(Granularity::PerBlock { rows: 2, columns: 3 }) }),
            "quantize: `granularity` must be blocks of some rows and of 1 column or a multiple of 4, got 2 x 3"
        );
        assert_eq!(
            error(of(Granularity::PerBlock { rows: 2, columns: 4 })),
            "quantize: `granularity` must be other than per_block for a tensor of less than two axes, got [2]"
        );

        let desc = QuantizeDesc { scale: ScaleSource::Static, ..desc };
        let mut inputs = x(&[1.0, 2.0]);
        inputs.insert("scale", Tensor::from_f32(Format::F32, &[], &[f32::NAN]).unwrap());
        let error = desc.evaluate(&inputs).unwrap_err().to_string();
        assert_eq!(error, "quantize: tensor `scale` must hold finite scales, got NaN at []");
        let desc = QuantizeDesc { q: Format::I8, asymmetric: true, ..desc };
        inputs.insert("scale", Tensor::from_f32(Format::F32, &[], &[1.0]).unwrap());
        inputs.insert("zero_point", Tensor::from_i32(&[], &[128]).unwrap());
        let error = desc.evaluate(&inputs).unwrap_err().to_string();
        assert_eq!(
            error,
            "quantize: tensor `zero_point` must hold zero points from -128 to 127, got 128 at []"
        );
    }
}
