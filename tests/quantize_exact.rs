//! The integer arithmetic behind scales, on the GPU against the CPU's correctly rounded operations, bit for bit.

use langevin::gpu::{
    Access, Binding, Checks, ComputeStage, Element, ParamValue, Shader, ShaderPart, StageDesc,
};
use langevin::reference::generate::Random;
use langevin::{Gpu, formats::scale};
use langevin_testkit::gpu;

/// Applies `result = EXPRESSION` of `a` and `b` to every pair; at most 65,535 workgroups of 64 of them.
fn evaluate(gpu: &Gpu, expression: &str, pairs: &[(u32, u32)]) -> Vec<u32> {
    let main = "
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.pairs) { return; }
  let a = left[id.x];
  let b = right[id.x];
  results[id.x] = EXPRESSION;
}";
    let binding = |name, access| Binding { name, element: Element::Word, access };
    let shader = Shader {
        params: vec![("pairs", ParamValue::U32(pairs.len() as u32))],
        bindings: vec![
            binding("left", Access::Read),
            binding("right", Access::Read),
            binding("results", Access::ReadWrite),
        ],
        parts: vec![
            ShaderPart::new("exact", include_str!("../shaders/shared/exact.wgsl")),
            ShaderPart::new("main", &main.replace("EXPRESSION", expression)),
        ],
        ..Default::default()
    };
    let desc =
        StageDesc { label: "exact", shader: &shader, binding_bytes: &[4, 4, 4], checks: Checks::Indices };
    let stage = ComputeStage::new(gpu.device(), &desc).unwrap();
    let (left, right): (Vec<u32>, Vec<u32>) = pairs.iter().copied().unzip();
    let buffers = [
        gpu.upload("left", &left).unwrap(),
        gpu.upload("right", &right).unwrap(),
        gpu.empty("results", pairs.len() as u64 * 4).unwrap(),
    ];
    let bindings = buffers.each_ref().map(|buffer| buffer.as_entire_buffer_binding());
    let group = stage.bind(gpu.device(), "exact", &bindings);
    gpu.run(|encoder| {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(stage.pipeline());
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(pairs.len().div_ceil(64) as u32, 1, 1);
    })
    .unwrap();
    gpu.download(&buffers[2]).unwrap()
}

/// Compares with the CPU's answer; NaN equals NaN.
fn agree(gpu: &Gpu, expression: &str, pairs: &[(u32, u32)], expected: impl Fn(f32, f32) -> f32) {
    let results = pairs.chunks(1 << 21).flat_map(|chunk| evaluate(gpu, expression, chunk));
    for (result, &(a, b)) in results.zip(pairs) {
        let (a, b) = (f32::from_bits(a), f32::from_bits(b));
        let (got, want) = (f32::from_bits(result), expected(a, b));
        let same = got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan();
        assert!(same, "{expression}, a = {a:e}, b = {b:e}: got {got:e}, expected {want:e}");
    }
}

const MIN_NORMAL: u32 = 0x0080_0000;
const INFINITY: u32 = 0x7f80_0000;

/// A positive normal number of that biased exponent.
fn normal(random: &mut Random, low: i32, high: i32) -> u32 {
    (random.integer(low, high) as u32) << 23 | random.next_u64() as u32 & 0x007f_ffff
}

/// Ends of the range, the divisors of scales, powers of two, and the neighbours of them all.
fn edges() -> Vec<u32> {
    let powers = (1..=254).step_by(11).map(|exponent| exponent << 23);
    let divisors = [448.0, 57344.0, 127.0, 127.5, 255.0, 3.0, 1.0 / 3.0, 1.0].map(f32::to_bits);
    let ends = [MIN_NORMAL, 0x00ff_ffff, 0x7f00_0000, INFINITY - 1];
    let near = powers.chain(divisors).chain(ends).flat_map(|bits| [bits - 1, bits, bits + 1]);
    near.filter(|bits| (MIN_NORMAL..INFINITY).contains(bits)).collect()
}

fn pairs_of(values: &[u32]) -> Vec<(u32, u32)> {
    values.iter().flat_map(|&a| values.iter().map(move |&b| (a, b))).collect()
}

#[test]
fn division_of_edges_and_of_anything() {
    let Some(gpu) = gpu() else { return };
    agree(&gpu, "exact_divide(a, b)", &pairs_of(&edges()), |a, b| a / b);
    let mut random = Random::new(1);
    let any: Vec<_> =
        (0..1 << 19).map(|_| (normal(&mut random, 1, 254), normal(&mut random, 1, 254))).collect();
    agree(&gpu, "exact_divide(a, b)", &any, |a, b| a / b);
    // The data can tell division from what it is easily mistaken for.
    assert!(any.iter().any(|&(a, b)| {
        let (a, b) = (f32::from_bits(a), f32::from_bits(b));
        a / b != a * (1.0 / b)
    }));
}

/// Quotients as close to a midpoint as quotients of floats come, and subnormal ones, which can be ties.
#[test]
fn division_close_to_ties() {
    let Some(gpu) = gpu() else { return };
    let mut random = Random::new(2);
    let mut pairs = Vec::new();
    for _ in 0..1 << 17 {
        let divisor = f32::from_bits(normal(&mut random, 100, 150));
        let midpoint = f64::from(f32::from_bits(normal(&mut random, 110, 140))) * (1.0 + 2.0_f64.powi(-24));
        let dividend = (midpoint * f64::from(divisor)) as f32;
        pairs
            .extend([-1, 0, 1].map(|step| (dividend.to_bits().wrapping_add_signed(step), divisor.to_bits())));
        // A subnormal quotient with `dropped` bits cut off, of which the first is one and the others are zero.
        let dropped = random.integer(1, 24) as u32;
        let significand =
            (normal(&mut random, 1, 1) & 0x007f_ffff) >> dropped << dropped | 1 << (dropped - 1);
        let exponent = random.integer(1, 100) as u32;
        let tie = exponent << 23 | significand & 0x007f_ffff;
        let power = (exponent + 126 + dropped) << 23;
        pairs.extend([(tie, power), (tie + 1, power), (tie, power + 1)]);
    }
    let ties = pairs.iter().filter(|(a, b)| {
        let quotient = f64::from(f32::from_bits(*a)) / f64::from(f32::from_bits(*b));
        let below = f64::from((quotient as f32).next_down()).midpoint(f64::from(quotient as f32));
        let above = f64::from((quotient as f32).next_up()).midpoint(f64::from(quotient as f32));
        quotient == below || quotient == above
    });
    assert!(ties.count() > 1 << 16, "too few ties");
    agree(&gpu, "exact_divide(a, b)", &pairs, |a, b| a / b);
}

/// Every significand over the divisors of scales (448 and 57344 are 7, 127.5 is 255, up to powers of two).
#[test]
fn division_by_what_scales_are_made_with_exhaustively() {
    let Some(gpu) = gpu() else { return };
    for divisor in [448.0_f32, 127.0, 255.0] {
        let pairs: Vec<_> =
            (0..1 << 23).map(|fraction| (0x4000_0000 | fraction, divisor.to_bits())).collect();
        agree(&gpu, "exact_divide(a, b)", &pairs, |a, b| a / b);
    }
    let pairs: Vec<_> = (0..1 << 23).map(|fraction| (0x3f80_0000 | fraction, 0)).collect();
    agree(&gpu, "exact_inverse(a)", &pairs, |a, _| scale::inverse(a));
}

#[test]
fn inverses_of_anything() {
    let Some(gpu) = gpu() else { return };
    let flushed = |a: f32, _| {
        let inverse = scale::inverse(a);
        if inverse.is_subnormal() { 0.0_f32.copysign(inverse) } else { inverse }
    };
    // A prime, so that every pattern of low bits occurs; signs, zeros, subnormals, infinities and NaN are among them.
    let mut pairs: Vec<_> = (0..u32::MAX).step_by(4099).map(|bits| (bits, 0)).collect();
    let signs = [0, 0x8000_0000];
    let special = [0, 1, MIN_NORMAL - 1, MIN_NORMAL, INFINITY - 1, INFINITY, INFINITY + 1, 0x7fff_ffff];
    pairs.extend(special.into_iter().chain(edges()).flat_map(|bits| signs.map(|sign| (bits | sign, 0))));
    agree(&gpu, "exact_inverse(a)", &pairs, flushed);
}

#[test]
fn addition() {
    let Some(gpu) = gpu() else { return };
    let mut random = Random::new(3);
    let mut pairs = pairs_of(&edges());
    for _ in 0..1 << 18 {
        let a = normal(&mut random, 1, 254);
        let distance = (random.integer(0, 33) as u32).min((a >> 23) - 1);
        let mut b = normal(&mut random, 1, 1) + (((a >> 23) - 1 - distance) << 23);
        // Half of the time a number with few bits, so that sums are ties.
        if random.integer(0, 1) == 0 {
            b &= u32::MAX << random.integer(0, 23);
        }
        pairs.push((a, b));
        pairs.push((a, 0));
    }
    pairs.iter_mut().for_each(|(a, b)| (*a, *b) = (*a.max(b), *a.min(b)));
    agree(&gpu, "exact_add(a, b)", &pairs, |a, b| a + b);
    // The data can tell ties to even from ties away from zero.
    let is_tie = |&&(a, b): &&(u32, u32)| {
        let sum = f64::from(f32::from_bits(a)) + f64::from(f32::from_bits(b));
        let rounded = sum as f32;
        rounded.is_finite() && sum == f64::from(rounded).midpoint(f64::from(rounded.next_up()))
    };
    assert!(pairs.iter().filter(is_tie).count() > 100, "too few ties");
}
