//! Where the elements of a convolution's tensors are, and what its shaders are told about its axes.

use crate::recipe::StageBuilder;
use crate::{Boundary, ConvDesc, Format};
use langevin_gpu::ParamValue;
use langevin_reference::{ConvAxis, ConvLayout, Dtype};

/// How far apart neighbours are in a tensor of `[outer, channels, z, y, x]`, in elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strides {
    pub(super) outer: usize,
    pub(super) channel: usize,
    pub(super) axes: [usize; 3],
}

impl Strides {
    fn new(layout: ConvLayout, format: Format, channels: usize, [z, y, x]: [usize; 3]) -> Self {
        let pitch = |row| Dtype::from(format).padded_row_len(row);
        match layout {
            ConvLayout::ChannelsFirst => {
                let row = pitch(x);
                let axes = [y * row, row, 1];
                Self { outer: channels * z * axes[0], channel: z * axes[0], axes }
            }
            ConvLayout::ChannelsLast => {
                let pixel = pitch(channels);
                let axes = [y * x * pixel, x * pixel, pixel];
                Self { outer: z * axes[0], channel: 1, axes }
            }
        }
    }
}

/// The sizes of a convolution that its stages share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry<'a> {
    pub(super) desc: &'a ConvDesc,
    pub(super) axes: [ConvAxis; 3],
    /// The extents of the output.
    pub(super) out: [usize; 3],
    pub(super) group_channels: usize,
    pub(super) group_outputs: usize,
}

impl<'a> Geometry<'a> {
    pub(super) fn of(desc: &'a ConvDesc) -> Self {
        let axes = desc.three_axes();
        let out = axes.map(|axis| axis.out_extent());
        let (group_channels, group_outputs) = (desc.group_channels(), desc.group_outputs());
        Self { desc, axes, out, group_channels, group_outputs }
    }

    pub(super) fn channels_last(&self) -> bool {
        self.desc.layout == ConvLayout::ChannelsLast
    }

    /// The most taps of a window along each axis.
    pub(super) fn taps(&self) -> [usize; 3] {
        self.axes.map(|axis| axis.taps())
    }

    /// The most iterations of loops over a window, the outer ones with their inner ones, around one of so many. The end of a
    /// loop counts as one.
    pub(super) fn window_iterations(&self, inner: usize) -> usize {
        let around =
            |inner: usize, taps: &usize| taps.saturating_mul(inner.saturating_add(1)).saturating_add(1);
        self.taps().iter().rev().fold(inner.saturating_add(1), around)
    }

    /// Adds the axes, where the elements of the tensors are, and the constants of the shared parts.
    pub(super) fn describe(&self, builder: StageBuilder) -> StageBuilder {
        let axes = &self.axes;
        let is_far = |axis: &ConvAxis| {
            matches!(axis.boundary, Boundary::Circular | Boundary::Symmetric)
                && axis.padding[0].max(axis.padding[1]) > axis.repeated_extent()
        };
        let builder = builder
            .flag("TRANSPOSED", self.desc.transposed)
            .flag("REPEATS", axes.iter().any(|axis| axis.boundary.repeats() && axis.padding != [0, 0]))
            .flag("FAR", axes.iter().any(is_far))
            .flag("UPSAMPLED", axes.iter().any(|axis| axis.upsample > 1))
            .flag("CHANNELS_LAST", self.channels_last())
            .size("channels", self.group_channels)
            .size("group_outputs", self.group_outputs)
            .size("out_channels", self.desc.out_channels);
        let builder =
            AXES.iter().zip(axes).fold(builder, |builder, (names, axis)| names.describe(builder, axis));
        let builder = self.places(builder);
        let common = include_str!("../../shaders/shared/conv_common.wgsl");
        let builder = builder.part("conv_common", common);
        let text = include_str!("../../shaders/shared/conv_axis.wgsl");
        AXES.iter().fold(builder, |builder, names| builder.part_for(names.name, "conv_axis", text))
    }

    pub(super) fn x_strides(&self) -> Strides {
        let extents = self.axes.map(|axis| axis.extent);
        Strides::new(self.desc.layout, self.desc.x, self.desc.in_channels, extents)
    }

    /// Its outer axis are the output channels, of a transposed convolution the input channels.
    pub(super) fn w_strides(&self) -> Strides {
        let inner = if self.desc.transposed { self.group_outputs } else { self.group_channels };
        Strides::new(self.desc.layout, self.desc.w, inner, self.axes.map(|axis| axis.kernel))
    }

    /// Adds where the elements of the tensors are.
    fn places(&self, builder: StageBuilder) -> StageBuilder {
        let desc = self.desc;
        let (x, w) = (self.x_strides(), self.w_strides());
        let out = Strides::new(desc.layout, desc.out, desc.out_channels, self.out);
        // Of a transposed convolution the outer axis of w are the input channels.
        let (w_out, w_channel, w_group) = if desc.transposed {
            (w.channel, w.outer, self.group_channels * w.outer)
        } else {
            (w.outer, w.channel, self.group_outputs * w.outer)
        };
        builder
            .size("x_item", x.outer)
            .size("x_group", self.group_channels * x.channel)
            .size("x_channel", x.channel)
            .size("x_z", x.axes[0])
            .size("x_y", x.axes[1])
            .size("x_x", x.axes[2])
            .size("w_group", w_group)
            .size("w_out", w_out)
            .size("w_channel", w_channel)
            .size("w_z", w.axes[0])
            .size("w_y", w.axes[1])
            .size("w_x", w.axes[2])
            .size("out_item", out.outer)
            .size("out_channel", out.channel)
            .size("out_z", out.axes[0])
            .size("out_y", out.axes[1])
            .size("out_x", out.axes[2])
    }
}

/// The names of an axis' parameters in the shaders.
struct AxisNames {
    name: &'static str,
    extent: &'static str,
    upsample: &'static str,
    kernel: &'static str,
    taps: &'static str,
    tap_step: &'static str,
    stride: &'static str,
    dilation: &'static str,
    spread: &'static str,
    common: &'static str,
    inverse: &'static str,
    before: &'static str,
    shift: &'static str,
    boundary: &'static str,
    outside: &'static str,
    out: &'static str,
}

macro_rules! axis_names {
    ($axis:literal) => {
        AxisNames {
            name: $axis,
            extent: concat!($axis, "_extent"),
            upsample: concat!($axis, "_upsample"),
            kernel: concat!($axis, "_kernel"),
            taps: concat!($axis, "_taps"),
            tap_step: concat!($axis, "_tap_step"),
            stride: concat!($axis, "_stride"),
            dilation: concat!($axis, "_dilation"),
            spread: concat!($axis, "_spread"),
            common: concat!($axis, "_common"),
            inverse: concat!($axis, "_inverse"),
            before: concat!($axis, "_before"),
            shift: concat!($axis, "_shift"),
            boundary: concat!($axis, "_boundary"),
            outside: concat!($axis, "_outside"),
            out: concat!($axis, "_out"),
        }
    };
}

const AXES: [AxisNames; 3] = [axis_names!("depth"), axis_names!("height"), axis_names!("width")];

impl AxisNames {
    /// Adds the parameters of `shaders/shared/conv_axis.wgsl`.
    fn describe(&self, builder: StageBuilder, axis: &ConvAxis) -> StageBuilder {
        let [before, _] = axis.padding;
        let extent = axis.repeated_extent();
        let common = axis.stride_and_dilation();
        // From one tap to the next, a transposed axis goes back.
        let dilation = match axis.transposed {
            true => -((axis.dilation / common) as i32),
            false => axis.dilation as i32,
        };
        builder
            .size(self.extent, extent)
            .size(self.upsample, axis.upsample)
            .size(self.kernel, axis.kernel)
            .size(self.taps, axis.taps())
            .size(self.tap_step, axis.tap_step())
            .size(self.stride, axis.stride)
            .param(self.dilation, ParamValue::I32(dilation))
            .size(self.spread, axis.dilation)
            .size(self.common, common)
            .size(self.inverse, inverse(axis.dilation / common, axis.stride / common))
            .param(self.before, ParamValue::I32(before as i32))
            .size(self.shift, if extent > 0 { before.next_multiple_of(extent) } else { 0 })
            .size(self.boundary, boundary_code(axis.boundary))
            .param(self.outside, ParamValue::F32(axis.boundary.outside() as f32))
            .size(self.out, axis.out_extent())
    }
}

/// The number below `modulus` whose product with `value` leaves 1; 0 for a modulus of 1.
fn inverse(value: usize, modulus: usize) -> usize {
    // value^-1 by the extended Euclidean algorithm, for coprime numbers.
    let (mut r, mut next_r) = (modulus as i128, (value % modulus.max(1)) as i128);
    let (mut t, mut next_t) = (0i128, 1i128);
    while next_r != 0 {
        let q = r / next_r;
        (r, next_r) = (next_r, r - q * next_r);
        (t, next_t) = (next_t, t - q * next_t);
    }
    t.rem_euclid((modulus as i128).max(1)) as usize
}

/// The `boundary` of `shaders/shared/conv_axis.wgsl`.
fn boundary_code(boundary: Boundary) -> usize {
    match boundary {
        Boundary::Circular => 1,
        Boundary::Reflect => 2,
        Boundary::Replicate => 3,
        Boundary::Symmetric => 4,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverses_are_inverse() {
        for modulus in 1..60 {
            for value in (1..60).filter(|&value| gcd(value, modulus) == 1) {
                let found = inverse(value, modulus);
                assert!(
                    found < modulus && found * value % modulus == 1 % modulus,
                    "{value} modulo {modulus}"
                );
            }
        }
    }

    fn gcd(a: usize, b: usize) -> usize {
        if b == 0 { a } else { gcd(b, a % b) }
    }
}
