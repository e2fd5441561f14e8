//! The dispatches of a product: one, or partial sums into the scratch and a second that adds them up; as many times as it
//! takes parts to bind every tensor.

use super::activation_code;
use super::choice::{self, Cooperative, Tile};
use super::parts::{Axis, Part, Sizes, Tensors};
use super::shape::{Kind, Shape, segment};
use crate::kernel::Variant;
use crate::recipe::{Load, Recipe, Stage, StageBuilder};
use crate::{Capabilities, Columns, Granularity, MatmulDesc, Operand};
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
struct Product<'a> {
    desc: &'a MatmulDesc,
    variant: Variant,
    shape: Shape,
    slices: usize,
    slice_depth: usize,
    tensors: &'a Tensors,
    part: Part,
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
    fn start(&self, name: &str) -> usize {
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

    /// Adds the scales of an operand, and the zero points where the sums need them.
    fn scales(&self, which: usize) -> impl Fn(StageBuilder) -> StageBuilder {
        let (desc, operand) = (self.desc, [self.desc.a, self.desc.b][which]);
        let rows = [desc.m, desc.b_columns()][which];
        let groups = operand.group().map_or(1, |group| desc.k.div_ceil(group));
        let names = OPERANDS[which];
        // Scales and zero points lie alike.
        let start = self.start(if operand.scale.is_some() { names.scale } else { names.zero });
        move |builder| {
            let grouped = operand.group().is_some();
            let of_item = match operand.shared {
                true => 0,
                false => rows.saturating_mul(if grouped { groups } else { 1 }),
            };
            let line = if by_depth(operand, which) { groups } else { rows };
            let builder = builder
                .size(names.scale_stride, of_item)
                .size(names.scale_pitch, line)
                .size(names.scale_start, start)
                .size(names.group, operand.group().unwrap_or(1))
                .flag(names.by_depth, by_depth(operand, which))
                .reads(names.scale);
            // Zero points are read with the operands; a dispatch that only adds up has none.
            let template = include_str!("../../shaders/shared/matmul_scales.wgsl");
            builder.part_for(names.name, "matmul_scales", template)
        }
    }

    /// Adds the operands, their scales of groups and their zero points.
    fn operands(&self, builder: StageBuilder) -> StageBuilder {
        [0, 1].into_iter().fold(builder, |builder, which| self.operand(builder, which))
    }

    fn operand(&self, builder: StageBuilder, which: usize) -> StageBuilder {
        let (operand, names) = ([self.desc.a, self.desc.b][which], OPERANDS[which]);
        let by_depth = by_depth(operand, which);
        let rows = [self.desc.m, self.desc.b_columns()][which];
        let of_part = match (which, self.desc.pair) {
            (0, _) => self.part.size[Axis::Row],
            (_, None) => self.part.size[Axis::Column],
            _ => rows,
        };
        let (length, lines) = if by_depth { (self.desc.k, rows) } else { (rows, self.desc.k) };
        let columns = operand.columns.unwrap_or(Columns::all(length));
        let pitch = Dtype::from(operand.format).padded_row_len(columns.width);
        let builder = builder
            .size(names.rows, of_part)
            .size(names.pitch, pitch)
            .size(names.stride, if operand.shared { 0 } else { lines.saturating_mul(pitch) })
            .size(names.start, self.start(names.name))
            .flag(names.has_zero, operand.zero)
            .reads(names.zero);
        let builder = self.scales(which)(builder);
        if self.variant == choice::DOT4 {
            let (name, text) = if by_depth {
                ("packed_by_depth", include_str!("../../shaders/shared/matmul_packed_by_depth.wgsl"))
            } else {
                ("packed_by_row", include_str!("../../shaders/shared/matmul_packed_by_row.wgsl"))
            };
            return builder.words(names.name, Access::Read).part_for(names.name, name, text);
        }
        // Of a pair by rows, the second half starts n further.
        let halves = if self.desc.pair.is_some() && which == 1 && !by_depth { self.desc.n } else { 0 };
        let aligned = |to| [pitch, self.start(names.name), halves].iter().all(|at| at.is_multiple_of(to));
        let by_vectors = which == 1 && matches!(self.shape.kind, Kind::Vector { quads: 1.., .. });
        let load = match self.variant {
            _ if by_vectors && aligned(128 / operand.format.bits() as usize) => Load::Vectors,
            _ if by_vectors => Load::Together,
            // The row's elements are decoded for every four columns.
            _ if matches!(self.shape.kind, Kind::Vector { quads: 1.., .. }) && aligned(4) => {
                Load::WideTogether
            }
            choice::TILED_F16 if aligned(4) => Load::NativeWide,
            choice::TILED_F16 => Load::Native,
            choice::COOPERATIVE if aligned(8) => Load::Eights,
            choice::SHUFFLE | choice::VECTOR_LANES | choice::COOPERATIVE => Load::Together,
            choice::BROADCAST => Load::Words,
            _ if aligned(4) => Load::Wide,
            _ => Load::Words,
        };
        let (name, text) = if by_depth {
            ("by_depth", BY_DEPTH)
        } else {
            ("by_row", include_str!("../../shaders/shared/matmul_by_row.wgsl"))
        };
        let builder =
            if by_depth { builder.part_for(names.name, "at_by_depth", AT_BY_DEPTH) } else { builder };
        let builder = builder.reads_by(names.name, load).part_for(names.name, name, text);
        if self.variant == choice::COOPERATIVE {
            let builder = builder.halves(names.name, load);
            return builder.part_for(names.name, "matmul_eights", EIGHTS);
        }
        if by_vectors {
            let vectors = include_str!("../../shaders/shared/matmul_vectors.wgsl");
            return builder.vectors(names.name, "b_PER_WORD", load).part_for(
                names.name,
                "matmul_vectors",
                vectors,
            );
        }
        builder
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

    /// Adds the shader that forms the sums.
    fn sums(&self, builder: StageBuilder) -> Stage {
        let (desc, shape) = (self.desc, self.shape);
        let segment = segment(desc);
        let pairs = u32::from(desc.pair.is_some());
        let depths = self.part.size[Axis::Depth];
        let depth = self.slice_depth.min(depths);
        let [tiles_m, tiles_n] = shape.grid(&self.part);
        let builder = builder
            .constant("PAIRS", pairs)
            .constant("SINGLES", 1 - pairs)
            .flag("SEGMENTED", segment.is_some())
            .size("slice_depth", self.slice_depth)
            .size("segment", segment.unwrap_or(self.slice_depth))
            .size("tiles_m", tiles_m)
            .size("tiles_n", tiles_n)
            .size("tile_columns", shape.tile_columns)
            .size("half_step", shape.half_step);
        let segments = segment.map_or(1, |segment| depth.div_ceil(segment));
        let (builder, iterations) = match shape.kind {
            Kind::Tiled(tile) => self.tiled(builder, tile, depth),
            Kind::Vector { rows, column_lanes, depth_lanes, halves, quads } => {
                let builder = builder
                    .constant("ROWS", rows)
                    .constant("HALVES", halves)
                    .constant("COLUMN_HALVES", if pairs == 1 { 1 } else { halves })
                    .constant("COLUMN_LANES", column_lanes)
                    .constant("DEPTH_LANES", depth_lanes)
                    .constant("QUADS", quads.max(1))
                    .constant("ANY_VECTORS", quads.min(1));
                (
                    self.vector(builder),
                    depth.div_ceil(4 * depth_lanes as usize) + 8 * (rows * halves) as usize,
                )
            }
            Kind::Cooperative(cooperative) => {
                let steps = (cooperative.depth / cooperative.size) as usize;
                let tiles = depth.div_ceil(cooperative.depth as usize);
                (self.cooperative(builder, cooperative), tiles * (steps + 2))
            }
            Kind::Shuffle { rows, halves } => (self.shuffle(builder, rows, halves), depth.div_ceil(4)),
            Kind::Broadcast { rows } => {
                let text = include_str!("../../shaders/matmul_broadcast.wgsl");
                let builder = builder.constant("ROWS", rows).constant("HALVES", 1 + pairs);
                (builder.part("matmul_broadcast", text), depth.div_ceil(4))
            }
        };
        let tiles = shape.tiles(&self.part).saturating_mul(self.slices);
        // A segment's own loop has an end, and what is drained after it.
        builder.loop_iterations(iterations + 3 * segments).groups(tiles as u64)
    }

    fn tiled(&self, builder: StageBuilder, tile: Tile, depth: usize) -> (StageBuilder, usize) {
        let builder = builder
            .constant("ROWS", tile.rows)
            .constant("COLUMNS", tile.columns)
            .constant("ROW_LANES", tile.row_lanes)
            .constant("COLUMN_LANES", tile.column_lanes);
        let builder = builder.part("matmul_raster", RASTER);
        // Depths of a tile: F16 takes half the memory of F32, and large tiles bring few blocks to an invocation.
        let large = tile.row_lanes * tile.column_lanes >= 256;
        let tile_k =
            if self.variant == choice::DOT4 || large && self.variant == choice::TILED_F16 { 32 } else { 16 };
        let blocks = tile.row_lanes * tile.rows + tile.column_lanes * tile.columns;
        let fetches = tile_k / 4 * blocks / (tile.row_lanes * tile.column_lanes);
        let builder = builder.constant("FETCHES", fetches);
        // The loop over a tile's depths, or words of four, counts with its end.
        let steps = if self.variant == choice::DOT4 { tile_k / 4 } else { tile_k };
        let iterations = depth.div_ceil(tile_k as usize) * (steps as usize + 2);
        if self.variant == choice::DOT4 {
            let text = include_str!("../../shaders/matmul_dot4.wgsl");
            return (builder.part("matmul_dot4", text), iterations);
        }
        let builder = if self.variant == choice::TILED_F16 {
            let text = include_str!("../../shaders/shared/tile_f16.wgsl");
            builder.enable("f16").part("tile_f16", text)
        } else {
            builder.part("tile_f32", include_str!("../../shaders/shared/tile_f32.wgsl"))
        };
        let text = include_str!("../../shaders/matmul_tiled.wgsl");
        (builder.constant("TILE_K", tile_k).part("matmul_tiled", text), iterations)
    }

    fn shuffle(&self, builder: StageBuilder, rows: u32, halves: u32) -> StageBuilder {
        let words = self.desc.a.format.bytes() as u32;
        let rows_per_gather = 8 / words;
        builder
            .constant("ROWS", rows)
            .constant("HALVES", halves)
            .constant("COLUMN_HALVES", if self.desc.pair.is_some() { 1 } else { halves })
            .constant("WORDS", words)
            .constant("PER_WORD", 4 / words)
            .constant("GATHERS", rows.div_ceil(rows_per_gather))
            .constant("ROWS_PER_GATHER", rows_per_gather)
            .constant("GATHERED_ROWS", rows.min(rows_per_gather))
            .part("matmul_shuffle", include_str!("../../shaders/matmul_shuffle.wgsl"))
    }

    fn vector(&self, builder: StageBuilder) -> StageBuilder {
        let (name, text) = match self.variant {
            choice::VECTOR_SUBGROUP => {
                ("merge_subgroup", include_str!("../../shaders/shared/matmul_merge_subgroup.wgsl"))
            }
            choice::VECTOR_LANES => {
                ("merge_lanes", include_str!("../../shaders/shared/matmul_merge_lanes.wgsl"))
            }
            _ => ("merge_tree", include_str!("../../shaders/shared/matmul_merge_tree.wgsl")),
        };
        builder.part(name, text).part("matmul_vector", include_str!("../../shaders/matmul_vector.wgsl"))
    }

    fn cooperative(&self, builder: StageBuilder, cooperative: Cooperative) -> StageBuilder {
        let (name, text) = if cooperative.size == 8 {
            ("coop8", include_str!("../../shaders/shared/coop8.wgsl"))
        } else {
            ("coop16", include_str!("../../shaders/shared/coop16.wgsl"))
        };
        let (cell_name, cell) = if cooperative.cell == 1 {
            ("coop_scalars", include_str!("../../shaders/shared/coop_scalars.wgsl"))
        } else {
            ("coop_vectors", include_str!("../../shaders/shared/coop_vectors.wgsl"))
        };
        let strip_tiles = cooperative.strip_tiles();
        builder
            .proven()
            .enable("wgpu_cooperative_matrix")
            .constant("SUBGROUP", cooperative.subgroup)
            .constant("SUBGROUPS_M", cooperative.subgroups[0])
            .constant("SUBGROUPS_N", cooperative.subgroups[1])
            .constant("TILES_M", cooperative.tiles[0])
            .constant("TILES_N", cooperative.tiles[1])
            .constant("HALF_TILES", cooperative.tiles[1] / 2)
            .constant("STRIP_TILES", strip_tiles)
            .constant("PASSES", cooperative.tiles[1] / 2 / strip_tiles)
            .constant("SHARE", cooperative.share())
            .constant("TILE_K", cooperative.depth)
            .constant("CELLS", 8 / cooperative.cell)
            .constant("A_FETCHES", cooperative.fetches(cooperative.rows()))
            .constant("B_FETCHES", cooperative.fetches(cooperative.columns()))
            .part(name, text)
            .part(cell_name, cell)
            .part("matmul_raster", RASTER)
            .part("matmul_cooperative", include_str!("../../shaders/matmul_cooperative.wgsl"))
    }
}

const RASTER: &str = include_str!("../../shaders/shared/matmul_raster.wgsl");
const SLICE: &str = include_str!("../../shaders/shared/matmul_slice.wgsl");
const AT_BY_DEPTH: &str = include_str!("../../shaders/shared/matmul_at_by_depth.wgsl");
const BY_DEPTH: &str = include_str!("../../shaders/shared/matmul_by_depth.wgsl");
const EIGHTS: &str = include_str!("../../shaders/shared/matmul_eights.wgsl");

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

/// The names that belong to an operand.
#[derive(Clone, Copy, Debug)]
struct Names {
    name: &'static str,
    scale: &'static str,
    zero: &'static str,
    rows: &'static str,
    pitch: &'static str,
    stride: &'static str,
    start: &'static str,
    scale_stride: &'static str,
    scale_pitch: &'static str,
    scale_start: &'static str,
    group: &'static str,
    by_depth: &'static str,
    has_zero: &'static str,
}

const OPERANDS: [Names; 2] = [
    Names {
        name: "a",
        scale: "a_scale",
        zero: "a_zero",
        rows: "a_rows",
        pitch: "a_pitch",
        stride: "a_stride",
        start: "a_start",
        scale_stride: "a_scale_stride",
        scale_pitch: "a_scale_pitch",
        scale_start: "a_scale_start",
        group: "a_group",
        by_depth: "a_BY_DEPTH",
        has_zero: "a_HAS_ZERO",
    },
    Names {
        name: "b",
        scale: "b_scale",
        zero: "b_zero",
        rows: "b_rows",
        pitch: "b_pitch",
        stride: "b_stride",
        start: "b_start",
        scale_stride: "b_scale_stride",
        scale_pitch: "b_scale_pitch",
        scale_start: "b_scale_start",
        group: "b_group",
        by_depth: "b_BY_DEPTH",
        has_zero: "b_HAS_ZERO",
    },
];

/// Whether neighbours in memory are neighbours along k.
pub(super) fn by_depth(operand: Operand, which: usize) -> bool {
    (which == 0) != operand.transposed
}

/// The `TENSOR_PER` of `shaders/shared/matmul_scales.wgsl`.
fn per(scale: Option<Granularity>) -> u32 {
    match scale {
        None => 0,
        Some(Granularity::PerTensor) => 1,
        Some(Granularity::PerGroup(_)) => 3,
        Some(_) => 2,
    }
}
