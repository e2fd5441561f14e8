//! What is checked before a case is timed: the same options at sizes that the CPU reference answers at once, and a part of
//! the full-size answer.

use super::pick::{Axis, all, pick, spread_out};
use langevin::reference::Op;
use langevin::verify::{Tensor, Tensors};
use langevin::{
    ActivationDesc, ActivationQuantizeDesc, AttentionDesc, CastDesc, ChangeDesc, CombineDesc, ConvDesc,
    DequantizeDesc, GatedResidualDesc, Granularity, HeatDesc, HistogramDesc, Kernel, LaplacianDesc,
    MatmulDesc, MergeDesc, NormDesc, NormQuantizeDesc, PatchifyDesc, QuantizeDesc, RotaryDesc,
    UnpatchifyDesc,
};

/// A kernel that can be benchmarked.
pub(super) trait Reduced: Kernel {
    /// The same options at sizes for which the reference takes a fraction of a second. Rows keep their length, or its
    /// remainder by 64, so that the same loads and the same tiles are used.
    fn reduced(&self) -> Self;

    /// A few elements of the full answer as a smaller problem; nothing where that cannot be said.
    fn sample(&self, _inputs: &Tensors) -> Option<Sample<Self>> {
        None
    }
}

/// A part of a problem whose answer is a part of the problem's answer.
pub(super) struct Sample<D> {
    /// The smaller problem.
    pub(super) desc: D,
    /// Its inputs.
    pub(super) inputs: Tensors,
    /// Where its answers stand in the full ones: an output, and the positions along each of its axes.
    pub(super) outputs: Vec<(&'static str, Vec<Axis>)>,
}

/// A few rows of an operation that treats every row by itself: `few` is the same on that many rows. Rows are counted
/// along `axis` of the tensors that have as many of them there.
fn some_rows<D: Op>(
    full: &D,
    inputs: &Tensors,
    axis: usize,
    rows: usize,
    few: impl Fn(usize) -> D,
) -> Option<Sample<D>> {
    let positions = spread_out(rows, 5);
    let desc = few(positions.len());
    let axes = |shape: &[usize]| -> Vec<Axis> {
        let of_axis = |(i, &extent): (usize, &usize)| {
            if i == axis && extent == rows { positions.clone() } else { all(extent) }
        };
        shape.iter().enumerate().map(of_axis).collect()
    };
    let (mut picked, mut outputs) = (Tensors::new(), Vec::new());
    for spec in full.tensors() {
        match inputs.get(spec.name) {
            Some(tensor) => drop(picked.insert(spec.name, pick(tensor, &axes(&spec.shape))?)),
            None => outputs.push((spec.name, axes(&spec.shape))),
        }
    }
    desc.check_inputs(&picked).ok()?;
    Some(Sample { desc, inputs: picked, outputs })
}

/// The largest number up to about `most` that leaves the same remainder by 64.
fn at_most(extent: usize, most: usize) -> usize {
    let remainder = extent % 64;
    if extent <= most { extent } else { (most.max(64) - remainder) / 64 * 64 + remainder }
}

impl Reduced for MatmulDesc {
    fn reduced(&self) -> Self {
        let [m, k, n] = [(self.m, 192), (self.k, 256), (self.n, 320)].map(|(size, most)| at_most(size, most));
        Self { m, k, n, ..self.clone() }
    }

    fn sample(&self, inputs: &Tensors) -> Option<Sample<Self>> {
        let (rows, columns) = (spread_out(self.m, 5), spread_out(self.n, 9));
        let of = |outer: &Axis, inner: &Axis, transposed: bool| match transposed {
            true => [all(1), inner.clone(), outer.clone()],
            false => [all(1), outer.clone(), inner.clone()],
        };
        let mut picked = Tensors::new();
        picked.insert("a", pick(inputs.get("a")?, &of(&rows, &all(self.k), self.a.transposed))?);
        picked.insert("b", pick(inputs.get("b")?, &of(&all(self.k), &columns, self.b.transposed))?);
        let desc = Self { m: rows.len(), n: columns.len(), ..self.clone() };
        // Not so with more operands, which would have to be picked too.
        desc.check_inputs(&picked).ok()?;
        Some(Sample { desc, inputs: picked, outputs: vec![("out", of(&rows, &columns, false).to_vec())] })
    }
}

impl Reduced for AttentionDesc {
    fn reduced(&self) -> Self {
        let [seq_q, seq_kv] = [self.seq_q, self.seq_kv].map(|size| at_most(size, 128));
        let heads = 2 * self.heads / self.kv_heads.max(1);
        Self { batch: 1, heads, kv_heads: 2, seq_q, seq_kv, ..self.clone() }
    }

    fn sample(&self, inputs: &Tensors) -> Option<Sample<Self>> {
        let tensor = |name| inputs.get(name);
        let shape = |name| tensor(name).map(Tensor::shape);
        let plain = self.tensors().len() == 4 && self.band().is_everything() && self.heads == self.kv_heads;
        if !plain || shape("q")? != [self.batch, self.heads, self.seq_q, self.head_dim] {
            return None;
        }
        let (item, head) = (vec![self.batch - 1], vec![self.heads - 1]);
        let queries = spread_out(self.seq_q, 5);
        let mut picked = Tensors::new();
        let of_head = |rows: &Axis, width| [item.clone(), head.clone(), rows.clone(), all(width)];
        picked.insert("q", pick(tensor("q")?, &of_head(&queries, self.head_dim))?);
        picked.insert("k", pick(tensor("k")?, &of_head(&all(self.seq_kv), self.head_dim))?);
        picked.insert("v", pick(tensor("v")?, &of_head(&all(self.seq_kv), self.v_dim))?);
        let desc = Self { batch: 1, heads: 1, kv_heads: 1, seq_q: queries.len(), ..self.clone() };
        Some(Sample { desc, inputs: picked, outputs: vec![("out", of_head(&queries, self.v_dim).to_vec())] })
    }
}

impl Reduced for ConvDesc {
    fn reduced(&self) -> Self {
        let most = if self.in_channels * self.out_channels > 64 { 16 } else { 64 };
        let spatial = self.spatial.iter().map(|&extent| extent.min(most + extent % 16)).collect();
        Self { batch: self.batch.min(2), spatial, ..self.clone() }
    }
}

impl Reduced for LaplacianDesc {
    fn reduced(&self) -> Self {
        Self { spatial: reduced_grid(&self.spatial), ..self.clone() }
    }
}

impl Reduced for HeatDesc {
    fn reduced(&self) -> Self {
        Self { spatial: reduced_grid(&self.spatial), ..self.clone() }
    }
}

fn reduced_grid(spatial: &[usize]) -> Vec<usize> {
    let most = if spatial.len() > 2 { 64 } else { 192 };
    spatial.iter().map(|&extent| at_most(extent, most)).collect()
}

impl Reduced for QuantizeDesc {
    fn reduced(&self) -> Self {
        Self { shape: few_rows(&self.shape), ..self.clone() }
    }

    fn sample(&self, inputs: &Tensors) -> Option<Sample<Self>> {
        let [rows, width] = *self.shape else { return None };
        let by_row = self.granularity == Granularity::PerRow;
        let few = |rows| Self { shape: vec![rows, width], ..self.clone() };
        by_row.then(|| some_rows(self, inputs, 0, rows, few)).flatten()
    }
}

impl Reduced for DequantizeDesc {
    fn reduced(&self) -> Self {
        Self { shape: few_rows(&self.shape), ..self.clone() }
    }

    fn sample(&self, inputs: &Tensors) -> Option<Sample<Self>> {
        let [rows, width] = *self.shape else { return None };
        let by_row = self.granularity == Granularity::PerRow;
        let few = |rows| Self { shape: vec![rows, width], ..self.clone() };
        by_row.then(|| some_rows(self, inputs, 0, rows, few)).flatten()
    }
}

impl Reduced for HistogramDesc {
    fn reduced(&self) -> Self {
        Self { shape: few_rows(&self.shape), ..self.clone() }
    }
}

impl Reduced for CastDesc {
    fn reduced(&self) -> Self {
        Self { shape: few_rows(&self.shape), ..self.clone() }
    }

    fn sample(&self, inputs: &Tensors) -> Option<Sample<Self>> {
        let [rows, width] = *self.shape else { return None };
        some_rows(self, inputs, 0, rows, |rows| Self { shape: vec![rows, width], ..self.clone() })
    }
}

/// Rows as long as they were.
fn few_rows(shape: &[usize]) -> Vec<usize> {
    let last = shape.len().saturating_sub(1);
    shape.iter().enumerate().map(|(axis, &extent)| if axis < last { extent.min(9) } else { extent }).collect()
}

impl Reduced for NormDesc {
    fn reduced(&self) -> Self {
        Self { batch: self.batch.min(2), rows: self.rows.min(9), ..self.clone() }
    }

    fn sample(&self, inputs: &Tensors) -> Option<Sample<Self>> {
        some_rows(self, inputs, 1, self.rows, |rows| Self { rows, ..self.clone() })
    }
}

impl Reduced for MergeDesc {
    fn reduced(&self) -> Self {
        Self { rows: self.rows.min(9), ..self.clone() }
    }
}

impl Reduced for RotaryDesc {
    fn reduced(&self) -> Self {
        Self { batch: self.batch.min(2), heads: self.heads.min(2), seq: self.seq.min(9), ..self.clone() }
    }
}

impl Reduced for GatedResidualDesc {
    fn reduced(&self) -> Self {
        Self { batch: self.batch.min(2), rows: self.rows.min(9), ..self.clone() }
    }
}

impl Reduced for ActivationDesc {
    fn reduced(&self) -> Self {
        Self { rows: self.rows.min(9), ..self.clone() }
    }
}

impl Reduced for NormQuantizeDesc {
    fn reduced(&self) -> Self {
        Self::new(self.norm.reduced(), self.codes.clone())
    }
}

impl Reduced for ActivationQuantizeDesc {
    fn reduced(&self) -> Self {
        Self::new(self.activation.reduced(), self.codes.clone())
    }
}

impl Reduced for ChangeDesc {
    fn reduced(&self) -> Self {
        Self { elements: at_most(self.elements, 4096) }
    }
}

impl Reduced for CombineDesc {
    fn reduced(&self) -> Self {
        Self { elements: at_most(self.elements, 1024), ..self.clone() }
    }
}

impl Reduced for PatchifyDesc {
    fn reduced(&self) -> Self {
        Self { batch: self.batch.min(2), ..self.clone() }
    }
}

impl Reduced for UnpatchifyDesc {
    fn reduced(&self) -> Self {
        Self { batch: self.batch.min(2), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use langevin::reference::generate;
    use langevin::{Format, Operand};

    #[test]
    fn reduced_sizes_keep_their_remainder() {
        assert_eq!([1, 192, 1000, 1024, 4095].map(|extent| at_most(extent, 192)), [1, 192, 168, 192, 191]);
    }

    /// The sample's answer must be those elements of the full answer, for any format and a size with odd ends.
    fn samples_are_parts<D: Reduced>(desc: &D) {
        let inputs = generate::inputs(desc, 5);
        let sample = desc.sample(&inputs).expect("a sample");
        let full = desc.evaluate(&inputs).expect("an answer");
        let part = sample.desc.evaluate(&sample.inputs).expect("an answer");
        assert_eq!(part.len(), sample.outputs.len());
        for (part, (name, axes)) in part.iter().zip(&sample.outputs) {
            let full = full.iter().find(|full| full.name == *name).expect("the output").values();
            let part = part.values();
            assert_eq!(part.shape(), axes.iter().map(Vec::len).collect::<Vec<_>>());
            for (index, value) in part.indexed_iter() {
                let of_full: Vec<usize> = (0..axes.len()).map(|axis| axes[axis][index[axis]]).collect();
                assert!((full[of_full.as_slice()] - value).abs() <= 1e-12 * value.abs(), "{name} {index:?}");
            }
        }
    }

    #[test]
    fn a_sample_is_a_part_of_the_answer() {
        let product = MatmulDesc { m: 23, k: 23, n: 23, ..Default::default() };
        for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
            let operand = |transposed| Operand { transposed, ..Format::F16.into() };
            samples_are_parts(&MatmulDesc { a: operand(a), b: operand(b), ..product.clone() });
        }
        samples_are_parts(&MatmulDesc { m: 7, k: 33, n: 23, ..product });
        samples_are_parts(&AttentionDesc {
            batch: 2,
            heads: 3,
            kv_heads: 3,
            seq_q: 11,
            seq_kv: 13,
            head_dim: 8,
            v_dim: 5,
            ..Default::default()
        });
        let quantize =
            QuantizeDesc { shape: vec![31, 9], granularity: Granularity::PerRow, ..Default::default() };
        samples_are_parts(&quantize);
        let granularity = Granularity::PerRow;
        samples_are_parts(&DequantizeDesc { shape: vec![31, 9], granularity, ..Default::default() });
        // As many rows as columns: one must not be taken for the other.
        samples_are_parts(&NormDesc { batch: 2, rows: 17, width: 17, weight: true, ..Default::default() });
    }

    #[test]
    fn what_cannot_be_sampled_says_so() {
        let biased = MatmulDesc { m: 7, k: 3, n: 2, bias: true, ..Default::default() };
        assert!(biased.sample(&generate::inputs(&biased, 5)).is_none());
    }
}
