//! Encoding of many or all 2^32 values.
//!
//! Magnitudes are visited in ascending order, so the nearest code only moves up, past one midpoint at a time.

use std::io::Write;

use langevin_formats::{Format, Overflow};

use crate::model::{MODES, Model, NARROW};

/// A prime, so that every pattern of low bits occurs.
const STRIDE: usize = 4099;

/// Compares the encoder with the model on every `stride`-th magnitude in both signs; the count, or the first
/// mismatch.
fn sweep(
    model: &Model,
    overflow: Overflow,
    stride: usize,
    encode: impl Fn(f32) -> u32,
) -> Result<usize, String> {
    let (mut nearest, mut count) = (0, 0);
    let mut midpoint = model.midpoint(nearest);
    for bits in (0..=0x7fff_ffff_u32).step_by(stride) {
        let value = f32::from_bits(bits);
        while nearest <= model.largest && is_past(value, midpoint, nearest) {
            nearest += 1;
            midpoint = if nearest <= model.largest { model.midpoint(nearest) } else { f64::INFINITY };
        }
        for value in [value, -value] {
            let expected = match value.is_nan() {
                true => model.nan_code(value),
                false => model.with_sign(value, model.finish(nearest, overflow)),
            };
            let got = encode(value);
            if got != expected {
                let (format, bits) = (model.format, value.to_bits());
                return Err(format!(
                    "{format} {overflow:?}, bits {bits:08x}: expected {expected:x}, got {got:x}"
                ));
            }
            count += 1;
        }
    }
    Ok(count)
}

/// Whether a magnitude rounds above `code`: beyond its upper midpoint, or on it when the code is odd.
fn is_past(value: f32, midpoint: f64, code: u32) -> bool {
    let value = f64::from(value);
    value > midpoint || (value == midpoint && code % 2 == 1)
}

#[test]
fn strided_sweep_finds_no_mismatch() {
    for model in NARROW.map(Model::new) {
        for mode in MODES {
            let count = sweep(&model, mode, STRIDE, |value| model.format.encode(value, mode)).unwrap();
            assert_eq!(count, 2 * (1_usize << 31).div_ceil(STRIDE));
        }
    }
}

/// Encoders with the usual mistakes; the sweep must find each.
#[test]
fn sweep_finds_the_usual_mistakes() {
    let saturate = Overflow::Saturate;
    let fails =
        |format, mode, wrong: &dyn Fn(f32) -> u32| sweep(&Model::new(format), mode, STRIDE, wrong).is_err();
    assert!(fails(Format::BF16, Overflow::NonSaturating, &|value| value.to_bits() >> 16), "truncation");
    assert!(
        fails(Format::E4m3, saturate, &|value| Format::E4m3.encode(value.clamp(-416.0, 416.0), saturate)),
        "max 416"
    );
    assert!(
        fails(Format::E4m3, saturate, &|value| Format::E4m3.encode(value, Overflow::NonSaturating)),
        "mode"
    );
    assert!(fails(Format::E5m2, saturate, &|value| Format::E5m2.encode(value.abs(), saturate)), "sign");
    let twice =
        |value| Format::E4m3.encode(Format::F16.decode(Format::F16.encode(value, saturate)), saturate);
    assert!(fails(Format::E4m3, saturate, &twice), "rounding twice");
    let no_subnormals = |value: f32| {
        let kept = if value.abs() < 2.0_f32.powi(-14) { 0.0_f32.copysign(value) } else { value };
        Format::F16.encode(kept, saturate)
    };
    assert!(fails(Format::F16, saturate, &no_subnormals), "flushed subnormals");
}

/// How the shaders encode FP8 and F16: without a branch, by a power of two under which one unit of the sum is one unit of the code.
fn by_sum(format: Format, overflow: Overflow, value: f32) -> u32 {
    let (min_normal, distance, limits, dropped) = match format {
        Format::E4m3 => (0x3c80_0000, 20 << 23, [0x43e0_0000, 0x43f0_0000], 20),
        Format::E5m2 => (0x3880_0000, 21 << 23, [0x4760_0000, 0x4780_0000], 21),
        _ => (0x3880_0000, 13 << 23, [0x477f_e000, 0x4780_0000], 13),
    };
    let bits = value.to_bits();
    let limit = limits[usize::from(overflow == Overflow::NonSaturating)];
    let magnitude = (bits & 0x7fff_ffff).min(limit);
    let power = (magnitude.max(min_normal) & 0x7f80_0000) + distance;
    let sum = (f32::from_bits(magnitude) + f32::from_bits(power)).to_bits();
    let least = (min_normal + distance) >> dropped;
    if value.is_nan() {
        return format.encode(value, overflow);
    }
    let sign = 1 << (format.bits() - 1);
    (bits >> (32 - format.bits()) & sign) | (sum - power + (power >> dropped) - least)
}

#[test]
fn sums_encode_as_the_shaders_do() {
    for format in [Format::E4m3, Format::E5m2, Format::F16] {
        let model = Model::new(format);
        for mode in MODES {
            let count = sweep(&model, mode, STRIDE, |value| by_sum(format, mode, value)).unwrap();
            assert_eq!(count, 2 * (1_usize << 31).div_ceil(STRIDE));
            // Every tie, and its neighbours.
            for code in 0..=model.largest {
                let tie = model.midpoint(code) as f32;
                for value in [tie.next_down(), tie, tie.next_up(), -tie.next_down(), -tie, -tie.next_up()] {
                    assert_eq!(by_sum(format, mode, value), format.encode(value, mode), "{format} {value}");
                }
            }
        }
    }
}

/// All 2^31 magnitudes of the sum against the codec.
#[test]
fn exhaustive_sums() {
    if std::env::var_os("LANGEVIN_EXHAUSTIVE").is_none_or(|value| value != "1") {
        return;
    }
    for format in [Format::E4m3, Format::E5m2, Format::F16] {
        for mode in MODES {
            for value in (0..=0x7fff_ffff_u32).map(f32::from_bits) {
                assert_eq!(by_sum(format, mode, value), format.encode(value, mode), "{format} {value}");
            }
        }
    }
}

/// All 2^32 values, about a minute for each format on one core.
fn exhaust(format: Format) {
    if std::env::var_os("LANGEVIN_EXHAUSTIVE").is_none_or(|value| value != "1") {
        // Written past the capture of the test runner, so that the skip shows.
        let note = format!("skipped: all 2^32 values of {format}; set LANGEVIN_EXHAUSTIVE=1\n");
        std::io::stderr().write_all(note.as_bytes()).unwrap();
        return;
    }
    let model = Model::new(format);
    for mode in MODES {
        assert_eq!(sweep(&model, mode, 1, |value| format.encode(value, mode)), Ok(1 << 32));
    }
}

#[test]
fn exhaustive_f16() {
    exhaust(Format::F16);
}

#[test]
fn exhaustive_bf16() {
    exhaust(Format::BF16);
}

#[test]
fn exhaustive_e4m3() {
    exhaust(Format::E4m3);
}

#[test]
fn exhaustive_e5m2() {
    exhaust(Format::E5m2);
}
