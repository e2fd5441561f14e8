//! Quantize against its reference, to the bit: shapes x formats x scales, special values, exhaustive inputs, and
//! references that must be rejected.

use langevin::formats::e8m0::ScaleRounding;
use langevin::gpu::Capabilities;
use langevin::reference::generate::{self, Random};
use langevin::verify::{self, Dtype, Op, RunOptions, Tensor, Tensors, compare};
use langevin::{Format, Gpu, Granularity, Kernel, Overflow, PlanOptions, Rounding, ScaleSource};
use langevin::{Quantize, QuantizeBuffers, QuantizeDesc};
use langevin_testkit::{conform, conform_on, gpu};

const GRANULARITIES: [Granularity; 6] = [
    Granularity::PerTensor,
    Granularity::PerRow,
    Granularity::PerColumn,
    Granularity::PerGroup(32),
    Granularity::PerBlock { rows: 16, columns: 8 },
    Granularity::PerBlock { rows: 5, columns: 1 },
];
/// The formats of codes, I8 also with zero points.
const CODES: [(Format, bool); 4] =
    [(Format::E4m3, false), (Format::E5m2, false), (Format::I8, false), (Format::I8, true)];

fn per_row(shape: &[usize]) -> QuantizeDesc {
    QuantizeDesc { shape: shape.to_vec(), granularity: Granularity::PerRow, ..Default::default() }
}

/// Numbers of many magnitudes, and one in twenty that is special.
fn wild(random: &mut Random) -> f32 {
    let special = [0.0, -0.0, f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-40, -1e-40];
    match random.integer(0, 19) {
        0 => special[random.integer(0, 7) as usize],
        _ => random.uniform(-1.0, 1.0) * 2.0_f32.powi(random.integer(-6, 6)),
    }
}

/// Inputs with wild numbers for `x`.
fn wild_inputs(desc: &QuantizeDesc, seed: u64) -> Tensors {
    let mut random = Random::new(seed);
    let mut inputs = generate::inputs(desc, seed);
    let values: Vec<f32> = (0..desc.shape.iter().product()).map(|_| wild(&mut random)).collect();
    inputs.insert("x", Tensor::from_f32(desc.x, &desc.shape, &values).unwrap());
    inputs
}

fn conform_wild(gpu: &Gpu, desc: &QuantizeDesc, seed: u64) {
    conform_on(gpu, desc, &wild_inputs(desc, seed));
}

fn with_scale(mut inputs: Tensors, shape: &[usize], scales: &[f32]) -> Tensors {
    inputs.insert("scale", Tensor::from_f32(Format::F32, shape, scales).unwrap());
    inputs
}

/// Teams of 1, 8 and 64 invocations, units of 4 elements: sizes around all of them, and primes.
#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    let widths = [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 127, 128, 129, 131, 255, 256, 257, 515, 1031];
    let rows = [1, 2, 3, 7, 8, 9, 15, 17, 63, 65];
    for (i, &width) in widths.iter().enumerate() {
        // Every other one: a width and its neighbour have them all.
        for (j, granularity) in GRANULARITIES.into_iter().enumerate().skip(i % 2).step_by(2) {
            let rows = rows[(i * 7 + j) % rows.len()];
            let desc = QuantizeDesc { granularity, ..per_row(&[rows, width]) };
            conform_wild(&gpu, &desc, i as u64);
        }
    }
    for shape in [&[][..], &[37], &[2, 3, 5], &[2, 1, 3, 6], &[2, 21, 70]] {
        for granularity in GRANULARITIES {
            let desc = QuantizeDesc { granularity, ..per_row(shape) };
            if desc.validate().is_ok() {
                conform(&gpu, &desc, 3);
            }
        }
    }
}

/// Groups and blocks smaller and larger than a team, and than the tensor; strips enough to be merged.
#[test]
fn groups_blocks_and_strips() {
    let Some(gpu) = gpu() else { return };
    let block = |rows, columns| Granularity::PerBlock { rows, columns };
    let cases = [
        (Granularity::PerGroup(4), [3, 70]),
        (Granularity::PerGroup(128), [9, 515]),
        (Granularity::PerGroup(1024), [3, 1500]),
        (block(128, 128), [130, 300]),
        (block(1, 4), [5, 9]),
        (block(70, 4), [71, 6]),
        (block(1000, 1000), [7, 9]),
        (block(64, 1), [130, 66]),
        (Granularity::PerColumn, [203, 70]),
    ];
    for (i, (granularity, shape)) in cases.into_iter().enumerate() {
        let (q, asymmetric) = CODES[i % CODES.len()];
        let desc = QuantizeDesc { q, asymmetric, granularity, ..per_row(&shape) };
        conform_wild(&gpu, &desc, i as u64);
    }
}

/// A group longer than a row is the row, however long.
#[test]
fn groups_and_blocks_beyond_any_tensor() {
    let Some(gpu) = gpu() else { return };
    for size in [1 << 20, (1 << 32) - 4, (1 << 34) - 4, usize::MAX - 3] {
        let block = |rows, columns| Granularity::PerBlock { rows, columns };
        for granularity in [Granularity::PerGroup(size), block(size, size), block(size, 1), block(2, size)] {
            for scale in [ScaleSource::Dynamic, ScaleSource::Static] {
                conform_wild(&gpu, &QuantizeDesc { granularity, scale, ..per_row(&[5, 70]) }, 1);
            }
        }
        let desc = QuantizeDesc { granularity: Granularity::PerGroup(size), ..per_row(&[3, 0]) };
        conform(&gpu, &desc, 1);
        // Parts of rows, too.
        let desc = QuantizeDesc { granularity: block(size, 4), ..per_row(&[5, 70]) };
        let mut capabilities: Capabilities = gpu.capabilities().clone();
        capabilities.limits.max_storage_buffer_binding_size = 700;
        desc.variants(&capabilities)
            .into_iter()
            .for_each(|variant| drop(desc.recipe(variant, &capabilities)));
    }
}

#[test]
fn every_format() {
    let Some(gpu) = gpu() else { return };
    let mut seed = 0;
    for x in [Format::F32, Format::F16, Format::BF16] {
        for (q, asymmetric) in CODES {
            for _ in 0..2 {
                seed += 1;
                let granularity = GRANULARITIES[seed as usize % GRANULARITIES.len()];
                let scale = if seed % 5 == 0 { ScaleSource::Static } else { ScaleSource::Dynamic };
                let overflow = if seed % 2 == 0 { Overflow::Saturate } else { Overflow::NonSaturating };
                let desc =
                    QuantizeDesc { x, q, asymmetric, granularity, scale, overflow, ..per_row(&[9, 70]) };
                conform_wild(&gpu, &desc, seed);
                conform_wild(&gpu, &QuantizeDesc { shape: vec![3, 301], ..desc }, seed);
            }
        }
    }
}

/// More units than one pass of all workgroups takes, more partial extremes than one pass of a team takes, and the
/// extreme at either end.
#[test]
fn large_tensors_take_several_passes() {
    let Some(gpu) = gpu() else { return };
    let desc = QuantizeDesc { shape: vec![307, 1029], q: Format::I8, asymmetric: true, ..Default::default() };
    let elements = desc.shape.iter().product();
    for extreme in [0, elements / 2, elements - 1] {
        let mut values = vec![0.25; elements];
        values[extreme] = -77.0;
        let mut inputs = Tensors::new();
        inputs.insert("x", Tensor::from_f32(Format::F32, &desc.shape, &values).unwrap());
        conform_on(&gpu, &desc, &inputs);
    }
}

/// More workgroups than fit in one dimension are folded.
#[test]
fn folded_grids() {
    let Some(gpu) = gpu() else { return };
    let mut capabilities: Capabilities = gpu.capabilities().clone();
    capabilities.limits.max_compute_workgroups_per_dimension = 40;
    for shape in [&[700, 6][..], &[1, 40_000]] {
        let desc = per_row(shape);
        for variant in desc.variants(&capabilities) {
            let capabilities = Some(capabilities.clone());
            let plan = PlanOptions { pick: variant.into(), capabilities, ..Default::default() };
            let checked = verify::check(&gpu, &desc, &wild_inputs(&desc, 1), &RunOptions { plan });
            assert!(checked.unwrap().iter().all(verify::Comparison::passed), "{} {shape:?}", variant.name);
        }
    }
}

/// Devices that bind little: windows of elements, of rows and of rows of blocks have the same codes, scales and guards.
#[test]
fn windows_of_large_tensors() {
    let Some(gpu) = gpu() else { return };
    let mut capabilities: Capabilities = gpu.capabilities().clone();
    capabilities.limits.max_storage_buffer_binding_size = 9000;
    let block = Granularity::PerBlock { rows: 3, columns: 8 };
    let cases = [
        (Granularity::PerTensor, vec![3, 5000]),
        (Granularity::PerTensor, vec![301, 21]),
        (Granularity::PerRow, vec![301, 22]),
        (Granularity::PerGroup(8), vec![2, 150, 22]),
        (block, vec![400, 9]),
    ];
    for (i, (granularity, shape)) in cases.into_iter().enumerate() {
        let (q, asymmetric) = CODES[i % CODES.len()];
        let x = [Format::F32, Format::BF16][i % 2];
        for scale in [ScaleSource::Dynamic, ScaleSource::Static] {
            let desc = QuantizeDesc {
                shape: shape.clone(),
                x,
                q,
                asymmetric,
                granularity,
                scale,
                ..Default::default()
            };
            for variant in desc.variants(&capabilities) {
                let capabilities = Some(capabilities.clone());
                let plan = PlanOptions { pick: variant.into(), capabilities, ..Default::default() };
                let inputs = wild_inputs(&desc, i as u64);
                let checked = verify::check(&gpu, &desc, &inputs, &RunOptions { plan }).unwrap();
                assert!(
                    checked.iter().all(verify::Comparison::passed),
                    "{} {desc:?} {checked:?}",
                    variant.name
                );
            }
        }
    }
    let columns =
        QuantizeDesc { shape: vec![301, 22], granularity: Granularity::PerColumn, ..Default::default() };
    let plan = PlanOptions { capabilities: Some(capabilities), ..Default::default() };
    let error = Quantize::with_options(gpu.device(), &columns, &plan).unwrap_err().to_string();
    assert!(error.contains("max_storage_buffer_binding_size"), "{error}");
}

/// Scales made of amax (and of ends of ranges) of every magnitude.
#[test]
fn dynamic_scales_over_all_magnitudes() {
    let Some(gpu) = gpu() else { return };
    let mut random = Random::new(5);
    let mut values = Vec::new();
    for bits in (0..0x7f80_0000_u32).step_by(0x2_4681) {
        let amax = f32::from_bits(bits);
        values.extend([amax * random.uniform(-1.0, 1.0), -amax, amax * random.uniform(-1.0, 1.0)]);
    }
    // The difference of the ends overflows f32; both ends are the smallest; one is subnormal.
    values.extend([f32::MAX, f32::MIN, f32::MIN / 2.0]);
    values.extend([f32::MIN_POSITIVE, -f32::MIN_POSITIVE, 0.0]);
    values.extend([f32::MIN_POSITIVE.next_down(), -1.0, 0.0]);
    for (q, asymmetric) in CODES {
        let desc = QuantizeDesc { q, asymmetric, ..per_row(&[values.len() / 3, 3]) };
        let mut inputs = Tensors::new();
        inputs.insert("x", Tensor::from_f32(Format::F32, &desc.shape, &values).unwrap());
        conform_on(&gpu, &desc, &inputs);
    }
}

/// What the table of the descriptor lists, against scales of all kinds.
#[test]
fn special_values() {
    let Some(gpu) = gpu() else { return };
    let largest_subnormal = f32::MIN_POSITIVE.next_down();
    let mut x =
        vec![f32::NAN, f32::INFINITY, f32::MAX, f32::MIN_POSITIVE, largest_subnormal, f32::from_bits(1), 0.0];
    x.extend([
        448.0,
        464.0,
        464.0_f32.next_up(),
        480.0,
        57344.0,
        61440.0,
        61440.0_f32.next_down(),
        127.5,
        128.5,
        1e20,
    ]);
    x.extend((0..40).map(|half_steps| half_steps as f32 / 2.0));
    // Ties of FP8: the midpoints of neighbouring codes.
    for format in [Format::E4m3, Format::E5m2] {
        x.extend((0..0x7b).map(|code| (format.decode(code) + format.decode(code + 1)) / 2.0));
    }
    x.extend(x.clone().into_iter().map(|value| -value));
    let small = [f32::MIN_POSITIVE, largest_subnormal, 0.0, -0.0, 1e-30];
    let large = [1.0, 0.3, -2.0, 1e30, 2.0_f32.powi(126), 2.0_f32.powi(126).next_up(), f32::MAX];
    let scales = [&small[..], &large[..]].concat();
    for (q, asymmetric) in CODES {
        for overflow in [Overflow::Saturate, Overflow::NonSaturating] {
            let shape = [scales.len(), x.len()];
            let desc =
                QuantizeDesc { q, asymmetric, overflow, scale: ScaleSource::Static, ..per_row(&shape) };
            let mut inputs = with_scale(generate::inputs(&desc, 1), &[scales.len()], &scales);
            inputs.insert("x", Tensor::from_f32(Format::F32, &shape, &x.repeat(scales.len())).unwrap());
            conform_on(&gpu, &desc, &inputs);
            // Rows of one special value: the scale is that of zeros, or of the value alone.
            let desc = QuantizeDesc { scale: ScaleSource::Dynamic, ..desc };
            let repeated: Vec<f32> = x.iter().flat_map(|&value| [value; 3]).collect();
            let mut inputs = Tensors::new();
            inputs.insert("x", Tensor::from_f32(Format::F32, &[x.len(), 3], &repeated).unwrap());
            conform_on(&gpu, &QuantizeDesc { shape: vec![x.len(), 3], ..desc }, &inputs);
        }
    }
}

/// Every half and every bfloat, under three scales, into every format of codes.
#[test]
fn all_16_bit_inputs() {
    let Some(gpu) = gpu() else { return };
    let every: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    let shape = [3, 1 << 16];
    for x in [Format::F16, Format::BF16] {
        for (q, asymmetric) in CODES {
            for overflow in [Overflow::Saturate, Overflow::NonSaturating] {
                if q == Format::I8 && overflow == Overflow::NonSaturating {
                    continue;
                }
                let desc = QuantizeDesc {
                    x,
                    q,
                    asymmetric,
                    overflow,
                    scale: ScaleSource::Static,
                    ..per_row(&shape)
                };
                let mut inputs = with_scale(generate::inputs(&desc, 1), &[3], &[1.0, 0.37, 1e-3]);
                inputs.insert("x", Tensor::new(x, &shape, every.repeat(3)).unwrap());
                conform_on(&gpu, &desc, &inputs);
            }
        }
    }
}

/// Bits of f32 a prime apart, so that every pattern of low bits and every exponent occurs.
#[test]
fn strided_f32_inputs() {
    let Some(gpu) = gpu() else { return };
    let x: Vec<f32> = (0..=u32::MAX).step_by(8191).map(f32::from_bits).collect();
    for (q, asymmetric) in CODES {
        let scale = ScaleSource::Static;
        let desc = QuantizeDesc { shape: vec![x.len()], q, asymmetric, scale, ..Default::default() };
        let mut inputs = with_scale(generate::inputs(&desc, 1), &[], &[0.7]);
        inputs.insert("x", Tensor::from_f32(Format::F32, &desc.shape, &x).unwrap());
        conform_on(&gpu, &desc, &inputs);
    }
}

/// MX blocks: every rounding of the scale, rows of whole and of broken strips, and scales that are given, NaN among them.
#[test]
fn mx_blocks() {
    let Some(gpu) = gpu() else { return };
    for (i, scale_rounding) in ScaleRounding::ALL.into_iter().enumerate() {
        let q = [Format::E4m3, Format::E5m2][i % 2];
        let x = [Format::F32, Format::BF16][i % 2];
        let overflow = [Overflow::Saturate, Overflow::NonSaturating][i / 2];
        for (j, shape) in [[1, 1], [3, 31], [2, 33], [5, 128], [9, 129], [11, 700]].into_iter().enumerate() {
            let granularity = Granularity::PerGroup(32);
            let desc = QuantizeDesc { x, q, granularity, overflow, ..per_row(&shape) };
            let desc = QuantizeDesc { scale_rounding: Some(scale_rounding), ..desc };
            conform_wild(&gpu, &desc, (i * 10 + j) as u64);
        }
    }
    let mut random = Random::new(3);
    // Blocks whose largest number lies about every threshold, at every magnitude.
    let mut x = Vec::new();
    for exponent in 0..=255_u32 {
        for fraction in
            [0, 1, 0x5f_ffff, 0x60_0000, 0x60_0001, 0x6f_ffff, 0x70_0000, 0x77_ffff, 0x78_0000, 0x7f_ffff]
        {
            let amax = f32::from_bits(exponent << 23 | fraction);
            x.extend((0..31).map(|_| amax * random.uniform(-1.0, 1.0)));
            x.push(amax);
        }
    }
    for (scale_rounding, q) in ScaleRounding::ALL
        .into_iter()
        .flat_map(|rounding| [(rounding, Format::E4m3), (rounding, Format::E5m2)])
    {
        let shape = vec![x.len() / 320, 320];
        let mut inputs = Tensors::new();
        inputs.insert("x", Tensor::from_f32(Format::F32, &shape, &x).unwrap());
        let granularity = Granularity::PerGroup(32);
        let desc = QuantizeDesc {
            shape,
            q,
            granularity,
            scale_rounding: Some(scale_rounding),
            ..Default::default()
        };
        conform_on(&gpu, &desc, &inputs);
    }
    let desc = QuantizeDesc {
        granularity: Granularity::PerGroup(32),
        scale_rounding: Some(ScaleRounding::Floor),
        scale: ScaleSource::Static,
        ..per_row(&[2, 32 * 128])
    };
    let mut inputs = wild_inputs(&desc, 9);
    inputs.insert("scale", Tensor::new(Dtype::E8m0, &[2, 128], (0..=255).collect()).unwrap());
    conform_on(&gpu, &desc, &inputs);
    // Padding of the scales is zero: five blocks take two words.
    let desc = QuantizeDesc { scale: ScaleSource::Dynamic, shape: vec![1, 160], ..desc };
    let plan = Quantize::new(gpu.device(), &desc).unwrap();
    let [x, q, scale] = [(160, 0x3f80_0000), (40, 0), (2, u32::MAX)]
        .map(|(words, word)| gpu.upload("tensor", &vec![word; words]).unwrap());
    let [x, q, scales] = [&x, &q, &scale].map(wgpu::Buffer::as_entire_buffer_binding);
    let call = plan.bind(gpu.device(), QuantizeBuffers::new(x, q, scales)).unwrap();
    gpu.run(|encoder| call.encode(encoder)).unwrap();
    assert_eq!(gpu.download(&scale).unwrap(), [0x7777_7777, 0x77]);
}

/// The same bits on the CPU and the GPU for every format of codes and every way to share scales.
#[test]
fn stochastic_rounding() {
    let Some(gpu) = gpu() else { return };
    for (i, granularity) in GRANULARITIES.into_iter().enumerate() {
        let (q, asymmetric) = CODES[i % CODES.len()];
        let overflow = [Overflow::Saturate, Overflow::NonSaturating][i / 4];
        let scale = [ScaleSource::Dynamic, ScaleSource::Static][i % 2];
        let desc = QuantizeDesc { q, asymmetric, granularity, overflow, scale, ..per_row(&[23, 130]) };
        let desc = QuantizeDesc { rounding: Rounding::Stochastic, ..desc };
        conform_wild(&gpu, &desc, i as u64);
        conform_wild(&gpu, &QuantizeDesc { shape: vec![2, 7, 45], ..desc }, i as u64);
    }
    let desc = QuantizeDesc { granularity: Granularity::PerGroup(32), ..per_row(&[9, 150]) };
    let scale_rounding = Some(ScaleRounding::Floor);
    let rounding = Rounding::Stochastic;
    conform_wild(&gpu, &QuantizeDesc { scale_rounding, rounding, ..desc }, 1);
    // All magnitudes: subnormal codes of every distance, and overflow.
    let x: Vec<f32> = (0..=u32::MAX).step_by(65_521).map(f32::from_bits).collect();
    for (q, asymmetric) in CODES {
        let desc = QuantizeDesc { shape: vec![x.len()], q, asymmetric, rounding, ..Default::default() };
        let desc = QuantizeDesc { scale: ScaleSource::Static, ..desc };
        let mut inputs = with_scale(generate::inputs(&desc, 1), &[], &[0.7]);
        inputs.insert("x", Tensor::from_f32(Format::F32, &desc.shape, &x).unwrap());
        conform_on(&gpu, &desc, &inputs);
    }
}

#[test]
fn empty_tensors() {
    let Some(gpu) = gpu() else { return };
    for shape in [&[0][..], &[0, 5], &[5, 0], &[0, 0]] {
        for granularity in GRANULARITIES {
            for scale in [ScaleSource::Dynamic, ScaleSource::Static] {
                let desc = QuantizeDesc { granularity, scale, ..per_row(shape) };
                if desc.validate().is_err() {
                    continue;
                }
                conform(&gpu, &desc, 1);
                conform(&gpu, &QuantizeDesc { q: Format::I8, asymmetric: true, ..desc }, 1);
            }
        }
    }
}

#[test]
fn checked_shaders_agree() {
    let Some(gpu) = gpu() else { return };
    let desc = per_row(&[20, 30]);
    let inputs = wild_inputs(&desc, 5);
    let run = |checked| {
        let plan = PlanOptions { checked, ..Default::default() };
        verify::run(&gpu, &desc, &inputs, &RunOptions { plan }).unwrap()
    };
    assert_eq!(run(true), run(false));
}

/// Whether the outputs of `desc` would pass as the answer of another descriptor or of other inputs.
fn passes_as(
    gpu: &Gpu,
    desc: &QuantizeDesc,
    inputs: &Tensors,
    other: &QuantizeDesc,
    other_inputs: &Tensors,
) -> bool {
    let outputs = verify::run(gpu, desc, inputs, &RunOptions::default()).unwrap();
    let expected = other.evaluate(other_inputs).unwrap();
    expected.iter().all(|expected| compare(expected, outputs.get(expected.name).unwrap()).passed())
}

#[test]
fn wrong_references_are_rejected() {
    let Some(gpu) = gpu() else { return };
    let desc = per_row(&[7, 50]);
    let inputs = wild_inputs(&desc, 11);
    assert!(passes_as(&gpu, &desc, &inputs, &desc, &inputs));
    let integers = QuantizeDesc { q: Format::I8, ..desc.clone() };
    let wrong = [
        (desc.clone(), QuantizeDesc { overflow: Overflow::NonSaturating, ..desc.clone() }),
        (desc.clone(), QuantizeDesc { granularity: Granularity::PerTensor, ..desc.clone() }),
        (desc.clone(), QuantizeDesc { q: Format::E5m2, ..desc.clone() }),
        (integers.clone(), QuantizeDesc { asymmetric: true, ..integers.clone() }),
    ];
    let rejected =
        wrong.iter().filter(|(desc, other)| !passes_as(&gpu, desc, &inputs, other, &inputs)).count();
    assert_eq!(rejected, wrong.len());

    // One row's scale of another row, and one scale that is one unit in the last place off.
    let given = QuantizeDesc { scale: ScaleSource::Static, ..desc.clone() };
    let static_inputs = wild_inputs(&given, 12);
    let mut scales = static_inputs.get("scale").unwrap().to_f32();
    scales[5] = scales[6];
    let wrong_row = with_scale(static_inputs.clone(), &[7], &scales);
    assert!(passes_as(&gpu, &given, &static_inputs, &given, &static_inputs));
    assert!(!passes_as(&gpu, &given, &static_inputs, &given, &wrong_row));
    let outputs = verify::run(&gpu, &desc, &inputs, &RunOptions::default()).unwrap();
    let mut scales = outputs.get("scale").unwrap().to_f32();
    scales[3] = scales[3].next_up();
    let off = Tensor::from_f32(Format::F32, &[7], &scales).unwrap();
    let expected = desc.evaluate(&inputs).unwrap();
    assert_eq!(compare(&expected[1], &off).failures, 1);
}

/// The host refuses a scale of NaN where it sees it; a kernel that meets one writes NaN, or zero points.
#[test]
fn scales_of_nan() {
    let Some(gpu) = gpu() else { return };
    for (q, asymmetric, code) in [(Format::E4m3, false, 0x7f), (Format::I8, false, 0), (Format::I8, true, 9)]
    {
        let desc =
            QuantizeDesc { shape: vec![4], q, asymmetric, scale: ScaleSource::Static, ..Default::default() };
        let plan = Quantize::new(gpu.device(), &desc).unwrap();
        let upload = |words: &[u32]| gpu.upload("input", words).unwrap();
        let [x, scale, zero_point, codes] = [
            upload(&[0, 0x3f80_0000, 0x7f80_0000, 1]),
            upload(&[f32::NAN.to_bits()]),
            upload(&[9]),
            upload(&[0]),
        ];
        let [x, scale, zero_point, q] =
            [&x, &scale, &zero_point, &codes].map(wgpu::Buffer::as_entire_buffer_binding);
        let zero_point = asymmetric.then_some(zero_point);
        let buffers = QuantizeBuffers { zero_point, ..QuantizeBuffers::new(x, q, scale) };
        let call = plan.bind(gpu.device(), buffers).unwrap();
        gpu.run(|encoder| call.encode(encoder)).unwrap();
        assert_eq!(gpu.download(&codes).unwrap(), [u32::from_ne_bytes([code; 4])]);
    }
}

/// The bytes that fill a row's last word are zero, also where the code of zero is not.
#[test]
fn pad_bytes_are_zero() {
    let Some(gpu) = gpu() else { return };
    let desc = QuantizeDesc { q: Format::I8, asymmetric: true, ..per_row(&[2, 5]) };
    let plan = Quantize::new(gpu.device(), &desc).unwrap();
    let x = gpu.upload("x", &[0x3f80_0000; 10]).unwrap();
    let [q, scale, zero_point] = [4, 2, 2].map(|words| gpu.upload("output", &vec![u32::MAX; words]).unwrap());
    let [x, codes, scale, zero_point] =
        [&x, &q, &scale, &zero_point].map(wgpu::Buffer::as_entire_buffer_binding);
    let buffers = QuantizeBuffers { zero_point: Some(zero_point), ..QuantizeBuffers::new(x, codes, scale) };
    let call = plan.bind(gpu.device(), buffers).unwrap();
    gpu.run(|encoder| call.encode(encoder)).unwrap();
    // Ones alone are the top of their range, code 127.
    assert_eq!(gpu.download(&q).unwrap(), [0x7f7f_7f7f, 0x7f, 0x7f7f_7f7f, 0x7f]);
}

#[test]
fn errors_name_the_tensor_and_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let desc = QuantizeDesc { shape: vec![3, 5], ..Default::default() };
    let error = |desc: &QuantizeDesc| Quantize::new(gpu.device(), desc).unwrap_err().to_string();
    let wrong = QuantizeDesc { q: Format::BF16, ..desc.clone() };
    assert_eq!(error(&wrong), "quantize: `q` must be e4m3, e5m2 or i8, got bf16");
    let wrong = QuantizeDesc { shape: vec![1 << 16, 1 << 16], ..desc.clone() };
    assert!(error(&wrong).starts_with("quantize: the number of elements of `x` must be at most"));

    let plan = Quantize::new(gpu.device(), &desc).unwrap();
    assert!(plan.scratch_bytes() > 0);
    let buffers: Vec<_> = (0..3).map(|_| gpu.empty("buffer", 256).unwrap()).collect();
    let [x, q, scale] = [0, 1, 2].map(|i| buffers[i].as_entire_buffer_binding());
    let bind = |buffers| plan.bind(gpu.device(), buffers).unwrap_err().to_string();
    let given = QuantizeBuffers::new(x.clone(), q, scale);
    assert_eq!(bind(given.clone()), "quantize: no buffer for `scratch`, which the descriptor uses");
    let unexpected = QuantizeBuffers { zero_point: Some(x.clone()), ..given.clone() };
    let sentence = "quantize: a buffer for `zero_point` was given, but the descriptor does not use it";
    assert_eq!(bind(unexpected), sentence);
    let aliased = QuantizeBuffers { scratch: Some(x), ..given };
    assert!(bind(aliased).contains("is written, so it cannot share a buffer with"));
}
