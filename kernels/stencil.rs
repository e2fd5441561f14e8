//! What the plans of every stencil share: the parameters of `shaders/shared/stencil.wgsl`.

use crate::recipe::{Recipe, StageBuilder};
use langevin_gpu::ParamValue;
use langevin_reference::{Dtype, Edge, Format, GridAxis, Op};

/// Invocations of a workgroup; each walks down four columns.
const QUADS_PER_GROUP: usize = 64;
/// The `ROWS` of the shader.
const ROWS: usize = 4;

/// One step of a stencil, from a descriptor that has the tensors `u` and `out`.
pub(crate) struct StencilStep<'a> {
    /// The variant's name and its shader, which has the entry point and `finish`.
    pub(crate) part: (&'static str, &'static str),
    pub(crate) batch: usize,
    pub(crate) axes: &'a [GridAxis],
    /// The factor of the differences along each axis.
    pub(crate) weights: &'a [f64],
    pub(crate) u: Format,
    pub(crate) out: Format,
}

/// The names of an axis' parameters in the shader.
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

/// An axis that is not there: its weight does not matter, since the shader leaves it out.
const ABSENT: (GridAxis, f64) = (GridAxis { extent: 1, spacing: 1.0, edges: [Edge::Periodic; 2] }, 0.0);

impl StencilStep<'_> {
    pub(crate) fn recipe<O: Op>(&self, op: &O) -> Recipe {
        let given = self.axes.iter().copied().zip(self.weights.iter().copied()).rev();
        let mut axes = given.chain(std::iter::repeat(ABSENT));
        let [x, y, z] = std::array::from_fn(|_| axes.next().unwrap_or(ABSENT));
        let [width, height, depth] = [x, y, z].map(|(axis, _)| axis.extent);
        let pitch = |format: Format| Dtype::from(format).padded_row_len(width);
        let (quads_x, row_blocks) = (width.div_ceil(4), height.div_ceil(ROWS));
        let quads = self.batch * depth * row_blocks * quads_x;
        let mut builder = StageBuilder::new(O::NAME, op)
            .constant("AXES", self.axes.len() as u32)
            .size("u_pitch", pitch(self.u))
            .size("out_pitch", pitch(self.out))
            .size("quads", quads)
            .size("quads_x", quads_x)
            .size("row_blocks", row_blocks);
        for ((axis, weight), names) in [x, y, z].iter().zip(&AXES) {
            builder = axis_params(builder, axis, *weight, names);
        }
        let stage = builder
            .reads("u")
            .writes("out")
            .part("stencil", include_str!("../shaders/shared/stencil.wgsl"))
            .part(self.part.0, self.part.1)
            .groups(quads.div_ceil(QUADS_PER_GROUP) as u64);
        Recipe::single(stage)
    }
}

fn axis_params(builder: StageBuilder, axis: &GridAxis, weight: f64, names: &AxisNames) -> StageBuilder {
    // Subnormal parameters might be flushed on the way; the bound counts them as zero.
    let factor = |value: f64| {
        let rounded = value as f32;
        ParamValue::F32(if rounded.is_normal() { rounded } else { 0.0 })
    };
    let mut builder = builder
        .size(names.extent, axis.extent)
        .param(names.weight, factor(weight))
        .size(names.periodic, usize::from(axis.edges[0] == Edge::Periodic));
    for side in 0..2 {
        let [slope, offset] = axis.face(side);
        builder = builder.param(names.slopes[side], factor(slope)).param(names.offsets[side], factor(offset));
    }
    builder
}
