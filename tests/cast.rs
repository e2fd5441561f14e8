//! Cast against its reference, to the bit: every pair of formats over every code of 16 and 8 bits and over bits of f32,
//! shapes, and references that must be rejected.

use langevin::reference::generate;
use langevin::verify::{self, Op, RunOptions, Tensor, Tensors};
use langevin::{Cast, CastBuffers, CastDesc, DequantizeDesc, Format, Overflow};
use langevin_testkit::{conform_on, gpu};

/// Every code of a format, or bits of f32 a prime apart and those around the ends of every other format.
fn every(format: Format) -> Tensor {
    let bytes: Vec<u8> = match format.bytes() {
        1 => (0..=255).collect(),
        2 => (0..=u16::MAX).flat_map(u16::to_le_bytes).collect(),
        _ => f32_bits().into_iter().flat_map(u32::to_le_bytes).collect(),
    };
    Tensor::new(format, &[bytes.len() / format.bytes()], bytes).unwrap()
}

fn f32_bits() -> Vec<u32> {
    let mut bits: Vec<u32> = (0..=u32::MAX).step_by(40_503).collect();
    let ends = Format::ALL.iter().flat_map(|format| {
        [format.max_finite(), format.min_normal(), format.min_positive(), format.min_positive() / 2.0]
    });
    // The largest number, and where overflow begins: half a unit beyond it.
    let over = [464.0, 61_440.0, 65_520.0, 127.5].into_iter();
    for end in ends.chain(over).map(|end| (end as f32).to_bits()) {
        bits.extend((end.saturating_sub(3)..=end + 3).flat_map(|bits| [bits, bits | 0x8000_0000]));
    }
    bits.extend([0, 1, 0x7f80_0000, 0x7f80_0001, 0x7fa0_0000, 0x7fff_ffff].map(|bits| bits | 0x8000_0000));
    bits
}

fn inputs(x: Tensor) -> Tensors {
    let mut inputs = Tensors::new();
    inputs.insert("x", x);
    inputs
}

/// All 2^16 codes of F16 and BF16, all codes of 8 bits, into every format, both ways to overflow.
#[test]
fn every_pair_of_formats() {
    let Some(gpu) = gpu() else { return };
    for x in Format::ALL {
        let codes = every(x);
        for out in Format::ALL {
            for overflow in [Overflow::Saturate, Overflow::NonSaturating] {
                let shape = codes.shape().to_vec();
                let desc = CastDesc { shape, x, out, overflow: Some(overflow) };
                conform_on(&gpu, &desc, &inputs(codes.clone()));
            }
        }
    }
}

/// Rows of whole and of broken words, and more groups than one dimension of a grid takes.
#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    let shapes = [
        &[][..],
        &[1],
        &[2],
        &[3],
        &[257],
        &[3, 1],
        &[5, 2],
        &[7, 3],
        &[2, 3, 5],
        &[2, 0],
        &[0, 3],
        &[601, 67],
    ];
    for shape in shapes {
        for (x, out) in [(Format::F32, Format::E4m3), (Format::F16, Format::BF16), (Format::I8, Format::F32)]
        {
            let desc = CastDesc { shape: shape.to_vec(), x, out, ..Default::default() };
            conform_on(&gpu, &desc, &generate::inputs(&desc, 5));
        }
    }
}

/// What dequantize makes of a scale of 1, where both promise bits.
#[test]
fn it_is_dequantize_by_one() {
    let Some(gpu) = gpu() else { return };
    for (x, out) in [(Format::E4m3, Format::F16), (Format::F16, Format::F32), (Format::I8, Format::BF16)] {
        let codes = every(x);
        let shape = codes.shape().to_vec();
        let desc = CastDesc { shape: shape.clone(), x, out, ..Default::default() };
        let cast = verify::run(&gpu, &desc, &inputs(codes.clone()), &RunOptions::default()).unwrap();
        let desc = DequantizeDesc { shape, q: x, out, ..Default::default() };
        let mut tensors = Tensors::new();
        tensors.insert("q", codes);
        tensors.insert("scale", Tensor::from_f32(Format::F32, &[], &[1.0]).unwrap());
        let dequantized = verify::run(&gpu, &desc, &tensors, &RunOptions::default()).unwrap();
        let values = |tensors: &Tensors| tensors.get("out").unwrap().to_f32();
        for (a, b) in values(&cast).into_iter().zip(values(&dequantized)) {
            assert!(a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(), "{x} {out}: {a} {b}");
        }
    }
}

#[test]
fn wrong_references_are_rejected() {
    let Some(gpu) = gpu() else { return };
    let x = every(Format::F16);
    let desc =
        CastDesc { shape: x.shape().to_vec(), x: Format::F16, out: Format::E5m2, ..Default::default() };
    let inputs = inputs(x);
    let outputs = verify::run(&gpu, &desc, &inputs, &RunOptions::default()).unwrap();
    let passes = |other: &CastDesc| {
        let expected = other.evaluate(&inputs).unwrap();
        verify::compare(&expected[0], outputs.get("out").unwrap()).passed()
    };
    assert!(passes(&desc));
    assert!(!passes(&CastDesc { overflow: Some(Overflow::NonSaturating), ..desc.clone() }));
    assert!(!passes(&CastDesc { out: Format::E4m3, ..desc }));
}

#[test]
fn errors_name_the_tensor() {
    let Some(gpu) = gpu() else { return };
    let huge = CastDesc { shape: vec![1 << 20, 1 << 13], ..Default::default() };
    let error = Cast::new(gpu.device(), &huge).unwrap_err().to_string();
    assert!(error.contains("the number of elements of `x`"), "{error}");
    let plan = Cast::new(gpu.device(), &CastDesc { shape: vec![8], ..Default::default() }).unwrap();
    let [x, out] = [0, 0].map(|_| gpu.empty("buffer", 32).unwrap());
    let small = wgpu::BufferBinding { buffer: &out, offset: 0, size: wgpu::BufferSize::new(16) };
    let bind =
        |x: &wgpu::Buffer, out| plan.bind(gpu.device(), CastBuffers::new(x.as_entire_buffer_binding(), out));
    let error = bind(&x, small).unwrap_err().to_string();
    assert!(error.contains("`out`"), "{error}");
    let error = bind(&x, x.as_entire_buffer_binding()).unwrap_err().to_string();
    assert!(error.contains("cannot share a buffer"), "{error}");
}
