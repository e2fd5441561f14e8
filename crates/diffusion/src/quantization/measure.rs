use super::Scheme;
use langevin::Format;
use langevin::reference::Tensor;
use rayon::prelude::*;
use serde::Serialize;

/// What quantization did to the numbers of a tensor: codes, times their scales, against the numbers they were made of, in
/// f64.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measure {
    /// How many numbers there are.
    pub elements: u64,
    /// How many of them are NaN or infinite; the others are what the rest is about, but for the next count.
    pub not_finite: u64,
    /// How many NaN and infinities have become finite numbers: NaN as a code of I8, an infinity as the largest code.
    pub made_finite: u64,
    /// The least number; 0 where there is none.
    pub min: f32,
    /// The largest number; 0 where there is none.
    pub max: f32,
    /// How many finite numbers lie beyond the largest code, by more than half of its step.
    pub clipped: u64,
    /// The sum of the squares of the numbers.
    pub signal: f64,
    /// The sum of the squares of the errors; infinite where a finite number has become infinite or NaN. JSON has no infinity,
    /// and then says null.
    pub noise: f64,
    /// The largest error relative to the number it is of, zeros apart; infinite and null as `noise` is.
    pub worst_relative: f64,
}

impl Measure {
    /// Of no numbers.
    pub const NOTHING: Self = Self {
        elements: 0,
        not_finite: 0,
        made_finite: 0,
        min: 0.0,
        max: 0.0,
        clipped: 0,
        signal: 0.0,
        noise: 0.0,
        worst_relative: 0.0,
    };

    /// Compares numbers with codes and what these stand for. `scale_of` gives scale and zero point of an element.
    pub(crate) fn of(
        values: &[f32],
        codes: &[u8],
        scheme: &Scheme,
        scale_of: impl Fn(usize) -> (f32, i32) + Sync,
    ) -> Self {
        const PIECE: usize = 1 << 14;
        let format = scheme.format;
        let decoded: Vec<f64> = (0..256).map(|code| f64::from(format.decode(code))).collect();
        let piece = |(index, (values, codes)): (usize, (&[f32], &[u8]))| {
            let mut measure = Self::NOTHING;
            for (i, (&value, &code)) in values.iter().zip(codes).enumerate() {
                let (scale, zero) = scale_of(index * PIECE + i);
                let stands_for = (decoded[usize::from(code)] - f64::from(zero)) * f64::from(scale);
                measure.add(value, stands_for, is_clipped(value, scale, zero, scheme));
            }
            measure
        };
        let pieces = values.par_chunks(PIECE).zip(codes.par_chunks(PIECE)).enumerate();
        // In order, so that the sums have the same bits whatever the number of threads.
        pieces.map(piece).collect::<Vec<_>>().into_iter().fold(Self::NOTHING, Self::and)
    }

    /// Compares numbers with the same in another format.
    pub(crate) fn of_cast(values: &[f32], cast: &Tensor) -> Self {
        let mut measure = Self::NOTHING;
        for (&value, &stored) in values.iter().zip(&cast.to_f32()) {
            measure.add(value, f64::from(stored), value.is_finite() && !stored.is_finite());
        }
        measure
    }

    fn add(&mut self, value: f32, stands_for: f64, clipped: bool) {
        self.elements += 1;
        if !value.is_finite() {
            self.not_finite += 1;
            self.made_finite += u64::from(stands_for.is_finite());
            return;
        }
        let wide = f64::from(value);
        let error = (stands_for - wide).abs();
        // The largest of some errors would pass over NaN.
        let error = if error.is_nan() { f64::INFINITY } else { error };
        (self.min, self.max) = match self.elements - self.not_finite {
            1 => (value, value),
            _ => (self.min.min(value), self.max.max(value)),
        };
        self.clipped += u64::from(clipped);
        self.signal += wide * wide;
        self.noise += error * error;
        if wide != 0.0 {
            self.worst_relative = self.worst_relative.max(error / wide.abs());
        }
    }

    /// The measure of both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let finite = |measure: &Self| measure.elements - measure.not_finite;
        let (min, max) = match (finite(&self), finite(&other)) {
            (_, 0) => (self.min, self.max),
            (0, _) => (other.min, other.max),
            _ => (self.min.min(other.min), self.max.max(other.max)),
        };
        Self {
            elements: self.elements + other.elements,
            not_finite: self.not_finite + other.not_finite,
            made_finite: self.made_finite + other.made_finite,
            min,
            max,
            clipped: self.clipped + other.clipped,
            signal: self.signal + other.signal,
            noise: self.noise + other.noise,
            worst_relative: self.worst_relative.max(other.worst_relative),
        }
    }

    /// The fraction of the finite numbers that is clipped.
    pub fn clipped_fraction(&self) -> f64 {
        self.clipped as f64 / ((self.elements - self.not_finite) as f64).max(1.0)
    }

    /// The signal-to-noise ratio of the finite numbers in decibels, `10 log10(signal / noise)`: infinite where they are what
    /// they were, minus infinity where one of them has become infinite or NaN. Where there are none, minus infinity if any
    /// [`made_finite`](Self::made_finite) were made, else infinite.
    pub fn snr_db(&self) -> f64 {
        match self.noise == 0.0 {
            true if self.elements == self.not_finite && self.made_finite > 0 => f64::NEG_INFINITY,
            true => f64::INFINITY,
            false => 10.0 * (self.signal / self.noise).log10(),
        }
    }

    /// How much was lost.
    pub fn loss(&self) -> Loss {
        match self.snr_db() {
            f64::INFINITY if self.made_finite == 0 => Loss::None,
            f64::NEG_INFINITY => Loss::Total,
            _ => Loss::Some,
        }
    }
}

/// How much of a tensor's numbers is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Nothing: every number is what it was.
    None,
    /// Something: numbers are off, or NaN and infinities have become finite.
    Some,
    /// A finite number has become infinite or NaN, or there were none and what was not finite has become so. The error has no
    /// size.
    Total,
}

/// Whether a finite number rounds beyond the largest code, or for I8 with a zero point beyond the least one.
fn is_clipped(value: f32, scale: f32, zero: i32, scheme: &Scheme) -> bool {
    let code = f64::from(value) / f64::from(scale);
    match scheme.format {
        Format::I8 => {
            let code = code + f64::from(zero);
            let least = if scheme.asymmetric { -128.5 } else { -127.5 };
            !(least..=127.5).contains(&code)
        }
        format => format.rounding_error(code).is_infinite(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use langevin::Granularity;

    fn scheme(format: Format) -> Scheme {
        Scheme { format, granularity: Granularity::PerTensor, asymmetric: false, scale_rounding: None }
    }

    #[test]
    fn by_hand() {
        // Codes 2, -4, 127, 0 and 0 under a scale of 0.5: 1, -2, 63.5, 0 and 0.
        let values = [1.0, -2.5, 100.0, 0.1, f32::NAN];
        let codes = [2, 0xfc, 127, 0, 0];
        let measure = Measure::of(&values, &codes, &scheme(Format::I8), |_| (0.5, 0));
        assert_eq!((measure.elements, measure.not_finite, measure.clipped), (5, 1, 1));
        assert_eq!((measure.min, measure.max, measure.worst_relative), (-2.5, 100.0, 1.0));
        let tenth = f64::from(0.1_f32);
        assert_eq!(measure.signal, 1.0 + 6.25 + 10_000.0 + tenth * tenth);
        assert_eq!(measure.noise, 0.25 + 36.5 * 36.5 + tenth * tenth);
        assert_eq!(measure.clipped_fraction(), 0.25);
        let ratio: f64 = measure.signal / measure.noise;
        assert_eq!(measure.snr_db(), 10.0 * ratio.log10());
    }

    #[test]
    fn what_is_destroyed_is_not_what_is_kept() {
        let cast = |values: &[f32]| {
            Measure::of_cast(values, &Tensor::from_f32(Format::F16, &[values.len()], values).unwrap())
        };
        let inf = f32::INFINITY;
        let destroyed = cast(&[1e6; 3]);
        assert_eq!((destroyed.clipped, destroyed.snr_db()), (3, f64::NEG_INFINITY));
        assert_eq!((destroyed.loss(), destroyed.and(cast(&[1.0])).loss()), (Loss::Total, Loss::Total));
        assert_eq!((cast(&[1.0, inf, f32::NAN]).loss(), cast(&[0.1]).loss()), (Loss::None, Loss::Some));
        assert_eq!((cast(&[]).loss(), cast(&[0.0]).loss()), (Loss::None, Loss::None));

        let i8 = |values: &[f32], codes: &[u8]| Measure::of(values, codes, &scheme(Format::I8), |_| (1.0, 0));
        let nothing = i8(&[f32::NAN; 2], &[0, 0]);
        assert_eq!((nothing.not_finite, nothing.made_finite, nothing.loss()), (2, 2, Loss::Total));
        let saturated = i8(&[inf, 1.0, 2.0, 3.0], &[127, 1, 2, 3]);
        assert_eq!((saturated.made_finite, saturated.clipped, saturated.loss()), (1, 0, Loss::Some));
        let e4m3 = Measure::of(&[1.0], &[0x7f], &scheme(Format::E4m3), |_| (1.0, 0));
        assert_eq!((e4m3.worst_relative, e4m3.loss()), (f64::INFINITY, Loss::Total));
    }

    #[test]
    fn clipping_begins_half_a_step_beyond_the_largest_code() {
        let clipped = |value: f32, format| is_clipped(value, 2.0, 0, &scheme(format));
        assert!(!clipped(928.0, Format::E4m3) && clipped(928.1, Format::E4m3));
        assert!(!clipped(-255.0, Format::I8) && clipped(255.1, Format::I8) && clipped(-255.1, Format::I8));
        // With zero point 27 the codes reach from -155 to 100.
        let asymmetric = Scheme { asymmetric: true, ..scheme(Format::I8) };
        let clipped = |value: f32| is_clipped(value, 2.0, 27, &asymmetric);
        assert!(!clipped(-311.0) && clipped(-311.1) && !clipped(201.0) && clipped(201.1));
    }

    #[test]
    fn parts_add_up_and_nothing_is_lost_where_nothing_is_lost() {
        let values: Vec<f32> = (0..40_000).map(|i| (i % 255) as f32 - 127.0).collect();
        let codes: Vec<u8> = values.iter().map(|&value| value as i8 as u8).collect();
        let whole = Measure::of(&values, &codes, &scheme(Format::I8), |_| (1.0, 0));
        assert_eq!((whole.noise, whole.snr_db(), whole.elements), (0.0, f64::INFINITY, 40_000));
        let (first, rest) = values.split_at(7);
        let part = |values: &[f32], codes| Measure::of(values, codes, &scheme(Format::I8), |_| (1.0, 0));
        assert_eq!(part(first, &codes[..7]).and(part(rest, &codes[7..])), whole);
        assert_eq!(Measure::NOTHING.and(whole), whole);
        assert_eq!(whole.and(Measure::NOTHING), whole);
    }
}
