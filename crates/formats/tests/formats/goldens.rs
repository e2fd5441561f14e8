//! The golden files made with numpy and ml_dtypes; `goldens/README.md` describes them.

use langevin_formats::{Format, Overflow};

use crate::model::{MODES, Model, NARROW};

const CHECKSUMS: &str = include_str!("../../goldens/checksums.csv");

/// The rows of a golden file, without the line of versions and the header.
pub(crate) fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().skip(2).map(|line| line.split(',').collect())
}

pub(crate) fn hex(field: &str) -> u32 {
    u32::from_str_radix(field, 16).unwrap()
}

fn mode_name(overflow: Overflow) -> &'static str {
    match overflow {
        Overflow::Saturate => "saturate",
        Overflow::NonSaturating => "non_saturating",
    }
}

/// `sum (2 i + 1) code_i` modulo 2^64.
fn checksum(codes: impl Iterator<Item = u32>) -> u64 {
    let weighted = codes.zip(0_u64..).map(|(code, index)| (2 * index + 1).wrapping_mul(u64::from(code)));
    weighted.fold(0, u64::wrapping_add)
}

fn golden_checksum(what: &str) -> u64 {
    let row = rows(CHECKSUMS).find(|row| row[0] == what).unwrap_or_else(|| panic!("no checksum of {what}"));
    u64::from_str_radix(row[1], 16).unwrap()
}

/// The bits of a decoded value, every NaN made the quiet one of its sign.
fn decoded_bits(format: Format, code: u32) -> u32 {
    let value = format.decode(code);
    if value.is_nan() { value.to_bits() & 0x8000_0000 | 0x7fc0_0000 } else { value.to_bits() }
}

#[test]
fn fp8_decodes_like_ml_dtypes() {
    let mut count = 0;
    for (code, row) in rows(include_str!("../../goldens/fp8_decode.csv")).enumerate() {
        let code = code as u32;
        assert_eq!(hex(row[0]), code);
        assert_eq!(decoded_bits(Format::E4m3, code), hex(row[1]), "e4m3 code {code:02x}");
        assert_eq!(decoded_bits(Format::E5m2, code), hex(row[2]), "e5m2 code {code:02x}");
        count += 1;
    }
    assert_eq!(count, 256);
}

fn check_encode(text: &str, formats: [Format; 2], at_least: usize) {
    let models = formats.map(Model::new);
    let mut count = 0;
    for row in rows(text) {
        let value = f32::from_bits(hex(row[0]));
        let mut golden = row[1..].iter();
        for model in &models {
            for overflow in MODES {
                let code = model.canonical(model.format.encode(value, overflow));
                let expected = hex(golden.next().unwrap());
                assert_eq!(code, expected, "{} {overflow:?} of {value:e} = {}", model.format, row[0]);
            }
        }
        assert!(golden.next().is_none());
        count += 1;
    }
    assert!(count >= at_least, "only {count} rows");
}

#[test]
fn fp8_encodes_like_ml_dtypes() {
    // 127 + 124 midpoints, three values each, two signs.
    check_encode(include_str!("../../goldens/fp8_encode.csv"), [Format::E4m3, Format::E5m2], 1500);
}

#[test]
fn halves_encode_special_values_like_numpy_and_ml_dtypes() {
    check_encode(include_str!("../../goldens/half_encode.csv"), [Format::F16, Format::BF16], 500);
}

#[test]
fn all_halves_decode_like_numpy_and_ml_dtypes() {
    for format in [Format::F16, Format::BF16] {
        let bits = (0..1 << 16).map(|code| decoded_bits(format, code));
        assert_eq!(checksum(bits), golden_checksum(&format!("{format}_decode")), "{format}");
    }
}

#[test]
fn every_rounding_boundary_encodes_like_numpy_and_ml_dtypes() {
    for model in NARROW.map(Model::new) {
        let midpoints = (0..=model.largest).map(|code| (model.midpoint(code) as f32).to_bits());
        let near: Vec<u32> = midpoints.flat_map(|bits| [bits - 1, bits, bits + 1]).collect();
        let both = near.iter().copied().chain(near.iter().map(|bits| bits | 0x8000_0000));
        check_checksum(&model, "boundaries", both);
    }
}

#[test]
fn strided_bits_encode_like_numpy_and_ml_dtypes() {
    for model in NARROW.map(Model::new) {
        check_checksum(&model, "strided", (0..=u32::MAX).step_by(4099));
    }
}

fn check_checksum(model: &Model, list: &str, inputs: impl Iterator<Item = u32> + Clone) {
    for overflow in MODES {
        let encode = |bits| model.canonical(model.format.encode(f32::from_bits(bits), overflow));
        let what = format!("{}_{list}_{}", model.format, mode_name(overflow));
        assert_eq!(checksum(inputs.clone().map(encode)), golden_checksum(&what), "{what}");
    }
}

#[test]
fn a_checksum_notices_one_wrong_code() {
    let codes = || (0..1 << 16).map(|code: u32| code & 0xff);
    let wrong_at = |place| codes().enumerate().map(move |(index, code)| code ^ u32::from(index == place));
    for place in [0, 1, 1 << 15, (1 << 16) - 1] {
        assert_ne!(checksum(codes()), checksum(wrong_at(place)));
    }
}
