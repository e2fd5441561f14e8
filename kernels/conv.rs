use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, StageBuilder};
use crate::{Boundary, Capabilities, ConvDesc, Plan, Tier};
use langevin_reference::{ConvAxis, Dtype, Op};

/// Convolution of one to three axes with its boundary: see [`ConvDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `direct` | portable | every device: each output is summed directly, without a padded copy |
pub type Conv = Plan<ConvDesc>;

buffers! {
    /// Where the tensors of a [`ConvDesc`] are.
    ConvBuffers {
        required:
            /// The input.
            x,
            /// The weights.
            w,
            /// The result.
            out;
        optional:
            /// With [`ConvDesc::bias`].
            bias
    }
}

const DIRECT: Variant = Variant { name: "direct", tier: Tier::Portable, reason: "runs everywhere" };

/// Invocations of a workgroup; each computes a quad.
const QUADS_PER_GROUP: usize = 64;

/// The names of an axis' parameters in the shader.
struct AxisNames {
    extent: &'static str,
    kernel: &'static str,
    stride: &'static str,
    dilation: &'static str,
    before: &'static str,
    shift: &'static str,
    boundary: &'static str,
    out_extent: &'static str,
}

macro_rules! axis_names {
    ($axis:literal, $extent:literal) => {
        AxisNames {
            extent: $extent,
            kernel: concat!("kernel_", $axis),
            stride: concat!("stride_", $axis),
            dilation: concat!("dilation_", $axis),
            before: concat!("before_", $axis),
            shift: concat!("shift_", $axis),
            boundary: concat!("boundary_", $axis),
            out_extent: concat!("out_", $extent),
        }
    };
}

const AXES: [AxisNames; 3] =
    [axis_names!("z", "depth"), axis_names!("y", "height"), axis_names!("x", "width")];

impl sealed::Sealed for ConvDesc {}

impl Kernel for ConvDesc {
    type Buffers<'a> = ConvBuffers<'a>;

    fn variants(&self, _: &Capabilities) -> Vec<Variant> {
        vec![DIRECT]
    }

    fn recipe(&self, _: Variant, _: &Capabilities) -> Recipe {
        let axes = self.three_axes();
        let out = axes.map(|axis| axis.out_extent());
        let group_outputs = self.out_channels / self.groups.max(1);
        let block = channel_block(group_outputs);
        let blocks_per_group = group_outputs.div_ceil(block);
        let channel_blocks = blocks_per_group * self.groups;
        let quads_x = out[2].div_ceil(4);
        let quads = out[0] * out[1] * quads_x;
        let quad_blocks = quads.div_ceil(QUADS_PER_GROUP);
        // Nothing is read of an input without elements.
        let has_input = axes.iter().all(|axis| axis.extent > 0);
        let pitch = |dtype: Dtype, columns: usize| dtype.padded_row_len(columns);
        let mut builder = StageBuilder::new(Self::NAME, self)
            .constant("CHANNELS", block as u32)
            .flag("HAS_BIAS", self.bias)
            .size("channels", if has_input { self.group_channels() } else { 0 })
            .size("in_channels", self.in_channels)
            .size("group_outputs", group_outputs)
            .size("out_channels", self.out_channels)
            .size("channel_blocks", channel_blocks)
            .size("blocks_per_group", blocks_per_group)
            .size("quad_blocks", quad_blocks)
            .size("quads", quads)
            .size("quads_x", quads_x)
            .size("x_pitch", pitch(self.x.into(), axes[2].extent))
            .size("w_pitch", pitch(self.w.into(), axes[2].kernel))
            .size("out_pitch", pitch(self.out.into(), out[2]));
        for (axis, names) in axes.iter().zip(&AXES) {
            builder = axis_sizes(builder, axis, names);
        }
        let stage = builder
            .reads("x")
            .reads("w")
            .reads("bias")
            .writes("out")
            .part(DIRECT.name, include_str!("../shaders/conv_direct.wgsl"))
            .loop_iterations(
                axes.iter().rev().fold(self.group_channels(), |inner, axis| axis.kernel * (1 + inner)),
            )
            .groups((self.batch * channel_blocks * quad_blocks) as u64);
        Recipe::single(stage)
    }
}

/// Output channels of an invocation. Those of a group share what is read of the input, so more are better while they
/// exist; a depthwise convolution has one to a group.
fn channel_block(group_outputs: usize) -> usize {
    match group_outputs {
        0..=1 => 1,
        2..=4 => 4,
        _ => 8,
    }
}

fn axis_sizes(builder: StageBuilder, axis: &ConvAxis, names: &AxisNames) -> StageBuilder {
    let before = axis.padding[0];
    // The smallest number that makes `shift - before` a multiple of the extent.
    let shift = if axis.extent > 0 { (axis.extent - before % axis.extent) % axis.extent } else { 0 };
    builder
        .size(names.extent, axis.extent)
        .size(names.kernel, axis.kernel)
        .size(names.stride, axis.stride)
        .size(names.dilation, axis.dilation)
        .size(names.before, before)
        .size(names.shift, shift)
        .size(names.boundary, boundary_code(axis.boundary))
        .size(names.out_extent, axis.out_extent())
}

/// The `boundary` of `shaders/conv_direct.wgsl`.
fn boundary_code(boundary: Boundary) -> usize {
    match boundary {
        Boundary::Circular => 1,
        Boundary::Reflect => 2,
        Boundary::Replicate => 3,
        _ => 0,
    }
}
