//! How q, k, v and out are stored, and where their elements stand in memory.

use crate::bound::Rounded;
use crate::{Cost, DescError, Dtype, Expected, Format, Role, TensorSpec, Tensors};
use ndarray::{ArrayD, IxDyn};

/// Where a tensor of heads stands in a larger buffer, in elements: element `d` of row `s` of head `h` of batch item `b`
/// is at `offset + b * batch + h * head + s * seq + d`.
///
/// A packed projection of q, k and v, the `[batch, seq, heads, dim]` layout, and a cache with room for more tokens are
/// all such views. The elements of one row are always adjacent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct View {
    /// The first element of the first row.
    pub offset: usize,
    /// From one batch item to the next.
    pub batch: usize,
    /// From one head to the next.
    pub head: usize,
    /// From one token to the next.
    pub seq: usize,
}

impl View {
    /// Heads side by side in the columns of a `[batch, seq, width]` tensor, from column `start` on: the
    /// `[batch, seq, heads, dim]` layout, and each third of a packed q, k, v projection.
    ///
    /// ```
    /// use langevin_reference::View;
    /// // q, k and v in one row of 3 * 4 heads * 32 elements, for 64 tokens.
    /// let [q, k, v] = [0, 128, 256].map(|start| View::columns(64, 384, start, 32));
    /// assert_eq!((k.offset, k.seq, k.head, k.batch), (128, 384, 32, 64 * 384));
    /// # assert_ne!(q, v);
    /// ```
    pub const fn columns(seq: usize, width: usize, start: usize, head_dim: usize) -> Self {
        Self { offset: start, batch: seq.saturating_mul(width), head: head_dim, seq: width }
    }
}

/// How `q`, `k` or `v` is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Heads {
    /// The number format.
    pub format: Format,
    /// The shape of its scales: each extent is that of its `[batch, heads, seq]`, or 1 to be repeated. `[1, 1, 1]` is a
    /// scale per tensor, `[1, heads, 1]` one per head, `[batch, 1, seq]` one per token and `[batch, heads, seq]` one per
    /// token and head.
    pub scale: Option<[usize; 3]>,
    /// Where it stands in a larger buffer.
    pub view: Option<View>,
}

impl Heads {
    /// The same with scales of that shape.
    #[must_use]
    pub const fn scaled(self, shape: [usize; 3]) -> Self {
        Self { scale: Some(shape), ..self }
    }

    /// The same in a larger buffer.
    #[must_use]
    pub const fn viewed(self, view: View) -> Self {
        Self { view: Some(view), ..self }
    }
}

impl From<Format> for Heads {
    fn from(format: Format) -> Self {
        Self { format, ..Self::default() }
    }
}

/// A tensor of heads: its logical shape and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    /// `[batch, heads, seq, dim]`
    pub(crate) shape: [usize; 4],
    pub(crate) format: Format,
    pub(crate) view: Option<View>,
}

impl Placed {
    /// The view, or the strides of a row-major tensor with rows padded to words.
    pub(crate) fn strides(&self) -> View {
        let [_, heads, rows, _] = self.shape;
        self.view.unwrap_or_else(|| {
            let seq = self.padded_row();
            let head = seq.saturating_mul(rows);
            View { offset: 0, batch: head.saturating_mul(heads), head, seq }
        })
    }

    /// What an operation costs that touches no more of the buffer than this.
    pub(crate) fn counted(&self, cost: Cost, tensors: &[TensorSpec], name: &str) -> Cost {
        match self.view {
            Some(_) => cost.touching(tensors, name, self.elements()),
            None => cost,
        }
    }

    /// The same of an output of which nothing is read.
    pub(crate) fn counted_out(&self, cost: Cost, tensors: &[TensorSpec], name: &str) -> Cost {
        match self.view {
            Some(_) => cost.writing(tensors, name, self.elements()),
            None => cost,
        }
    }

    fn elements(&self) -> f64 {
        self.shape.iter().map(|&extent| extent as f64).product()
    }

    /// The shape of the buffer's tensor: flat with a view.
    pub(crate) fn tensor_shape(&self) -> Vec<usize> {
        match self.view {
            Some(_) => vec![self.extent()],
            None => self.shape.to_vec(),
        }
    }

    /// One more than the largest position; saturates, so that what leaves `usize` is too large for any check.
    fn extent(&self) -> usize {
        let [batch, heads, rows, dim] = self.shape;
        if self.shape.contains(&0) {
            return 0;
        }
        let View { offset, batch: batch_stride, head, seq } = self.strides();
        let steps = [(batch, batch_stride), (heads, head), (rows, seq)];
        steps.iter().fold(offset.saturating_add(dim), |end, &(extent, stride)| {
            end.saturating_add((extent - 1).saturating_mul(stride))
        })
    }

    /// The position of the first element of a row.
    fn position(&self, [item, head, row]: [usize; 3]) -> usize {
        let strides = self.strides();
        strides.offset + item * strides.batch + head * strides.head + row * strides.seq
    }

    /// Whether every row starts on a word.
    pub(crate) fn starts_on_words(&self) -> bool {
        let View { offset, batch, head, seq } = self.strides();
        [offset, batch, head, seq].iter().all(|stride| stride.is_multiple_of(self.format.per_word()))
    }

    /// Whether no two rows, each with the pad of its last word, share an element.
    fn rows_are_apart(&self) -> bool {
        let [batch, heads, rows, _] = self.shape;
        let strides = self.strides();
        let mut steps = [(strides.batch, batch), (strides.head, heads), (strides.seq, rows)];
        steps.sort_unstable();
        let mut span = self.padded_row();
        for (stride, extent) in steps.into_iter().filter(|(_, extent)| *extent > 1) {
            if stride < span {
                return false;
            }
            span = stride.saturating_mul(extent - 1).saturating_add(span);
        }
        true
    }

    /// The role of an output in this place: a view with gaps keeps what stands in them.
    pub(crate) fn output_role(&self) -> Role {
        let [batch, heads, rows, dim] = self.shape;
        let padded = |len: usize| Dtype::from(self.format).padded_row_len(len);
        let written = [batch, heads, rows].iter().fold(padded(dim), |product, &n| product.saturating_mul(n));
        if self.view.is_some() && written != padded(self.extent()) { Role::InOut } else { Role::Output }
    }

    fn padded_row(&self) -> usize {
        Dtype::from(self.format).padded_row_len(self.shape[3])
    }

    /// The rows of a stored tensor, dense in `[batch, heads, seq, dim]`, from wherever they stand.
    pub(crate) fn gather(&self, stored: Option<ArrayD<f64>>) -> Vec<f64> {
        let stored: Vec<f64> = stored.map(|values| values.into_iter().collect()).unwrap_or_default();
        if self.view.is_none() {
            return stored;
        }
        let count = self.shape[..3].iter().product();
        let row = |row| &stored[self.position(self.dense_index(row))..][..self.shape[3]];
        (0..count).flat_map(row).copied().collect()
    }

    /// The output `out` with these rows where it has them; what stands between them is kept.
    pub(crate) fn answer(&self, inputs: &Tensors, rows: &[Vec<Rounded>]) -> Expected {
        let before = inputs.values("out").unwrap_or_else(|| ArrayD::zeros(IxDyn(&self.tensor_shape())));
        let (mut value, mut bound) = (before.clone(), ArrayD::zeros(before.raw_dim()));
        let dim = self.shape[3];
        if let (Some(values), Some(bounds)) = (value.as_slice_mut(), bound.as_slice_mut()) {
            for (row, result) in rows.iter().enumerate() {
                let start = match self.view {
                    Some(_) => self.position(self.dense_index(row)),
                    None => row * dim,
                };
                for (i, element) in result.iter().enumerate() {
                    let stored = element.store(self.format);
                    (values[start + i], bounds[start + i]) = (stored.value, stored.error);
                }
                // Rows of a view end with their pad, unless they end the tensor.
                let padded = (start + self.padded_row()).min(values.len());
                let pad_end = if self.view.is_some() { padded } else { start };
                if let Some(pad) = values.get_mut(start + dim..pad_end) {
                    pad.fill(0.0);
                }
            }
        }
        Expected::bounded("out", value, bound)
    }

    /// Checks that a view of an output, the field `out_view`, has rows that start on words and do not meet.
    pub(crate) fn check_output(
        &self,
        error: impl Fn(&'static str, String, String) -> DescError,
    ) -> Result<(), DescError> {
        if self.view.is_none() || self.extent() == 0 {
            return Ok(());
        }
        let [_, _, rows, dim] = self.shape;
        let got = || format!("{:?}", self.strides());
        if !self.starts_on_words() {
            let rule = format!("multiples of {}, so that rows start on words", self.format.per_word());
            return Err(error("out_view", rule, got()));
        }
        if !self.rows_are_apart() {
            let rule = format!("strides that keep {rows} rows of {dim} apart");
            return Err(error("out_view", rule, got()));
        }
        Ok(())
    }

    fn dense_index(&self, row: usize) -> [usize; 3] {
        let [_, heads, rows, _] = self.shape;
        [row / (heads * rows), row / rows % heads, row % rows]
    }
}
