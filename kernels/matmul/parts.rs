//! Products of which a tensor is larger than a binding may be: they are computed in parts, each over ranges of the tensors
//! that can be bound. Pure functions.

use super::operands::by_depth;
use crate::recipe::Window;
use crate::{Capabilities, Columns, Granularity, MatmulDesc, Operand};
use langevin_reference::{Dtype, Op};
use std::ops::{Index, IndexMut};

/// An axis of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Item,
    Row,
    Column,
    Depth,
}

/// A number for each axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes([usize; 4]);

impl Index<Axis> for Sizes {
    type Output = usize;

    fn index(&self, axis: Axis) -> &usize {
        &self.0[axis as usize]
    }
}

impl IndexMut<Axis> for Sizes {
    fn index_mut(&mut self, axis: Axis) -> &mut usize {
        &mut self.0[axis as usize]
    }
}

impl Sizes {
    pub(super) fn of(desc: &MatmulDesc) -> Self {
        Self([desc.batch, desc.m, desc.n, desc.k])
    }
}

/// A box of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) start: Sizes,
    pub(super) size: Sizes,
}

impl Part {
    pub(super) fn whole(desc: &MatmulDesc) -> Self {
        Self { start: Sizes::default(), size: Sizes::of(desc) }
    }

    pub(super) fn has_results(&self) -> bool {
        [Axis::Item, Axis::Row, Axis::Column].into_iter().all(|axis| self.size[axis] > 0)
    }

    /// Its pieces along an axis, none longer than `length`.
    pub(super) fn along(self, axis: Axis, length: usize) -> impl Iterator<Item = Self> {
        let size = self.size[axis];
        (0..size.div_ceil(length.max(1)).max(1)).map(move |i| {
            let mut piece = self;
            piece.start[axis] += i * length;
            piece.size[axis] = length.min(size - i * length);
            piece
        })
    }
}

/// How a tensor lies in memory, seen from its product: lines of neighbours, for each item.
#[derive(Clone, Copy, Debug)]
struct Stored {
    name: &'static str,
    /// Bytes of an element.
    element: usize,
    /// Elements from one item to the next; 0 where all share it.
    item_stride: usize,
    /// Elements from one line to the next.
    pitch: usize,
    /// The axis that lines follow each other along, and how many of it share a line.
    lines: Option<(Axis, usize)>,
    /// The same along a line.
    along: Option<(Axis, usize)>,
    /// Where the product's part of a line starts.
    start: usize,
}

impl Stored {
    /// An operand, or its scales or zero points where `shares` says how many depths share one.
    fn operand(desc: &MatmulDesc, which: usize, name: &'static str, shares: Option<usize>) -> Self {
        let (operand, rows) = (operand(desc, which), [desc.m, desc.b_columns()][which]);
        let across = ([Axis::Row, Axis::Column][which], 1);
        let deep = (Axis::Depth, shares.unwrap_or(1));
        let depths = desc.k.div_ceil(deep.1);
        let (lines, along, count, length) = if by_depth(operand, which) {
            (across, deep, rows, depths)
        } else {
            (deep, across, depths, rows)
        };
        let (element, columns) = match shares {
            Some(_) => (4, Columns::all(length)),
            None => (operand.format.bytes(), operand.columns.unwrap_or(Columns::all(length))),
        };
        let pitch = columns.width.next_multiple_of((4 / element).max(1));
        let item_stride = if operand.shared { 0 } else { count.saturating_mul(pitch) };
        let (lines, along, start) = (Some(lines), Some(along), columns.start);
        Self { name, element, item_stride, pitch, lines, along, start }.together(desc, count)
    }

    /// One scale or zero point for each row of an operand.
    fn per_row(desc: &MatmulDesc, which: usize, name: &'static str) -> Self {
        let rows = [desc.m, desc.b_columns()][which];
        let item_stride = if operand(desc, which).shared { 0 } else { rows };
        let lines = Some(([Axis::Row, Axis::Column][which], 1));
        Self { name, element: 4, item_stride, pitch: 1, lines, along: None, start: 0 }.together(desc, rows)
    }

    /// One line in place of `count`, where they are the columns of both halves of a pair.
    fn together(self, desc: &MatmulDesc, count: usize) -> Self {
        match self.lines {
            Some((Axis::Column, _)) if desc.pair.is_some() => {
                Self { lines: None, pitch: count.saturating_mul(self.pitch), ..self }
            }
            _ => self,
        }
    }

    /// A tensor like the result: rows of columns.
    fn result(desc: &MatmulDesc, name: &'static str, columns: Columns, shared: bool) -> Self {
        let pitch = Dtype::from(desc.out).padded_row_len(columns.width);
        let item_stride = if shared { 0 } else { desc.m.saturating_mul(pitch) };
        let (lines, along) = (Some((Axis::Row, 1)), Some((Axis::Column, 1)));
        Self { name, element: desc.out.bytes(), item_stride, pitch, lines, along, start: columns.start }
    }

    /// One number for each column.
    fn per_column(name: &'static str, item_stride: usize, start: usize) -> Self {
        let lines = Some((Axis::Column, 1));
        Self { name, element: 4, item_stride, pitch: 1, lines, along: None, start }
    }

    /// Elements from the start of a part's first line to the end of its last.
    fn span(&self, size: Sizes) -> usize {
        let lines = self.lines.map_or(1, |(axis, share)| size[axis].div_ceil(share));
        let items = size[Axis::Item].saturating_sub(1).saturating_mul(self.item_stride);
        items.saturating_add(lines.saturating_mul(self.pitch)).saturating_add(self.leading())
    }

    /// Elements before the first line: those of tensors whose lines are single numbers.
    fn leading(&self) -> usize {
        if self.along.is_none() { self.start } else { 0 }
    }

    /// Whether a part of that size is less than the tensor.
    fn is_cut(&self, size: Sizes, whole: Sizes) -> bool {
        let items = self.item_stride > 0 && size[Axis::Item] < whole[Axis::Item];
        items || self.lines.is_some_and(|(axis, _)| size[axis] < whole[axis])
    }

    /// At most how many bytes a part's range takes, which starts where a binding may; `always`: as if it were cut.
    fn bytes(&self, size: Sizes, whole: Sizes, alignment: usize, always: bool) -> u64 {
        let bytes = self.span(size).saturating_mul(self.element);
        let before = if always || self.is_cut(size, whole) { alignment } else { 0 };
        bytes.saturating_add(before) as u64
    }

    /// Shortens the axis along which the tensor's largest pieces follow each other, so that its range fits; `false` where
    /// that cannot be.
    fn shorten(&self, size: &mut Sizes, limit: u64, alignment: usize, granules: &Sizes) -> bool {
        let allowed = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(alignment) / self.element;
        let allowed = allowed.saturating_sub(self.leading());
        if self.item_stride > 0 && size[Axis::Item] > 1 {
            let one = self.span(Sizes([1, size.0[1], size.0[2], size.0[3]]));
            size[Axis::Item] = allowed.saturating_sub(one) / self.item_stride + 1;
            return true;
        }
        let Some((axis, share)) = self.lines else { return false };
        let longest = (allowed / self.pitch.max(1)).saturating_mul(share);
        let length = cut_length(longest, granules[axis]).min(size[axis]);
        let shortens = length > 0 && length < size[axis];
        if shortens {
            size[axis] = length;
        }
        shortens
    }
}

/// The largest length up to `longest` at which an axis may be cut: at whole tiles where there is room for one, otherwise
/// at whole granules.
fn cut_length(longest: usize, granule: usize) -> usize {
    let unit = if longest >= 256 { 256 } else { granule };
    longest / unit * unit
}

fn operand(desc: &MatmulDesc, which: usize) -> Operand {
    [desc.a, desc.b][which]
}

/// How the tensors of a product are stored.
#[derive(Clone, Debug)]
pub(super) struct Tensors {
    stored: Vec<Stored>,
    whole: Sizes,
    /// Bytes of every tensor.
    totals: Vec<(&'static str, u64)>,
    alignment: usize,
    limit: u64,
    /// The least that an axis may be cut at: where words start in every tensor, and where groups end.
    granules: Sizes,
}

impl Tensors {
    pub(super) fn new(desc: &MatmulDesc, capabilities: &Capabilities) -> Self {
        let mut stored = Vec::new();
        for (which, [name, scale, zero]) in
            [["a", "a_scale", "a_zero"], ["b", "b_scale", "b_zero"]].into_iter().enumerate()
        {
            stored.push(Stored::operand(desc, which, name, None));
            stored.extend([scale, zero].into_iter().filter_map(|name| match operand(desc, which).scale {
                None | Some(Granularity::PerTensor) => None,
                Some(Granularity::PerGroup(size)) => Some(Stored::operand(desc, which, name, Some(size))),
                Some(_) => Some(Stored::per_row(desc, which, name)),
            }));
        }
        let gate = desc.gate.unwrap_or(Columns::all(desc.n));
        stored.push(Stored::per_column("bias", 0, 0).together(desc, desc.b_columns()));
        stored.push(Stored::per_column("gate", gate.width, gate.start));
        let out = desc.out_columns.unwrap_or(Columns::all(desc.n));
        stored.push(Stored::result(desc, "residual", Columns::all(desc.n), desc.residual_shared));
        stored.push(Stored::result(desc, "out", out, false));
        let totals = desc.tensors();
        let totals: Vec<_> = totals.iter().map(|spec| (spec.name, spec.gpu_bytes().unwrap_or(0))).collect();
        stored.retain(|tensor| totals.iter().any(|(name, bytes)| *name == tensor.name && *bytes > 0));
        let group = [desc.a.group(), desc.b.group()].into_iter().flatten().max().unwrap_or(32);
        let limits = &capabilities.limits;
        Self {
            stored,
            whole: Sizes::of(desc),
            totals,
            alignment: limits.min_storage_buffer_offset_alignment as usize,
            limit: limits.max_storage_buffer_binding_size,
            granules: Sizes([1, if desc.a.transposed { 4 } else { 1 }, 4, group]),
        }
    }

    /// The largest parts of which every tensor's range can be bound, as far as that can be: a tensor that cannot be cut
    /// stays too large, and the plan refuses it by name.
    ///
    /// Cuts along k change the order of a sum. Where rows must keep their bits, nothing that depends on the number of rows
    /// may cause one.
    pub(super) fn lengths(&self, desc: &MatmulDesc) -> Sizes {
        let mut size = self.whole;
        for tensor in &self.stored {
            // The only item must be cut along k wherever one of many is.
            let always = desc.batch_invariant;
            while tensor.bytes(size, self.whole, self.alignment, always) > self.limit {
                let by_item = tensor.item_stride > 0 && size[Axis::Item] > 1;
                let fixed = match tensor.lines {
                    _ if by_item => false,
                    Some((Axis::Depth, _)) => desc.batch_invariant && tensor.name.starts_with('a'),
                    _ => false,
                };
                if fixed || !tensor.shorten(&mut size, self.limit, self.alignment, &self.granules) {
                    break;
                }
            }
        }
        size
    }

    /// Shortens parts so that scratch of so many bytes to a row fits a binding.
    pub(super) fn fit_scratch(&self, size: &mut Sizes, row_bytes: u64) {
        let rows = usize::try_from(self.limit / row_bytes.max(1)).unwrap_or(usize::MAX);
        if size[Axis::Item].saturating_mul(size[Axis::Row]) > rows {
            size[Axis::Item] = (rows / size[Axis::Row].max(1)).clamp(1, size[Axis::Item]);
            size[Axis::Row] = match cut_length(rows, self.granules[Axis::Row]) {
                0 => size[Axis::Row],
                length => length.min(size[Axis::Row]),
            };
        }
    }

    /// The range of a tensor that a part binds, where that is not all of it, and the first element of it that the part uses.
    pub(super) fn place(&self, name: &str, part: &Part) -> (Option<Window>, usize) {
        let Some(stored) = self.stored.iter().find(|stored| stored.name == name) else { return (None, 0) };
        let at = |(axis, share): (Axis, usize)| part.start[axis] / share;
        let line = part.start[Axis::Item] * stored.item_stride + stored.lines.map_or(0, at) * stored.pitch;
        let first = line + stored.start + stored.along.map_or(0, at);
        if !stored.is_cut(part.size, self.whole) {
            return (None, first);
        }
        let offset = line * stored.element / self.alignment * self.alignment;
        let end = (line + stored.span(part.size)) * stored.element;
        let total = self.totals.iter().find(|(total, _)| *total == name).map_or(0, |(_, bytes)| *bytes);
        let window = Window { offset: offset as u64, bytes: (end as u64).min(total) - offset as u64 };
        (Some(window), first - offset / stored.element)
    }
}
