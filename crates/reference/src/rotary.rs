//! Rotary position embedding of queries or keys, with their RMS norm before it.

mod plain;
mod rules;
#[cfg(test)]
mod tests;

use crate::attention::Placed;
use crate::bound::{Rounded, TINY};
use crate::generate::Random;
use crate::{
    Cost, DescError, Dtype, Expected, Format, NormDesc, NormKind, Op, Role, Tensor, TensorSpec, Tensors, View,
};
use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn};
pub use plain::{rotary, rotary_table};
use rayon::prelude::*;

/// Which elements of a row are turned together. Both are in use and differ by a permutation of the row: a model's
/// weights fit one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Pairing {
    /// Element `i` of an axis with element `i + n / 2`, where the axis has `n`: "rotate half", as in LLaMA's
    /// transformers port and GPT-NeoX.
    #[default]
    HalfSplit,
    /// Element `2 i` with element `2 i + 1`, as in RoFormer, LLaMA's own code and FLUX.
    Interleaved,
}

/// Which row of the table a token turns by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Positions {
    /// Token `s` by row `n + s`, on every axis: a text that goes on after `n` tokens, or a table with a row for each token.
    From(usize),
    /// By the rows that the tensor `positions`, `[seq, axes]`, names: one for each axis of a token.
    Tokens,
    /// The same with positions of their own for every batch item: `[batch, seq, axes]`.
    ItemTokens,
}

impl Default for Positions {
    fn default() -> Self {
        Self::From(0)
    }
}

/// Turns pairs of elements of every row by angles that grow with the row's position, after an optional RMS norm:
///
/// `(a, b) -> (a cos - b sin, b cos + a sin)`, the angle of pair `i` of an axis with `n` elements being
/// `position * base^(-2 i / n)`.
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `x` | `[batch, heads, seq, head_dim]`, unless [`RotaryDesc::in_place`] | [`RotaryDesc::x`] |
/// | `weight` | `[head_dim]`, or `[weight_rows, head_dim]` of several, with [`RotaryDesc::weight`] | F32 |
/// | `cos`, `sin` | `[table_rows, pairs]`, with any axis | F32 |
/// | `positions` | `[seq, axes]` or `[batch, seq, axes]`, see [`Positions`] | I32 |
/// | `out` | `[batch, heads, seq, head_dim]` | [`RotaryDesc::out`] |
///
/// **Angles come from a table**, since WGSL's own `cos` and `sin` are only good to `2^-11`, between `-pi` and `pi`, and
/// an f32 angle of position 100,000 has lost seven bits before. [`rotary_table`] makes it in f64 and rounds once. Make it
/// once for all positions a model may meet, a row for each; then `positions`, a slot of the caller's that may change with
/// every step, says which rows a token turns by. Or make it for a call, a row for each token, with any positions: also
/// fractions. Tables of scaled or otherwise changed frequencies (NTK, YaRN) are tables too. The angles are in radians.
///
/// The first elements of a row are divided among [`RotaryDesc::axes`]: one for text, two for the patches of a picture,
/// three for video. Elements behind the axes stay where they are. `pairs` is half of the elements of all axes together;
/// pair `i` of an axis has its angle in column `i` behind the pairs of the axes before it.
///
/// With [`RotaryDesc::norm`] a row is first divided by `sqrt(mean(x^2) + norm)` over all of its `head_dim` elements and
/// multiplied by the weight: the QK norm of many models. The heads are divided evenly among the rows of the weight: queries
/// and keys that stand side by side are twice as many heads with two rows, and one call. `x` and `out` may be a [`View`] of a
/// larger buffer, a third of a packed projection or a `[batch, seq, heads, dim]` layout in, the next rows of a cache out; or
/// one buffer, in place.
///
/// `x` is in any format (I8 counts as the integers it holds), arithmetic is f32, `out` is F32, F16 or BF16. NaN and
/// infinity spoil the pair they stand in, with a norm the row. On a GPU a position outside the table turns by some row of
/// it; the reference refuses it.
///
/// Error bound, per element, with `u = 2^-23`: one `u` for each product and for the sum, of the magnitudes
/// `|a cos| + |b sin|`, and what the norm brings, which is that of [`NormDesc`]; plus half a unit in the last place of
/// `out`. That is beside the table as it is given. One of [`rotary_table`] is itself within `2^-25 + 2^-48 |angle|` of the
/// formula, which moves an element by as much times `|a| + |b|`.
///
/// # Errors
/// [`DescError::Field`] for axes that are odd, empty, more than four or longer than a row together, a `head_dim` outside
/// 1 to 256, a table with fewer rows than [`Positions::From`] needs, or none, a norm that is not a positive normal number,
/// a weight without a norm, rows of it that do not divide the heads, an `out` of 8 bits, a view of it whose rows meet, or
/// `in_place` where `x` is stored otherwise than `out`; [`DescError::TooLarge`] for more elements than u32 counts;
/// [`DescError::Value`] for a position outside the table.
///
/// # Example
/// ```
/// use langevin_reference::{Op, RotaryDesc, Tensor, Tensors, rotary_table, Format};
/// // A quarter turn of the only pair.
/// let desc = RotaryDesc { seq: 1, head_dim: 2, axes: vec![2], table_rows: 1, ..Default::default() };
/// let mut inputs = Tensors::new();
/// inputs.insert("x", Tensor::from_f32(Format::F32, &[1, 1, 1, 2], &[3.0, 4.0])?);
/// let [cos, sin] = rotary_table(&desc.axes, 10_000.0, &[vec![std::f64::consts::FRAC_PI_2]])?;
/// inputs.insert("cos", cos);
/// inputs.insert("sin", sin);
/// let out = desc.evaluate(&inputs)?[0].values();
/// assert!((out[[0, 0, 0, 0]] + 4.0).abs() < 1e-6 && (out[[0, 0, 0, 1]] - 3.0).abs() < 1e-6);
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Sources: Su et al., RoFormer (arXiv 2104.09864), section 3.2; Heo et al., rotary embedding for vision transformers
/// (arXiv 2403.13298) for axes; Dehghani et al. (arXiv 2302.05442) for the norm.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct RotaryDesc {
    /// Independent batch items.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub batch: usize,
    /// Heads.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub heads: usize,
    /// Tokens.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub seq: usize,
    /// The length of a row, 1 to 256.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub head_dim: usize,
    /// Elements of a row for each axis, even numbers; none turns nothing.
    pub axes: Vec<usize>,
    /// Which elements are turned together.
    pub pairing: Pairing,
    /// Rows of `cos` and `sin`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub table_rows: usize,
    /// Which of them each token turns by.
    pub positions: Positions,
    /// Divides by the root mean square first; added inside the root.
    pub norm: Option<f32>,
    /// Multiplies the normalised row by a weight per element.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub weight: bool,
    /// Rows of the weight: the first of so many equal parts of the heads is multiplied by the first row, and so on.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub weight_rows: usize,
    /// How `x` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub x: Format,
    /// Where `x` stands in a larger buffer.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub x_view: Option<View>,
    /// How `out` is stored: F32, F16 or BF16.
    pub out: Format,
    /// Where `out` stands in a larger buffer, as in [`AttentionDesc::out_view`](crate::AttentionDesc::out_view).
    #[cfg_attr(feature = "serde", serde(skip))]
    pub out_view: Option<View>,
    /// There is no `x`: `out` is read, and overwritten. `x` and `x_view` are as `out` and `out_view` then.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub in_place: bool,
}

impl Default for RotaryDesc {
    /// One F32 head of size 0, not normalised and not turned: give `seq`, `head_dim`, `axes` and `table_rows`.
    fn default() -> Self {
        Self {
            batch: 1,
            heads: 1,
            seq: 0,
            head_dim: 0,
            axes: Vec::new(),
            pairing: Pairing::HalfSplit,
            table_rows: 0,
            positions: Positions::From(0),
            norm: None,
            weight: false,
            weight_rows: 1,
            x: Format::F32,
            x_view: None,
            out: Format::F32,
            out_view: None,
            in_place: false,
        }
    }
}

impl Op for RotaryDesc {
    const NAME: &'static str = "rotary";

    fn validate(&self) -> Result<(), DescError> {
        rules::check(self)?;
        self.placed_out().check_output(Self::field_error)?;
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let (x, out) = (self.placed_x(), self.placed_out());
        let mut specs = Vec::new();
        specs.extend((!self.in_place).then(|| TensorSpec::input("x", x.format, &x.tensor_shape())));
        specs.extend(self.weight.then(|| TensorSpec::input("weight", Format::F32, &self.weight_shape())));
        if !self.axes.is_empty() {
            let shape = [self.table_rows, self.pairs()];
            specs.extend(["cos", "sin"].map(|name| TensorSpec::input(name, Format::F32, &shape)));
            let shape = self.positions_shape();
            specs.extend(shape.map(|shape| TensorSpec::input("positions", Dtype::I32, &shape)));
        }
        let role = if self.in_place { Role::InOut } else { out.output_role() };
        specs.push(TensorSpec { role, ..TensorSpec::output("out", out.format, &out.tensor_shape()) });
        specs
    }

    /// Three operations for each turned element, and four for each normalised one, three without a weight.
    fn cost(&self) -> Cost {
        let of_norm = if self.norm.is_some() { 3.0 } else { 0.0 } + f64::from(u8::from(self.weight));
        let of_row = 3.0 * 2.0 * self.pairs() as f64 + of_norm * self.head_dim as f64;
        let tensors = self.tensors();
        let cost = Cost::of(of_row * self.batch as f64 * self.heads as f64 * self.seq as f64, &tensors);
        let (cost, out) = (self.placed_x().counted(cost, &tensors, "x"), self.placed_out());
        match self.in_place {
            true => out.counted(cost, &tensors, "out"),
            false => out.counted_out(cost, &tensors, "out"),
        }
    }

    fn check_values(&self, inputs: &Tensors) -> Result<(), DescError> {
        rules::check_positions(self, inputs)
    }

    /// Positions inside the table, in any order.
    fn typical(&self, tensor: &str, random: &mut Random) -> Option<Tensor> {
        let shape = self.positions_shape().filter(|_| tensor == "positions")?;
        let last = i32::try_from(self.table_rows).unwrap_or(i32::MAX) - 1;
        let positions: Vec<i32> =
            (0..shape.iter().product()).map(|_| random.integer(0, last.max(0))).collect();
        Tensor::from_i32(&shape, &positions).ok()
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let x = self.placed_x().gather(inputs.values(if self.in_place { "out" } else { "x" }));
        let tables = ["cos", "sin", "positions"].map(|name| inputs.values(name).unwrap_or_default());
        // A list of rows, also of one.
        let weight = inputs
            .values("weight")
            .and_then(|weight| weight.into_shape_with_order(IxDyn(&[self.weight_rows, self.head_dim])).ok());
        let rows: Vec<Vec<Rounded>> = x
            .par_chunks(self.head_dim)
            .enumerate()
            .map(|(row, x)| {
                let (item, token) = (row / (self.heads * self.seq), row % self.seq);
                let head = row / self.seq % self.heads;
                let weight =
                    weight.as_ref().map(|all| all.index_axis(Axis(0), head * self.weight_rows / self.heads));
                self.turned(&self.normalised(x, weight), |axis, pair| {
                    let at = [self.table_row(&tables[2], item, token, axis), pair];
                    [Rounded::exact(tables[0][IxDyn(&at)]), Rounded::exact(tables[1][IxDyn(&at)])]
                })
            })
            .collect();
        vec![self.placed_out().answer(inputs, &rows)]
    }
}

impl RotaryDesc {
    /// The strides of `x` and `out`: their views, or those of row-major tensors with padded rows.
    pub fn strides(&self) -> [View; 2] {
        [self.placed_x().strides(), self.placed_out().strides()]
    }

    /// Whether every row of `x` starts on a word. Those of `out` do.
    pub fn x_starts_on_words(&self) -> bool {
        self.placed_x().starts_on_words()
    }

    /// Pairs of elements that are turned.
    pub fn pairs(&self) -> usize {
        self.axes.iter().fold(0usize, |sum, axis| sum.saturating_add(*axis)) / 2
    }

    fn weight_shape(&self) -> Vec<usize> {
        match self.weight_rows {
            1 => vec![self.head_dim],
            rows => vec![rows, self.head_dim],
        }
    }

    fn positions_shape(&self) -> Option<Vec<usize>> {
        match self.positions {
            Positions::From(_) => None,
            Positions::Tokens => Some(vec![self.seq, self.axes.len()]),
            Positions::ItemTokens => Some(vec![self.batch, self.seq, self.axes.len()]),
        }
    }

    fn table_row(&self, positions: &ArrayD<f64>, item: usize, token: usize, axis: usize) -> usize {
        match self.positions {
            Positions::From(first) => first + token,
            Positions::Tokens => positions[IxDyn(&[token, axis])] as usize,
            Positions::ItemTokens => positions[IxDyn(&[item, token, axis])] as usize,
        }
    }

    fn placed_x(&self) -> Placed {
        Placed { shape: self.shape(), format: self.x, view: self.x_view }
    }

    fn placed_out(&self) -> Placed {
        Placed { shape: self.shape(), format: self.out, view: self.out_view }
    }

    fn shape(&self) -> [usize; 4] {
        [self.batch, self.heads, self.seq, self.head_dim]
    }

    /// A row before it is turned.
    fn normalised(&self, row: &[f64], weight: Option<ArrayViewD<'_, f64>>) -> Vec<Rounded> {
        let Some(eps) = self.norm else {
            return row.iter().copied().map(Rounded::exact).collect();
        };
        let norm = NormDesc { kind: NormKind::Rms, eps, ..Default::default() };
        let weighted =
            |(i, y): (usize, Rounded)| weight.as_ref().map_or(y, |weight| y.mul(Rounded::exact(weight[[i]])));
        let row = norm.normalise(row).into_iter().enumerate().map(weighted);
        row.map(|y| if y.error.is_finite() { y } else { Rounded::NOTHING }).collect()
    }

    /// A row turned by the cosine and sine of each axis and column of the table.
    fn turned(&self, row: &[Rounded], angle: impl Fn(usize, usize) -> [Rounded; 2]) -> Vec<Rounded> {
        // What stays may be flushed on its way.
        let kept = |x: &Rounded| match x.value.is_finite() {
            true => Rounded { error: x.error + TINY, ..*x },
            false => Rounded::NOTHING,
        };
        let mut out: Vec<Rounded> = row.iter().map(kept).collect();
        let mut first = 0;
        for (axis, &elements) in self.axes.iter().enumerate() {
            for pair in 0..elements / 2 {
                let [i, j] = self.pairing.elements(first, elements, pair);
                let [cos, sin] = angle(axis, first / 2 + pair);
                out[i] = row[i].mul(cos).sub(row[j].mul(sin));
                out[j] = row[j].mul(cos).add(row[i].mul(sin));
            }
            first += elements;
        }
        out
    }
}

impl Pairing {
    /// The two elements of a pair of the axis that starts there and has so many elements.
    fn elements(self, first: usize, elements: usize, pair: usize) -> [usize; 2] {
        match self {
            Self::HalfSplit => [first + pair, first + pair + elements / 2],
            Self::Interleaved => [first + 2 * pair, first + 2 * pair + 1],
        }
    }
}
