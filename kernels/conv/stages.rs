//! The dispatches of a convolution.

use super::choice;
use super::geometry::Geometry;
use super::product::Product;
use crate::kernel::Variant;
use crate::matmul::activation_code;
use crate::recipe::{Recipe, StageBuilder};
use crate::{Capabilities, ConvDesc, Granularity};
use langevin_reference::Op;

/// Invocations of a workgroup that sums directly; each computes quads.
const QUADS_PER_GROUP: usize = 64;

pub(super) fn recipe(desc: &ConvDesc, variant: Variant, capabilities: &Capabilities) -> Recipe {
    let geometry = Geometry::of(desc);
    let is_product = matches!(variant, choice::COOPERATIVE | choice::TILED | choice::TILED_F16);
    match Product::of(desc, variant, capabilities).filter(|_| is_product) {
        Some(product) => return product.recipe(capabilities),
        None if is_product => return recipe(desc, choice::DIRECT, capabilities),
        None => {}
    }
    match variant {
        choice::DEPTHWISE => depthwise(&geometry),
        _ if geometry.channels_last() => direct_last(&geometry),
        _ => direct(&geometry),
    }
}

/// What every dispatch has that reads the tensors as they are: their places, and what finishes a sum.
fn builder(geometry: &Geometry<'_>) -> StageBuilder {
    finished(geometry.describe(StageBuilder::new(ConvDesc::NAME, geometry.desc)), geometry.desc)
}

/// Adds what finishes a sum.
pub(super) fn finished(builder: StageBuilder, desc: &ConvDesc) -> StageBuilder {
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

/// Rows of an invocation of the depthwise shader.
const ROWS: usize = 4;

fn depthwise(geometry: &Geometry<'_>) -> Recipe {
    let Geometry { desc, out, .. } = *geometry;
    let [_, height, width] = geometry.axes;
    let (blocks_x, blocks_y) = (out[2].div_ceil(4), out[1].div_ceil(ROWS));
    let blocks = out[0] * blocks_y * blocks_x;
    let block_groups = blocks.div_ceil(QUADS_PER_GROUP);
    let stage = builder(geometry)
        .reads("x")
        .reads("w")
        .constant("TAPS_Y", height.kernel as u32)
        .constant("TAPS_X", width.kernel as u32)
        .constant("ROWS", ROWS as u32)
        .constant("ROWS_READ", (ROWS + height.kernel - 1) as u32)
        .constant("COLUMNS_READ", (4 + width.kernel - 1) as u32)
        .size("blocks", blocks)
        .size("block_groups", block_groups)
        .size("blocks_x", blocks_x)
        .size("blocks_y", blocks_y)
        .part("conv_depthwise", include_str!("../../shaders/conv_depthwise.wgsl"))
        .loop_iterations(geometry.taps()[0])
        .groups((desc.batch * desc.out_channels * block_groups) as u64);
    Recipe::single(stage)
}
