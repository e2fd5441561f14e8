//! Attention against its reference.
use langevin::{AttentionDesc};
use langevin_testkit::{conform, gpu};

#[test]
fn smoke() {
    let Some(gpu) = gpu() else { return };
    let desc = AttentionDesc { heads: 2, seq_q: 5, seq_kv: 7, head_dim: 6, v_dim: 5, lse: true, ..Default::default() };
    conform(&gpu, &desc, 1);
    let desc = AttentionDesc { heads: 2, seq_q: 35, seq_kv: 77, head_dim: 40, v_dim: 70, lse: true, ..Default::default() };
    conform(&gpu, &desc, 1);
}
