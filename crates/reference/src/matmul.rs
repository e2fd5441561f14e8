//! Matrix multiplication of any two storage formats, with its epilogue.

use crate::bound::Rounded;
use crate::{
    Activation, Columns, Cost, DescError, Dtype, Expected, Format, Granularity, Op, TensorSpec, Tensors,
};
use ndarray::{Array3, ArrayD, Axis, Zip};
use rayon::prelude::*;

/// `out = residual + gate * activation(a_scale * b_scale * (a - a_zero) (b - b_zero) + bias)`
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `a` | `[batch, m, k]` | [`MatmulDesc::a`] |
/// | `b` | `[batch, k, n]`, or `[k, n]` with [`MatmulDesc::b_shared`] | [`MatmulDesc::b`] |
/// | `a_scale` | `[]` per tensor, `[batch, m]` per row | F32 |
/// | `b_scale` | `[]` per tensor, `[n]` per column | F32 |
/// | `a_zero`, `b_zero` | `[]` | I32 |
/// | `bias` | `[n]` | F32 |
/// | `gate` | columns of `[batch, width]` | F32 |
/// | `residual` | as `out`, or `[m, n]` with [`MatmulDesc::residual_shared`] | as `out` |
/// | `out` | `[batch, m, n]` | [`MatmulDesc::out`] |
///
/// All are row-major with every row starting on a 4-byte word. The result is not scaled by anything that is not in the
/// formula: I8 operands without scale count as the integers they hold. Zero points are for I8 alone;
/// those up to 2^24 in magnitude are exact.
///
/// Products and sums are f32 on every tier, in any order. `k = 0` gives `residual + gate * activation(bias)`.
/// NaN and infinity in `a` or `b` reach only the rows or columns they stand in, as some non-finite value or none: WGSL
/// lets a driver assume they do not occur. An F16 or BF16 output overflows to infinity.
///
/// Error bound, per element, with `u = 2^-23` (WGSL leaves the rounding direction open) and
/// `mag = a_scale b_scale sum |a||b|`: `L gamma(k + 1) mag` plus one `u` of the running magnitude for each step of the
/// epilogue (`L` the activation's slope, plus its own evaluation error), plus half a unit in the last place of `out`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct MatmulDesc {
    /// Independent products.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub batch: usize,
    /// Rows of `a` and `out`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub m: usize,
    /// Columns of `a`, rows of `b`: the summed axis.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub k: usize,
    /// Columns of `b` and `out`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub n: usize,
    /// How `a` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub a: Format,
    /// How `b` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub b: Format,
    /// How `out` is stored: F32, F16 or BF16.
    pub out: Format,
    /// One `b` for the whole batch.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub b_shared: bool,
    /// The scale of `a`: none, per tensor or per row.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub a_scale: Option<Granularity>,
    /// The scale of `b`: none, per tensor or per column.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub b_scale: Option<Granularity>,
    /// `a` has a zero point.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub a_zero: bool,
    /// `b` has a zero point.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub b_zero: bool,
    /// Adds a bias.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub bias: bool,
    /// Applied after the bias.
    pub activation: Activation,
    /// Multiplies by a gate, one per batch item and column.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub gate: Option<Columns>,
    /// Adds a residual.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub residual: bool,
    /// One residual for the whole batch (a position embedding).
    #[cfg_attr(feature = "serde", serde(skip))]
    pub residual_shared: bool,
}

impl Default for MatmulDesc {
    /// One F32 product of size 0 with nothing fused: give `m`, `k` and `n`.
    fn default() -> Self {
        Self {
            batch: 1,
            m: 0,
            k: 0,
            n: 0,
            a: Format::F32,
            b: Format::F32,
            out: Format::F32,
            b_shared: false,
            a_scale: None,
            b_scale: None,
            a_zero: false,
            b_zero: false,
            bias: false,
            activation: Activation::Identity,
            gate: None,
            residual: false,
            residual_shared: false,
        }
    }
}

impl Op for MatmulDesc {
    const NAME: &'static str = "matmul";

    fn validate(&self) -> Result<(), DescError> {
        if !matches!(self.out, Format::F32 | Format::F16 | Format::BF16) {
            return Err(Self::field_error("out", "f32, f16 or bf16", self.out));
        }
        if matches!(self.a_scale, Some(Granularity::PerColumn)) {
            return Err(Self::field_error("a_scale", "per tensor or per row", "per column"));
        }
        if matches!(self.b_scale, Some(Granularity::PerRow)) {
            return Err(Self::field_error("b_scale", "per tensor or per column", "per row"));
        }
        for (zero, format, field) in [(self.a_zero, self.a, "a_zero"), (self.b_zero, self.b, "b_zero")] {
            if zero && format != Format::I8 {
                return Err(Self::field_error(field, "absent unless the operand is i8", format));
            }
        }
        if let Some(Columns { start, width }) = self.gate
            && start.checked_add(self.n).is_none_or(|end| end > width)
        {
            let got = format!("columns {start}..{start}+{} of {width}", self.n);
            return Err(Self::field_error("gate", "columns inside its matrix", got));
        }
        if self.residual_shared && !self.residual {
            return Err(Self::field_error("residual_shared", "false without a residual", "true"));
        }
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let Self { batch, m, k, n, .. } = *self;
        let scale_shape = |granularity: Granularity| match granularity {
            Granularity::PerTensor => vec![],
            Granularity::PerRow => vec![batch, m],
            Granularity::PerColumn => vec![n],
        };
        let b_shape: &[usize] = if self.b_shared { &[k, n] } else { &[batch, k, n] };
        let residual_shape: &[usize] = if self.residual_shared { &[m, n] } else { &[batch, m, n] };
        let mut specs =
            vec![TensorSpec::input("a", self.a, &[batch, m, k]), TensorSpec::input("b", self.b, b_shape)];
        specs.extend(self.a_scale.map(|g| TensorSpec::input("a_scale", Format::F32, &scale_shape(g))));
        specs.extend(self.b_scale.map(|g| TensorSpec::input("b_scale", Format::F32, &scale_shape(g))));
        specs.extend(self.a_zero.then(|| TensorSpec::input("a_zero", Dtype::I32, &[])));
        specs.extend(self.b_zero.then(|| TensorSpec::input("b_zero", Dtype::I32, &[])));
        specs.extend(self.bias.then(|| TensorSpec::input("bias", Format::F32, &[n])));
        specs.extend(self.gate.map(|gate| TensorSpec::input("gate", Format::F32, &[batch, gate.width])));
        specs.extend(self.residual.then(|| TensorSpec::input("residual", self.out, residual_shape)));
        specs.push(TensorSpec::output("out", self.out, &[batch, m, n]));
        specs
    }

    fn cost(&self) -> Cost {
        let flops = 2.0 * self.batch as f64 * self.m as f64 * self.n as f64 * self.k as f64;
        Cost::of(flops, &self.tensors())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let out = self.rounded(inputs);
        let value = out.mapv(|element| element.value);
        let bound = out.mapv(|element| element.error);
        vec![Expected::bounded("out", value.into_dyn(), bound.into_dyn())]
    }
}

impl MatmulDesc {
    fn rounded(&self, inputs: &Tensors) -> Array3<Rounded> {
        let value = |name: &str| inputs.values(name).unwrap_or_else(|| ArrayD::zeros(vec![]));
        let (a_zero, b_zero) = (value("a_zero").sum(), value("b_zero").sum());
        // Both operands with the summed axis last and contiguous, so that an element of the product is two slices.
        let a = value("a").mapv_into(|x| x - a_zero);
        let b = value("b").mapv_into(|x| x - b_zero);
        let b = if self.b_shared { b.insert_axis(Axis(0)) } else { b };
        let b = b.permuted_axes(vec![0, 2, 1]).as_standard_layout().into_owned();
        let (a, b) = (a.as_slice().unwrap_or_default(), b.as_slice().unwrap_or_default());
        let optional = |name: &str| inputs.values(name);
        let (a_scale, b_scale, bias) = (optional("a_scale"), optional("b_scale"), optional("bias"));
        let (gate, residual) = (optional("gate"), optional("residual"));
        let gate_start = self.gate.map_or(0, |gate| gate.start);
        let mut out = Array3::from_elem((self.batch, self.m, self.n), Rounded::exact(0.0));
        let mut rows: Vec<_> = out.rows_mut().into_iter().enumerate().collect();
        rows.par_iter_mut().for_each(|(row_index, row)| {
            let (item, i) = (*row_index / self.m, *row_index % self.m);
            for (j, element) in row.iter_mut().enumerate() {
                let a_row = &a[*row_index * self.k..][..self.k];
                let b_item = if self.b_shared { 0 } else { item };
                let b_column = &b[(b_item * self.n + j) * self.k..][..self.k];
                let (mut sum, mut magnitude) = (0.0, 0.0);
                for (x, y) in a_row.iter().zip(b_column) {
                    sum += x * y;
                    magnitude += (x * y).abs();
                }
                let mut y = Rounded::dot(sum, magnitude, self.k);
                if let (Some(scale), Some(granularity)) = (&a_scale, self.a_scale) {
                    let per_row = granularity == Granularity::PerRow;
                    y = y.mul(Rounded::exact(if per_row { scale[[item, i]] } else { scale.sum() }));
                }
                if let (Some(scale), Some(granularity)) = (&b_scale, self.b_scale) {
                    let per_column = granularity == Granularity::PerColumn;
                    y = y.mul(Rounded::exact(if per_column { scale[[j]] } else { scale.sum() }));
                }
                if let Some(bias) = &bias {
                    y = y.add(Rounded::exact(bias[[j]]));
                }
                y = self.activation.apply_rounded(y);
                if let Some(gate) = &gate {
                    y = y.mul(Rounded::exact(gate[[item, gate_start + j]]));
                }
                if let Some(residual) = &residual {
                    let r = if self.residual_shared { residual[[i, j]] } else { residual[[item, i, j]] };
                    y = y.add(Rounded::exact(r));
                }
                *element = y.store(self.out);
            }
        });
        out
    }
}

/// The plain product of `[batch, m, k]` and `[batch, k, n]` in f64.
///
/// # Errors
/// [`DescError::Shape`] when the shapes do not fit together.
pub fn matmul(
    a: ndarray::ArrayView3<'_, f64>,
    b: ndarray::ArrayView3<'_, f64>,
) -> Result<Array3<f64>, DescError> {
    let ((batch, m, k), (_, _, n)) = (a.dim(), b.dim());
    if (b.dim().0, b.dim().1) != (batch, k) {
        return Err(DescError::Shape {
            op: MatmulDesc::NAME,
            tensor: "b".into(),
            expected: format!("[{batch}, {k}, n]"),
            got: b.shape().to_vec(),
        });
    }
    Ok(Array3::from_shape_fn((batch, m, n), |(item, i, j)| {
        (0..k).map(|p| a[[item, i, p]] * b[[item, p, j]]).sum()
    }))
}

/// The bound that goes with [`matmul`] for f32 arithmetic: `gamma(k + 1) sum |a||b|`.
///
/// # Errors
/// [`DescError::Shape`] when the shapes do not fit together.
pub fn matmul_bound(
    a: ndarray::ArrayView3<'_, f64>,
    b: ndarray::ArrayView3<'_, f64>,
) -> Result<Array3<f64>, DescError> {
    let k = a.dim().2;
    let value = matmul(a, b)?;
    let magnitude = matmul(a.mapv(f64::abs).view(), b.mapv(f64::abs).view())?;
    Ok(Zip::from(&value).and(&magnitude).map_collect(|&v, &m| Rounded::dot(v, m, k).error))
}
