//! Matrix multiplication of any two storage formats, with its epilogue.

mod answer;
mod operand;

use crate::bound::Rounded;
use crate::{
    Activation, Columns, Cost, DescError, Expected, Format, Op, Overflow, Role, TensorSpec, Tensors,
};
use ndarray::{Array3, Zip};
pub use operand::Operand;
use operand::{Placed, Which, check_columns};

/// Which half of a doubled product is the gate: `out = activation(gate) * value` (SwiGLU with
/// [`Activation::Silu`], GEGLU with a GELU; Shazeer, arXiv 2002.05202).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Pair {
    /// The first n columns of `b` are the gate (Llama's stacked gate and up projections).
    GateFirst,
    /// The last n columns of `b` are the gate (diffusers' `GEGLU` and `SwiGLU`).
    GateLast,
}

/// `out = (residual + gate * activation(a_scale * b_scale * (a - a_zero) (b - b_zero) + bias)) / out_scale`
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `a` | `[batch, m, k]`; see [`Operand`] for other layouts | [`Operand::format`] |
/// | `b` | `[batch, k, n]`, or `[k, n]` with [`Operand::shared`] | [`Operand::format`] |
/// | `a_scale` | `[]` per tensor, `[batch, m]` per row, `[batch, m, ceil(k / g)]` per group of g | F32 |
/// | `b_scale` | `[]` per tensor, `[batch, n]` per column, `[batch, ceil(k / g), n]` per group of g | F32 |
/// | `a_zero`, `b_zero` | as the scales; `[]` without | I32 |
/// | `bias` | `[n]` | F32 |
/// | `gate` | columns of `[batch, width]` | F32 |
/// | `residual` | `[batch, m, n]`, or `[m, n]` with [`MatmulDesc::residual_shared`] | as `out` |
/// | `out_scale` | `[]` | F32 |
/// | `out` | `[batch, m, n]`, or columns of `[batch, m, width]` | [`MatmulDesc::out`] |
///
/// All are row-major with every row starting on a 4-byte word. Scales and zero points of a shared operand have no batch
/// axis, and those per group are laid out like the operand: `[n, ceil(k / g)]` where `b` is stored `[n, k]`.
/// The result is not scaled by anything that is not in the formula: I8 operands without scale count as the
/// integers they hold. Zero points are codes of I8, -128 to 127. With [`MatmulDesc::pair`], `b`, `b_scale`, `b_zero` and
/// `bias` have 2n columns, and `out = activation(gate half) * value half` takes the place of the activation.
///
/// Products and sums are f32, in any order; those of two I8 operands without groups are i32 and exact: their sum fits for
/// any codes up to k = 131,071, with zero points 33,025, which are the limits.
/// `k = 0` gives what the rest makes of a sum of 0.
///
/// Where a sum, or a step after it, leaves the range of f32, nothing is promised of that element.
/// NaN and infinity in `a` or `b` reach only the rows or columns they stand in, as some non-finite value or none: WGSL
/// lets a driver assume they do not occur. Scales may be zero; a negative or NaN scale is refused where the host sees
/// it and otherwise multiplies like any number. An `out_scale` below 2^-126 counts as that.
///
/// Rounding into `out` is to nearest, ties to even. [`MatmulDesc::overflow`] says what becomes of values beyond its
/// largest: by default F16 and BF16 go to infinity and 8-bit formats saturate (I8 at -127 and 127, always; F32 never).
/// E4M3 has no infinity: without saturation it becomes NaN.
///
/// Error bound, per element, with `u = 2^-23` (WGSL leaves the rounding direction open) and
/// `mag = sum |a_scale b_scale a b|`: `L gamma(k + 1) mag` (`gamma(k + 4)` with groups; for two I8 operands without them
/// nothing but the conversion of the sum, `u |sum|` beyond 2^24), plus one `u` of the running magnitude for each step of
/// the epilogue (`L` the activation's slope, plus its own evaluation error; 2.5 `u` for the division, one for each scale
/// outside groups), plus half a unit in the last place of `out`. Every operation adds 2^-126, which a subnormal result
/// may lose. Operands that pass through f16 - those of cooperative matrices, of f16 tiles, and columns read 16 bytes at
/// a time - keep its subnormals on adapters that do; WGSL lets one lose them, and the bound does not count that.
///
/// # Errors
/// [`DescError::Field`] names a field that breaks a rule above, [`DescError::TooLarge`] a tensor that u32 cannot index,
/// [`DescError::Value`] a scale that is negative or not finite, or a zero point outside -128..=127.
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
    /// Columns of `out`, and of `b` unless they are paired.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub n: usize,
    /// The left operand.
    pub a: Operand,
    /// The right operand.
    pub b: Operand,
    /// Adds a bias.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub bias: bool,
    /// Applied after the bias.
    pub activation: Activation,
    /// `b` has 2n columns, of which one half gates the other. n is then a multiple of 4.
    pub pair: Option<Pair>,
    /// Multiplies by a gate, one per batch item and column.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub gate: Option<Columns>,
    /// Adds a residual.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub residual: bool,
    /// One residual for the whole batch (a position embedding).
    #[cfg_attr(feature = "serde", serde(skip))]
    pub residual_shared: bool,
    /// Divides the result by a given scale, for an `out` of 8 bits.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub out_scale: bool,
    /// How `out` is stored.
    pub out: Format,
    /// What values too large for `out` become; `None`: infinity in F16 and BF16, the largest value in 8-bit formats.
    pub overflow: Option<Overflow>,
    /// `out` is some columns of a wider matrix, whose other columns stay. They start and end on a word, or end the row.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub out_columns: Option<Columns>,
    /// A row of the result has the same bits whatever `m`, `batch` and the other rows are: the choice of a kernel then
    /// does not depend on them.
    pub batch_invariant: bool,
}

impl Default for MatmulDesc {
    /// One F32 product of size 0 with nothing fused: give `m`, `k` and `n`.
    fn default() -> Self {
        Self {
            batch: 1,
            m: 0,
            k: 0,
            n: 0,
            a: Operand::default(),
            b: Operand::default(),
            bias: false,
            activation: Activation::Identity,
            pair: None,
            gate: None,
            residual: false,
            residual_shared: false,
            out_scale: false,
            out: Format::F32,
            overflow: None,
            out_columns: None,
            batch_invariant: false,
        }
    }
}

/// The most products of two codes of I8 whose sum fits an i32, whatever they are.
const INTEGER_DEPTH: usize = (i32::MAX / (128 * 128)) as usize;
/// The same where zero points stretch the factors to 255.
const INTEGER_DEPTH_WITH_ZEROS: usize = (i32::MAX / (255 * 255)) as usize;

impl Op for MatmulDesc {
    const NAME: &'static str = "matmul";

    fn validate(&self) -> Result<(), DescError> {
        for placed in self.placed() {
            placed.validate()?;
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
        if self.out_scale && self.out.bits() != 8 {
            return Err(Self::field_error("out_scale", "absent unless `out` is of 8 bits", self.out));
        }
        if self.pair.is_some() && !self.n.is_multiple_of(4) {
            return Err(Self::field_error("n", "a multiple of 4 with a pair", self.n));
        }
        if let Some(columns) = self.out_columns {
            check_columns("out_columns", columns, self.n, self.out)?;
            let end = columns.start + self.n;
            if !(end == columns.width || end.is_multiple_of(self.out.per_word())) {
                let expected = "columns that end on a word, or with the row";
                return Err(Self::field_error("out_columns", expected, format!("an end at {end}")));
            }
        }
        let zeros = self.a.zero || self.b.zero;
        let depth = if zeros { INTEGER_DEPTH_WITH_ZEROS } else { INTEGER_DEPTH };
        if self.is_integer() && !self.is_grouped() && self.k > depth {
            let expected = format!("at most {depth}, so that sums of i8 products fit an i32");
            return Err(Self::field_error("k", expected, self.k));
        }
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let Self { batch, m, n, .. } = *self;
        let [a, b] = self.placed();
        let mut specs = vec![a.tensor(), b.tensor()];
        specs.extend(a.scale_tensor());
        specs.extend(b.scale_tensor());
        specs.extend(a.zero_tensor());
        specs.extend(b.zero_tensor());
        specs.extend(self.bias.then(|| TensorSpec::input("bias", Format::F32, &[self.b_columns()])));
        specs.extend(self.gate.map(|gate| TensorSpec::input("gate", Format::F32, &[batch, gate.width])));
        let residual_shape: &[usize] = if self.residual_shared { &[m, n] } else { &[batch, m, n] };
        specs.extend(self.residual.then(|| TensorSpec::input("residual", self.out, residual_shape)));
        specs.extend(self.out_scale.then(|| TensorSpec::input("out_scale", Format::F32, &[])));
        specs.push(match self.out_columns {
            None => TensorSpec::output("out", self.out, &[batch, m, n]),
            Some(columns) => TensorSpec {
                role: Role::InOut,
                ..TensorSpec::output("out", self.out, &[batch, m, columns.width])
            },
        });
        specs
    }

    fn cost(&self) -> Cost {
        let flops = 2.0 * self.batch as f64 * self.m as f64 * self.b_columns() as f64 * self.k as f64;
        let tensors = self.tensors();
        let product = |extents: [usize; 3]| extents.map(|extent| extent as f64).iter().product::<f64>();
        let items = |operand: &Operand| if operand.shared { 1 } else { self.batch };
        let mut cost = Cost::of(flops, &tensors).touching(&tensors, "gate", product([self.batch, self.n, 1]));
        if self.a.columns.is_some() {
            cost = cost.touching(&tensors, "a", product([items(&self.a), self.m, self.k]));
        }
        if self.b.columns.is_some() {
            cost = cost.touching(&tensors, "b", product([items(&self.b), self.k, self.b_columns()]));
        }
        match self.out_columns {
            Some(_) => cost.writing(&tensors, "out", product([self.batch, self.m, self.n])),
            None => cost,
        }
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        vec![answer::answer(self, inputs)]
    }

    fn check_values(&self, inputs: &Tensors) -> Result<(), DescError> {
        for name in ["a_scale", "b_scale", "out_scale"] {
            let expected = "finite scales that are not negative";
            inputs.check_values_of(Self::NAME, name, expected, |scale| scale.is_finite() && scale >= 0.0)?;
        }
        for name in ["a_zero", "b_zero"] {
            let expected = "zero points from -128 to 127";
            inputs.check_values_of(Self::NAME, name, expected, |zero| (-128.0..=127.0).contains(&zero))?;
        }
        Ok(())
    }
}

impl MatmulDesc {
    /// Columns of `b`: n, or 2n with a pair.
    pub const fn b_columns(&self) -> usize {
        if self.pair.is_some() { self.n.saturating_mul(2) } else { self.n }
    }

    /// What overflow does: [`MatmulDesc::overflow`] or what is usual for `out`.
    pub fn overflow_mode(&self) -> Overflow {
        let usual = if self.out.bits() == 8 { Overflow::Saturate } else { Overflow::NonSaturating };
        self.overflow.unwrap_or(usual)
    }

    /// Both operands with their sizes.
    fn placed(&self) -> [Placed; 2] {
        let Self { batch, m, k, .. } = *self;
        let left = Placed { operand: self.a, which: Which::Left, batch, rows: m, depth: k };
        let right = Placed { operand: self.b, which: Which::Right, batch, rows: self.b_columns(), depth: k };
        [left, right]
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
