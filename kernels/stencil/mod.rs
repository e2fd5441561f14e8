//! What the plans of every stencil share: `shaders/shared/stencil_*.wgsl` and their parameters.

mod cells;
mod parts;
mod rows;
mod strips;
mod super_step;
mod tiles;

use crate::kernel::Variant;
use crate::recipe::{Load, Recipe, SCRATCH, Stage, StageBuilder};
use crate::{Capabilities, Tier};
use langevin_gpu::ParamValue;
use langevin_reference::{Edge, FaceMean, GridAxis, Point, RklStage, Stencil, TensorSpec};
use parts::{Bound, Field, Part};
use std::ops::Range;

pub(crate) const STRIPS: Variant = Variant {
    name: "strips",
    tier: Tier::Software,
    reason: "the adapter is a CPU with subgroups of 8: each cell is read once, neighbours come by shuffles, and the steps \
             between stay in registers",
};

pub(crate) const TILES: Variant = Variant {
    name: "tiles",
    tier: Tier::Portable,
    reason: "several steps between reading and writing a cell once, in workgroup memory. Not measured on a GPU",
};

pub(crate) const ROWS: Variant = Variant {
    name: "rows",
    tier: Tier::Portable,
    reason: "the nearest cells along each axis, on every device: rows stay in registers while an invocation walks down",
};

pub(crate) const CELLS: Variant = Variant {
    name: "cells",
    tier: Tier::Portable,
    reason: "every stencil, with media and sources, on every device: each cell reads all that it needs",
};

/// Steps of a stencil on the tensors `u` and `out`, and `medium` and `source` where there are any.
#[derive(Clone)]
pub(crate) struct Steps {
    /// The operation, for labels.
    pub(crate) name: &'static str,
    pub(crate) specs: Vec<TensorSpec>,
    /// What becomes of a cell and the sum of its differences.
    pub(crate) finish: Finish,
    pub(crate) batch: usize,
    pub(crate) axes: Vec<GridAxis>,
    pub(crate) stencil: Stencil,
    /// The cells around and the factors of their differences.
    pub(crate) points: Vec<Point>,
    /// The factor of the source.
    pub(crate) rate: f64,
    pub(crate) face_mean: FaceMean,
    /// How many, one after the other.
    pub(crate) count: usize,
}

/// What becomes of a cell.
#[derive(Clone, Copy)]
pub(crate) enum Finish {
    /// The part with `finish`.
    Of(&'static str),
    /// A stage of a super step, counted from 0.
    Stage(usize, RklStage),
}

/// The variants that can do it, the preferred one first. Only `CELLS` is for what is not `plain`: the nearest cells along each
/// axis, and neither media nor sources.
pub(crate) fn variants(axes: usize, count: usize, plain: bool, capabilities: &Capabilities) -> Vec<Variant> {
    let mut variants = Vec::new();
    if plain && axes <= 2 && strips::can_run(capabilities) {
        variants.push(STRIPS);
    }
    if plain && axes == 2 && count > 1 {
        variants.push(TILES);
    }
    if plain {
        variants.push(ROWS);
    }
    variants.push(CELLS);
    variants
}

/// The variants that can do a stage of a super step.
pub(crate) fn stage_variants(plain: bool) -> Vec<Variant> {
    if plain { vec![ROWS, CELLS] } else { vec![CELLS] }
}

impl Steps {
    pub(crate) fn recipe(&self, variant: Variant, capabilities: &Capabilities) -> Recipe {
        let each = |halo: usize, stage: &dyn Fn(&Part) -> Stage| {
            let stages = self.parts(halo, capabilities).iter().map(|part| part.bind(stage(part))).collect();
            Recipe { stages, scratch_bytes: 0 }
        };
        let mut recipe = match variant {
            STRIPS => each(self.count, &|part| self.strips(part, capabilities)),
            TILES => each(self.count, &|part| self.tiles(part, capabilities)),
            ROWS => self.one_by_one(capabilities, |part| self.row_stage(part, capabilities)),
            _ => self.one_by_one(capabilities, |part| self.cell_stage(part)),
        };
        recipe.stages.retain(|stage| stage.groups > 0);
        if recipe.stages.is_empty() {
            recipe.scratch_bytes = 0;
        }
        recipe
    }

    /// One dispatch for each step and part. The steps between write into the scratch and the output in turn, so that the last
    /// one writes the output.
    fn one_by_one(&self, capabilities: &Capabilities, stage: impl Fn(&Part) -> Stage) -> Recipe {
        let parts = self.parts(self.stencil.reach(), capabilities);
        let stages: Vec<Stage> = parts.iter().map(|part| part.bind(stage(part))).collect();
        let out = self.specs.iter().find(|spec| spec.name == "out");
        let bytes = out.and_then(TensorSpec::gpu_bytes).unwrap_or(u64::MAX);
        let target = |step: usize| if (self.count - 1 - step).is_multiple_of(2) { "out" } else { SCRATCH };
        let step = |step: usize| {
            let source = if step == 0 { "u" } else { target(step - 1) };
            let names = [("u", source), ("out", target(step))];
            stages.iter().map(move |stage| stage.clone().instead(names))
        };
        let scratch_bytes = if self.count > 1 { bytes } else { 0 };
        Recipe { stages: (0..self.count).flat_map(step).collect(), scratch_bytes }
    }

    fn parts(&self, halo: usize, capabilities: &Capabilities) -> Vec<Part> {
        Field { specs: &self.specs, batch: self.batch, axes: &self.axes, halo }.parts(capabilities)
    }

    /// A stage on a part, with what says where the tensors lie.
    fn on(&self, part: &Part) -> StageBuilder {
        let mut specs = self.specs.clone();
        let ends = part.ranges.iter().filter(|bound| bound.variable != bound.tensor);
        let end = |bound: &Bound| {
            let spec = specs.iter().find(|spec| spec.name == bound.tensor)?;
            Some(TensorSpec { name: bound.variable, ..spec.clone() })
        };
        let ends: Vec<TensorSpec> = ends.filter_map(end).collect();
        specs.extend(ends);
        let mut builder = StageBuilder::over(self.name, specs).constant("AXES", self.axes.len() as u32);
        for names in &TENSORS {
            builder = builder.param(names.shift, ParamValue::U32(part.shift(names.tensor)));
        }
        builder
    }

    /// Elements from one row of a tensor to the next; 0 where it is absent.
    fn pitch(&self, tensor: &str) -> usize {
        let width = self.axes.last().map_or(1, |axis| axis.extent);
        let spec = self.specs.iter().find(|spec| spec.name == tensor);
        spec.map_or(0, |spec| spec.dtype.padded_row_len(width))
    }

    /// The part with `finish`; stages of super steps have none, and none of the variants that ask.
    fn text(&self) -> &'static str {
        match self.finish {
            Finish::Of(text) => text,
            Finish::Stage(..) => "",
        }
    }

    /// Gives a stage `finish`, and `result` to those that write where they are told.
    fn finishes(&self, builder: StageBuilder, part: &Part) -> StageBuilder {
        match self.finish {
            Finish::Of(text) => {
                let result = include_str!("../../shaders/shared/stencil_result.wgsl");
                builder.part("finish", text).part("result", result)
            }
            Finish::Stage(number, stage) => self.stage(builder, part, number, stage),
        }
    }

    /// Gives a stage the accessors of a tensor that is read.
    fn reads(&self, builder: StageBuilder, part: &Part, names: &TensorNames, load: Load) -> StageBuilder {
        let Some((low, high, seam)) = part.ends(names.tensor) else {
            return builder.reads_by(names.tensor, load);
        };
        builder
            .param(names.seam, ParamValue::U32(seam))
            .param(names.shifts[0], ParamValue::U32(low.shift))
            .param(names.shifts[1], ParamValue::U32(high.shift))
            .reads_by(low.variable, load)
            .reads_by(high.variable, load)
            .part_for(names.tensor, "load_seam", include_str!("../../shaders/shared/load_seam.wgsl"))
    }

    /// The factor of the differences along each axis, the fastest first; nothing along those that are not there.
    fn axis_weights(&self) -> [f64; 3] {
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map(|steps| self.weight(steps))
    }
}

/// The names of a tensor and of the parameters that say where it lies.
struct TensorNames {
    tensor: &'static str,
    pitch: &'static str,
    shift: &'static str,
    seam: &'static str,
    shifts: [&'static str; 2],
}

macro_rules! tensor_names {
    ($tensor:literal) => {
        TensorNames {
            tensor: $tensor,
            pitch: concat!($tensor, "_pitch"),
            shift: concat!($tensor, "_shift"),
            seam: concat!($tensor, "_seam"),
            shifts: [concat!($tensor, "_low_shift"), concat!($tensor, "_high_shift")],
        }
    };
}

use tensor_names;

const U: TensorNames = tensor_names!("u");
const MEDIUM: TensorNames = tensor_names!("medium");
const SOURCE: TensorNames = tensor_names!("source");
const TENSORS: [TensorNames; 4] = [U, MEDIUM, SOURCE, tensor_names!("out")];

impl Part {
    /// The axes, the fastest first, and three of them.
    fn three_axes(&self) -> [GridAxis; 3] {
        let mut axes = self.axes.iter().copied().rev();
        std::array::from_fn(|_| axes.next().unwrap_or(ABSENT))
    }

    /// The rows and the slices that are written, of each item of the batch.
    fn written(&self) -> [Range<usize>; 2] {
        let [_, y, _] = self.three_axes();
        match self.axes.len() {
            1 => [0..1, 0..1],
            2 => [self.kept.clone(), 0..1],
            _ => [0..y.extent, self.kept.clone()],
        }
    }

    /// A stage with what this part binds.
    fn bind(&self, stage: Stage) -> Stage {
        let mut stage = stage;
        for bound in &self.ranges {
            stage = stage.bound_to(bound.variable, bound.tensor, bound.window);
        }
        stage
    }

    /// What is added to an index of a tensor that lies in one piece.
    fn shift(&self, tensor: &str) -> u32 {
        self.ranges.iter().find(|bound| bound.variable == tensor).map_or(0, |bound| bound.shift)
    }

    /// Both ends of a periodic axis, where they meet in this part, and the index from which on it is the other.
    fn ends(&self, tensor: &str) -> Option<(&Bound, &Bound, u32)> {
        let mut ends = self.ranges.iter().filter(|bound| bound.tensor == tensor && bound.variable != tensor);
        let (low, high) = (ends.next()?, ends.next()?);
        Some((low, high, high.seam?))
    }
}

/// An axis that is not there.
const ABSENT: GridAxis = GridAxis { extent: 1, spacing: 1.0, edges: [Edge::Periodic; 2] };

/// The names of an axis' parameters in the shaders.
struct AxisNames {
    extent: &'static str,
    weight: &'static str,
    periodic: &'static str,
    slopes: [&'static str; 2],
    offsets: [&'static str; 2],
}

macro_rules! axis_names {
    ($axis:literal, $extent:literal) => {
        AxisNames {
            extent: $extent,
            weight: concat!("weight_", $axis),
            periodic: concat!("periodic_", $axis),
            slopes: [concat!("slope_", $axis, "_low"), concat!("slope_", $axis, "_high")],
            offsets: [concat!("offset_", $axis, "_low"), concat!("offset_", $axis, "_high")],
        }
    };
}

/// The fastest axis first.
const AXES: [AxisNames; 3] =
    [axis_names!("x", "width"), axis_names!("y", "height"), axis_names!("z", "depth")];

impl AxisNames {
    /// The weight of an axis and what lies beyond its ends.
    fn edges(&self, builder: StageBuilder, axis: &GridAxis, weight: f64) -> StageBuilder {
        let mut builder = builder.param(self.weight, factor(weight));
        for side in 0..2 {
            let [slope, offset] = axis.face(side);
            builder =
                builder.param(self.slopes[side], factor(slope)).param(self.offsets[side], factor(offset));
        }
        builder
    }
}

/// Subnormal parameters might be flushed on the way; the bound counts them as zero.
fn factor(value: f64) -> ParamValue {
    let rounded = value as f32;
    ParamValue::F32(if rounded.is_normal() { rounded } else { 0.0 })
}

/// The smallest multiple of an axis' extent that makes positions down to `reach` before the first one positive.
fn shift(extent: usize, reach: usize) -> usize {
    reach.div_ceil(extent.max(1)) * extent
}

/// How many columns at each side of a tile its steps spoil, so many that quads of four stay whole.
fn halo(steps: usize) -> usize {
    steps.next_multiple_of(4)
}
