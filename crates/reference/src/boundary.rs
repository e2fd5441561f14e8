/// What a convolution reads outside its input.
///
/// As JSON: `"zero"`, `{"constant": 0.5}`, `"circular"`, `"reflect"`, `"replicate"`,
/// `"symmetric"`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Boundary {
    /// Zeros.
    #[default]
    Zero,
    /// This value, one of those that the format of the input holds, in its units.
    Constant(f32),
    /// The input repeated: index modulo extent. As JSON also `"periodic"`.
    #[cfg_attr(feature = "serde", serde(alias = "periodic"))]
    Circular,
    /// The input mirrored at its outermost elements, which are not repeated: `c b | a b c | b a`. The padding must be
    /// smaller than the extent.
    Reflect,
    /// The outermost element: `a a | a b c | c c`.
    Replicate,
    /// The input mirrored at its ends, again and again, its outermost elements repeated: `b a | a b c | c b`. So does
    /// NumPy's padding of that name; beside cells it is an insulated wall, however far a stencil reaches.
    Symmetric,
}

impl Boundary {
    /// Every kind of boundary; the constant is 1.
    pub const ALL: [Self; 6] =
        [Self::Zero, Self::Constant(1.0), Self::Circular, Self::Reflect, Self::Replicate, Self::Symmetric];

    /// The value where [`Boundary::source`] has none.
    pub fn outside(self) -> f64 {
        if let Self::Constant(value) = self { f64::from(value) } else { 0.0 }
    }

    /// Whether what is outside is a part of the input again.
    pub fn repeats(self) -> bool {
        matches!(self, Self::Circular | Self::Reflect | Self::Replicate | Self::Symmetric)
    }

    /// Where the value at `position` of an axis comes from; `None` for one that is [outside](Boundary::outside).
    ///
    /// A position further outside than [`Boundary::Reflect`] reaches gives `None` too.
    pub fn source(self, position: i64, extent: usize) -> Option<usize> {
        let last = i64::try_from(extent).ok()?.checked_sub(1).filter(|&last| last >= 0)?;
        if (0..=last).contains(&position) {
            return usize::try_from(position).ok();
        }
        let inside = match self {
            Self::Zero | Self::Constant(_) => return None,
            Self::Circular => position.rem_euclid(last + 1),
            Self::Reflect if position < 0 => -position,
            Self::Reflect => 2 * last - position,
            Self::Replicate => position.clamp(0, last),
            Self::Symmetric => {
                let inward = position.rem_euclid(2 * (last + 1));
                inward.min(2 * last + 1 - inward)
            }
        };
        usize::try_from(inside).ok().filter(|&source| source < extent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extended(boundary: Boundary, extent: usize, positions: std::ops::Range<i64>) -> Vec<Option<usize>> {
        positions.map(|position| boundary.source(position, extent)).collect()
    }

    #[test]
    fn each_kind_extends_three_elements_as_documented() {
        let inside = [Some(0), Some(1), Some(2)];
        let around = |before: [Option<usize>; 2], after: [Option<usize>; 2]| {
            [&before[..], &inside[..], &after[..]].concat()
        };
        let cases = [
            (Boundary::Zero, around([None; 2], [None; 2])),
            (Boundary::Constant(2.5), around([None; 2], [None; 2])),
            (Boundary::Circular, around([Some(1), Some(2)], [Some(0), Some(1)])),
            (Boundary::Reflect, around([Some(2), Some(1)], [Some(1), Some(0)])),
            (Boundary::Replicate, around([Some(0); 2], [Some(2); 2])),
            (Boundary::Symmetric, around([Some(1), Some(0)], [Some(2), Some(1)])),
        ];
        for (boundary, expected) in cases {
            assert_eq!(extended(boundary, 3, -2..5), expected, "{boundary:?}");
        }
    }

    #[test]
    fn only_a_constant_is_something_outside() {
        assert_eq!(Boundary::ALL.map(Boundary::outside), [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(Boundary::ALL.map(Boundary::repeats), [false, false, true, true, true, true]);
    }

    #[test]
    fn far_positions_and_empty_axes_have_an_answer() {
        assert_eq!(extended(Boundary::Circular, 2, -5..-2), [Some(1), Some(0), Some(1)]);
        assert_eq!(extended(Boundary::Reflect, 2, -2..0), [None, Some(1)]);
        // a b | b a | a b | b a | a
        let mirrored = [0, 1, 1, 0, 0, 1, 1, 0, 0].map(Some);
        assert_eq!(extended(Boundary::Symmetric, 2, -4..5), mirrored);
        assert_eq!(extended(Boundary::Symmetric, 1, -3..4), [Some(0); 7]);
        for boundary in Boundary::ALL {
            assert_eq!(extended(boundary, 0, -1..2), [None; 3]);
        }
    }
}
