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
    use serde::{Deserialize, Deserializer};

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected one value for every axis, or a list with one per axis")]
    enum List<T> {
        Many(Vec<T>),
        One(T),
    }

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected one value for both sides, or [before, after]")]
    enum Pair<T> {
        Both(T),
        Sides([T; 2]),
    }

    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "expected one value for every side, or a list with one value or [before, after] per axis"
    )]
    enum PairList<T> {
        Many(Vec<Pair<T>>),
        One(T),
    }

    /// A list with one value per axis, or one value.
    pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
        Ok(match List::deserialize(from)? {
            List::Many(values) => values,
            List::One(value) => vec![value],
        })
    }

    /// A list with one value or `[before, after]` per axis, or one value.
    pub(crate) fn pairs<'de, D: Deserializer<'de>, T: Deserialize<'de> + Copy>(
        from: D,
    ) -> Result<Vec<[T; 2]>, D::Error> {
        let sides = |pair| match pair {
            Pair::Both(value) => [value, value],
            Pair::Sides(sides) => sides,
        };
        Ok(match PairList::deserialize(from)? {
            PairList::Many(pairs) => pairs.into_iter().map(sides).collect(),
            PairList::One(value) => vec![[value, value]],
        })
    }
}
