use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use std::ops::Range;

/// Where a run's standard normal noise comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Noise<'a> {
    /// From a seed; the samples are those from number `first` on, so that a set made in several runs is the same as in one
    /// (but for a cache that looks at all samples of a run, [`Caching`](crate::Caching)).
    Seeded {
        /// The seed.
        seed: u64,
        /// The number of the first sample.
        first: usize,
    },
    /// These numbers: what the samples start from, then what each noisy evaluation takes, in order.
    Given(&'a [f32]),
}

impl Default for Noise<'_> {
    fn default() -> Self {
        Self::Seeded { seed: 0, first: 0 }
    }
}

/// Standard normal noise for pictures of `elements` numbers, one stream for each: a picture's noise depends on the seed,
/// on its index and on the draw alone, not on how many are made. Draw 0 is what a run starts from; draw i + 1 is evaluation
/// i's fresh noise.
pub fn noise(seed: u64, draw: u32, samples: Range<usize>, elements: usize) -> Vec<f32> {
    let sample = |index: usize| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(index as u64 | u64::from(draw) << 32);
        (0..elements)
            .map(move |_| <StandardNormal as Distribution<f32>>::sample(&StandardNormal, &mut random))
    };
    samples.flat_map(sample).collect()
}
