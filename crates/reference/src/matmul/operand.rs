//! A factor of a matrix product.

use super::MatmulDesc;
use crate::{Columns, DescError, Dtype, Format, Granularity, Op, TensorSpec};

/// One factor of a matrix product: how it is stored, and what its codes stand for.
///
/// The left one is a matrix `[m, k]`, the right one `[k, n]`; `rows` below are the rows of the left one and the columns
/// of the right one: what is not summed over.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Operand {
    /// How its elements are stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub format: Format,
    /// It is stored with its two axes exchanged: `a` as `[k, m]`, `b` as `[n, k]` (the weight of a PyTorch `Linear`).
    pub transposed: bool,
    /// One matrix for the whole batch, without a batch axis.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub shared: bool,
    /// It is some columns of a wider stored matrix: a row stride and an offset. They start on a word.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub columns: Option<Columns>,
    /// Its scales: none, one for the tensor, one per row ([`Granularity::PerRow`] of `a`, [`Granularity::PerColumn`] of
    /// `b`), or one per row and 32, 64, 128 or 256 neighbours along k ([`Granularity::PerGroup`]).
    #[cfg_attr(feature = "serde", serde(skip))]
    pub scale: Option<Granularity>,
    /// It has zero points, as many as scales; one where it has no scale. I8 only.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub zero: bool,
}

impl From<Format> for Operand {
    fn from(format: Format) -> Self {
        Self { format, ..Self::default() }
    }
}

impl Operand {
    /// The same with scales.
    pub const fn scaled(self, granularity: Granularity) -> Self {
        Self { scale: Some(granularity), ..self }
    }

    /// The group of depths that share a scale, where it has one per group.
    pub const fn group(&self) -> Option<usize> {
        match self.scale {
            Some(Granularity::PerGroup(size)) => Some(size),
            _ => None,
        }
    }
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Left,
    Right,
}

/// An operand in its product: its sizes are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) operand: Operand,
    pub(super) which: Which,
    pub(super) batch: usize,
    pub(super) rows: usize,
    pub(super) depth: usize,
}

impl Placed {
    pub(super) const fn names(&self) -> [&'static str; 3] {
        match self.which {
            Which::Left => ["a", "a_scale", "a_zero"],
            Which::Right => ["b", "b_scale", "b_zero"],
        }
    }

    /// Whether neighbours in memory are neighbours along k.
    pub(super) fn by_depth(&self) -> bool {
        (self.which == Which::Left) != self.operand.transposed
    }

    pub(super) fn groups(&self) -> usize {
        self.operand.group().map_or(1, |size| self.depth.div_ceil(size.max(1)))
    }

    /// Rows and a length along k in the order of storage, behind the batch axis if there is one.
    fn stored(&self, depth: usize) -> Vec<usize> {
        let batch = (!self.operand.shared).then_some(self.batch);
        let matrix = if self.by_depth() { [self.rows, depth] } else { [depth, self.rows] };
        batch.into_iter().chain(matrix).collect()
    }

    fn scale_shape(&self) -> Vec<usize> {
        match self.operand.scale {
            None | Some(Granularity::PerTensor) => vec![],
            Some(Granularity::PerGroup(_)) => self.stored(self.groups()),
            Some(_) => (!self.operand.shared).then_some(self.batch).into_iter().chain([self.rows]).collect(),
        }
    }

    pub(super) fn tensor(&self) -> TensorSpec {
        let mut shape = self.stored(self.depth);
        if let (Some(columns), Some(last)) = (self.operand.columns, shape.last_mut()) {
            *last = columns.width;
        }
        TensorSpec::input(self.names()[0], self.operand.format, &shape)
    }

    pub(super) fn scale_tensor(&self) -> Option<TensorSpec> {
        let shape = self.scale_shape();
        self.operand.scale.map(|_| TensorSpec::input(self.names()[1], Format::F32, &shape))
    }

    pub(super) fn zero_tensor(&self) -> Option<TensorSpec> {
        let shape = self.scale_shape();
        self.operand.zero.then(|| TensorSpec::input(self.names()[2], Dtype::I32, &shape))
    }

    pub(super) fn validate(&self) -> Result<(), DescError> {
        let [field, scale_field, zero_field] = self.names();
        let Operand { format, columns, scale, zero, .. } = self.operand;
        let (own, other) = match self.which {
            Which::Left => ("row", Granularity::PerColumn),
            Which::Right => ("column", Granularity::PerRow),
        };
        match scale {
            Some(Granularity::PerGroup(size)) if !GROUPS.contains(&size) => {
                let expected = "per group of 32, 64, 128 or 256";
                return Err(MatmulDesc::field_error(scale_field, expected, size));
            }
            Some(granularity)
                if granularity == other || matches!(granularity, Granularity::PerBlock { .. }) =>
            {
                let expected = format!("per tensor, per {own} or per group");
                return Err(MatmulDesc::field_error(scale_field, expected, format!("{granularity:?}")));
            }
            _ => {}
        }
        if zero && format != Format::I8 {
            return Err(MatmulDesc::field_error(zero_field, "absent unless the operand is i8", format));
        }
        let length = if self.by_depth() { self.depth } else { self.rows };
        columns.map_or(Ok(()), |columns| check_columns(field, columns, length, format))
    }
}

/// The group sizes along k.
const GROUPS: [usize; 4] = [32, 64, 128, 256];

/// Columns must lie in their matrix and start on a word.
pub(super) fn check_columns(
    field: &'static str,
    Columns { start, width }: Columns,
    length: usize,
    format: Format,
) -> Result<(), DescError> {
    let got = format!("columns {start}..{start}+{length} of {width}");
    if start.checked_add(length).is_none_or(|end| end > width) {
        return Err(MatmulDesc::field_error(field, "columns inside its matrix", got));
    }
    if !start.is_multiple_of(format.per_word()) {
        let expected = format!("columns that start at a multiple of {}, on a word", format.per_word());
        return Err(MatmulDesc::field_error(field, expected, got));
    }
    Ok(())
}
