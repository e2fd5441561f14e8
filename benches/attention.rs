//! `cargo bench --bench attention`: eight heads of 64, in f32 and f16.

mod shared;

use langevin::{AttentionDesc, Format};

fn main() {
    let mut bench = shared::Bench::open();
    for format in [Format::F32, Format::F16] {
        let heads = |seq: usize| AttentionDesc {
            heads: 8,
            kv_heads: 8,
            seq_q: seq,
            seq_kv: seq,
            head_dim: 64,
            v_dim: 64,
            q: format.into(),
            k: format.into(),
            v: format.into(),
            out: format,
            ..Default::default()
        };
        bench.time(&format!("{format} 1024 x 64"), &heads(1024), &heads(100));
    }
}
