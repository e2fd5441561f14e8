//! How regions, what has one scale, are spread over invocations.

use crate::kernel::Variant;
use crate::{Capabilities, Granularity, QuantizeDesc, Tier};

/// Enough workgroups for any GPU; beyond them each does more. Their partial extremes must stay few, since every
/// workgroup of the second dispatch reads them all.
pub(super) const MAX_GROUPS: usize = 1024;
/// A CPU has fewer cores, and one invocation there reads all partials by itself.
const MAX_SOFTWARE_GROUPS: usize = 32;
/// Regions up to that many units are shared by 8 invocations; 64 would find nothing to do.
const SHORT: usize = 32;
/// From that many units on a CPU's vector works on one region; below it has one for each lane.
const LONG: usize = 64;
/// Units that an invocation reads before it works on them: reads wait for each other less.
pub(super) const UNROLL: u32 = 4;

/// Who works, before the regions are known.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Workers {
    pub(super) software: bool,
    /// Whether a workgroup of 8 is a part of one subgroup.
    pub(super) subgroup: bool,
    /// Invocations of a workgroup.
    pub(super) lanes: u32,
    /// Invocations that merge their extremes.
    pub(super) team: u32,
}

impl Workers {
    pub(super) fn of(variant: Variant, capabilities: &Capabilities) -> Self {
        let software = variant.tier == Tier::Software;
        let subgroup = software && capabilities.has(Tier::Subgroup) && capabilities.subgroup_sizes.0 >= 8;
        let lanes = if software { 8 } else { 64 };
        Self { software, subgroup, lanes, team: lanes }
    }

    /// The team for regions of that many units. A CPU merges nothing where it has no subgroups.
    pub(super) fn sized(self, units: usize) -> Self {
        let team = match self.software {
            true if self.subgroup && units >= LONG => 8,
            true => 1,
            false if units <= SHORT => 8,
            false => 64,
        };
        Self { team, ..self }
    }
}

/// What has one scale: some units of some rows. A unit is four neighbouring elements of a row, one word of codes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Regions {
    /// How many stand side by side.
    pub(super) across: usize,
    /// How many stand below each other in a matrix.
    pub(super) down: usize,
    /// Matrices.
    pub(super) matrices: usize,
    /// Rows of a matrix.
    pub(super) matrix_rows: usize,
    /// Units of a region; the last one of a row may have fewer.
    pub(super) units: usize,
    /// Rows of a region; the last one of a matrix may have fewer.
    pub(super) rows: usize,
}

impl Regions {
    pub(super) fn of(desc: &QuantizeDesc) -> Self {
        let (rows, width) = (desc.rows(), desc.width());
        let single =
            Self { across: 1, down: 1, matrices: rows, matrix_rows: 1, units: width.div_ceil(4), rows: 1 };
        match desc.granularity.within(desc.matrix_rows(), width) {
            Granularity::PerGroup(size) => Self { across: width.div_ceil(size), units: size / 4, ..single },
            Granularity::PerRow => single,
            Granularity::PerBlock { rows: height, columns } => {
                let matrix_rows = desc.matrix_rows();
                Self {
                    across: width.div_ceil(columns),
                    down: matrix_rows.div_ceil(height),
                    matrices: rows.checked_div(matrix_rows).unwrap_or(0),
                    matrix_rows,
                    units: columns / 4,
                    rows: height,
                }
            }
            _ => Self { matrices: 1, matrix_rows: rows, rows, ..single },
        }
    }

    pub(super) fn count(&self) -> usize {
        self.across * self.down * self.matrices
    }
}

/// How the work is spread.
#[derive(Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) rows: usize,
    pub(super) width: usize,
    pub(super) row_units: usize,
    pub(super) regions: Regions,
    /// One region is the whole tensor, over which all workgroups are spread; else teams take regions.
    pub(super) flat: bool,
    pub(super) workers: Workers,
    /// How many units wide a team stands.
    pub(super) team_x: u32,
    /// At most that many workgroups find partial extremes.
    pub(super) max_partial_groups: usize,
}

impl Layout {
    pub(super) fn of(desc: &QuantizeDesc, workers: Workers) -> Self {
        let (rows, width) = (desc.rows(), desc.width());
        let regions = Regions::of(desc);
        let flat = regions.across == 1 && regions.down == 1 && regions.matrices == 1;
        let workers =
            workers.sized(if flat { usize::MAX } else { regions.units.saturating_mul(regions.rows) });
        let team_x = match flat {
            true => workers.lanes,
            false => (regions.units.next_power_of_two() as u32).min(workers.team),
        };
        let max_partial_groups = if workers.software { MAX_SOFTWARE_GROUPS } else { MAX_GROUPS };
        Self { rows, width, row_units: width.div_ceil(4), regions, flat, workers, team_x, max_partial_groups }
    }

    pub(super) fn units(&self) -> usize {
        self.rows * self.row_units
    }

    /// Neighbouring units that a workgroup takes where rows do not matter, a whole number for each invocation.
    pub(super) fn group_units(&self, max_groups: usize) -> usize {
        let lanes = self.workers.lanes as usize;
        self.units().div_ceil(max_groups).next_multiple_of(lanes).max(lanes)
    }

    /// The most units that one invocation takes, and rows with them.
    pub(super) fn units_of_one(&self, max_groups: usize) -> usize {
        let Self { regions, workers, team_x, .. } = self;
        match self.flat {
            true => self.group_units(max_groups) / workers.lanes as usize,
            false => {
                let rows = regions.rows.div_ceil((workers.team / team_x) as usize);
                rows.saturating_mul(regions.units.div_ceil(*team_x as usize) + 1)
            }
        }
    }

    /// Workgroups of the dispatch that finds partial extremes.
    pub(super) fn partial_groups(&self) -> u64 {
        self.units().div_ceil(self.group_units(self.max_partial_groups)).max(1) as u64
    }

    pub(super) fn partials(&self) -> u64 {
        self.partial_groups() * u64::from(self.workers.lanes / self.workers.team)
    }

    /// Workgroups of the dispatch that writes codes, and the scales where they are dynamic: those exist without codes.
    pub(super) fn groups(&self, dynamic: bool) -> u64 {
        let groups = match self.flat {
            false if self.row_units == 0 && !dynamic => 0,
            false => self.regions.count().div_ceil((self.workers.lanes / self.workers.team) as usize),
            true => self.units().div_ceil(self.group_units(MAX_GROUPS)),
        };
        groups.max(usize::from(dynamic && self.flat)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LANES, TEAMS};
    use super::*;

    fn layout(shape: &[usize], granularity: Granularity, tier: Tier) -> Layout {
        let desc = QuantizeDesc { shape: shape.to_vec(), granularity, ..Default::default() };
        let capabilities = Capabilities { subgroup_sizes: (8, 8), ..Capabilities::minimal() };
        let features = wgpu::Features::SUBGROUP;
        let variant = if tier == Tier::Software { LANES } else { TEAMS };
        Layout::of(&desc, Workers::of(variant, &Capabilities { features, ..capabilities }))
    }

    #[test]
    fn short_rows_share_a_workgroup() {
        let per_row = |width| layout(&[100, width], Granularity::PerRow, Tier::Portable);
        assert_eq!((per_row(128).workers.team, per_row(128).groups(true)), (8, 13));
        assert_eq!((per_row(129).workers.team, per_row(129).groups(true)), (64, 100));
        let software = |width| layout(&[100, width], Granularity::PerRow, Tier::Software);
        assert_eq!((software(129).workers.team, software(129).groups(true)), (1, 13));
        assert_eq!((software(256).workers.team, software(256).groups(true)), (8, 100));
    }

    #[test]
    fn a_cpu_without_subgroups_merges_nothing() {
        let desc =
            QuantizeDesc { shape: vec![9, 900], granularity: Granularity::PerRow, ..Default::default() };
        let workers = Workers::of(LANES, &Capabilities::minimal());
        let layout = Layout::of(&desc, workers);
        assert_eq!((layout.workers.team, layout.groups(true)), (1, 2));
    }

    #[test]
    fn one_row_is_spread_like_a_tensor() {
        let per_row = layout(&[1, 1 << 20], Granularity::PerRow, Tier::Portable);
        let tensor = layout(&[1 << 20], Granularity::PerTensor, Tier::Portable);
        assert_eq!((per_row.flat, per_row.groups(true), per_row.partials()), (true, 1024, 1024));
        assert_eq!((tensor.flat, tensor.groups(true), tensor.partials()), (true, 1024, 1024));
        let software = layout(&[1 << 20], Granularity::PerTensor, Tier::Software);
        assert_eq!((software.groups(true), software.partials()), (1024, 32));
    }

    #[test]
    fn groups_and_blocks_are_regions() {
        let groups = layout(&[3, 70], Granularity::PerGroup(32), Tier::Portable);
        assert_eq!((groups.regions.count(), groups.workers.team, groups.team_x), (9, 8, 8));
    }

    #[test]
    fn groups_and_blocks_larger_than_the_tensor_are_as_large_as_it() {
        for tier in [Tier::Portable, Tier::Software] {
            let rows = layout(&[3, 70], Granularity::PerGroup(72), tier);
            for size in [(1 << 34) - 4, 1 << 34, usize::MAX - 3] {
                assert_eq!(layout(&[3, 70], Granularity::PerGroup(size), tier), rows, "{size}");
                let block = Granularity::PerBlock { rows: size, columns: size };
                assert_eq!(
                    layout(&[3, 70], block, tier),
                    layout(&[3, 70], Granularity::PerBlock { rows: 3, columns: 72 }, tier),
                    "{size}"
                );
                layout(&[3, 0], Granularity::PerGroup(size), tier);
                layout(&[0, 70], block, tier);
            }
        }
    }

    #[test]
    fn empty_tensors_still_have_scales() {
        let groups = |shape: &[usize], granularity, dynamic| {
            layout(shape, granularity, Tier::Portable).groups(dynamic)
        };
        assert_eq!(groups(&[0], Granularity::PerTensor, true), 1);
        assert_eq!(groups(&[0], Granularity::PerTensor, false), 0);
        assert_eq!(groups(&[9, 0], Granularity::PerRow, true), 2);
        assert_eq!(groups(&[9, 0], Granularity::PerRow, false), 0);
        assert_eq!(groups(&[0, 9], Granularity::PerRow, true), 0);
        assert_eq!(groups(&[9, 0], Granularity::PerGroup(32), true), 0);
    }
}
