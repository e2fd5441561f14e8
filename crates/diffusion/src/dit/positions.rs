//! How tokens know their place.

use crate::config::Positions;
use crate::program::{Constant, Emit};
use crate::{DiffusionError, DitConfig, DitWeights};
use langevin::reference::{formats, rotary_table};
use langevin::{Format, Overflow};
use std::sync::Arc;

/// Tokens whose embeddings are in the host's memory at once.
const PIECE: usize = 256;

/// What is added to the tokens, `[tokens, width]`, if anything is.
pub(super) fn positions(weights: &DitWeights) -> Option<Constant> {
    let (weights, config) = (weights.clone(), weights.config());
    let shape = [config.tokens(), config.width()];
    match config.positions {
        Positions::Rotary => None,
        Positions::Learned => {
            let fill = move |emit: &mut Emit<'_>| emit(0, &encode(&weights.learned_positions()?));
            Some(Constant::new(Format::F32, &shape, Arc::new(fill)))
        }
        Positions::Sincos => {
            let config = config.clone();
            Some(by_token(shape, move |token| Ok(embedding(&config, token).collect())))
        }
    }
}

/// The cosines and sines `[tokens, head_dim / 2]` by which queries and keys are turned, if they are.
pub(super) fn rotary_tables(config: &DitConfig) -> Option<[Constant; 2]> {
    if config.positions != Positions::Rotary {
        return None;
    }
    let shape = [config.tokens(), config.attention_head_dim / 2];
    let table = |which: usize| {
        let config = config.clone();
        let row = move |token: usize| {
            let place = [token / config.grid(), token % config.grid()].map(|place| place as f64);
            let axes = [config.attention_head_dim / 2; 2];
            Ok(rotary_table(&axes, config.rope_theta, &[place.to_vec()])?[which].to_f32())
        };
        by_token(shape, row)
    };
    Some([0, 1].map(table))
}

/// A table with a row for each token, made when it is needed, since a plan may be for any size.
fn by_token(
    [tokens, width]: [usize; 2],
    row: impl Fn(usize) -> Result<Vec<f32>, DiffusionError> + Send + Sync + 'static,
) -> Constant {
    let fill = move |emit: &mut Emit<'_>| {
        for first in (0..tokens).step_by(PIECE) {
            let rows = (first..tokens.min(first + PIECE)).map(&row);
            emit(first * width * 4, &encode(&rows.collect::<Result<Vec<_>, _>>()?.concat()))?;
        }
        Ok(())
    };
    Constant::new(Format::F32, &[tokens, width], Arc::new(fill))
}

fn encode(values: &[f32]) -> Vec<u8> {
    formats::encode(Format::F32, values, Overflow::Saturate)
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
        let all = positions(&DitWeights::random(&config, 0).unwrap()).unwrap().tensor().unwrap().to_f32();
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
