//! Which keys a query may see by its place.

use std::ops::Range;

/// Which key stands opposite a query: the one it is compared with by place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Align {
    /// Key `i` stands opposite query `i`: the first query and the first key are aligned.
    TopLeft,
    /// Key `i + seq_kv - seq_q` does: the last query and the last key are aligned, as when decoding with a cache. With
    /// sequences of several lengths these are the sequence's own.
    BottomRight,
    /// Key `i +` this does.
    Offset(i64),
}

impl Align {
    /// The place of the key opposite query 0.
    fn offset(self, queries: usize, keys: usize) -> i64 {
        match self {
            Self::TopLeft => 0,
            Self::BottomRight => signed(keys) - signed(queries),
            Self::Offset(offset) => offset,
        }
    }
}

/// A sliding window: a query sees the key opposite it, `left` keys before that one and `right` keys after it; all of
/// them on a side that is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Window {
    /// Keys before the one opposite the query.
    #[cfg_attr(feature = "serde", serde(default))]
    pub left: Option<usize>,
    /// Keys after it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub right: Option<usize>,
    /// Which key is opposite. With a causal rule beside it, the same as there.
    pub align: Align,
}

/// The causal rule and the window together: a query sees the keys from `left` before to `right` after the one opposite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// Which key is opposite.
    pub align: Align,
    /// Keys before it; all where absent.
    pub left: Option<usize>,
    /// Keys after it; all where absent.
    pub right: Option<usize>,
}

impl Band {
    pub(super) fn new(causal: Option<Align>, window: Option<Window>) -> Self {
        let right = [causal.map(|_| 0), window.and_then(|window| window.right)].into_iter().flatten().min();
        let align = causal.or(window.map(|window| window.align)).unwrap_or(Align::TopLeft);
        Self { align, left: window.and_then(|window| window.left), right }
    }

    /// Whether it leaves out no key.
    pub fn is_everything(&self) -> bool {
        self.left.is_none() && self.right.is_none()
    }

    /// The `low` and `high` of `low <= j - i <= high`, brought into `-queries..=keys`, beyond which nothing changes.
    pub fn limits(&self, queries: usize, keys: usize) -> [Option<i64>; 2] {
        let offset = self.align.offset(queries, keys);
        let limit = |limit: i64| limit.clamp(-signed(queries), signed(keys));
        let low = self.left.map(|left| limit(offset.saturating_sub(signed(left))));
        [low, self.right.map(|right| limit(offset.saturating_add(signed(right))))]
    }

    /// The keys that query `i` may see.
    pub(super) fn keys(&self, i: usize, queries: usize, keys: usize) -> Range<usize> {
        let [low, high] = self.limits(queries, keys);
        let bound = |place: i64| place.clamp(0, keys as i64) as usize;
        let first = low.map_or(0, |low| bound(i as i64 + low));
        first..high.map_or(keys, |high| bound(i as i64 + high + 1)).max(first)
    }

    /// The number of (query, key) pairs that may meet.
    pub(super) fn pairs(&self, queries: usize, keys: usize) -> f64 {
        let [low, high] = self.limits(queries, keys);
        let all = queries as f64 * keys as f64;
        let [queries, keys] = [queries as f64, keys as f64];
        let until = high.map_or(all, |high| keys_before(high as f64 + 1.0, queries, keys));
        (until - low.map_or(0.0, |low| keys_before(low as f64, queries, keys))).max(0.0)
    }
}

/// A size that may be absurd, as long as nobody has checked it.
fn signed(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// The pairs with `j < i + end`, summed over the queries.
fn keys_before(end: f64, queries: f64, keys: f64) -> f64 {
    // Query i counts i + end keys from `first` on, and all of them from `full` on.
    let first = (-end).clamp(0.0, queries);
    let full = (keys - end).clamp(first, queries);
    let ramp = (full - first) * ((first + full - 1.0) / 2.0 + end);
    ramp + (queries - full) * keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted_in_closed_form() {
        let far = [i64::MIN, -9, -5, -1, 0, 1, 4, 8, i64::MAX].map(Align::Offset);
        let sides = [None, Some(0), Some(1), Some(3), Some(usize::MAX)];
        for align in far.into_iter().chain([Align::TopLeft, Align::BottomRight]) {
            for (left, right) in sides.into_iter().flat_map(|left| sides.map(|right| (left, right))) {
                for (queries, keys) in [(5, 5), (3, 7), (7, 3), (1, 1), (0, 4), (4, 0)] {
                    let band = Band { align, left, right };
                    let slow: usize = (0..queries).map(|i| band.keys(i, queries, keys).len()).sum();
                    assert_eq!(band.pairs(queries, keys), slow as f64, "{band:?} {queries} {keys}");
                }
            }
        }
    }

    /// From the definition, pair by pair.
    #[test]
    fn a_window_reaches_as_far_as_it_says() {
        let band = Band::new(None, Some(Window { left: Some(2), right: Some(1), align: Align::BottomRight }));
        for i in 0..3 {
            // The last of 3 queries stands opposite the last of 7 keys.
            let opposite = i + 4;
            let seen: Vec<usize> = (0..7).filter(|j| opposite <= j + 2 && *j <= opposite + 1).collect();
            assert_eq!(band.keys(i, 3, 7).collect::<Vec<_>>(), seen);
        }
        let causal = Band::new(
            Some(Align::TopLeft),
            Some(Window { left: Some(1), right: None, align: Align::TopLeft }),
        );
        assert_eq!(causal.keys(2, 5, 5), 1..3);
    }
}
