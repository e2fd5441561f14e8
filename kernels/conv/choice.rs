//! Which shader: a pure function of the descriptor and the device's capabilities.

use super::geometry::Geometry;
use super::product::Product;
use crate::kernel::Variant;
use crate::recipe::compiles_long_code;
use crate::{Capabilities, ConvDesc, Tier, matmul};

pub(super) const DEPTHWISE: Variant = Variant {
    name: "depthwise",
    tier: Tier::Portable,
    reason: "one input channel to a group: what is read serves a block of outputs. No record of its speed yet",
};

pub(super) const COOPERATIVE: Variant = Variant {
    name: "cooperative",
    tier: Tier::Cooperative,
    reason: "matrix units do several times the work of the others. \
             3 x 3 of f16, 256 channels of 128^2 on an H200: 0.22 ms; tiled 0.69",
};

pub(super) const TILED: Variant = Variant {
    name: "tiled",
    tier: Tier::Portable,
    reason: "a tile of outputs shares what is read of x and w. \
             3 x 3 of f16, 256 channels of 128^2 on an H200: 0.69 ms; direct 4.4",
};

pub(super) const TILED_F16: Variant = Variant {
    name: "tiled_f16",
    tier: Tier::F16,
    reason: "f16 holds both operands, in half the workgroup memory and half the scratch: to be asked for by name. \
             3 x 3, 256 channels of 128^2 on an H200: 0.83 ms; tiled 0.69",
};

pub(super) const DIRECT: Variant =
    Variant { name: "direct", tier: Tier::Portable, reason: "runs everywhere, without scratch" };

/// One line of the table of choices.
struct Choice {
    variant: Variant,
    /// Whether the variant computes such a convolution, or is to be preferred here.
    when: fn(&ConvDesc, &Capabilities) -> bool,
}

/// The order of preference; a variant's reason holds the measurement that put it there. The first line whose tier the
/// device has and whose condition holds is taken.
const CHOICES: [Choice; 7] = [
    Choice {
        variant: DEPTHWISE,
        when: |desc, capabilities| is_depthwise(desc) && compiles_long_code(capabilities),
    },
    Choice {
        variant: COOPERATIVE,
        when: |desc, capabilities| fills_tiles(desc, capabilities) && is_cooperative(desc, capabilities),
    },
    Choice {
        variant: TILED,
        when: |desc, capabilities| {
            fills_tiles(desc, capabilities) && Product::of(desc, TILED, capabilities).is_some()
        },
    },
    Choice { variant: DIRECT, when: |_, _| true },
    Choice { variant: COOPERATIVE, when: is_cooperative },
    Choice { variant: TILED, when: |desc, capabilities| Product::of(desc, TILED, capabilities).is_some() },
    Choice {
        variant: TILED_F16,
        when: |desc, capabilities| Product::of(desc, TILED_F16, capabilities).is_some(),
    },
];

/// Output channels of a group from which a product wastes little of its tiles.
const TILE_OUTPUTS: usize = 16;

/// A GPU multiplies by tiles; a CPU gains nothing from them.
fn fills_tiles(desc: &ConvDesc, capabilities: &Capabilities) -> bool {
    capabilities.device_type != wgpu::DeviceType::Cpu && desc.group_outputs() >= TILE_OUTPUTS
}

fn is_cooperative(desc: &ConvDesc, capabilities: &Capabilities) -> bool {
    let product = Product::of(desc, COOPERATIVE, capabilities);
    product.is_some_and(|product| matmul::is_cooperative(&product.desc, capabilities))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swiftshader_takes_what_it_compiles() {
        let desc = ConvDesc {
            in_channels: 6,
            out_channels: 6,
            groups: 6,
            spatial: vec![9, 13],
            kernel: vec![3, 2],
            ..Default::default()
        };
        let first = |adapter: &str| {
            variants(&desc, &Capabilities { adapter: adapter.into(), ..Capabilities::minimal() })[0]
        };
        assert_eq!([first("llvmpipe"), first("SwiftShader Device (Subzero)")], [DEPTHWISE, DIRECT]);
    }
}
