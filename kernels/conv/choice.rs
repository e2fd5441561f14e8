//! Which shader: a pure function of the descriptor and the device's capabilities.

use super::geometry::Geometry;
use crate::kernel::Variant;
use crate::{Capabilities, ConvDesc, Tier};

pub(super) const DEPTHWISE: Variant = Variant {
    name: "depthwise",
    tier: Tier::Portable,
    reason: "one input channel to a group: what is read serves a block of outputs. No record of its speed yet",
};

pub(super) const DIRECT: Variant =
    Variant { name: "direct", tier: Tier::Portable, reason: "runs everywhere" };

/// One line of the table of choices.
struct Choice {
    variant: Variant,
    /// Whether the variant computes such a convolution, or is to be preferred here.
    when: fn(&ConvDesc, &Capabilities) -> bool,
}

/// The order of preference; a variant's reason holds the measurement that put it there. The first line whose tier the
/// device has and whose condition holds is taken.
const CHOICES: [Choice; 2] = [
    Choice { variant: DEPTHWISE, when: |desc, _| is_depthwise(desc) },
    Choice { variant: DIRECT, when: |_, _| true },
];

pub(super) fn variants(desc: &ConvDesc, capabilities: &Capabilities) -> Vec<Variant> {
    let mut variants: Vec<Variant> = Vec::new();
    for Choice { variant, when } in &CHOICES {
        if capabilities.has(variant.tier) && when(desc, capabilities) && !variants.contains(variant) {
            variants.push(*variant);
        }
    }
    variants
}

/// The most kernel elements along each of the last two axes that an invocation holds in registers.
const MOST_TAPS: usize = 5;
/// Output channels that read the same input channel, up to which they need not share what is read.
const MOST_OUTPUTS: usize = 2;

/// One input channel to a group, read at every element.
fn is_depthwise(desc: &ConvDesc) -> bool {
    let geometry = Geometry::of(desc);
    let [_, height, width] = geometry.axes;
    let plain = geometry
        .axes
        .iter()
        .all(|axis| axis.stride == 1 && axis.dilation == 1 && axis.upsample == 1 && !axis.transposed);
    let small = height.kernel.max(width.kernel) <= MOST_TAPS && geometry.group_outputs <= MOST_OUTPUTS;
    plain && small && !geometry.channels_last() && geometry.group_channels == 1
}
