//! Dequantization: codes back to numbers.

use crate::affine::{
    check_affine, check_granularity, check_powers, rows, scale_dtype, scale_index, scale_shape, width,
};
use crate::bound::{Rounded, TINY};
use crate::{Cost, DescError, Dtype, Expected, Format, Granularity, Op, TensorSpec, Tensors};
use ndarray::{ArrayD, ArrayViewD, Zip};

/// `out = (q - zero_point) * scale`
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `q` | [`shape`](Self::shape), any rank | [`DequantizeDesc::q`]: any format |
/// | `scale` | by [`granularity`](Self::granularity), as [`QuantizeDesc`](crate::QuantizeDesc) writes it | F32; E8M0 with [`power_scales`](Self::power_scales) |
/// | `zero_point` | as `scale`; only with [`zero_point`](Self::zero_point) | I32, -128 to 127 |
/// | `out` | as `q` | [`DequantizeDesc::out`]: F32, F16, BF16 |
///
/// The difference is exact, the product is one f32 multiplication, and `out` is that rounded to nearest, ties to even;
/// F16 and BF16 overflow to infinity. Every code of I8 has its value, -128 included. With a scale of 1 this casts.
///
/// NaN gives NaN of its sign; zero and infinity stay what they are, their sign times the scale's: by bits, and so on
/// every adapter. (A check counts NaN as a failure nevertheless, as it always does.) Subnormals of F32 and BF16 count
/// as zero, since GPUs may flush them; those of F16, E4M3 and E5M2 count. A product beyond the largest f32 becomes
/// infinity on adapters that keep infinities; that is not promised.
///
/// Error bound, per element: 0 before the rounding of `out` where the product is a normal f32, as with a power of two
/// for a scale; else `u |out| + 2^-126` with `u = 2^-23`, as WGSL leaves the rounding direction open. Then half a unit
/// in the last place of `out`, which for F32 is nothing more.
///
/// # Errors
/// [`DescError::Field`] for an `out` or a granularity other than those above, and for a zero point without I8;
/// [`DescError::TooLarge`]; [`DescError::Value`] for a scale that is not finite or a zero point out of range.
///
/// ```
/// use langevin_reference::{DequantizeDesc, Format, Op, Tensor, Tensors};
/// let desc = DequantizeDesc { shape: vec![2], q: Format::I8, ..Default::default() };
/// let mut inputs = Tensors::new();
/// inputs.insert("q", Tensor::new(Format::I8, &[2], vec![3, 0x80])?);
/// inputs.insert("scale", Tensor::from_f32(Format::F32, &[], &[0.5])?);
/// assert_eq!(desc.evaluate(&inputs)?[0].values().as_slice(), Some(&[1.5, -64.0][..]));
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Source: OCP 8-bit floating point specification, revision 1.0; ONNX DequantizeLinear for I8.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct DequantizeDesc {
    /// The shape of `q` and `out`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub shape: Vec<usize>,
    /// How `q` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub q: Format,
    /// How `out` is stored: F32, F16 or BF16.
    pub out: Format,
    /// What shares one scale.
    pub granularity: Granularity,
    /// The scales are powers of two, those of MXFP8; code 255 makes NaN of its whole block.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub power_scales: bool,
    /// `q`, I8, has a zero point.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub zero_point: bool,
}

impl Default for DequantizeDesc {
    /// E4M3 to F32, one scale for the whole tensor: give `shape`.
    fn default() -> Self {
        Self {
            shape: Vec::new(),
            q: Format::E4m3,
            out: Format::F32,
            granularity: Granularity::PerTensor,
            power_scales: false,
            zero_point: false,
        }
    }
}

impl Op for DequantizeDesc {
    const NAME: &'static str = "dequantize";

    fn validate(&self) -> Result<(), DescError> {
        if !matches!(self.out, Format::F32 | Format::F16 | Format::BF16) {
            return Err(Self::field_error("out", "f32, f16 or bf16", self.out));
        }
        check_granularity::<Self>(&self.shape, self.granularity)?;
        if self.zero_point && self.q != Format::I8 {
            return Err(Self::field_error("zero_point", "absent unless `q` is i8", self.q));
        }
        if self.power_scales {
            check_powers::<Self>("power_scales", self.q, self.granularity)?;
        }
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let scale_shape = scale_shape(&self.shape, self.granularity);
        let mut specs = vec![
            TensorSpec::input("q", self.q, &self.shape),
            TensorSpec::input("scale", scale_dtype(self.power_scales), &scale_shape),
        ];
        specs.extend(self.zero_point.then(|| TensorSpec::input("zero_point", Dtype::I32, &scale_shape)));
        specs.push(TensorSpec::output("out", self.out, &self.shape));
        specs
    }

    fn cost(&self) -> Cost {
        let elements = self.rows() as f64 * self.width() as f64;
        Cost::of(if self.zero_point { 2.0 } else { 1.0 } * elements, &self.tensors())
    }

    fn check_values(&self, inputs: &Tensors) -> Result<(), DescError> {
        check_affine::<Self>(inputs)
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let tensor = |name| inputs.values(name).unwrap_or_else(|| ArrayD::zeros(vec![]));
        let q = tensor("q").mapv_into(|code| if code.abs() < TINY { 0.0_f64.copysign(code) } else { code });
        let zeros = inputs.values("zero_point");
        let spread = |values| spread(values, &self.shape, self.granularity);
        let (scale, zero) = (spread(tensor("scale")), zeros.map_or_else(|| ArrayD::zeros(vec![]), spread));
        let mut out = q.mapv(Rounded::exact);
        Zip::from(&mut out).and_broadcast(&scale).and_broadcast(&zero).for_each(|element, &scale, &zero| {
            let product = scaled(element.value - zero, scale, self.power_scales);
            // A NaN is promised as such, and storing does not change it.
            *element = if product.value.is_nan() { product } else { product.store(self.out) };
        });
        let (value, bound) = (out.mapv(|element| element.value), out.mapv(|element| element.error));
        vec![Expected::bounded("out", value, bound)]
    }
}

impl DequantizeDesc {
    /// How many rows there are: the product of all axes but the last.
    pub fn rows(&self) -> usize {
        rows(&self.shape)
    }

    /// The shape of `scale` and `zero_point`.
    pub fn scale_shape(&self) -> Vec<usize> {
        scale_shape(&self.shape, self.granularity)
    }

    /// How long a row, the last axis, is; 1 for a scalar.
    pub fn width(&self) -> usize {
        width(&self.shape)
    }
}

/// One f32 product of two exact numbers; both have at most 24 bits, so the f64 product is exact.
fn scaled(value: f64, scale: f64, powers: bool) -> Rounded {
    let product = value * scale;
    if value.is_nan() || scale.is_nan() {
        return Rounded::exact(f64::NAN);
    }
    if value.is_infinite() {
        return Rounded::exact(if scale.is_sign_negative() { -value } else { value });
    }
    let representable = f64::from(product as f32) == product && (product == 0.0 || product.abs() >= TINY);
    // A subnormal scale may be flushed; the least power of two is applied in two steps.
    let scale =
        Rounded { value: scale, error: if !powers && scale.abs() < TINY { scale.abs() } else { 0.0 } };
    if representable && scale.error == 0.0 {
        return Rounded::exact(product);
    }
    let rounded = Rounded::exact(value).mul(scale);
    let overflows = product.abs() >= f64::from(f32::MAX);
    Rounded { error: if overflows { f64::INFINITY } else { rounded.error }, ..rounded }
}

/// Scales or zero points, each put where its elements are.
fn spread(values: ArrayD<f64>, shape: &[usize], granularity: Granularity) -> ArrayD<f64> {
    let values: Vec<f64> = values.iter().copied().collect();
    let mut element = 0;
    ArrayD::from_shape_simple_fn(shape, || {
        element += 1;
        values[scale_index(shape, granularity, element - 1)]
    })
}

/// `(q - zero_point) * scale` in f64; scales and zero points have the shape that the granularity gives them.
///
/// # Errors
/// [`DescError::Field`] for a granularity that does not fit, [`DescError::Shape`] when the shapes do not.
pub fn dequantize(
    q: ArrayViewD<'_, f64>,
    scale: ArrayViewD<'_, f64>,
    zero_point: ArrayViewD<'_, f64>,
    granularity: Granularity,
) -> Result<ArrayD<f64>, DescError> {
    check_granularity::<DequantizeDesc>(q.shape(), granularity)?;
    let shape = scale_shape(q.shape(), granularity);
    for (tensor, array) in [("scale", &scale), ("zero_point", &zero_point)] {
        if array.shape() != shape {
            return Err(DescError::Shape {
                op: DequantizeDesc::NAME,
                tensor: tensor.into(),
                expected: format!("{shape:?}"),
                got: array.shape().to_vec(),
            });
        }
    }
    let spread = |values: ArrayViewD<'_, f64>| spread(values.to_owned(), q.shape(), granularity);
    let (scale, zero) = (spread(scale), spread(zero_point));
    Ok((q.to_owned() - zero) * scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, Tensor};
    use ndarray::{arr1, arr2};

    fn evaluate(desc: &DequantizeDesc, codes: &[u8], scales: &[f32], zeros: Option<&[i32]>) -> Expected {
        let mut inputs = Tensors::new();
        let shape = scale_shape(&desc.shape, desc.granularity);
        inputs.insert("q", Tensor::new(desc.q, &desc.shape, codes.to_vec()).unwrap());
        inputs.insert("scale", Tensor::from_f32(Format::F32, &shape, scales).unwrap());
        if let Some(zeros) = zeros {
            inputs.insert("zero_point", Tensor::from_i32(&shape, zeros).unwrap());
        }
        desc.evaluate(&inputs).unwrap().remove(0)
    }

    fn bounds(expected: &Expected) -> Vec<f64> {
        match &expected.answer {
            Answer::Bounded { bound, .. } => bound.iter().copied().collect(),
            Answer::Exact(_) => vec![],
        }
    }

    #[test]
    fn by_hand() {
        let desc =
            DequantizeDesc { shape: vec![2, 2], granularity: Granularity::PerRow, ..Default::default() };
        let expected = evaluate(&desc, &[0x7e, 0x01, 0xb8, 0x80], &[2.0, 0.5], None);
        assert_eq!(expected.values(), arr2(&[[896.0, 0.00390625], [-0.5, 0.0]]).into_dyn());
        assert_eq!(bounds(&expected), [0.0; 4]);

        let desc = DequantizeDesc { q: Format::I8, zero_point: true, ..desc };
        let expected = evaluate(&desc, &[0x80, 0x7f, 3, 4], &[2.0, 0.5], Some(&[-128, 3]));
        assert_eq!(expected.values(), arr2(&[[0.0, 510.0], [0.0, 0.5]]).into_dyn());
    }

    #[test]
    fn bounds_are_zero_only_for_products_that_are_floats() {
        let desc = DequantizeDesc { shape: vec![2], q: Format::I8, ..Default::default() };
        let expected = evaluate(&desc, &[1, 3], &[0.1], None);
        assert_eq!(bounds(&expected)[0], 0.0);
        assert!((1e-9..1e-7).contains(&bounds(&expected)[1]), "{:?}", bounds(&expected));
        let expected = evaluate(&desc, &[1, 3], &[f32::MAX], None);
        assert_eq!(bounds(&expected), [0.0, f64::INFINITY]);
        let half = DequantizeDesc { out: Format::F16, ..desc };
        assert_eq!(bounds(&evaluate(&half, &[1, 3], &[1.0], None)), [1.0 / 2048.0, 3.0 / 2048.0]);
    }

    #[test]
    fn an_empty_tensor_is_empty() {
        let desc =
            DequantizeDesc { shape: vec![2, 0], granularity: Granularity::PerRow, ..Default::default() };
        assert_eq!(evaluate(&desc, &[], &[1.0, 2.0], None).values().shape(), [2, 0]);
    }

    /// The plain function is the formula.
    #[test]
    fn plain_function() {
        let q = arr2(&[[1.0, 2.0], [3.0, 4.0]]).into_dyn();
        let scale = arr1(&[10.0, 100.0]).into_dyn();
        let zeros = arr1(&[1.0, 1.0]).into_dyn();
        let out = dequantize(q.view(), scale.view(), zeros.view(), Granularity::PerRow).unwrap();
        assert_eq!(out, arr2(&[[0.0, 10.0], [200.0, 300.0]]).into_dyn());
        let out = dequantize(q.view(), scale.view(), zeros.view(), Granularity::PerColumn).unwrap();
        assert_eq!(out, arr2(&[[0.0, 100.0], [20.0, 300.0]]).into_dyn());
        let wrong = arr1(&[1.0; 3]).into_dyn();
        let error =
            dequantize(q.view(), wrong.view(), zeros.view(), Granularity::PerRow).unwrap_err().to_string();
        assert_eq!(error, "dequantize: tensor `scale` must have shape [2], got [3]");
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let error = |desc: DequantizeDesc| desc.validate().unwrap_err().to_string();
        let wrong = DequantizeDesc { out: Format::I8, ..Default::default() };
        assert_eq!(error(wrong), "dequantize: `out` must be f32, f16 or bf16, got i8");
        let wrong = DequantizeDesc { zero_point: true, ..Default::default() };
        assert_eq!(error(wrong), "dequantize: `zero_point` must be absent unless `q` is i8, got e4m3");
        let wrong = DequantizeDesc { shape: vec![1 << 17, 1 << 17], ..Default::default() };
        assert!(error(wrong).starts_with("dequantize: the number of elements of `q` must be at most"));
    }
}
