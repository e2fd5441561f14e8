//! Stochastic rounding: what it may give, and how often.

use langevin_formats::{Format, Overflow, philox, quantize, quantize_stochastic};

const FORMATS: [Format; 3] = [Format::E4m3, Format::E5m2, Format::I8];

/// Random numbers over the format's range and far below it.
fn values(format: Format) -> impl Iterator<Item = f32> {
    (0..4000_u32).map(move |i| {
        let [fraction, exponent, sign, _] = philox::words([i, 0, 0, 1], [1, 2]);
        let unit = fraction as f32 / u32::MAX as f32;
        let magnitude = unit * format.max_finite() as f32 / 2.0_f32.powi((exponent % 20) as i32);
        if sign % 2 == 0 { magnitude } else { -magnitude }
    })
}

fn decoded(format: Format, code: u32) -> f64 {
    f64::from(format.decode(code))
}

/// The two codes around a value, in order of magnitude: by all random bits clear, and by all set.
fn around(format: Format, value: f32) -> (f64, f64) {
    let by = |random| decoded(format, quantize_stochastic(value, 1.0, format, Overflow::Saturate, random));
    // I8 goes away from zero for small random numbers, FP8 for large ones.
    let (one, other) = (by(0), by(u32::MAX));
    if one.abs() < other.abs() { (one, other) } else { (other, one) }
}

#[test]
fn a_number_goes_to_a_neighbour_and_the_nearer_one_is_among_them() {
    for format in FORMATS {
        for value in values(format) {
            let (below, above) = around(format, value);
            assert!(below.abs() <= f64::from(value.abs()) && f64::from(value.abs()) <= above.abs());
            let nearest = decoded(format, quantize(value, 1.0, format, Overflow::Saturate));
            assert!(nearest == below || nearest == above, "{format} {value}: {below} {nearest} {above}");
        }
    }
}

#[test]
fn codes_stay_themselves() {
    for format in FORMATS {
        for code in 0..256 {
            let value = format.decode(code);
            for random in [0, 1 << 31, u32::MAX] {
                let got = quantize_stochastic(value, 1.0, format, Overflow::NonSaturating, random);
                let expected = quantize(value, 1.0, format, Overflow::NonSaturating);
                assert_eq!(got, expected, "{format} {code:#x}");
            }
        }
    }
}

/// The mean of n roundings is the number, within six standard deviations, each at most half the gap.
#[test]
fn the_mean_is_the_number() {
    let count = 4096_u32;
    for format in FORMATS {
        for value in values(format).take(60) {
            let (below, above) = around(format, value);
            let rounded = (0..count).map(|i| {
                let random = philox::words([i, 7, 0, 0], [5, 6])[0];
                decoded(format, quantize_stochastic(value, 1.0, format, Overflow::Saturate, random))
            });
            let mean = rounded.sum::<f64>() / f64::from(count);
            let deviation = 0.5 * (above - below).abs() / f64::from(count).sqrt();
            let error = (mean - f64::from(value)).abs();
            assert!(error <= 6.0 * deviation, "{format} {value}: mean {mean}");
        }
    }
}

#[test]
fn overflow_is_what_the_mode_says() {
    let by = |value, format, overflow, random| quantize_stochastic(value, 1.0, format, overflow, random);
    assert_eq!(by(449.0, Format::E4m3, Overflow::Saturate, u32::MAX), 0x7e);
    assert_eq!(by(449.0, Format::E4m3, Overflow::NonSaturating, u32::MAX), 0x7f);
    assert_eq!(by(449.0, Format::E4m3, Overflow::NonSaturating, 0), 0x7e);
    assert_eq!(by(1e30, Format::E5m2, Overflow::NonSaturating, 0), 0x7c);
    assert_eq!(by(f32::NEG_INFINITY, Format::E5m2, Overflow::Saturate, 0), 0xfb);
    assert_eq!(by(f32::NAN, Format::E4m3, Overflow::Saturate, 0), 0x7f);
    assert_eq!(by(f32::NAN, Format::I8, Overflow::Saturate, 0), 0);
    assert_eq!(by(-1e30, Format::I8, Overflow::Saturate, 0), 0x81);
}
