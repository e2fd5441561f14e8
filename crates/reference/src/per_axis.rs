//! Settings with one value per spatial axis: how lists of them are read.

use crate::{DescError, Op};

/// The most spatial axes a grid can have.
pub(crate) const MAX_AXES: usize = 3;

/// The value of an axis. A list is empty (the default everywhere), has one value for every axis, or one per axis.
pub(crate) fn along<T: Copy>(list: &[T], axis: usize, default: T) -> T {
    match list {
        [] => default,
        [every] => *every,
        many => many.get(axis).copied().unwrap_or(default),
    }
}

/// Checks the length of such a list.
pub(crate) fn check_list<O: Op>(field: &'static str, len: usize, axes: usize) -> Result<(), DescError> {
    if len <= 1 || len == axes {
        return Ok(());
    }
    let expected = format!("empty, one value for every axis, or {axes} values for {axes} axes");
    Err(O::field_error(field, expected, format!("{len} values")))
}

/// Checks that there are 1 to 3 spatial axes.
pub(crate) fn check_axes<O: Op>(axes: usize) -> Result<(), DescError> {
    if (1..=MAX_AXES).contains(&axes) {
        return Ok(());
    }
    Err(O::field_error("spatial", "the extents of 1, 2 or 3 axes", format!("{axes} extents")))
}

/// Forms that are easier to type in JSON than the lists of the descriptors: one value in place of a list of one, and
/// one value in place of the pair (before, after).
#[cfg(feature = "serde")]
pub(crate) mod json {
    use std::fmt;
    use std::marker::PhantomData;

    use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
    use serde::de::{IntoDeserializer, MapAccess, SeqAccess, Visitor};
    use serde::{Deserialize, Deserializer};

    /// A value, or a list of them. Written out, since serde's untagged enums keep none of the reasons why a value is none.
    struct OneOrMany<One, Many>(PhantomData<(One, Many)>);

    enum Either<One, Many> {
        One(One),
        Many(Many),
    }

    macro_rules! one {
        ($($visit:ident($value:ty)),*) => {
            $(fn $visit<E: serde::de::Error>(self, value: $value) -> Result<Self::Value, E> {
                One::deserialize(value.into_deserializer()).map(Either::One)
            })*
        };
    }

    impl<'de, One: Deserialize<'de>, Many: Deserialize<'de>> Visitor<'de> for OneOrMany<One, Many> {
        type Value = Either<One, Many>;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("a value or a list of them")
        }

        one!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            One::deserialize(MapAccessDeserializer::new(map)).map(Either::One)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
            Many::deserialize(SeqAccessDeserializer::new(list)).map(Either::Many)
        }
    }

    impl<'de, One: Deserialize<'de>, Many: Deserialize<'de>> Deserialize<'de> for Either<One, Many> {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            from.deserialize_any(OneOrMany(PhantomData))
        }
    }

    /// A list with one value per axis, or one value.
    pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
        Ok(match Either::<T, Vec<T>>::deserialize(from)? {
            Either::Many(values) => values,
            Either::One(value) => vec![value],
        })
    }

    /// A list with one value or `[before, after]` per axis, or one value.
    pub(crate) fn pairs<'de, D: Deserializer<'de>, T: Deserialize<'de> + Copy>(
        from: D,
    ) -> Result<Vec<[T; 2]>, D::Error> {
        let sides = |pair| match pair {
            Either::One(value) => [value, value],
            Either::Many(sides) => sides,
        };
        Ok(match Either::<T, Vec<Either<T, [T; 2]>>>::deserialize(from)? {
            Either::Many(pairs) => pairs.into_iter().map(sides).collect(),
            Either::One(value) => vec![[value, value]],
        })
    }
}
