//! The product in f64 with its bound.

use super::operand::Placed;
use super::{MatmulDesc, Pair};
use crate::bound::{Rounded, TINY, U_ACC};
use crate::{Columns, Expected, Format, Granularity, Tensors};
use ndarray::{Array1, Array2, Array3, ArrayD, ArrayViewD, Axis, Ix3, Slice};
use rayon::prelude::*;

/// One operand as `[items, rows, k]` with its zero points taken off; one item where the batch shares it.
struct Factor {
    values: Array3<f64>,
    /// `[items, rows, groups]`; 1 where scales are not per group.
    group_scales: Array3<f64>,
    /// `[items, rows]`; 1 where scales are per group.
    scales: Array2<f64>,
    group: usize,
}

impl Factor {
    fn new(placed: &Placed, inputs: &Tensors) -> Self {
        let [name, scale_name, zero_name] = placed.names();
        let items = if placed.operand.shared { 1 } else { placed.batch };
        let sizes = (items, placed.rows, placed.groups());
        let group = placed.operand.group().unwrap_or(placed.depth).max(1);
        let mut stored = inputs.values(name).unwrap_or_default();
        if let Some(Columns { start, .. }) = placed.operand.columns {
            let length = if placed.by_depth() { placed.depth } else { placed.rows };
            let last = Axis(stored.ndim() - 1);
            stored.slice_axis_inplace(last, Slice::from(start..start + length));
        }
        let mut values = placed.standard(stored.view());
        if let Some(zeros) = inputs.values(zero_name) {
            let zeros = placed.spread(zeros, sizes);
            values
                .indexed_iter_mut()
                .for_each(|((item, row, p), value)| *value -= zeros[[item, row, p / group]]);
        }
        let scales = inputs.values(scale_name);
        let ones = Array3::from_elem(sizes, 1.0);
        let outer = Array2::from_elem((items, placed.rows), 1.0);
        let (group_scales, scales) = match (scales, placed.operand.group()) {
            (None, _) => (ones, outer),
            (Some(scales), Some(_)) => (placed.spread(scales, sizes), outer),
            (Some(scales), None) => (ones, placed.spread(scales, sizes).index_axis_move(Axis(2), 0)),
        };
        Self { values, group_scales, scales, group }
    }

    /// The index of a batch item's matrix.
    fn item(&self, item: usize) -> usize {
        item.min(self.values.len_of(Axis(0)).saturating_sub(1))
    }
}

impl Placed {
    /// `[items, rows, last]` of what is stored as `[items, rows, last]` or `[items, last, rows]`, items left out where shared.
    fn standard(&self, stored: ArrayViewD<'_, f64>) -> Array3<f64> {
        let stored = if self.operand.shared { stored.insert_axis(Axis(0)) } else { stored };
        let mut array =
            stored.into_dimensionality::<Ix3>().unwrap_or_else(|_| unreachable!("shapes are checked"));
        if !self.by_depth() {
            array.swap_axes(1, 2);
        }
        array.as_standard_layout().into_owned()
    }

    /// Scales or zero points as `[items, rows, groups]`.
    fn spread(&self, values: ArrayD<f64>, sizes: (usize, usize, usize)) -> Array3<f64> {
        match self.operand.scale {
            None | Some(Granularity::PerTensor) => Array3::from_elem(sizes, values.sum()),
            Some(Granularity::PerGroup(_)) => self.standard(values.view()),
            Some(_) => {
                let last = values.ndim();
                let rows = values.insert_axis(Axis(last));
                let rows = if self.operand.shared { rows.insert_axis(Axis(0)) } else { rows };
                rows.into_dimensionality::<Ix3>().unwrap_or_else(|_| unreachable!("shapes are checked"))
            }
        }
    }
}

/// Everything the answer of one element needs.
struct Problem<'a> {
    desc: &'a MatmulDesc,
    a: Factor,
    b: Factor,
    bias: Option<ArrayD<f64>>,
    gate: Option<ArrayD<f64>>,
    residual: Option<ArrayD<f64>>,
    out_scale: Option<f64>,
}

pub(super) fn answer(desc: &MatmulDesc, inputs: &Tensors) -> Expected {
    let [a, b] = desc.placed();
    let problem = Problem {
        desc,
        a: Factor::new(&a, inputs),
        b: Factor::new(&b, inputs),
        bias: inputs.values("bias"),
        gate: inputs.values("gate"),
        residual: inputs.values("residual"),
        out_scale: inputs.values("out_scale").map(|scale| scale.sum()),
    };
    let mut out = Array3::from_elem((desc.batch, desc.m, desc.n), Rounded::exact(0.0));
    let mut rows: Vec<_> = out.rows_mut().into_iter().enumerate().collect();
    rows.par_iter_mut().for_each(|(index, row)| {
        let (item, i) = (*index / desc.m, *index % desc.m);
        let elements: Array1<Rounded> = (0..desc.n).map(|j| problem.element(item, i, j)).collect();
        row.assign(&elements);
    });
    let Some(Columns { start, .. }) = desc.out_columns else {
        return Expected::bounded("out", out.mapv(|y| y.value).into_dyn(), out.mapv(|y| y.error).into_dyn());
    };
    // What lies beside the columns stays.
    let mut value = inputs.values("out").unwrap_or_default();
    let mut bound = ArrayD::zeros(value.raw_dim());
    let columns = Slice::from(start..start + desc.n);
    value.slice_axis_mut(Axis(2), columns).assign(&out.mapv(|y| y.value));
    bound.slice_axis_mut(Axis(2), columns).assign(&out.mapv(|y| y.error));
    Expected::bounded("out", value, bound)
}

impl Problem<'_> {
    fn element(&self, item: usize, i: usize, j: usize) -> Rounded {
        let desc = self.desc;
        let mut y = match desc.pair {
            None => desc.activation.apply_rounded(self.affine(item, i, j)),
            Some(pair) => {
                let halves = [self.affine(item, i, j), self.affine(item, i, j + desc.n)];
                let [activated, value] =
                    if pair == Pair::GateFirst { halves } else { [halves[1], halves[0]] };
                desc.activation.apply_rounded(activated).mul(value)
            }
        };
        if let Some(gate) = &self.gate {
            let start = desc.gate.map_or(0, |gate| gate.start);
            y = y.mul(Rounded::exact(gate[[item, start + j]]));
        }
        if let Some(residual) = &self.residual {
            let r = if desc.residual_shared { residual[[i, j]] } else { residual[[item, i, j]] };
            y = y.add(Rounded::exact(r));
        }
        if let Some(scale) = self.out_scale {
            y = y.div(Rounded::exact(scale.max(f64::from(f32::MIN_POSITIVE))));
        }
        y.store_with(desc.out, desc.overflow_mode())
    }

    /// The scaled product and the bias.
    fn affine(&self, item: usize, i: usize, j: usize) -> Rounded {
        let (a_item, b_item) = (self.a.item(item), self.b.item(item));
        let mut y = self.product(a_item, b_item, i, j);
        if self.desc.a.scale.is_some() && self.desc.a.group().is_none() {
            y = y.mul(Rounded::exact(self.a.scales[[a_item, i]]));
        }
        if self.desc.b.scale.is_some() && self.desc.b.group().is_none() {
            y = y.mul(Rounded::exact(self.b.scales[[b_item, j]]));
        }
        match &self.bias {
            Some(bias) => y.add(Rounded::exact(bias[[j]])),
            None => y,
        }
    }

    /// The sum of products, with the scales of groups.
    fn product(&self, a_item: usize, b_item: usize, i: usize, j: usize) -> Rounded {
        let k = self.desc.k;
        let (a, b) =
            (&self.a.values.as_slice().unwrap_or_default(), self.b.values.as_slice().unwrap_or_default());
        let a = &a[(a_item * self.desc.m + i) * k..][..k];
        let b = &b[(b_item * self.desc.b_columns() + j) * k..][..k];
        let segment = self.a.group.min(self.b.group).max(1);
        let (mut value, mut magnitude, mut largest, mut flushed) = (0.0, 0.0, 0.0f64, 0.0);
        for (s, (a, b)) in a.chunks(segment).zip(b.chunks(segment)).enumerate() {
            let (mut sum, mut absolute) = (0.0, 0.0);
            for (x, y) in a.iter().zip(b) {
                sum += x * y;
                absolute += (x * y).abs();
            }
            let a_scale = self.a.group_scales[[a_item, i, s * segment / self.a.group]];
            let b_scale = self.b.group_scales[[b_item, j, s * segment / self.b.group]];
            value += a_scale * b_scale * sum;
            magnitude += a_scale * b_scale * absolute;
            // Before the second scale: how large sums become, and what subnormal ones lose.
            largest = largest.max(absolute).max(absolute * a_scale);
            flushed += a.len() as f64 * 2.0 * TINY * (a_scale * b_scale + b_scale);
        }
        match (self.desc.is_integer(), self.desc.is_grouped()) {
            (false, false) => Rounded::dot(value, magnitude, k),
            // A term passes two more multiplications by scales, and at most one more addition.
            (_, true) if largest > f64::from(f32::MAX) => Rounded::NOTHING,
            (_, true) => {
                let y = Rounded::dot(value, magnitude, k + 3);
                Rounded { error: y.error + flushed, ..y }
            }
            // The integer itself, converted to f32.
            (true, false) if value.abs() <= f64::from(1 << 24) => Rounded::exact(value),
            (true, false) => Rounded { value, error: U_ACC * value.abs() },
        }
    }
}

impl MatmulDesc {
    /// Both operands are I8: sums of products are i32, exact.
    pub fn is_integer(&self) -> bool {
        self.a.format == Format::I8 && self.b.format == Format::I8
    }

    /// Some scale is shared by a group along k.
    pub fn is_grouped(&self) -> bool {
        self.a.group().is_some() || self.b.group().is_some()
    }
}
