//! Grids of which a tensor is larger than a binding may be: they are computed in parts, each a grid of its own. Pure functions.

use crate::Capabilities;
use crate::recipe::Window;
use langevin_reference::{Edge, GridAxis, TensorSpec};
use std::ops::Range;

/// The axis along which fields are cut.
const OUTERMOST: usize = 0;

/// A grid that dispatches compute: all of a field, items of its batch, or neighbouring planes of one item with as many to
/// each side as the steps reach. A plane is what one position of the outermost axis holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// Items of the batch.
    pub(super) items: usize,
    /// The axes, the fastest last. Where planes were cut off, the edge of the outermost one does not matter.
    pub(super) axes: Vec<GridAxis>,
    /// The planes that are written.
    pub(super) kept: Range<usize>,
    /// What of each tensor is bound, in the order of the tensors.
    pub(super) ranges: Vec<Bound>,
}

/// A range of a tensor as a part's shader finds it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bound {
    /// The variable of the shader.
    pub(super) variable: &'static str,
    /// The tensor.
    pub(super) tensor: &'static str,
    /// Nothing where all of it is bound.
    pub(super) window: Option<Window>,
    /// What is added to an index of the part's own grid, in elements; it may wrap.
    pub(super) shift: u32,
    /// Of the higher end of a periodic axis, the index of the part's own grid from which on the tensor is found here.
    pub(super) seam: Option<u32>,
}

/// How a tensor lies in memory.
#[derive(Clone, Copy, Debug)]
struct Stored {
    name: &'static str,
    element: u64,
    plane: u64,
    item: u64,
    /// Whether planes beside those that are written are read.
    spread: bool,
}

/// The tensors whose neighbours are read, and the names of the two ends of a periodic axis where they meet.
const SPREAD: [[&str; 3]; 2] = [["u", "u_low", "u_high"], ["medium", "medium_low", "medium_high"]];

/// A field to be cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) specs: &'a [TensorSpec],
    pub(super) batch: usize,
    pub(super) axes: &'a [GridAxis],
    /// How many planes to each side the steps of a dispatch reach.
    pub(super) halo: usize,
}

impl Field<'_> {
    /// The parts of a field whose tensors fit into bindings; the whole where they fit, or where no part would.
    pub(super) fn parts(self, capabilities: &Capabilities) -> Vec<Part> {
        let limit = capabilities.limits.max_storage_buffer_binding_size;
        let align = u64::from(capabilities.limits.min_storage_buffer_offset_alignment).max(16);
        let stored = self.stored();
        let fits = |tensor: &Stored| tensor.item * self.batch as u64 <= limit;
        // A window starts where the device allows, up to an alignment before its first plane.
        let room = limit.saturating_sub(align);
        let items = stored.iter().map(|tensor| room / tensor.item.max(1)).min().unwrap_or(0) as usize;
        if stored.iter().all(fits) {
            return vec![self.whole()];
        }
        if items > 0 {
            let groups = (0..self.batch).step_by(items);
            let group = |first: usize| self.items(&stored, first..(first + items).min(self.batch), align);
            return groups.map(group).collect();
        }
        let reach = |tensor: &Stored| if tensor.spread { 2 * self.halo as u64 } else { 0 };
        let most = |tensor: &Stored| (room / tensor.plane.max(1)).saturating_sub(reach(tensor));
        let planes = stored.iter().map(most).min().unwrap_or(0) as usize;
        // On one axis a plane is a cell, and quads of cells would start anywhere.
        if planes == 0 || self.axes.len() < 2 {
            return vec![self.whole()];
        }
        (0..self.batch).flat_map(|item| self.bands(&stored, item, planes, align)).collect()
    }

    fn extent(self) -> usize {
        self.axes.first().map_or(1, |axis| axis.extent)
    }

    fn stored(self) -> Vec<Stored> {
        let width = self.axes.last().map_or(1, |axis| axis.extent);
        let rows: usize = self.axes.iter().rev().skip(1).map(|axis| axis.extent).product();
        let stored = |spec: &TensorSpec| {
            let element = spec.dtype.bytes() as u64;
            let item = rows as u64 * spec.dtype.padded_row_len(width) as u64 * element;
            let spread = SPREAD.iter().any(|[name, ..]| *name == spec.name);
            Stored { name: spec.name, element, plane: item / self.extent().max(1) as u64, item, spread }
        };
        self.specs.iter().map(stored).collect()
    }

    fn whole(self) -> Part {
        let whole = |spec: &TensorSpec| Bound {
            variable: spec.name,
            tensor: spec.name,
            window: None,
            shift: 0,
            seam: None,
        };
        let ranges = self.specs.iter().map(whole).collect();
        Part { items: self.batch, axes: self.axes.to_vec(), kept: 0..self.extent(), ranges }
    }

    fn items(self, stored: &[Stored], items: Range<usize>, align: u64) -> Part {
        let range = |tensor: &Stored| items.start as u64 * tensor.item..items.end as u64 * tensor.item;
        let ranges = stored.iter().map(|tensor| tensor.bound(tensor.name, range(tensor), align));
        Part { items: items.len(), ranges: ranges.collect(), ..self.whole() }
    }

    /// The planes of an item, at most `most` at a time.
    fn bands(self, stored: &[Stored], item: usize, most: usize, align: u64) -> Vec<Part> {
        let (extent, periodic) = (self.extent(), self.axes[OUTERMOST].periodic());
        let inner = if periodic { self.halo..extent - self.halo } else { 0..extent };
        let count = inner.len().div_ceil(most);
        let length = inner.len().div_ceil(count.max(1)).max(1);
        let starts = inner.clone().step_by(length);
        let mut parts: Vec<Part> = starts
            .map(|start| self.band(stored, item, start..(start + length).min(inner.end), align))
            .collect();
        if periodic {
            parts.extend([0, 1].map(|side| self.seam(stored, item, side, align)));
        }
        parts
    }

    /// Planes between which and the ends of the axis there are enough others, or its faces.
    fn band(self, stored: &[Stored], item: usize, planes: Range<usize>, align: u64) -> Part {
        let extent = self.extent();
        let read = planes.start.saturating_sub(self.halo)..(planes.end + self.halo).min(extent);
        let mut axes = self.axes.to_vec();
        let [before, after] = axes[OUTERMOST].edges;
        let cut = Edge::Fixed(0.0);
        axes[OUTERMOST].extent = read.len();
        axes[OUTERMOST].edges = [
            if read.start == 0 && before != Edge::Periodic { before } else { cut },
            if read.end == extent && after != Edge::Periodic { after } else { cut },
        ];
        let first = item * extent;
        let kept = planes.start - read.start..planes.end - read.start;
        let bound = |tensor: &Stored| {
            let (range, before) = if tensor.spread { (&read, 0) } else { (&planes, kept.start) };
            let bytes = tensor.planes(first + range.start..first + range.end);
            tensor.bound(tensor.name, bytes, align).starting_at(tensor.elements(before))
        };
        let ranges = stored.iter().map(bound).collect();
        Part { items: 1, axes, kept, ranges }
    }

    /// The first or the last planes of a periodic axis: both ends of what they are made of are bound.
    fn seam(self, stored: &[Stored], item: usize, side: usize, align: u64) -> Part {
        let (extent, halo) = (self.extent(), self.halo);
        let mut axes = self.axes.to_vec();
        axes[OUTERMOST].extent = 4 * halo;
        axes[OUTERMOST].edges = [Edge::Fixed(0.0); 2];
        let first = item * extent;
        let kept = [halo..2 * halo, 2 * halo..3 * halo][side].clone();
        let written = [extent - halo..extent, 0..halo][side].clone();
        let bound = |tensor: &Stored| match SPREAD.iter().find(|[name, ..]| *name == tensor.name) {
            Some([_, low, high]) => {
                let (last, at) = (first + extent, tensor.elements(2 * halo));
                let high = tensor.bound(high, tensor.planes(first..first + 2 * halo), align).starting_at(at);
                let low = tensor.bound(low, tensor.planes(last - 2 * halo..last), align);
                vec![low, Bound { seam: Some(at), ..high }]
            }
            None => {
                let bytes = tensor.planes(first + written.start..first + written.end);
                vec![tensor.bound(tensor.name, bytes, align).starting_at(tensor.elements(kept.start))]
            }
        };
        let ranges = stored.iter().flat_map(bound).collect();
        Part { items: 1, axes, kept, ranges }
    }
}

impl Stored {
    fn planes(&self, planes: Range<usize>) -> Range<u64> {
        planes.start as u64 * self.plane..planes.end as u64 * self.plane
    }

    /// Elements of that many planes; the descriptor's check has bounded them.
    fn elements(&self, planes: usize) -> u32 {
        (planes as u64 * self.plane / self.element) as u32
    }

    /// A range of bytes of it, with as many before as an alignment takes.
    fn bound(&self, variable: &'static str, bytes: Range<u64>, align: u64) -> Bound {
        let offset = bytes.start / align * align;
        let window = Some(Window { offset, bytes: bytes.end - offset });
        let shift = ((bytes.start - offset) / self.element) as u32;
        Bound { variable, tensor: self.name, window, shift, seam: None }
    }
}

impl Bound {
    /// The same where its first element has that index in the part's grid.
    fn starting_at(self, index: u32) -> Self {
        Self { shift: self.shift.wrapping_sub(index), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use langevin_reference::Format;

    fn parts(spatial: &[usize], batch: usize, edge: Edge, halo: usize, limit: u64) -> Vec<Part> {
        let mut capabilities = Capabilities::minimal();
        capabilities.limits.max_storage_buffer_binding_size = limit;
        let axis = |&extent: &usize| GridAxis { extent, spacing: 1.0, edges: [edge; 2] };
        let axes: Vec<GridAxis> = spatial.iter().map(axis).collect();
        let shape = [&[batch], spatial].concat();
        let specs =
            [TensorSpec::input("u", Format::F32, &shape), TensorSpec::output("out", Format::F32, &shape)];
        Field { specs: &specs, batch, axes: &axes, halo }.parts(&capabilities)
    }

    /// The planes of the whole field that a part writes, from where its output starts.
    fn written(part: &Part, plane_bytes: u64) -> Range<u64> {
        let out = part.ranges.iter().find(|bound| bound.variable == "out").unwrap();
        let offset = out.window.map_or(0, |window| window.offset / 4);
        let plane = plane_bytes / 4;
        let first = out.shift.wrapping_add(part.kept.start as u32 * plane as u32);
        let start = (offset + u64::from(first)) / plane;
        start..start + part.kept.len() as u64
    }

    #[test]
    fn every_plane_is_written_once() {
        for edge in [Edge::Periodic, Edge::Dirichlet(1.0)] {
            for (extent, halo, limit) in [(40, 1, 1500), (40, 3, 1500), (23, 2, 1000), (300, 8, 9000)] {
                // 12 columns of f32.
                let all = parts(&[extent, 12], 2, edge, halo, limit);
                assert!(all.len() > 2);
                let mut planes: Vec<u64> = all.iter().flat_map(|part| written(part, 48)).collect();
                planes.sort_unstable();
                assert_eq!(
                    planes,
                    (0..2 * extent as u64).collect::<Vec<_>>(),
                    "{edge:?} {extent} {halo} {limit}"
                );
                let windows = all.iter().flat_map(|part| &part.ranges).filter_map(|bound| bound.window);
                assert!(windows.clone().all(|window| window.bytes <= limit && window.offset % 256 == 0));
            }
        }
    }

    #[test]
    fn what_fits_stays_whole_and_items_come_before_planes() {
        assert_eq!(parts(&[8, 8], 4, Edge::Periodic, 1, 1024).len(), 1);
        let items = parts(&[8, 8], 7, Edge::Periodic, 1, 1024);
        assert_eq!(items.iter().map(|part| part.items).collect::<Vec<_>>(), [3, 3, 1]);
        // A row that does not fit with those beside it, and an axis without rows.
        assert_eq!(parts(&[8, 300], 1, Edge::Periodic, 1, 2048).len(), 1);
        assert_eq!(parts(&[600], 1, Edge::Periodic, 1, 2048).len(), 1);
    }
}
