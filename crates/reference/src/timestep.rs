//! The sinusoidal embedding of a diffusion time. Computed on the host: it is one short row per step.

use ndarray::Array1;

/// `[cos(t f_0), .., cos(t f_{h-1}), sin(t f_0), .., sin(t f_{h-1})]` with `h = channels / 2` and frequencies
/// `f_i = 10000^(-i / (h - 1))`, from 1 down to 1/10000 inclusive; an odd number of channels ends with a zero.
///
/// This is `Timesteps(channels, flip_sin_to_cos=True, downscale_freq_shift=1)` of diffusers, as its DiT uses it:
/// cosines first, and the exponent divided by `h - 1`, not by `h`. With `h = 1` the one frequency is 1. `t` is not
/// scaled: models trained on 1,000 steps expect `0..1000`, not `0..1`.
///
/// ```
/// use langevin_reference::timestep_embedding;
/// assert_eq!(timestep_embedding(0.0, 4).to_vec(), [1.0, 1.0, 0.0, 0.0]);
/// ```
///
/// Source: Vaswani et al., arXiv 1706.03762, section 3.5.
pub fn timestep_embedding(t: f64, channels: usize) -> Array1<f64> {
    let half = channels / 2;
    let steps = half.saturating_sub(1).max(1) as f64;
    let angle = |i: usize| t * (-(10_000f64.ln()) * i as f64 / steps).exp();
    Array1::from_shape_fn(channels, |i| match i {
        _ if i < half => angle(i).cos(),
        _ if i < 2 * half => angle(i - half).sin(),
        _ => 0.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_come_first_and_frequencies_end_at_a_ten_thousandth() {
        let embedding = timestep_embedding(2.0, 4);
        let want = [2.0f64.cos(), 2e-4f64.cos(), 2.0f64.sin(), 2e-4f64.sin()];
        for (got, want) in embedding.iter().zip(want) {
            assert!((got - want).abs() <= 4.0 * f64::EPSILON, "{got} and {want}");
        }
    }

    #[test]
    fn short_and_odd_lengths_are_defined() {
        assert!(timestep_embedding(3.0, 0).is_empty());
        assert_eq!(timestep_embedding(3.0, 1).to_vec(), [0.0]);
        assert_eq!(timestep_embedding(3.0, 3).to_vec(), [3.0f64.cos(), 3.0f64.sin(), 0.0]);
    }
}
