//! Codecs against the model, and their properties.

use langevin_formats::{Format, Overflow, bf16, decode, decode_f64, e4m3, e5m2, encode, f16, i8};
use proptest::prelude::*;

use crate::model::{MODES, Model, NARROW};

/// The decoder of a format, and the model's value.
fn assert_decodes(model: &Model, code: u32) {
    let (got, expected) = (model.format.decode(code), model.value(code));
    assert_eq!(got.is_nan(), expected.is_nan(), "{} code {code:x}", model.format);
    assert_eq!(got.is_sign_negative(), code & model.sign != 0, "{} code {code:x}", model.format);
    assert!(
        got.is_nan() || f64::from(got) == expected,
        "{} code {code:x}: {got} for {expected}",
        model.format
    );
}

#[test]
fn every_code_decodes_to_the_value_of_the_formula() {
    for model in NARROW.map(Model::new) {
        model.codes().for_each(|code| assert_decodes(&model, code));
    }
}

#[test]
fn decoded_nans_are_quiet() {
    for format in NARROW {
        for code in 0..1 << format.bits() {
            let value = format.decode(code);
            assert!(!value.is_nan() || value.to_bits() & 0x0040_0000 != 0, "{format} code {code:x}");
        }
    }
}

#[test]
fn every_code_survives_a_round_trip() {
    for model in NARROW.map(Model::new) {
        for code in model.codes() {
            let again = model.format.encode(model.format.decode(code), Overflow::NonSaturating);
            assert_eq!(model.canonical(again), model.canonical(code), "{} code {code:x}", model.format);
        }
    }
    for code in 0..256 {
        // -128 can be stored, but the symmetric encoder does not write it.
        let expected = if code == 0x80 { 0x81 } else { code };
        assert_eq!(Format::I8.encode(Format::I8.decode(code), Overflow::Saturate), expected);
    }
    for bits in [0, 0x8000_0000, 1, 0x7f80_0000, 0x7f80_0001, 0xffc0_0001, 0x3f80_0000] {
        let again = MODES.map(|mode| Format::F32.encode(Format::F32.decode(bits), mode));
        assert_eq!(again, [bits; 2]);
    }
}

#[test]
fn saturation_keeps_finite_codes_and_clamps_infinity() {
    for model in NARROW.map(Model::new) {
        for code in model.codes() {
            let saturated = model.format.encode(model.format.decode(code), Overflow::Saturate);
            let expected = if model.value(code).is_infinite() {
                code & model.sign | model.largest
            } else {
                model.canonical(code)
            };
            assert_eq!(model.canonical(saturated), expected, "{} code {code:x}", model.format);
        }
    }
}

#[test]
fn overflow_starts_where_documented() {
    let below = |value: f32| f32::from_bits(value.to_bits() - 1);
    let above = |value: f32| f32::from_bits(value.to_bits() + 1);
    let nan = Overflow::NonSaturating;
    assert_eq!([e4m3::encode(464.0, nan), e4m3::encode(above(464.0), nan)], [0x7e, 0x7f]);
    assert_eq!([e5m2::encode(below(61440.0), nan), e5m2::encode(61440.0, nan)], [0x7b, 0x7c]);
    assert_eq!([f16::encode(below(65520.0), nan), f16::encode(65520.0, nan)], [0x7bff, 0x7c00]);
    let bf16_tie = f32::from_bits(0x7f7f_8000);
    assert_eq!([bf16::encode(below(bf16_tie), nan), bf16::encode(bf16_tie, nan)], [0x7f7f, 0x7f80]);
}

#[test]
fn nans_keep_their_sign_in_both_modes() {
    for mode in MODES {
        for (nan, sign8, sign16) in [(f32::NAN, 0, 0), (-f32::NAN, 0x80, 0x8000)] {
            assert_eq!([e4m3::encode(nan, mode), e5m2::encode(nan, mode)], [sign8 | 0x7f; 2]);
            assert_eq!(f16::encode(nan, mode), sign16 | 0x7e00);
            assert_eq!(bf16::encode(nan, mode), sign16 | 0x7fc0);
        }
        // The payload of this one is all in the bits that are dropped.
        let signalling = f32::from_bits(0x7f80_0001);
        assert_eq!([f16::encode(signalling, mode), bf16::encode(signalling, mode)], [0x7e00, 0x7fc0]);
    }
}

#[test]
fn integers_round_to_even_and_clamp() {
    let codes = [2.5, 3.5, -2.5, 126.5, 127.5, 1e30, -127.5, -1e30].map(i8::encode);
    assert_eq!(codes, [2, 4, -2, 126, 127, 127, -127, -127]);
    assert_eq!(
        [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-40].map(i8::encode),
        [0, 127, -127, 0, 0]
    );
    assert_eq!((core::primitive::i8::MIN..=127).map(i8::decode).map(f64::from).sum::<f64>(), -128.0);
}

#[test]
fn slices_are_dense_and_little_endian() {
    let values = [1.0, -2.0, 300.0];
    let dense = |format| encode(format, &values, Overflow::Saturate);
    assert_eq!(dense(Format::F32), [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0x96, 0x43]);
    assert_eq!(dense(Format::F16), [0x00, 0x3c, 0x00, 0xc0, 0xb0, 0x5c]);
    assert_eq!(dense(Format::BF16), [0x80, 0x3f, 0x00, 0xc0, 0x96, 0x43]);
    assert_eq!(dense(Format::E4m3), [0x38, 0xc0, 0x79]);
    assert_eq!(dense(Format::E5m2), [0x3c, 0xc0, 0x5d]);
    assert_eq!(dense(Format::I8), [1, 0xfe, 127]);
}

#[test]
fn slices_decode_to_both_widths_and_reject_broken_elements() {
    for format in Format::ALL {
        let dense = encode(format, &[0.5, -3.0, 100.0], Overflow::Saturate);
        let values = decode(format, &dense).unwrap();
        let expected = if format == Format::I8 { [0.0, -3.0, 100.0] } else { [0.5, -3.0, values[2]] };
        assert_eq!(values, expected, "{format}");
        assert_eq!(decode_f64(format, &dense).unwrap(), expected.map(f64::from), "{format}");
        assert_eq!(decode(format, &[]), Ok(vec![]));
    }
    let error = decode(Format::F16, &[0; 5]).unwrap_err();
    assert_eq!(error.to_string(), "dense f16 data: expected a multiple of 2 bytes, got 5");
    assert_eq!(
        decode_f64(Format::F32, &[0; 6]).unwrap_err().to_string(),
        "dense f32 data: expected a multiple of 4 bytes, got 6"
    );
}

/// Any bits, half of the time with an exponent near the range of the format.
fn values(format: Format) -> impl Strategy<Value = f32> {
    let exponent = |value: f64| (value as f32).to_bits() >> 23;
    let near =
        exponent(format.min_positive()).saturating_sub(2)..=(exponent(format.max_finite()) + 2).min(255);
    let inside = (near, 0..1_u32 << 23, any::<bool>()).prop_map(|(exponent, fraction, sign)| {
        f32::from_bits(u32::from(sign) << 31 | exponent << 23 | fraction)
    });
    prop_oneof![inside, any::<u32>().prop_map(f32::from_bits)]
}

/// One case of every narrow format.
fn per_format() -> impl Strategy<Value = (Format, f32, f32)> {
    let with_values = |format| (Just(format), values(format), values(format));
    proptest::sample::select(NARROW.as_slice()).prop_flat_map(with_values)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn encoding_is_the_nearest_code_by_search((format, value, _) in per_format()) {
        let model = Model::new(format);
        for mode in MODES {
            let (got, expected) = (format.encode(value, mode), model.search(value, mode));
            prop_assert_eq!(got, expected, "{} {:?} {:e}", format, mode, value);
        }
    }

    #[test]
    fn encoding_is_monotone((format, one, other) in per_format()) {
        prop_assume!(!one.is_nan() && !other.is_nan());
        let stored = |value| format.decode(format.encode(value, Overflow::Saturate));
        prop_assert!(stored(one.min(other)) <= stored(one.max(other)), "{} {:e} {:e}", format, one, other);
    }

    #[test]
    fn encoding_is_symmetric_in_the_sign((format, value, _) in per_format()) {
        for mode in MODES {
            let sign = 1 << (format.bits() - 1);
            prop_assert_eq!(format.encode(-value, mode), format.encode(value, mode) ^ sign);
        }
    }

    #[test]
    fn the_rounding_error_stays_inside_its_bound((format, value, _) in per_format()) {
        let bound = format.rounding_error(value.into());
        let stored = format.decode(format.encode(value, Overflow::NonSaturating));
        if value.is_finite() {
            prop_assert_eq!(stored.is_finite(), bound.is_finite(), "{} {:e}", format, value);
            let error = (f64::from(stored) - f64::from(value)).abs();
            let inside = !stored.is_finite() || error <= bound;
            prop_assert!(inside, "{} {:e}: {:e} > {:e}", format, value, error, bound);
        }
    }

    #[test]
    fn slices_agree_with_single_values((format, one, other) in per_format()) {
        for mode in MODES {
            let dense = encode(format, &[one, other], mode);
            let stored: Vec<u32> = decode(format, &dense).unwrap().into_iter().map(f32::to_bits).collect();
            let expected = [one, other].map(|value| format.decode(format.encode(value, mode)).to_bits());
            prop_assert_eq!(stored, expected);
        }
    }
}
