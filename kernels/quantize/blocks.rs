//! MX blocks: 32 neighbours with a power of two for a scale. Four blocks are a strip, one word of scales.

use super::Job;
use crate::recipe::Recipe;
use crate::{ScaleSource, Tier};
use langevin_formats::e8m0::largest_exponent;
use langevin_gpu::Access;

const STRIP: usize = 4 * 32;
const BLOCK_UNITS: u32 = 8;

pub(super) fn recipe(job: &Job<'_>, tier: Tier) -> Recipe {
    let desc = job.desc;
    // A CPU's invocation takes a strip by itself, others share one.
    let (lanes, team) = if tier == Tier::Software { (8, 1) } else { (64, 8) };
    let row_strips = desc.width().div_ceil(STRIP);
    let strips = desc.rows() * row_strips;
    let dynamic = desc.scale == ScaleSource::Dynamic;
    let fraction = desc.scale_rounding.unwrap_or_default().largest_fraction(desc.q);
    let scale = if dynamic { Access::ReadWrite } else { Access::Read };
    let builder = job
        .builder("quantize")
        .flag("FLAT", false)
        .constant("LANES", lanes)
        .constant("TEAM", team)
        .constant("UNITS", BLOCK_UNITS / team)
        .flag("DYNAMIC", dynamic)
        .constant("LARGEST_EXPONENT", largest_exponent(desc.q))
        .size("row_strips", row_strips)
        .size("strips", strips)
        .size("largest_fraction", fraction as usize)
        .words("scale", scale);
    let builder = job.with_codes(builder);
    let builder =
        match dynamic {
            true => builder
                .part("quantize_blocks_scales", include_str!("../../shaders/quantize_blocks_scales.wgsl")),
            false => builder
                .part("quantize_blocks_given", include_str!("../../shaders/quantize_blocks_given.wgsl")),
        };
    let teams = (lanes / team) as usize;
    let stage = builder
        .part("quantize_blocks", include_str!("../../shaders/quantize_blocks.wgsl"))
        .groups(strips.div_ceil(teams) as u64);
    Recipe::single(stage)
}
