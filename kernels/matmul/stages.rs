//! The dispatches of a product: one, or partial sums into the scratch and a second that adds them up.

use super::activation_code;
use super::choice::{self, Cooperative, Tile};
use crate::kernel::Variant;
use crate::recipe::{Load, Recipe, Stage, StageBuilder};
use crate::{Capabilities, Columns, Granularity, MatmulDesc, Operand};
use langevin_gpu::{Access, Element};
use langevin_reference::{Dtype, Op, Overflow, Pair};

pub(super) fn recipe(desc: &MatmulDesc, variant: Variant, capabilities: &Capabilities) -> Recipe {
    let shape = Shape::of(desc, variant, capabilities);
    let limits = &capabilities.limits;
    let bindings = desc.tensors().len() as u64;
    let spills = bindings > u64::from(limits.max_storage_buffers_per_shader_stage);
    let scratch_pitch = desc.b_columns().div_ceil(4);
    let slice_bytes = (desc.batch * desc.m) as u64 * scratch_pitch as u64 * 16;
    let mut slices = choice::slices(desc, variant, desc.batch * shape.tiles_m * shape.tiles_n);
    if slice_bytes.saturating_mul(slices as u64) > limits.max_storage_buffer_binding_size {
        slices = 1;
    }
    let slice_depth = desc.k.div_ceil(slices).next_multiple_of(shape.segment_step).max(shape.segment_step);
    let slices = desc.k.div_ceil(slice_depth).max(1);
    let product = Product { desc, variant, shape, slices, slice_depth, scratch_pitch };
    if slices == 1 && !spills {
        return Recipe::single(product.whole());
    }
    let mut recipe = Recipe::single(product.partial());
    recipe.scratch_bytes = slice_bytes * slices as u64;
    recipe.stages.push(product.reduce());
    if product.desc.batch * product.desc.m * product.desc.n == 0 { Recipe::default() } else { recipe }
}

/// What a variant's shader is told about its tile.
#[derive(Clone, Copy, Debug)]
struct Shape {
    tiles_m: usize,
    tiles_n: usize,
    /// Columns of `out` that a tile covers.
    tile_columns: usize,
    /// From a column of a tile's first half to its partner in the second.
    half_step: usize,
    /// Slices of k start at multiples of this.
    segment_step: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Tiled(Tile),
    Vector { rows: u32, column_lanes: u32, depth_lanes: u32, halves: u32 },
    Cooperative(Cooperative),
    Broadcast { rows: u32 },
    Shuffle { rows: u32, halves: u32 },
}

impl Shape {
    fn of(desc: &MatmulDesc, variant: Variant, capabilities: &Capabilities) -> Self {
        let pair = desc.pair.is_some();
        let (kind, tile_m, tile_n, half) = match variant {
            choice::VECTOR | choice::VECTOR_SUBGROUP | choice::VECTOR_LANES => {
                let rows = [1, 2, 4].into_iter().find(|&rows| desc.m <= rows).unwrap_or(8) as u32;
                let column_lanes = if desc.b.transposed { 1 } else { 32 };
                let (lanes, halves) = match variant {
                    // More columns share a load of A; a pair has its two halves.
                    choice::VECTOR_LANES if rows == 1 && !pair => (8, 4),
                    choice::VECTOR_LANES => (8, 2),
                    _ => (64, if pair { 2 } else { 1 }),
                };
                let (tile_n, depth_lanes) = (4 * column_lanes * halves, lanes / column_lanes);
                (Kind::Vector { rows, column_lanes, depth_lanes, halves }, rows as usize, tile_n as usize, 0)
            }
            choice::SHUFFLE => {
                let rows = [1, 2, 4, 8, 16].into_iter().find(|&rows| desc.m <= rows).unwrap_or(32);
                // A row of its own leaves room for more columns.
                let halves = if rows == 1 && !pair { 8 } else { 2 };
                (Kind::Shuffle { rows: rows as u32, halves }, rows, 32 * halves as usize, 0)
            }
            choice::BROADCAST => {
                let rows = if pair { 8 } else { 16 };
                (Kind::Broadcast { rows }, rows as usize, if pair { 64 } else { 32 }, 0)
            }
            choice::COOPERATIVE => match Cooperative::of(capabilities) {
                Some(cooperative) => {
                    let edge = cooperative.edge() as usize;
                    (Kind::Cooperative(cooperative), edge, edge, edge / 2 / Cooperative::SUBGROUPS as usize)
                }
                None => return Self::of(desc, choice::TILED, capabilities),
            },
            _ => {
                let tile = Tile::of(desc);
                (Kind::Tiled(tile), tile.m(), tile.n(), 4 * tile.column_lanes as usize)
            }
        };
        let tile_columns = if pair { tile_n / 2 } else { tile_n };
        Self {
            tiles_m: desc.m.div_ceil(tile_m),
            tiles_n: desc.n.div_ceil(tile_columns),
            tile_columns,
            half_step: if pair { desc.n } else { half },
            segment_step: segment(desc).unwrap_or(32),
            kind,
        }
    }
}

/// Depths after which sums are taken out of f32: a group's, or as many as f32 adds products of I8 exactly.
fn segment(desc: &MatmulDesc) -> Option<usize> {
    let groups = [desc.a.group(), desc.b.group()].into_iter().flatten().min();
    let exact = if desc.a.zero || desc.b.zero { 256 } else { 1024 };
    groups.or(desc.is_integer().then_some(exact))
}

struct Product<'a> {
    desc: &'a MatmulDesc,
    variant: Variant,
    shape: Shape,
    slices: usize,
    slice_depth: usize,
    scratch_pitch: usize,
}

impl Product<'_> {
    /// The only dispatch.
    fn whole(&self) -> Stage {
        self.sums(self.epilogue(self.operands(self.builder("matmul"))))
    }

    /// The dispatch that leaves sums in the scratch.
    fn partial(&self) -> Stage {
        let builder = self.operands(self.builder("matmul"));
        let builder = builder.scratch(Access::ReadWrite, Element::Vec4Word);
        self.sums(builder.part("matmul_partial", include_str!("../../shaders/shared/matmul_partial.wgsl")))
    }

    /// The dispatch that adds them up.
    fn reduce(&self) -> Stage {
        let quads = self.desc.n.div_ceil(4);
        let builder = self.builder("matmul: epilogue").scratch(Access::Read, Element::Vec4Word);
        let [a, b] = [self.scales(0), self.scales(1)];
        // Zero points have been taken off already.
        let builder = self.epilogue(b(a(builder)).absent("a_zero").absent("b_zero"));
        let rows = self.desc.batch * self.desc.m;
        builder
            .flag("PAIR", self.desc.pair.is_some())
            .size("slices", self.slices)
            .size("quads", quads)
            .part("matmul_reduce", include_str!("../../shaders/matmul_reduce.wgsl"))
            .loop_iterations(2 * self.slices)
            .groups((rows * quads).div_ceil(64) as u64)
    }

    /// What every dispatch has.
    fn builder(&self, label: &'static str) -> StageBuilder {
        let desc = self.desc;
        let total = if desc.is_integer() && !desc.is_grouped() {
            ("matmul_total_integer", include_str!("../../shaders/shared/matmul_total_integer.wgsl"))
        } else {
            ("matmul_total_float", include_str!("../../shaders/shared/matmul_total_float.wgsl"))
        };
        let builder = StageBuilder::new(label, desc);
        // Conversions of F16 are part of the extension.
        let converts = matches!(self.variant, choice::SHUFFLE | choice::VECTOR_LANES);
        let builder = if converts { builder.enable("f16") } else { builder };
        builder
            .constant("a_PER", per(desc.a.scale))
            .constant("b_PER", per(desc.b.scale))
            .size("m", desc.m)
            .size("k", desc.k)
            .size("n", desc.n)
            .size("batch", desc.batch)
            .size("scratch_pitch", self.scratch_pitch)
            .part(total.0, total.1)
            .part("matmul_common", include_str!("../../shaders/shared/matmul_common.wgsl"))
    }

    /// Adds the scales of an operand, and the zero points where the sums need them.
    fn scales(&self, which: usize) -> impl Fn(StageBuilder) -> StageBuilder {
        let (desc, operand) = (self.desc, [self.desc.a, self.desc.b][which]);
        let rows = [desc.m, desc.b_columns()][which];
        let groups = operand.group().map_or(1, |group| desc.k.div_ceil(group));
        let names = OPERANDS[which];
        move |builder| {
            let of_item = match operand.scale {
                _ if operand.shared => 0,
                Some(Granularity::PerGroup(_)) => rows.saturating_mul(groups),
                _ => rows,
            };
            let builder = builder
                .size(names.scale_stride, of_item)
                .size(names.groups, groups)
                .size(names.group, operand.group().unwrap_or(1))
                .size(names.rows, rows)
                .flag(names.by_depth, by_depth(operand, which))
                .reads(names.scale);
            // Zero points are read with the operands; a dispatch that only adds up has none.
            let template = include_str!("../../shaders/shared/matmul_scales.wgsl");
            builder.part_for(names.name, "matmul_scales", template)
        }
    }

    /// Adds the operands, their scales of groups and their zero points.
    fn operands(&self, builder: StageBuilder) -> StageBuilder {
        let mut builder = builder;
        for which in [0, 1] {
            let operand = [self.desc.a, self.desc.b][which];
            let names = OPERANDS[which];
            let by_depth = by_depth(operand, which);
            let rows = [self.desc.m, self.desc.b_columns()][which];
            let (length, lines) = if by_depth { (self.desc.k, rows) } else { (rows, self.desc.k) };
            let columns = operand.columns.unwrap_or(Columns::all(length));
            let pitch = Dtype::from(operand.format).padded_row_len(columns.width);
            builder = builder
                .size(names.pitch, pitch)
                .size(names.stride, if operand.shared { 0 } else { lines.saturating_mul(pitch) })
                .size(names.start, columns.start)
                .flag(names.has_zero, operand.zero)
                .reads(names.zero);
            builder = self.scales(which)(builder);
            builder = if self.variant == choice::DOT4 {
                let (name, text) = if by_depth {
                    ("packed_by_depth", include_str!("../../shaders/shared/matmul_packed_by_depth.wgsl"))
                } else {
                    ("packed_by_row", include_str!("../../shaders/shared/matmul_packed_by_row.wgsl"))
                };
                builder.words(names.name, Access::Read).part_for(names.name, name, text)
            } else {
                let aligned = pitch.is_multiple_of(4) && columns.start.is_multiple_of(4);
                let load = match self.variant {
                    choice::TILED_F16 => Load::Native,
                    choice::SHUFFLE | choice::VECTOR_LANES => Load::Together,
                    choice::BROADCAST => Load::Words,
                    _ if aligned => Load::Wide,
                    _ => Load::Words,
                };
                let (name, text) = if by_depth {
                    ("by_depth", include_str!("../../shaders/shared/matmul_by_depth.wgsl"))
                } else {
                    ("by_row", include_str!("../../shaders/shared/matmul_by_row.wgsl"))
                };
                builder.reads_by(names.name, load).part_for(names.name, name, text)
            };
        }
        builder
    }

    /// Adds what finishes a sum.
    fn epilogue(&self, builder: StageBuilder) -> StageBuilder {
        let desc = self.desc;
        let gate = desc.gate.unwrap_or(Columns::all(desc.n));
        let out = desc.out_columns.unwrap_or(Columns::all(desc.n));
        let pitch = |columns| Dtype::from(desc.out).padded_row_len(columns);
        let builder = builder
            .flag("HAS_BIAS", desc.bias)
            .constant("ACTIVATION", activation_code(desc.activation))
            .flag("GATE_FIRST", desc.pair == Some(Pair::GateFirst))
            .flag("HAS_GATE", desc.gate.is_some())
            .flag("HAS_RESIDUAL", desc.residual)
            .flag("HAS_OUT_SCALE", desc.out_scale)
            .flag("SATURATE", desc.out.bits() < 32 && desc.overflow_mode() == Overflow::Saturate)
            .number("MAX_FINITE", desc.out.max_finite() as f32)
            .size("out_pitch", pitch(out.width))
            .size("out_start", out.start)
            .size("residual_pitch", pitch(desc.n))
            .size(
                "residual_stride",
                if desc.residual_shared { 0 } else { desc.m.saturating_mul(pitch(desc.n)) },
            )
            .size("gate_width", gate.width)
            .size("gate_start", gate.start);
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
        let depth = self.slice_depth.min(desc.k);
        let builder = builder
            .constant("PAIRS", pairs)
            .constant("SINGLES", 1 - pairs)
            .flag("SEGMENTED", segment.is_some())
            .size("slice_depth", self.slice_depth)
            .size("segment", segment.unwrap_or(self.slice_depth))
            .size("tiles_m", shape.tiles_m)
            .size("tiles_n", shape.tiles_n)
            .size("tile_columns", shape.tile_columns)
            .size("half_step", shape.half_step);
        let segments = segment.map_or(1, |segment| depth.div_ceil(segment));
        let (builder, iterations) = match shape.kind {
            Kind::Tiled(tile) => self.tiled(builder, tile, depth),
            Kind::Vector { rows, column_lanes, depth_lanes, halves } => {
                let builder = builder
                    .constant("ROWS", rows)
                    .constant("HALVES", halves)
                    .constant("COLUMN_HALVES", if pairs == 1 { 1 } else { halves })
                    .constant("COLUMN_LANES", column_lanes)
                    .constant("DEPTH_LANES", depth_lanes);
                (
                    self.vector(builder),
                    depth.div_ceil(4 * depth_lanes as usize) + 8 * (rows * halves) as usize,
                )
            }
            Kind::Cooperative(cooperative) => {
                (self.cooperative(builder, cooperative), depth.div_ceil(32) * 16)
            }
            Kind::Shuffle { rows, halves } => (self.shuffle(builder, rows, halves), depth.div_ceil(4)),
            Kind::Broadcast { rows } => {
                let text = include_str!("../../shaders/matmul_broadcast.wgsl");
                let builder = builder.constant("ROWS", rows).constant("HALVES", 1 + pairs);
                (builder.part("matmul_broadcast", text), depth.div_ceil(4))
            }
        };
        let tiles = desc.batch.saturating_mul(shape.tiles_m).saturating_mul(shape.tiles_n);
        builder.loop_iterations(iterations + segments).groups(tiles.saturating_mul(self.slices) as u64)
    }

    fn tiled(&self, builder: StageBuilder, tile: Tile, depth: usize) -> (StageBuilder, usize) {
        let builder = builder
            .constant("ROWS", tile.rows)
            .constant("COLUMNS", tile.columns)
            .constant("ROW_LANES", tile.row_lanes)
            .constant("COLUMN_LANES", tile.column_lanes);
        match self.variant {
            choice::DOT4 => {
                let text = include_str!("../../shaders/matmul_dot4.wgsl");
                (builder.part("matmul_dot4", text), depth.div_ceil(32))
            }
            variant => {
                let builder = if variant == choice::TILED_F16 {
                    let tile = include_str!("../../shaders/shared/tile_f16.wgsl");
                    builder.enable("f16").part("tile_f16", tile)
                } else {
                    builder.part("tile_f32", include_str!("../../shaders/shared/tile_f32.wgsl"))
                };
                let text = include_str!("../../shaders/matmul_tiled.wgsl");
                (builder.part("matmul_tiled", text), depth.div_ceil(16))
            }
        }
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
        builder
            .enable("f16")
            .enable("wgpu_cooperative_matrix")
            .constant("SUBGROUP", cooperative.subgroup)
            .constant("SUBGROUPS_M", Cooperative::SUBGROUPS)
            .constant("SUBGROUPS_N", Cooperative::SUBGROUPS)
            .constant("TILES_M", cooperative.tiles)
            .constant("TILES_N", cooperative.tiles)
            .constant("SHARE", cooperative.share())
            .part(name, text)
            .part("matmul_cooperative", include_str!("../../shaders/matmul_cooperative.wgsl"))
    }
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
    groups: &'static str,
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
        groups: "a_groups",
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
        groups: "b_groups",
        group: "b_group",
        by_depth: "b_BY_DEPTH",
        has_zero: "b_HAS_ZERO",
    },
];

/// Whether neighbours in memory are neighbours along k.
fn by_depth(operand: Operand, which: usize) -> bool {
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
