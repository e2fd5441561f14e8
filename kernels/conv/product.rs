//! A convolution as a matrix product (implicit GEMM): x and w are laid into the scratch with channels last, and a product
//! reads the windows from there. No window is ever written out.

use super::choice;
use super::geometry::{Geometry, Strides};
use super::stages;
use crate::kernel::Variant;
use crate::matmul::{self, Factor};
use crate::recipe::{Load, Recipe, SCRATCH, Stage, StageBuilder, Window};
use crate::{Capabilities, ConvDesc, Format, MatmulDesc, Operand};
use langevin_gpu::ParamValue;
use langevin_reference::{Op, TensorSpec};

/// The places behind those of x that hold what is outside along each axis.
const OUTSIDE: usize = 3;

/// A tensor that is laid into the scratch.
struct Source {
    name: &'static str,
    /// What counts its pixels, or its kernels, the outer one first, and elements from one to the next.
    items: [usize; 2],
    steps: [usize; 2],
    strides: Strides,
    extents: [usize; 3],
    /// Places added behind it.
    outside: usize,
}

/// Their product, unless it leaves the integers.
fn product_of(factors: &[usize]) -> Option<usize> {
    factors.iter().try_fold(1usize, |product, &factor| product.checked_mul(factor))
}

/// A convolution as one.
#[derive(Clone, Debug)]
pub(super) struct Product<'a> {
    geometry: Geometry<'a>,
    variant: Variant,
    /// What x and w are laid out in.
    packed: Format,
    /// Channels that are read at once; those of a group are filled up to a multiple.
    unit: usize,
    /// Channels of a group, filled up.
    channels: usize,
    /// Outputs of a line, filled up.
    line: usize,
    /// What is multiplied.
    pub(super) desc: MatmulDesc,
    /// Where x and w are in the scratch.
    windows: [Window; 2],
}

impl<'a> Product<'a> {
    /// Where the convolution is one: with something to sum up, every output by the same elements of the kernel, and
    /// scratch that can be bound.
    pub(super) fn of(desc: &'a ConvDesc, variant: Variant, capabilities: &Capabilities) -> Option<Self> {
        let geometry = Geometry::of(desc);
        let Geometry { axes, out, group_channels, group_outputs, .. } = geometry;
        let (packed, unit) = match variant {
            choice::COOPERATIVE => (Format::F16, 8),
            choice::TILED_F16 => (Format::F16, 4),
            _ => (Format::F32, 4),
        };
        let last = geometry.channels_last();
        // Groups would share words of the output.
        let shares = last && desc.groups > 1 && !group_outputs.is_multiple_of(4);
        let (extents, kernel) = (axes.map(|axis| axis.extent), axes.map(|axis| axis.kernel));
        let (places, taps) = (product_of(&extents)?, product_of(&kernel)?);
        let is_empty =
            [places, taps, desc.batch, group_channels, group_outputs].contains(&0) || out.contains(&0);
        let fits_f16 = packed == Format::F32 || desc.x.fits_f16() && desc.w.fits_f16();
        if desc.transposed || shares || is_empty || !fits_f16 {
            return None;
        }
        let channels = group_channels.checked_next_multiple_of(unit)?;
        let line = if last { out[2] } else { out[2].checked_next_multiple_of(4)? };
        let rows = product_of(&[desc.batch, out[0], out[1], line])?;
        let (m, n) = if last { (rows, group_outputs) } else { (group_outputs, rows) };
        // Only whether both are I8 matters of the formats: their sums are exact.
        let [a, b] = if last { [desc.x, desc.w] } else { [desc.w, desc.x] };
        let b = Operand { transposed: true, ..b.into() };
        let product = MatmulDesc {
            batch: desc.groups,
            m,
            n,
            k: taps.checked_mul(channels)?,
            a: a.into(),
            b,
            ..Default::default()
        };
        let offset = u64::from(capabilities.limits.min_storage_buffer_offset_alignment);
        let elements = [
            product_of(&[desc.batch, desc.groups, places])?.checked_add(OUTSIDE)?.checked_mul(channels)?,
            desc.out_channels.checked_mul(product.k)?,
        ];
        // Tiles count a little past the last row.
        if elements.iter().chain([&rows]).any(|&count| count > (u32::MAX - 0xffff) as usize) {
            return None;
        }
        let [x, w] = elements.map(|elements| elements as u64 * packed.bytes() as u64);
        let windows =
            [Window { offset: 0, bytes: x }, Window { offset: x.next_multiple_of(offset), bytes: w }];
        let fits = |bytes: u64| bytes <= capabilities.limits.max_storage_buffer_binding_size;
        let is_one = windows.iter().all(|window| fits(window.bytes));
        let found = Self { geometry, variant, packed, unit, channels, line, desc: product, windows };
        is_one.then_some(found)
    }

    pub(super) fn recipe(&self, capabilities: &Capabilities) -> Recipe {
        let stages = vec![self.pack_x(capabilities), self.pack_w(capabilities), self.product(capabilities)];
        let [_, w] = self.windows;
        Recipe { stages, scratch_bytes: w.offset + w.bytes }
    }

    fn pack_x(&self, capabilities: &Capabilities) -> Stage {
        let Geometry { desc, axes, group_channels, .. } = self.geometry;
        let strides = self.geometry.x_strides();
        let steps = [strides.outer, group_channels * strides.channel];
        let (items, extents) = ([desc.batch, desc.groups], axes.map(|axis| axis.extent));
        self.pack(&Source { name: "x", items, steps, strides, extents, outside: OUTSIDE }, capabilities)
    }

    fn pack_w(&self, capabilities: &Capabilities) -> Stage {
        let Geometry { desc, axes, group_outputs, .. } = self.geometry;
        let strides = self.geometry.w_strides();
        let steps = [group_outputs * strides.outer, strides.outer];
        let (items, extents) = ([desc.groups, group_outputs], axes.map(|axis| axis.kernel));
        self.pack(&Source { name: "w", items, steps, strides, extents, outside: 0 }, capabilities)
    }

    fn pack(&self, source: &Source, capabilities: &Capabilities) -> Stage {
        let Source { name, items: [outer, inner], steps, strides, extents, outside } = *source;
        let places: usize = extents.iter().product();
        let channel_units = self.channels / self.unit;
        let axes = self.geometry.axes;
        let builder = ["depth_outside", "height_outside", "width_outside"]
            .into_iter()
            .zip(&axes)
            .fold(self.builder("conv: channels last"), |builder, (name, axis)| {
                builder.param(name, ParamValue::F32(axis.boundary.outside() as f32))
            });
        let stage = builder
            .constant("QUADS", self.unit as u32 / 4)
            .flag("OUTSIDE", outside > 0)
            .size("channel_units", channel_units)
            .size("places", places)
            .size("items", outer * inner)
            .size("inner", inner)
            .size("height", extents[1])
            .size("width", extents[2])
            .size("channels", self.geometry.group_channels)
            .size("outer_step", steps[0])
            .size("inner_step", steps[1])
            .size("channel_step", strides.channel)
            .size("z_step", strides.axes[0])
            .size("y_step", strides.axes[1])
            .size("x_step", strides.axes[2])
            .reads(name)
            .writes_by("packed", Load::Wide)
            .part_for(name, "conv_pack", include_str!("../../shaders/conv_pack.wgsl"))
            .spread((outer * inner * places + outside) * channel_units, capabilities);
        let window = self.windows[usize::from(name == "w")];
        stage.bound_to("packed", SCRATCH, Some(window))
    }

    /// With the tensors that are in the scratch.
    fn builder(&self, label: &'static str) -> StageBuilder {
        let mut specs = self.geometry.desc.tensors();
        specs.extend(["packed", "a", "b"].map(|name| TensorSpec::input(name, self.packed, &[])));
        StageBuilder::over(label, specs)
    }

    fn product(&self, capabilities: &Capabilities) -> Stage {
        let Geometry { desc, axes, .. } = self.geometry;
        let load = match self.variant {
            choice::COOPERATIVE => Load::Eights,
            choice::TILED_F16 => Load::NativeWide,
            _ => Load::Wide,
        };
        let places: usize = axes.iter().map(|axis| axis.extent).product();
        let item = places * self.channels;
        let weights = Factor::Lines { pitch: self.desc.k, stride: self.geometry.group_outputs * self.desc.k };
        let patches = Factor::Placed {
            part: "conv_patches",
            text: include_str!("../../shaders/shared/conv_patches.wgsl"),
        };
        let last = self.geometry.channels_last();
        let builder = stages::finished(self.geometry.describe(self.builder("conv")), desc)
            .size("line", self.line)
            .size("patch_channels", self.channels)
            .size("patch_item", item)
            .size("patch_height", axes[1].extent)
            .size("patch_width", axes[2].extent)
            .size("conv_groups", desc.groups)
            .size("conv_items", desc.batch)
            .size("outside_at", desc.batch * desc.groups * item)
            .part("conv_product", include_str!("../../shaders/shared/conv_product.wgsl"));
        let (factors, names) = match last {
            true => ([(load, patches), (load, weights)], ["a", "b"]),
            false => ([(load, weights), (load, patches)], ["b", "a"]),
        };
        let stage = matmul::sums(builder, &self.desc, self.matmul_variant(), capabilities, factors);
        let [x, w] = self.windows;
        stage.bound_to(names[0], SCRATCH, Some(x)).bound_to(names[1], SCRATCH, Some(w))
    }

    fn matmul_variant(&self) -> Variant {
        match self.variant {
            choice::COOPERATIVE => matmul::COOPERATIVE,
            choice::TILED_F16 => matmul::TILED_F16,
            _ => matmul::TILED,
        }
    }
}
