//! The timestep embedding against numpy in f64.

mod golden;

use golden::{Golden, assert_close};
use langevin_reference::timestep_embedding;
use ndarray::{Array1, Array2};

const GOLDEN: &[u8] = include_bytes!("../goldens/timestep.safetensors");

#[test]
fn embeddings_agree_with_numpy() {
    let golden = Golden::new(GOLDEN);
    let t: Array1<f64> = golden.array("t");
    for channels in [4, 7, 64] {
        let want: Array2<f64> = golden.array(&format!("embedding_{channels}"));
        for (&t, want) in t.iter().zip(want.rows()) {
            // The exponent is at most 9.3 and the angle at most t: their roundings reach the cosine.
            assert_close(&timestep_embedding(t, channels), &want.to_owned(), 6, 1.0 + 10.0 * t);
        }
    }
}
