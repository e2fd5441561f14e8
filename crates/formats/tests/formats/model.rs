//! An independent model of the floating formats narrower than F32: the list of their values in f64, from the
//! formula.

use langevin_formats::{Format, Overflow};

/// Both overflow modes.
pub(crate) const MODES: [Overflow; 2] = [Overflow::Saturate, Overflow::NonSaturating];

/// The formats that the model covers.
pub(crate) const NARROW: [Format; 4] = [Format::F16, Format::BF16, Format::E4m3, Format::E5m2];

pub(crate) struct Model {
    pub(crate) format: Format,
    pub(crate) fraction_bits: u32,
    /// The sign bit of a code.
    pub(crate) sign: u32,
    /// The code of the largest finite value.
    pub(crate) largest: u32,
    /// The code that overflow gives when it does not saturate.
    overflow: u32,
    /// The values of the codes 0 to `largest`, and the one that would follow.
    pub(crate) magnitudes: Vec<f64>,
}

impl Model {
    pub(crate) fn new(format: Format) -> Self {
        let (fraction_bits, bias, largest, overflow) = match format {
            Format::F16 => (10, 15, 0x7bff, 0x7c00),
            Format::BF16 => (7, 127, 0x7f7f, 0x7f80),
            Format::E4m3 => (3, 7, 0x7e, 0x7f),
            Format::E5m2 => (2, 15, 0x7b, 0x7c),
            other => panic!("no model of {other}"),
        };
        let magnitudes = (0..=largest + 1).map(|code| magnitude(code, fraction_bits, bias)).collect();
        Self { format, fraction_bits, sign: 1 << (format.bits() - 1), largest, overflow, magnitudes }
    }

    pub(crate) fn codes(&self) -> std::ops::Range<u32> {
        0..2 * self.sign
    }

    /// The value of a code.
    pub(crate) fn value(&self, code: u32) -> f64 {
        let magnitude = match code & (self.sign - 1) {
            finite if finite <= self.largest => self.magnitudes[finite as usize],
            infinite if infinite == self.overflow && self.format != Format::E4m3 => f64::INFINITY,
            _ => f64::NAN,
        };
        if code & self.sign == 0 { magnitude } else { -magnitude }
    }

    /// Every NaN code as the largest code of its sign, the form of the golden files.
    pub(crate) fn canonical(&self, code: u32) -> u32 {
        if self.value(code).is_nan() { code | (self.sign - 1) } else { code }
    }

    /// The code of a value by search over all codes: the nearest one, the even one of two.
    pub(crate) fn search(&self, value: f32, overflow: Overflow) -> u32 {
        if value.is_nan() {
            return self.nan_code(value);
        }
        // Far above the range, all distances would round to the same f64.
        let wanted = f64::from(value).abs().min(2.0 * self.magnitudes[self.magnitudes.len() - 1]);
        let mut best = 0;
        for (code, magnitude) in self.magnitudes.iter().enumerate() {
            let (distance, least) = ((magnitude - wanted).abs(), (self.magnitudes[best] - wanted).abs());
            if distance < least || (distance == least && code % 2 == 0) {
                best = code;
            }
        }
        self.with_sign(value, self.finish(best as u32, overflow))
    }

    /// What a rounded code becomes: itself, or what overflow gives.
    pub(crate) fn finish(&self, code: u32, overflow: Overflow) -> u32 {
        match overflow {
            _ if code <= self.largest => code,
            Overflow::Saturate => self.largest,
            Overflow::NonSaturating => self.overflow,
        }
    }

    pub(crate) fn with_sign(&self, value: f32, code: u32) -> u32 {
        if value.is_sign_negative() { self.sign | code } else { code }
    }

    /// The documented code of a NaN.
    pub(crate) fn nan_code(&self, value: f32) -> u32 {
        let payload = value.to_bits() & 0x007f_ffff;
        let code = match self.format {
            Format::F16 => 0x7e00 | payload >> 13,
            Format::BF16 => 0x7fc0 | payload >> 16,
            _ => 0x7f,
        };
        self.with_sign(value, code)
    }

    /// The midpoint of a finite code and its successor; exact.
    pub(crate) fn midpoint(&self, code: u32) -> f64 {
        let code = code as usize;
        0.5 * (self.magnitudes[code] + self.magnitudes[code + 1])
    }
}

/// `fraction * 2^(1 - bias - fraction_bits)` for exponent 0, else `(1 + fraction / 2^fraction_bits) *
/// 2^(exponent - bias)`.
fn magnitude(code: u32, fraction_bits: u32, bias: i32) -> f64 {
    let exponent = (code >> fraction_bits) as i32;
    let fraction = f64::from(code & ((1 << fraction_bits) - 1)) / f64::from(1 << fraction_bits);
    match exponent {
        0 => fraction * 2.0_f64.powi(1 - bias),
        _ => (1.0 + fraction) * 2.0_f64.powi(exponent - bias),
    }
}
