//! How tokens know their place.

use crate::config::Positions;
use crate::program::{Constant, Emit};
use crate::{DitConfig, DitWeights};
use langevin::reference::formats;
use langevin::{Format, Overflow};
use std::sync::Arc;

/// Tokens whose embeddings are in the host's memory at once.
const PIECE: usize = 256;

/// What is added to the tokens, `[tokens, width]`; made when it is needed, since a plan may be for any size.
pub(super) fn positions(weights: &DitWeights) -> Constant {
    let (weights, config) = (weights.clone(), weights.config());
    let shape = [config.tokens(), config.width()];
    let fill = move |emit: &mut Emit<'_>| {
        let encode = |values: &[f32]| formats::encode(Format::F32, values, Overflow::Saturate);
        if weights.config().positions == Positions::Learned {
            return emit(0, &encode(&weights.learned_positions()?));
        }
        for first in (0..shape[0]).step_by(PIECE) {
            let last = shape[0].min(first + PIECE);
            let piece: Vec<f32> =
                (first..last).flat_map(|token| embedding(weights.config(), token)).collect();
            emit(first * shape[1] * 4, &encode(&piece))?;
        }
        Ok(())
    };
    Constant::new(Format::F32, &shape, Arc::new(fill))
}

/// Of a token, counted row by row. The first half of the channels holds the column, the second half the row; each half is the
/// sines, then the cosines, of `position / 10000^(i / quarter)` (Peebles and Xie, arXiv 2212.09748).
fn embedding(config: &DitConfig, token: usize) -> impl Iterator<Item = f32> {
    let (side, quarter) = (config.grid(), config.width() / 4);
    let angle =
        move |position: usize, i: usize| position as f64 * 10_000f64.powf(-(i as f64) / quarter as f64);
    let half = move |position: usize| {
        let sines = (0..quarter).map(move |i| angle(position, i).sin());
        sines.chain((0..quarter).map(move |i| angle(position, i).cos()))
    };
    half(token % side).chain(half(token / side)).map(|value| value as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More tokens than a piece: 17 x 17. The second token is one column further, the eighteenth one row.
    #[test]
    fn every_token_has_its_row() {
        let config = DitConfig {
            sample_size: 34,
            num_attention_heads: 1,
            attention_head_dim: 8,
            num_layers: 1,
            ..DitConfig::dit_s_2()
        };
        let all = positions(&DitWeights::random(&config, 0).unwrap()).tensor().unwrap().to_f32();
        let [one, hundredth] = [1f64, 0.01].map(|angle| [angle.sin() as f32, angle.cos() as f32]);
        let (zero, first) = ([0.0, 0.0, 1.0, 1.0], [one[0], hundredth[0], one[1], hundredth[1]]);
        assert_eq!(all.len(), 289 * 8);
        for (token, expected) in
            [(0, [zero, zero]), (1, [first, zero]), (17, [zero, first]), (272, [zero, zero])]
        {
            let row = &all[8 * token..][..8];
            assert_eq!(row[..4], expected[0], "{token}");
            assert!(token == 272 || row[4..] == expected[1], "{token}: {row:?}");
        }
        let last = (16f64.sin() as f32, 16f64.cos() as f32);
        assert_eq!((all[8 * 288], all[8 * 288 + 6]), last);
    }
}
