//! Which shader: a pure function of the descriptor and the device's capabilities.

use crate::kernel::Variant;
use crate::{Capabilities, ConvDesc, Tier};

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
const CHOICES: [Choice; 1] = [Choice { variant: DIRECT, when: |_, _| true }];

pub(super) fn variants(desc: &ConvDesc, capabilities: &Capabilities) -> Vec<Variant> {
    let mut variants: Vec<Variant> = Vec::new();
    for Choice { variant, when } in &CHOICES {
        if capabilities.has(variant.tier) && when(desc, capabilities) && !variants.contains(variant) {
            variants.push(*variant);
        }
    }
    variants
}
