//! Where the elements of q, k, v and out stand in memory, and which keys a query may see.

use crate::{Format, Role};

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

/// A tensor of heads: its logical shape and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads {
    /// `[batch, heads, seq, dim]`
    pub(super) shape: [usize; 4],
    pub(super) format: Format,
    pub(super) view: Option<View>,
}

impl Heads {
    /// The view, or the strides of a row-major tensor with rows padded to words.
    pub(super) fn strides(&self) -> View {
        let [_, heads, rows, _] = self.shape;
        self.view.unwrap_or_else(|| {
            let seq = self.padded_row();
            let head = seq.saturating_mul(rows);
            View { offset: 0, batch: head.saturating_mul(heads), head, seq }
        })
    }

    /// The shape of the buffer's tensor: flat with a view.
    pub(super) fn tensor_shape(&self) -> Vec<usize> {
        match self.view {
            Some(_) => vec![self.extent()],
            None => self.shape.to_vec(),
        }
    }

    /// One more than the largest position; saturates, so that what leaves `usize` is too large for any check.
    pub(super) fn extent(&self) -> usize {
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
    pub(super) fn position(&self, [item, head, row]: [usize; 3]) -> usize {
        let strides = self.strides();
        strides.offset + item * strides.batch + head * strides.head + row * strides.seq
    }

    /// Whether every row starts on a word.
    pub(super) fn starts_on_words(&self) -> bool {
        let View { offset, batch, head, seq } = self.strides();
        [offset, batch, head, seq].iter().all(|stride| stride.is_multiple_of(self.format.per_word()))
    }

    /// Whether no two rows, each with the pad of its last word, share an element.
    pub(super) fn rows_are_apart(&self) -> bool {
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
    pub(super) fn output_role(&self) -> Role {
        let [batch, heads, rows, dim] = self.shape;
        let padded = |len: usize| crate::Dtype::from(self.format).padded_row_len(len);
        let written = [batch, heads, rows].iter().fold(padded(dim), |product, &n| product.saturating_mul(n));
        if self.view.is_some() && written != padded(self.extent()) { Role::InOut } else { Role::Output }
    }

    fn padded_row(&self) -> usize {
        crate::Dtype::from(self.format).padded_row_len(self.shape[3])
    }
}

/// Which keys a query may see by its place in the sequence. Query `i` sees key `j` when:
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Causal {
    /// Always.
    #[default]
    None,
    /// `j <= i`: the first query is aligned with the first key.
    TopLeft,
    /// `j <= i + seq_kv - seq_q`: the last query is aligned with the last key, as when decoding with a cache.
    BottomRight,
    /// `j <= i +` this.
    Offset(i64),
}

impl Causal {
    /// The `o` of `j <= i + o`, brought into `-seq_q..=seq_kv`, beyond which nothing changes; `None` when not causal.
    pub fn offset(self, seq_q: usize, seq_kv: usize) -> Option<i64> {
        let (queries, keys) = (seq_q as i64, seq_kv as i64);
        let offset = match self {
            Self::None => return None,
            Self::TopLeft => 0,
            Self::BottomRight => keys - queries,
            Self::Offset(offset) => offset,
        };
        Some(offset.clamp(-queries, keys))
    }

    /// How many keys, from the first on, query `i` may see.
    pub(super) fn visible(self, i: usize, seq_q: usize, seq_kv: usize) -> usize {
        match self.offset(seq_q, seq_kv) {
            None => seq_kv,
            Some(offset) => (i as i64 + offset + 1).clamp(0, seq_kv as i64) as usize,
        }
    }

    /// The number of (query, key) pairs of one head that may meet.
    pub(super) fn pairs(self, seq_q: usize, seq_kv: usize) -> f64 {
        let Some(offset) = self.offset(seq_q, seq_kv) else {
            return seq_q as f64 * seq_kv as f64;
        };
        // Query i sees i + offset + 1 keys from `first` on, and all of them from `full` on.
        let queries = seq_q as i64;
        let first = (-offset - 1).clamp(0, queries);
        let full = (seq_kv as i64 - offset - 1).clamp(first, queries);
        let ramp = (full - first) as f64 * ((first + full - 1) as f64 / 2.0 + offset as f64 + 1.0);
        ramp + (queries - full) as f64 * seq_kv as f64
    }
}
