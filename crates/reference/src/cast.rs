//! Numbers from one storage format to another, exact to the bit.

use crate::affine::{rows, width};
use crate::{Cost, DescError, Expected, Format, Op, Overflow, Tensor, TensorSpec, Tensors};
use rayon::prelude::*;

/// `out = encode(decode(x))`
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `x` | [`shape`](Self::shape), any rank | [`CastDesc::x`]: any format |
/// | `out` | the same | [`CastDesc::out`]: any format |
///
/// Decoding is exact, encoding rounds once, to nearest, ties to even. Every code has its answer, and that is
/// [`Format::encode`] of [`Format::decode`]:
///
/// | `x` | F32 | F16 | BF16 | E4M3 | E5M2 | I8 |
/// |---|---|---|---|---|---|---|
/// | NaN, its sign kept | quiet, as `x` | quiet, top bits of the payload | the same | 7f | 7f | 0 |
/// | a number too large, or infinity; saturating | itself | 65504 | the largest | 448 | 57344 | 127 |
/// | the same, not saturating | itself | infinity | infinity | NaN | infinity | 127 |
/// | a subnormal, or what becomes one | kept | kept | kept | kept | kept | 0 |
/// | zero | its sign | its sign | its sign | its sign | its sign | 0 |
///
/// [`CastDesc::overflow`] says which of the rows holds; where it is absent, F16 and BF16 go to infinity, and formats of 8 bits
/// saturate. F32 into F32 copies, NaN too. The code -128 of I8 is the number -128, and becomes I8 again as -127.
///
/// Error bound: none; the bits are the same on every adapter. Codes are made by integer operations and one f32 sum that is
/// assumed to round to nearest, as all known adapters do; a check on yours shows it.
///
/// # Errors
/// [`DescError::TooLarge`].
///
/// ```
/// use langevin_reference::{CastDesc, Format, Op, Tensor, Tensors};
/// let desc = CastDesc { shape: vec![3], x: Format::F32, out: Format::BF16, ..Default::default() };
/// let mut inputs = Tensors::new();
/// inputs.insert("x", Tensor::from_f32(Format::F32, &[3], &[1.00390625, -0.0, f32::MAX])?);
/// let out = desc.evaluate(&inputs)?[0].values();
/// assert_eq!(out.as_slice(), Some(&[1.0, -0.0, f64::INFINITY][..]));
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Source: IEEE 754-2019, section 5.4.2 (convertFormat); OCP 8-bit floating point specification, revision 1.0, section 5.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct CastDesc {
    /// The shape of `x` and `out`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub shape: Vec<usize>,
    /// How `x` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub x: Format,
    /// How `out` is stored.
    pub out: Format,
    /// What numbers too large for `out` become; `None`: what is usual for it.
    pub overflow: Option<Overflow>,
}

impl CastDesc {
    /// How many rows there are: the product of all axes but the last.
    pub fn rows(&self) -> usize {
        rows(&self.shape)
    }

    /// How long a row, the last axis, is; 1 for a scalar.
    pub fn width(&self) -> usize {
        width(&self.shape)
    }

    /// What overflow does: [`CastDesc::overflow`] or what is usual for `out`.
    pub fn overflow_mode(&self) -> Overflow {
        let usual = if self.out.bits() == 8 { Overflow::Saturate } else { Overflow::NonSaturating };
        self.overflow.unwrap_or(usual)
    }
}

impl Op for CastDesc {
    const NAME: &'static str = "cast";

    fn validate(&self) -> Result<(), DescError> {
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        vec![TensorSpec::input("x", self.x, &self.shape), TensorSpec::output("out", self.out, &self.shape)]
    }

    /// One rounding per element.
    fn cost(&self) -> Cost {
        Cost::of(self.rows() as f64 * self.width() as f64, &self.tensors())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let x = inputs.get("x").map(Tensor::bytes).unwrap_or_default();
        let (overflow, x_bytes, bytes) = (self.overflow_mode(), self.x.bytes(), self.out.bytes());
        let cast = |(out, x): (&mut [u8], &[u8])| {
            let mut word = [0; 4];
            word[..x_bytes].copy_from_slice(x);
            let code = self.out.encode(self.x.decode(u32::from_le_bytes(word)), overflow);
            out.copy_from_slice(&code.to_le_bytes()[..bytes]);
        };
        let mut data = vec![0; x.len() / x_bytes * bytes];
        data.par_chunks_mut(bytes).with_min_len(1 << 12).zip(x.par_chunks(x_bytes)).for_each(cast);
        let tensor = Tensor::new(self.out, &self.shape, data);
        vec![Expected::exact("out", tensor.unwrap_or_else(|error| unreachable!("{error}")))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cast(x: Format, out: Format, overflow: Option<Overflow>, codes: &[u8]) -> Vec<u8> {
        let shape = vec![codes.len() / x.bytes()];
        let mut inputs = Tensors::new();
        inputs.insert("x", Tensor::new(x, &shape, codes.to_vec()).unwrap());
        let desc = CastDesc { shape, x, out, overflow };
        let Expected { answer: crate::Answer::Exact(tensor), .. } = desc.evaluate(&inputs).unwrap().remove(0)
        else {
            panic!("a cast is exact")
        };
        tensor.bytes().to_vec()
    }

    fn words(values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn halves(values: &[u16]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn special_values_by_hand() {
        let infinity = halves(&[0x7c00, 0xfc00]);
        assert_eq!(cast(Format::F16, Format::E4m3, None, &infinity), [0x7e, 0xfe]);
        let open = Some(Overflow::NonSaturating);
        assert_eq!(cast(Format::F16, Format::E4m3, open, &infinity), [0x7f, 0xff]);
        assert_eq!(cast(Format::F16, Format::E5m2, open, &infinity), [0x7c, 0xfc]);
        // 70000 is too large for F16, a signalling NaN becomes a quiet one, 2^-24 is its least subnormal.
        let x = words(&[0x4788_b800, 0x7f80_2001, 0x3380_0000, 0x8000_0000]);
        assert_eq!(cast(Format::F32, Format::F16, None, &x), halves(&[0x7c00, 0x7e01, 1, 0x8000]));
        let saturating = Some(Overflow::Saturate);
        assert_eq!(cast(Format::F32, Format::F16, saturating, &x)[..2], halves(&[0x7bff]));
        // A subnormal of F32 is one of BF16; ties go to even.
        let x = words(&[0x0001_8000, 0x3f80_8000, 0x3f81_8000]);
        assert_eq!(cast(Format::F32, Format::BF16, None, &x), halves(&[2, 0x3f80, 0x3f82]));
        assert_eq!(cast(Format::I8, Format::I8, None, &[0x80, 127]), [0x81, 127]);
        assert_eq!(cast(Format::E5m2, Format::I8, None, &[0x7d, 0xfc, 0x41]), [0, 0x81, 2]);
        assert_eq!(cast(Format::F32, Format::F32, None, &words(&[0x7f80_0001])), words(&[0x7f80_0001]));
    }

    #[test]
    fn widening_and_narrowing_again_changes_nothing_but_nan() {
        for (narrow, wide) in [(Format::F16, Format::F32), (Format::BF16, Format::F32)] {
            let every: Vec<u16> = (0..=u16::MAX).collect();
            let back = cast(wide, narrow, None, &cast(narrow, wide, None, &halves(&every)));
            for (code, again) in every.iter().zip(back.chunks_exact(2)) {
                let again = u16::from_le_bytes([again[0], again[1]]);
                let value = narrow.decode(u32::from(*code));
                assert!(
                    again == *code || value.is_nan() && narrow.decode(u32::from(again)).is_nan(),
                    "{code:x}"
                );
            }
        }
        for fp8 in [Format::E4m3, Format::E5m2] {
            let every: Vec<u8> = (0..=255).filter(|&code| !fp8.decode(u32::from(code)).is_nan()).collect();
            let open = Some(Overflow::NonSaturating);
            assert_eq!(cast(Format::F16, fp8, open, &cast(fp8, Format::F16, None, &every)), every);
        }
    }

    #[test]
    fn scalars_and_nothing() {
        assert_eq!(CastDesc::default().rows() * CastDesc::default().width(), 1);
        assert!(cast(Format::F16, Format::F32, None, &[]).is_empty());
    }
}
