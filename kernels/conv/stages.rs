//! The dispatches of a convolution.

use super::geometry::Geometry;
use crate::kernel::Variant;
use crate::matmul::activation_code;
use crate::recipe::{Recipe, StageBuilder};
use crate::{Capabilities, ConvDesc, Granularity};
use langevin_reference::Op;

/// Invocations of a workgroup that sums directly; each computes quads.
const QUADS_PER_GROUP: usize = 64;

pub(super) fn recipe(desc: &ConvDesc, _: Variant, _: &Capabilities) -> Recipe {
    let geometry = Geometry::of(desc);
    if geometry.channels_last() { direct_last(&geometry) } else { direct(&geometry) }
}

/// What every dispatch has: the tensors, their places, and what finishes a sum.
fn builder(geometry: &Geometry<'_>) -> StageBuilder {
    let desc = geometry.desc;
    let builder = geometry.describe(StageBuilder::new(ConvDesc::NAME, desc));
    let total = if desc.is_integer() {
        ("matmul_total_integer", include_str!("../../shaders/shared/matmul_total_integer.wgsl"))
    } else {
        ("matmul_total_float", include_str!("../../shaders/shared/matmul_total_float.wgsl"))
    };
    let w_scales = match desc.w_scale {
        None => 0,
        Some(Granularity::PerTensor) => 1,
        Some(_) => 2,
    };
    let builder = builder
        .part(total.0, total.1)
        .flag("HAS_X_SCALE", desc.x_scale)
        .constant("W_SCALES", w_scales)
        .flag("HAS_BIAS", desc.bias)
        .flag("HAS_RESIDUAL", desc.residual)
        .constant("ACTIVATION", activation_code(desc.activation));
    ["x_scale", "w_scale", "bias", "residual"]
        .into_iter()
        .fold(builder, StageBuilder::reads)
        .writes("out")
        .part("activation", include_str!("../../shaders/shared/activation.wgsl"))
        .part("conv_epilogue", include_str!("../../shaders/shared/conv_epilogue.wgsl"))
}

/// Channels first: an invocation sums four neighbours along the last axis.
fn direct(geometry: &Geometry<'_>) -> Recipe {
    let Geometry { desc, out, group_outputs, .. } = *geometry;
    let block = channel_block(group_outputs);
    let blocks_per_group = group_outputs.div_ceil(block);
    let channel_blocks = blocks_per_group * desc.groups;
    let quads_x = out[2].div_ceil(4);
    let quads = out[0] * out[1] * quads_x;
    let quad_blocks = quads.div_ceil(QUADS_PER_GROUP);
    let stage = builder(geometry)
        .reads("x")
        .reads("w")
        .flag("SCATTERED", false)
        .constant("CHANNELS", block as u32)
        .size("channel_blocks", channel_blocks)
        .size("blocks_per_group", blocks_per_group)
        .size("quad_blocks", quad_blocks)
        .size("quads", quads)
        .size("quads_x", quads_x)
        .part("conv_direct", include_str!("../../shaders/conv_direct.wgsl"))
        .loop_iterations(geometry.window_iterations(geometry.group_channels))
        .groups((desc.batch * channel_blocks * quad_blocks) as u64);
    Recipe::single(stage)
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

/// Channels last: an invocation sums four neighbouring channels of four neighbours along the last axis.
fn direct_last(geometry: &Geometry<'_>) -> Recipe {
    let Geometry { desc, out, group_outputs, .. } = *geometry;
    let channel_quads = desc.out_channels.div_ceil(4);
    let quads_x = out[2].div_ceil(4);
    let quads = desc.batch * out[0] * out[1] * quads_x * channel_quads;
    let stage = builder(geometry)
        .reads("x")
        .reads("w")
        .flag("SCATTERED", false)
        // Four channels may belong to several groups.
        .flag("MIXED", desc.groups > 1 && !group_outputs.is_multiple_of(4))
        .size("channel_quads", channel_quads)
        .size("quads", quads)
        .size("quads_x", quads_x)
        .part("conv_direct_last", include_str!("../../shaders/conv_direct_last.wgsl"))
        .loop_iterations(geometry.window_iterations(geometry.group_channels))
        .groups(quads.div_ceil(QUADS_PER_GROUP) as u64);
    Recipe::single(stage)
}
