//! Faults to be injected, each in one place of a file, and the test that must notice.

/// A fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mutation {
    /// What is wrong then.
    pub(crate) fault: &'static str,
    /// Where, from the repository's root.
    pub(crate) file: &'static str,
    /// What stands there, once in the file.
    pub(crate) find: &'static str,
    pub(crate) replace: &'static str,
    /// Cargo's words for the target, and the test's name or the start of its path.
    pub(crate) test: (&'static [&'static str], &'static str),
}

const fn mutation(
    fault: &'static str,
    file: &'static str,
    find: &'static str,
    replace: &'static str,
    test: (&'static [&'static str], &'static str),
) -> Mutation {
    Mutation { fault, file, find, replace, test }
}

const ACTIVATION: &[&str] = &["--workspace", "--test", "activation"];
const ATTENTION: &[&str] = &["--workspace", "--test", "attention"];
const CAST: &[&str] = &["--workspace", "--test", "cast"];
const WEIGHTS: &[&str] = &["--workspace", "--test", "weights"];
const CONTRACT: &[&str] = &["--workspace", "--test", "contract"];
const CONV: &[&str] = &["--workspace", "--test", "conv"];
const HEAT: &[&str] = &["--workspace", "--test", "heat"];
const LAPLACIAN: &[&str] = &["--workspace", "--test", "laplacian"];
const REFERENCE: &[&str] = &["--package", "langevin-reference", "--lib"];
const HISTOGRAM: &[&str] = &["--workspace", "--test", "histogram"];
const MATMUL: &[&str] = &["--workspace", "--test", "matmul"];
const MERGE: &[&str] = &["--workspace", "--test", "merge"];
const NORM: &[&str] = &["--workspace", "--test", "norm"];
const NORM_QUANTIZE: &[&str] = &["--workspace", "--test", "norm_quantize"];
const PATCHIFY: &[&str] = &["--workspace", "--test", "patchify"];
const QUANTIZE: &[&str] = &["--workspace", "--test", "quantize"];
const REFERENCE_HEAT: &[&str] = &["--package", "langevin-reference", "--test", "heat"];
const ROTARY: &[&str] = &["--workspace", "--test", "rotary"];
const SAMPLERS: &[&str] = &["--workspace", "--test", "samplers"];

/// All of them, by kernel.
pub(crate) const MUTATIONS: &[Mutation] = &[
    mutation(
        "a tile's last depth is left out",
        "shaders/matmul_tiled.wgsl",
        "for (var d = 0u; d < TILE_K; d += 1u) {",
        "for (var d = 0u; d < TILE_K - 1u; d += 1u) {",
        (MATMUL, "shapes"),
    ),
    mutation(
        "tiles are read before all of them is there",
        "shaders/matmul_tiled.wgsl",
        "      // Publishes both tiles.\n      workgroupBarrier();\n",
        "",
        (MATMUL, "shapes"),
    ),
    mutation(
        "the last tile is the one before",
        "shaders/matmul_tiled.wgsl",
        "if (depth0 + TILE_K < segment_end) {",
        "if (depth0 + 2u * TILE_K < segment_end) {",
        (MATMUL, "shapes"),
    ),
    mutation(
        "a row too many is written",
        "shaders/shared/matmul_epilogue.wgsl",
        "fn finish(item: u32, row: u32, column: u32, total: Total) {\n  if (row < p.m && column < p.n) {",
        "fn finish(item: u32, row: u32, column: u32, total: Total) {\n  if (row <= p.m && column < p.n) {",
        (MATMUL, "shapes"),
    ),
    mutation(
        "rows and groups of scales are swapped",
        "shaders/shared/matmul_scales.wgsl",
        "return first + group * p.TENSOR_scale_pitch + row;",
        "return first + row * p.TENSOR_scale_pitch + group;",
        (MATMUL, "scales"),
    ),
    mutation(
        "the first slice of a sum is left out",
        "shaders/matmul_reduce.wgsl",
        "for (var slice = 0u; slice < p.slices; slice += 1u) {",
        "for (var slice = 1u; slice < p.slices; slice += 1u) {",
        (MATMUL, "sums_in_slices"),
    ),
    mutation(
        "what lay in the scratch before is added",
        "shaders/shared/matmul_partial.wgsl",
        "if (p.adds != 0u) { sum = total_of(scratch[at]) + total; }",
        "sum = total_of(scratch[at]) + total;",
        (MATMUL, "sums_in_slices"),
    ),
    mutation(
        "integers are summed beyond what f32 holds",
        "kernels/matmul/shape.rs",
        "{ 256 } else { 1024 }",
        "{ 256 } else { 4096 }",
        (MATMUL, "integers::"),
    ),
    mutation(
        "a row of the product's second half is the first's",
        "shaders/matmul_shuffle.wgsl",
        "finish(item, row0 + R, column_0 + H * 32u, total_R_H);",
        "finish(item, row0 + R, column_0 + H * 32u, total_R_0);",
        (MATMUL, "shapes"),
    ),
    mutation(
        "halves are rounded up",
        "shaders/format/bf16.wgsl",
        "(bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u",
        "(bits + 0x8000u) >> 16u",
        (CAST, "every_pair_of_formats"),
    ),
    mutation(
        "the largest number is taken for NaN",
        "shaders/format/e4m3.wgsl",
        "0x7fc00000u, magnitude == 0x7fu);",
        "0x7fc00000u, magnitude >= 0x7eu);",
        (ACTIVATION, "every_code_arrives"),
    ),
    mutation(
        "subnormal codes are cut off",
        "shaders/format/e4m3.wgsl",
        "max(magnitude, 0x3c800000u)",
        "max(magnitude, 0x3c000000u)",
        (QUANTIZE, "all_16_bit_inputs"),
    ),
    mutation(
        "infinity is a number like others",
        "shaders/quantize_factor.wgsl",
        "factor.infinity, given == INFINITY);",
        "factor.infinity, given > INFINITY);",
        (QUANTIZE, "special_values"),
    ),
    mutation(
        "the tree of the extremes forgets a leaf",
        "shaders/quantize_merge_tree.wgsl",
        "team_slots[local + half]",
        "team_slots[local + half - 1u]",
        (QUANTIZE, "shapes"),
    ),
    mutation(
        "half of the seed is not used",
        "shaders/quantize_random.wgsl",
        "vec2<u32>(seed[0], seed[1])",
        "vec2<u32>(seed[0], seed[0])",
        (QUANTIZE, "stochastic_rounding"),
    ),
    mutation(
        "symmetric codes reach -128",
        "shaders/quantize_integer.wgsl",
        "select(-127, -128, ASYMMETRIC)",
        "-128",
        (QUANTIZE, "all_16_bit_inputs"),
    ),
    mutation(
        "the mask is dropped",
        "shaders/shared/attention_logit.wgsl",
        "    visible = visible & (mask != vec4<f32>(0.0));\n",
        "",
        (ATTENTION, "every_pair_of_options"),
    ),
    mutation(
        "a query does not see its own key",
        "shaders/shared/attention_logit.wgsl",
        "(distance <= vec4<i32>(place.high))",
        "(distance < vec4<i32>(place.high))",
        (ATTENTION, "hidden::every_alignment_and_length"),
    ),
    mutation(
        "sums of earlier keys keep their old scale",
        "shaders/attention_tiled.wgsl",
        "    mix_I_H_C *= rescale[I];\n",
        "",
        (ATTENTION, "tiles_of_one_head"),
    ),
    mutation(
        "values are read before all of them are there",
        "shaders/attention_tiled.wgsl",
        "    // Publishes the weights and 64 columns of the values.\n    workgroupBarrier();\n",
        "",
        (ATTENTION, "tiles_of_one_head"),
    ),
    mutation(
        "hidden values are multiplied by zero",
        "shaders/attention_tiled.wgsl",
        "if (!HIDES || all(w != vec4<f32>(0.0))) {",
        "if (true) {",
        (ATTENTION, "hidden::hidden_keys_and_values_may_hold_anything"),
    ),
    mutation(
        "rows of a tile are the first one's neighbours twice",
        "shaders/attention_shuffle.wgsl",
        "let q_row_G = q_row(place, own_G);",
        "let q_row_G = q_row(place, row_of(place, place.row0 + local));",
        (ATTENTION, "tiles_of_one_head"),
    ),
    mutation(
        "parts weigh the root of what they should",
        "shaders/shared/merge_pairs.wgsl",
        "exp(2.0 * max(",
        "exp(max(",
        (MERGE, "shapes"),
    ),
    mutation(
        "a reflection repeats the outermost element",
        "shaders/shared/conv_axis.wgsl",
        "select(2u * last - element, u32(-position), is_before)",
        "select(2u * last + 1u - element, u32(-position), is_before)",
        (CONV, "every_boundary_on_either_axis"),
    ),
    mutation(
        "a dilation is left out",
        "shaders/shared/conv_axis.wgsl",
        "i32(t) * p.TENSOR_dilation",
        "i32(t)",
        (CONV, "one_two_and_three_axes_with_every_setting_their_own"),
    ),
    mutation(
        "what is outside along x is what is outside along y",
        "shaders/shared/conv_patches.wgsl",
        "select(select(0u, 1u, y == NOWHERE), 2u, x == NOWHERE)",
        "select(select(0u, 2u, x == NOWHERE), 1u, y == NOWHERE)",
        (CONV, "product::constants_of_each_axis"),
    ),
    mutation(
        "neighbours are overwritten before they are read",
        "shaders/shared/stencil_tiles.wgsl",
        "    // The others' cells have been read before any is overwritten.\n    workgroupBarrier();\n",
        "",
        (HEAT, "steps::every_number_of_steps"),
    ),
    mutation(
        "steps between are not rounded to the storage format",
        "shaders/shared/stencil_strips.wgsl",
        "  if (step < STEPS) {\n    return stored(v);",
        "  if (step > STEPS) {\n    return stored(v);",
        (HEAT, "steps::formats_between_steps"),
    ),
    mutation(
        "a harmonic mean is half of one",
        "shaders/shared/stencil_cells.wgsl",
        "2.0 * here * there",
        "here * there",
        (LAPLACIAN, "media"),
    ),
    mutation(
        "an unstable step is taken",
        "crates/reference/src/heat.rs",
        "self.time_step > self.stable_dt() * (1.0 + 4.0 * f64::EPSILON)",
        "self.time_step > self.stable_dt() * 1.01",
        (REFERENCE_HEAT, "the_limit_is_sharp"),
    ),
    mutation(
        "the tree of the sums is read before it is done",
        "shaders/shared/sum_of_lanes.wgsl",
        "    // Publishes the sums of the level below.\n    workgroupBarrier();\n",
        "",
        (NORM, "shapes"),
    ),
    mutation(
        "numbers near the largest are counted without their sign",
        "shaders/histogram.wgsl",
        "near_counts[sign * NEAR_BINS + magnitude - first]",
        "near_counts[magnitude - first]",
        (HISTOGRAM, "all_halves"),
    ),
    mutation(
        "of many parts only those of the first invocation count",
        "shaders/attention_merge.wgsl",
        "lane = local + QUAD_LANES; lane < LANES;",
        "lane = local + LANES; lane < LANES;",
        (MERGE, "shapes"),
    ),
    mutation(
        "the last four codes of a row are left out",
        "shaders/norm_quantize_row.wgsl",
        "unit < region.end; unit += step / 4u",
        "unit + 1u < region.end; unit += step / 4u",
        (NORM_QUANTIZE, "shapes"),
    ),
    mutation(
        "the first row's scale is every row's",
        "shaders/norm_quantize_row.wgsl",
        "affine_of(select(row, 0u, ONE_SCALE),",
        "affine_of(0u,",
        (NORM_QUANTIZE, "every_granularity"),
    ),
    mutation(
        "pairs turn the other way",
        "shaders/shared/rotary_row.wgsl",
        "select(sine, -sine, is_first)",
        "select(-sine, sine, is_first)",
        (ROTARY, "shapes"),
    ),
    mutation(
        "rows and columns of a patch are swapped",
        "shaders/patchify.wgsl",
        "let row = rest % down * p.patch_side + row_of_patch;",
        "let row = rest % down * p.patch_side + q;",
        (PATCHIFY, "shapes"),
    ),
    mutation(
        "one buffer may be read and written",
        "kernels/bind.rs",
        "if same && written(output)",
        "if !same && written(output)",
        (CONTRACT, "every_bind_error_names_the_tensor_and_the_numbers"),
    ),
    mutation(
        "NaN passes a comparison",
        "crates/reference/src/compare.rs",
        "usize::from(!(ratio <= 1.0))",
        "usize::from(ratio > 1.0)",
        (REFERENCE, "compare::tests::nan_never_passes"),
    ),
    mutation(
        "Heun's sampler leaves some of the trial step in",
        "crates/diffusion/src/sampler.rs",
        "b.scale * (b.tau - a.tau) / 2.0",
        "b.scale * (b.tau - a.tau) / 2.5",
        (SAMPLERS, "errors_fall_with_the_order_of_the_sampler"),
    ),
    mutation(
        "a tensor of another shape is loaded",
        "crates/diffusion/src/checkpoint.rs",
        "if stored.shape != shape {",
        "if stored.shape.len() != shape.len() {",
        (WEIGHTS, "every_misfit_is_named"),
    ),
];
