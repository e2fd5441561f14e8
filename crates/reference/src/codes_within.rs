//! The codes of numbers that are only known up to a bound: what a producer fused with a quantizer may write.

use crate::affine::sharing;
use crate::formats::e8m0;
use crate::formats::scale::{self, MIN};
use crate::quantize::seed_words;
use crate::{
    Answer, DescError, Expected, Format, Op, QuantizeDesc, ScaleSource, Tensor, TensorSpec, Tensors,
};
use ndarray::{ArrayD, IxDyn};
use rayon::prelude::*;

/// The ends of an interval, and what lies between them.
#[derive(Clone, Copy, Debug)]
struct Interval<T> {
    low: T,
    exact: T,
    high: T,
}

impl Interval<f64> {
    /// Nothing is known.
    const ANYTHING: Self = Self { low: f64::NEG_INFINITY, exact: f64::NAN, high: f64::INFINITY };

    /// How far either end is from the exact value; NaN or infinite where nothing is promised.
    fn bound(&self) -> f64 {
        (self.high - self.exact).max(self.exact - self.low)
    }
}

/// Scales that are possible, and zero points.
#[derive(Clone, Copy, Debug)]
struct Affine {
    scale: Interval<f32>,
    zero: Interval<i32>,
}

/// `q`, and where they are dynamic the scales and zero points, of numbers of which each is one f32 within its bound.
///
/// Every step of a quantizer is monotone: in the number, in the scale, in the extremes behind a scale. So the codes are
/// between those of the ends.
pub(crate) fn codes_within(codes: &QuantizeDesc, numbers: &Expected, inputs: &Tensors) -> Vec<Expected> {
    let Answer::Bounded { value, bound } = &numbers.answer else { unreachable!("numbers have bounds") };
    let numbers: Vec<Interval<f32>> = value.iter().zip(bound).map(|(&v, &b)| interval(v, b)).collect();
    let affines = affines(codes, &numbers, inputs);
    let seed = inputs.get("seed").and_then(seed_words);
    let code = |(i, number): (usize, &Interval<f32>)| {
        let random = seed.map(|seed| codes.random(i, seed));
        code_within(codes, number, affines[codes.scale_index(i)], random)
    };
    let q = numbers.par_iter().enumerate().map(code).collect();
    let mut expected = vec![bounded("q", &codes.shape, q)];
    if codes.scale == ScaleSource::Dynamic {
        let shape = codes.scale_shape();
        let wide = |i: Interval<f32>| match i.low.is_nan() {
            true => Interval::ANYTHING,
            false => Interval { low: i.low.into(), exact: i.exact.into(), high: i.high.into() },
        };
        let scales = affines.iter().map(|affine| wide(affine.scale)).collect();
        expected.push(bounded("scale", &shape, scales));
        if codes.asymmetric {
            let zero = |affine: &Affine| {
                let Interval { low, exact, high } = affine.zero;
                let anything = affine.scale.low.is_nan();
                let known = Interval { low: low.into(), exact: exact.into(), high: high.into() };
                if anything { Interval::ANYTHING } else { known }
            };
            expected.push(bounded("zero_point", &shape, affines.iter().map(zero).collect()));
        }
    }
    expected
}

fn bounded(name: &'static str, shape: &[usize], intervals: Vec<Interval<f64>>) -> Expected {
    let (values, bounds) = intervals
        .into_iter()
        .map(|interval| match interval.bound() {
            bound if bound.is_finite() => (interval.exact, bound),
            _ => (f64::NAN, f64::INFINITY),
        })
        .unzip();
    let array =
        |values| ArrayD::from_shape_vec(IxDyn(shape), values).unwrap_or_else(|error| unreachable!("{error}"));
    Expected::bounded(name, array(values), array(bounds))
}

/// The f32 within a bound of a value; NaN ends where nothing is promised.
fn interval(value: f64, bound: f64) -> Interval<f32> {
    let (least, most) = (value - bound, value + bound);
    if !(least.abs() <= f64::from(f32::MAX) && most.abs() <= f64::from(f32::MAX)) {
        return Interval { low: f32::NAN, exact: f32::NAN, high: f32::NAN };
    }
    let (low, high) = (least as f32, most as f32);
    let low = if f64::from(low) < least { low.next_up() } else { low };
    let high = if f64::from(high) > most { high.next_down() } else { high };
    // An exact value may lie between two numbers.
    let exact = value as f32;
    Interval { low: low.min(exact), exact, high: high.max(exact) }
}

fn affines(codes: &QuantizeDesc, numbers: &[Interval<f32>], inputs: &Tensors) -> Vec<Affine> {
    if codes.scale == ScaleSource::Static {
        let given = |name| inputs.get(name).map(Tensor::to_f32);
        let scales = given("scale").unwrap_or_default();
        let zeros = given("zero_point").unwrap_or(vec![0.0; scales.len()]);
        let point = |value: f32| Interval { low: value, exact: value, high: value };
        let zero = |value: f32| Interval { low: value as i32, exact: value as i32, high: value as i32 };
        return scales
            .into_iter()
            .zip(zeros)
            .map(|(s, z)| Affine { scale: point(s), zero: zero(z) })
            .collect();
    }
    let end = |end: fn(&Interval<f32>) -> f32| {
        let values: Vec<f32> = numbers.iter().map(end).collect();
        sharing(&codes.shape, codes.granularity, &values)
    };
    let (low, exact, high) = (end(|i| i.low), end(|i| i.exact), end(|i| i.high));
    let groups = low.par_iter().zip(&exact).zip(&high);
    groups.map(|((low, exact), high)| affine_within(codes, low, exact, high)).collect()
}

/// The scale of a group of numbers between `low` and `high`.
fn affine_within(codes: &QuantizeDesc, low: &[f32], exact: &[f32], high: &[f32]) -> Affine {
    let zero = Interval { low: 0, exact: 0, high: 0 };
    if low.iter().any(|value| value.is_nan()) {
        return Affine { scale: Interval { low: f32::NAN, exact: f32::NAN, high: f32::NAN }, zero };
    }
    if codes.asymmetric {
        return asymmetric_within(scale::range(low), scale::range(exact), scale::range(high));
    }
    let nearest =
        |(&low, &high): (&f32, &f32)| if low <= 0.0 && high >= 0.0 { 0.0 } else { low.abs().min(high.abs()) };
    let farthest = |(&low, &high): (&f32, &f32)| low.abs().max(high.abs());
    let least: Vec<f32> = low.iter().zip(high).map(nearest).collect();
    let most: Vec<f32> = low.iter().zip(high).map(farthest).collect();
    let [least, exact, most] = [&least[..], exact, &most[..]].map(scale::amax);
    let of = |amax| match codes.scale_rounding {
        Some(rounding) => e8m0::decode(e8m0::encode_scale(amax, codes.q, rounding)),
        None => scale::symmetric(amax, codes.q),
    };
    let mut ends = vec![of(least), of(exact), of(most)];
    // Zeros have the scale 1, the least number beside them the least scale.
    ends.extend((least == 0.0 && most > 0.0).then_some(of(MIN)));
    Affine { scale: around(of(exact), &ends), zero }
}

fn around(exact: f32, ends: &[f32]) -> Interval<f32> {
    let least = ends.iter().copied().fold(exact, f32::min);
    Interval { low: least, exact, high: ends.iter().copied().fold(exact, f32::max) }
}

/// Ranges, each of which contains 0: the scale grows with both ends, the zero point with the part below 0.
fn asymmetric_within(low: (f32, f32), exact: (f32, f32), high: (f32, f32)) -> Affine {
    let widest = scale::asymmetric(low.0, high.1).0;
    let narrowest = scale::asymmetric(high.0, low.1).0;
    let (scale, zero) = scale::asymmetric(exact.0, exact.1);
    let mut ends = vec![widest, narrowest];
    ends.extend((high.0 == 0.0 && low.1 == 0.0 && (low.0 < 0.0 || high.1 > 0.0)).then_some(MIN));
    // `-low / scale` rounds twice before it becomes an integer.
    let below = |(low, high): (f32, f32), slack: f64| {
        let (low, high) = (f64::from(low), f64::from(high));
        let part = if high > low { -low / (high - low) } else { 0.0 };
        ((255.0 * part * (1.0 + slack)).round_ties_even() as i32 - 128).clamp(-128, 127)
    };
    let slack = 4.0 * f64::from(f32::EPSILON);
    let least = below((high.0, high.1), -slack).min(zero);
    let most = below((low.0, low.1), slack).max(zero);
    Affine { scale: around(scale, &ends), zero: Interval { low: least, exact: zero, high: most } }
}

/// The value of a code is monotone in number, scale and zero point, so its ends are among those of theirs.
fn code_within(
    codes: &QuantizeDesc,
    number: &Interval<f32>,
    affine: Affine,
    random: Option<u32>,
) -> Interval<f64> {
    let value = |number: f32, scale: f32, zero: i32| {
        let code = codes.code_of(number, scale::inverse(scale), zero, random);
        f64::from(codes.q.decode(u32::from(code)))
    };
    if number.low.is_nan() || affine.scale.low.is_nan() {
        return Interval::ANYTHING;
    }
    let exact = value(number.exact, affine.scale.exact, affine.zero.exact);
    let mut ends = Interval { low: exact, exact, high: exact };
    for number in [number.low, number.high] {
        for scale in [affine.scale.low, affine.scale.high] {
            for zero in [affine.zero.low, affine.zero.high] {
                let end = value(number, scale, zero);
                // A NaN, what E4M3 overflows to, leaves nothing to promise.
                if end.is_nan() {
                    return Interval::ANYTHING;
                }
                ends = Interval { low: ends.low.min(end), high: ends.high.max(end), ..ends };
            }
        }
    }
    ends
}

/// The tensors of a producer fused with a quantizer: what both read, then codes and scales. The producer's `out`, the
/// quantizer's `x`, exists nowhere.
pub(crate) fn fused_tensors<P: Op>(producer: &P, codes: &QuantizeDesc) -> Vec<TensorSpec> {
    let mut specs: Vec<TensorSpec> =
        producer.tensors().into_iter().filter(|spec| spec.name != "out").collect();
    specs.extend(codes.tensors().into_iter().filter(|spec| spec.name != "x"));
    specs
}

/// Checks that a quantizer takes the numbers of a producer, which are f32 in rows.
pub(crate) fn check_fused<O: Op, P: Op>(producer: &P, codes: &QuantizeDesc) -> Result<(), DescError> {
    producer.validate()?;
    for spec in producer.tensors().iter().filter(|spec| spec.name == "out") {
        if spec.dtype != Format::F32.into() {
            return Err(O::field_error(
                "out",
                "f32: the codes are made of numbers that are not stored",
                spec.dtype,
            ));
        }
        if codes.shape != spec.shape {
            let expected = format!("of the shape {:?}, as the numbers", spec.shape);
            return Err(O::field_error("codes", expected, format!("{:?}", codes.shape)));
        }
    }
    if codes.x != Format::F32 {
        return Err(O::field_error("codes", "made of f32", codes.x));
    }
    codes.validate()
}

/// The answer: codes of the producer's numbers within their bounds.
pub(crate) fn fused_answer<P: Op>(producer: &P, codes: &QuantizeDesc, inputs: &Tensors) -> Vec<Expected> {
    let mut of_producer = Tensors::new();
    for spec in producer.tensors() {
        inputs.get(spec.name).map(|tensor| of_producer.insert(spec.name, tensor.clone()));
    }
    producer.answer(&of_producer).iter().flat_map(|numbers| codes_within(codes, numbers, inputs)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::e8m0::ScaleRounding;
    use crate::generate::Random;
    use crate::{Granularity, compare};
    use ndarray::arr1;

    fn numbers(values: &[f64], bound: f64) -> Expected {
        let bounds = vec![bound; values.len()];
        Expected::bounded("out", arr1(values).into_dyn(), arr1(&bounds).into_dyn())
    }

    fn desc(length: usize) -> QuantizeDesc {
        QuantizeDesc { shape: vec![length], q: Format::I8, ..Default::default() }
    }

    fn parts(expected: &Expected) -> (Vec<f64>, Vec<f64>) {
        let Answer::Bounded { value, bound } = &expected.answer else { panic!("bounds are expected") };
        (value.iter().copied().collect(), bound.iter().copied().collect())
    }

    #[test]
    fn numbers_known_exactly_have_exact_codes() {
        let values = [127.0, -3.25, 0.0, 64.5];
        let answers = codes_within(&desc(4), &numbers(&values, 0.0), &Tensors::new());
        assert_eq!(parts(&answers[0]), (vec![127.0, -3.0, 0.0, 64.0], vec![0.0; 4]));
        assert_eq!(parts(&answers[1]), (vec![1.0], vec![0.0]));
    }

    #[test]
    fn a_number_near_a_tie_may_have_either_code() {
        let answers = codes_within(&desc(3), &numbers(&[127.0, 2.501, 2.6], 0.01), &Tensors::new());
        assert_eq!(parts(&answers[0]), (vec![127.0, 3.0, 3.0], vec![0.0, 1.0, 0.0]));
        let (scale, bound) = parts(&answers[1]);
        // The ends are rounded to f32, and so are the scales made of them.
        let rounding = 4.0 * f64::from(f32::EPSILON);
        assert!(scale == [1.0] && (bound[0] - 0.01 / 127.0).abs() <= rounding, "{bound:?}");
    }

    #[test]
    fn where_all_may_be_zero_the_scale_may_be_one() {
        let answers = codes_within(&desc(2), &numbers(&[1e-20, 0.0], 1e-19), &Tensors::new());
        let (scale, bound) = parts(&answers[1]);
        assert!(scale[0] + bound[0] >= 1.0, "{scale:?} {bound:?}");
    }

    #[test]
    fn nothing_known_of_a_number_leaves_nothing_known_of_its_group() {
        let mut produced = numbers(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.0);
        if let Answer::Bounded { bound, .. } = &mut produced.answer {
            bound[[1]] = f64::INFINITY;
        }
        let desc = QuantizeDesc { granularity: Granularity::PerGroup(4), ..desc(5) };
        let answers = codes_within(&desc, &produced, &Tensors::new());
        let (codes, bounds) = parts(&answers[0]);
        assert!(codes[..4].iter().all(|code| code.is_nan()) && bounds[..4].iter().all(|b| b.is_infinite()));
        assert_eq!((codes[4], bounds[4]), (127.0, 0.0));
    }

    /// Whatever numbers lie within the bounds, their codes and scales lie within those computed here.
    #[test]
    fn codes_of_numbers_within_their_bounds_are_within_theirs() {
        let mut random = Random::new(8);
        let granularity = Granularity::PerGroup(32);
        let plain = QuantizeDesc { granularity, ..desc(70) };
        let fp8 = QuantizeDesc { q: Format::E4m3, ..plain.clone() };
        let cases = [
            plain.clone(),
            QuantizeDesc { asymmetric: true, ..plain },
            QuantizeDesc { q: Format::E5m2, ..fp8.clone() },
            QuantizeDesc { scale_rounding: Some(ScaleRounding::Even), ..fp8.clone() },
            fp8,
        ];
        for desc in &cases {
            for magnitude in [1.0_f32, 1e-3, 1e20] {
                let values: Vec<f32> =
                    (0..70).map(|_| magnitude * random.uniform(-1.0, 1.0).powi(3)).collect();
                let bound = magnitude * random.uniform(0.0, 0.01);
                let wide: Vec<f64> = values.iter().map(|&value| value.into()).collect();
                let answers = codes_within(desc, &numbers(&wide, f64::from(bound)), &Tensors::new());
                for _ in 0..20 {
                    let moved: Vec<f32> = values
                        .iter()
                        .map(|value| value + 0.999 * bound * random.uniform(-1.0, 1.0))
                        .collect();
                    let mut inputs = Tensors::new();
                    inputs.insert("x", Tensor::from_f32(Format::F32, &desc.shape, &moved).unwrap());
                    for (answer, got) in answers.iter().zip(desc.evaluate(&inputs).unwrap()) {
                        let Answer::Exact(got) = got.answer else { panic!("a quantizer is exact") };
                        let comparison = compare(answer, &got);
                        assert!(comparison.passed() && comparison.unbounded == 0, "{desc:?} {comparison}");
                    }
                }
            }
        }
    }
}
