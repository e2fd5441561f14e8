//! The dispatches of a product: one, or partial sums into the scratch and a second that adds them up; as many times as it
//! takes parts to bind every tensor.

use super::activation_code;
use super::choice;
use super::operands::{AT_BY_DEPTH, BY_DEPTH, EIGHTS, OPERANDS, per};
use super::parts::{Axis, Part, Sizes, Tensors};
use super::shape::Shape;
use crate::kernel::Variant;
use crate::recipe::{Load, Recipe, Stage, StageBuilder};
use crate::{Capabilities, Columns, MatmulDesc};
use langevin_gpu::{Access, Element};
use langevin_reference::{Dtype, Op, Overflow, Pair};

pub(super) fn recipe(desc: &MatmulDesc, variant: Variant, capabilities: &Capabilities) -> Recipe {
    let shape = Shape::of(desc, variant, capabilities);
    let tensors = Tensors::new(desc, capabilities);
    let limits = &capabilities.limits;
    let spills = desc.tensors().len() as u64 > u64::from(limits.max_storage_buffers_per_shader_stage);
    let row_bytes = 16 * desc.b_columns().div_ceil(4) as u64;
    let whole = Sizes::of(desc);
    let mut size = tensors.lengths(desc);
    let is_cut = size != whole;
    let mut slices = if is_cut { 1 } else { choice::slices(desc, variant, shape.tiles(&Part::whole(desc))) };
    let slice_bytes = row_bytes.saturating_mul((desc.batch * desc.m) as u64);
    if slice_bytes.saturating_mul(slices as u64) > limits.max_storage_buffer_binding_size {
        slices = 1;
    }
    let step = shape.segment_step;
    let slice_depth = desc.k.div_ceil(slices).next_multiple_of(step).max(step);
    let slices = desc.k.div_ceil(slice_depth).max(1);
    let through_scratch = spills || slices > 1 || size[Axis::Depth] < whole[Axis::Depth];
    if through_scratch {
        tensors.fit_scratch(&mut size, row_bytes);
    }
    let mut recipe = Recipe::default();
    let items = Part::whole(desc).along(Axis::Item, size[Axis::Item]);
    let parts = items
        .flat_map(|part| part.along(Axis::Column, size[Axis::Column]))
        .flat_map(|part| part.along(Axis::Row, size[Axis::Row]));
    for part in parts.filter(|part| part.has_results()) {
        let product = Product { desc, variant, shape, slices, slice_depth, tensors: &tensors, part };
        if !through_scratch {
            recipe.stages.push(product.whole());
            continue;
        }
        for part in part.along(Axis::Depth, size[Axis::Depth]) {
            recipe.stages.push(Product { part, ..product }.partial());
        }
        recipe.stages.push(product.reduce());
        recipe.scratch_bytes = recipe.scratch_bytes.max(product.scratch_bytes());
    }
    recipe
}

/// A part of a product and how it is computed.
#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    pub(super) desc: &'a MatmulDesc,
    pub(super) variant: Variant,
    pub(super) shape: Shape,
    pub(super) slices: usize,
    pub(super) slice_depth: usize,
    pub(super) tensors: &'a Tensors,
    pub(super) part: Part,
}

impl Product<'_> {
    /// The only dispatch.
    fn whole(&self) -> Stage {
        self.bound(self.sums(self.epilogue(self.operands(self.builder("matmul")))))
    }

    /// The dispatch that leaves sums in the scratch, or adds to those of earlier depths.
    fn partial(&self) -> Stage {
        let builder = self.operands(self.builder("matmul"));
        let builder = builder
            .size("adds", usize::from(self.part.start[Axis::Depth] > 0))
            .scratch(Access::ReadWrite, Element::Vec4Word);
        let text = include_str!("../../shaders/shared/matmul_partial.wgsl");
        self.bound(self.sums(builder.part("matmul_partial", text)))
    }

    /// The dispatch that adds them up.
    fn reduce(&self) -> Stage {
        let (size, quads) = (self.part.size, self.part.size[Axis::Column].div_ceil(4));
        let builder = self.builder("matmul: epilogue").scratch(Access::Read, Element::Vec4Word);
        let [a, b] = [self.scales(0), self.scales(1)];
        // Zero points have been taken off already.
        let builder = self.epilogue(b(a(builder)).absent("a_zero").absent("b_zero"));
        let rows = size[Axis::Item] * size[Axis::Row];
        let stage = builder
            .flag("PAIR", self.desc.pair.is_some())
            .size("slices", self.slices)
            .size("quads", quads)
            .part("matmul_reduce", include_str!("../../shaders/matmul_reduce.wgsl"))
            .loop_iterations(2 * self.slices)
            .groups((rows * quads).div_ceil(64) as u64);
        self.bound(stage)
    }

    /// Names the ranges of tensors that a part binds.
    fn bound(&self, stage: Stage) -> Stage {
        let window = |name| self.tensors.place(name, &self.part).0.map(|window| (name, window));
        let windows = stage.shader.bindings.iter().filter_map(|binding| window(binding.name)).collect();
        Stage { windows, ..stage }
    }

    /// The first element of a tensor that the part uses, counted from what is bound of it.
    pub(super) fn start(&self, name: &str) -> usize {
        self.tensors.place(name, &self.part).1
    }

    /// Vectors of four sums to a row of the scratch.
    fn scratch_pitch(&self) -> usize {
        let columns = self.part.size[Axis::Column];
        (if self.desc.pair.is_some() { 2 * columns } else { columns }).div_ceil(4)
    }

    fn scratch_bytes(&self) -> u64 {
        let rows = self.part.size[Axis::Item] * self.part.size[Axis::Row];
        rows as u64 * self.scratch_pitch() as u64 * 16 * self.slices as u64
    }

    /// What every dispatch has.
    fn builder(&self, label: &'static str) -> StageBuilder {
        let (desc, size) = (self.desc, self.part.size);
        let total = if desc.is_integer() && !desc.is_grouped() {
            ("matmul_total_integer", include_str!("../../shaders/shared/matmul_total_integer.wgsl"))
        } else {
            ("matmul_total_float", include_str!("../../shaders/shared/matmul_total_float.wgsl"))
        };
        let builder = StageBuilder::new(label, desc);
        // Conversions of F16 are part of the extension.
        let converts = matches!(self.variant, choice::SHUFFLE | choice::VECTOR_LANES | choice::COOPERATIVE);
        let builder = if converts { builder.enable("f16") } else { builder };
        builder
            .constant("a_PER", per(desc.a.scale))
            .constant("b_PER", per(desc.b.scale))
            .size("m", size[Axis::Row])
            .size("k", size[Axis::Depth])
            .size("n", size[Axis::Column])
            .size("batch", size[Axis::Item])
            .size("scratch_pitch", self.scratch_pitch())
            .part(total.0, total.1)
            .part("matmul_slice", SLICE)
            .part("matmul_common", include_str!("../../shaders/shared/matmul_common.wgsl"))
    }

    /// Adds what finishes a sum.
    fn epilogue(&self, builder: StageBuilder) -> StageBuilder {
        let desc = self.desc;
        let gate = desc.gate.unwrap_or(Columns::all(desc.n));
        let out = desc.out_columns.unwrap_or(Columns::all(desc.n));
        let pitch = |columns| Dtype::from(desc.out).padded_row_len(columns);
        let [out_pitch, residual_pitch] = [pitch(out.width), pitch(desc.n)];
        let residual_rows = if desc.residual_shared { 0 } else { desc.m };
        let builder = builder
            .flag("HAS_BIAS", desc.bias)
            .constant("ACTIVATION", activation_code(desc.activation))
            .flag("GATE_FIRST", desc.pair == Some(Pair::GateFirst))
            .flag("HAS_GATE", desc.gate.is_some())
            .flag("HAS_RESIDUAL", desc.residual)
            .flag("HAS_OUT_SCALE", desc.out_scale)
            .flag("SATURATE", desc.out.bits() < 32 && desc.overflow_mode() == Overflow::Saturate)
            .number("MAX_FINITE", desc.out.max_finite() as f32)
            .size("bias_start", self.start("bias"))
            .size("out_pitch", out_pitch)
            .size("out_stride", desc.m.saturating_mul(out_pitch))
            .size("out_start", self.start("out"))
            .size("residual_pitch", residual_pitch)
            .size("residual_stride", residual_rows.saturating_mul(residual_pitch))
            .size("residual_start", self.start("residual"))
            .size("gate_width", gate.width)
            .size("gate_start", self.start("gate"));
        ["bias", "gate", "residual", "out_scale"]
            .into_iter()
            .fold(builder, StageBuilder::reads)
            .writes("out")
            .part("activation", include_str!("../../shaders/shared/activation.wgsl"))
            .part("matmul_epilogue", include_str!("../../shaders/shared/matmul_epilogue.wgsl"))
    }
}

const SLICE: &str = include_str!("../../shaders/shared/matmul_slice.wgsl");

/// How another kernel says where its factor of a product is, both of whose factors have depths as neighbours.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Factor {
    /// Lines of so many elements, so many elements apart for each item.
    Lines { pitch: usize, stride: usize },
    /// A part of its own gives `at_TENSOR` and `whole_block_TENSOR`.
    Placed { part: &'static str, text: &'static str },
}

/// The dispatch that forms the sums of a product for another kernel, by a variant that stages tiles. `a` and `b` are bound
/// under these names and read by `load`; the kernel has `group_scales` and `finish`.
pub(crate) fn sums(
    builder: StageBuilder,
    desc: &MatmulDesc,
    variant: Variant,
    capabilities: &Capabilities,
    factors: [(Load, Factor); 2],
) -> Stage {
    let shape = Shape::of(desc, variant, capabilities);
    let tensors = Tensors::new(desc, capabilities);
    let slice_depth = desc.k.next_multiple_of(shape.segment_step).max(shape.segment_step);
    let product =
        Product { desc, variant, shape, slices: 1, slice_depth, tensors: &tensors, part: Part::whole(desc) };
    let builder = builder
        .size("k", desc.k)
        .size("m", desc.m)
        .size("n", desc.n)
        .size("batch", desc.batch)
        .part("matmul_slice", SLICE);
    let builder = [0, 1].into_iter().fold(builder, |builder, which| {
        let (names, (load, factor)) = (OPERANDS[which], factors[which]);
        let builder = builder
            .flag(names.has_zero, false)
            .flag(names.by_depth, true)
            .size(names.rows, [desc.m, desc.n][which])
            .reads_by(names.name, load)
            .part_for(names.name, "matmul_no_zero", include_str!("../../shaders/shared/matmul_no_zero.wgsl"));
        let builder = match factor {
            Factor::Lines { pitch, stride } => builder
                .size(names.pitch, pitch)
                .size(names.stride, stride)
                .size(names.start, 0)
                .part_for(names.name, "at_by_depth", AT_BY_DEPTH),
            Factor::Placed { part, text } => builder.size(names.pitch, 0).part_for(names.name, part, text),
        };
        match variant {
            choice::COOPERATIVE => {
                builder.halves(names.name, load).part_for(names.name, "matmul_eights", EIGHTS)
            }
            _ => builder.part_for(names.name, "by_depth", BY_DEPTH),
        }
    });
    product.sums(if variant == choice::COOPERATIVE { builder.enable("f16") } else { builder })
}
