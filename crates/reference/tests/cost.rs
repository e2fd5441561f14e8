//! What an operation costs is what it touches: a part of a larger buffer counts as that part.

use langevin_reference::{
    AttentionDesc, Columns, Cost, GatedResidualDesc, Heads, MatmulDesc, Modulation, NormDesc, Op, Operand,
    RotaryDesc, View,
};

fn bytes(cost: Cost) -> [f64; 2] {
    [cost.bytes_read, cost.bytes_written]
}

/// Queries, keys and values in one packed matrix cost what three tensors cost.
#[test]
fn heads_of_a_packed_projection() {
    let (batch, heads, seq, dim) = (2, 3, 5, 8);
    let apart = AttentionDesc {
        batch,
        heads,
        kv_heads: heads,
        seq_q: seq,
        seq_kv: seq,
        head_dim: dim,
        v_dim: dim,
        ..Default::default()
    };
    let view = |place: usize, pack: usize| View::columns(seq, pack * heads * dim, place * heads * dim, dim);
    let part = |place| Heads::default().viewed(view(place, 3));
    let packed =
        AttentionDesc { q: part(0), k: part(1), v: part(2), out_view: Some(view(1, 2)), ..apart.clone() };
    assert_eq!(packed.cost(), apart.cost());
    let tensor = (4 * batch * heads * seq * dim) as f64;
    assert_eq!(bytes(packed.cost()), [3.0 * tensor, tensor]);
    let turned = RotaryDesc { batch, heads, seq, head_dim: dim, axes: vec![], ..Default::default() };
    let elsewhere = RotaryDesc { x_view: Some(view(0, 3)), out_view: Some(view(1, 2)), ..turned.clone() };
    let in_place =
        RotaryDesc { out_view: Some(view(0, 3)), in_place: true, x_view: Some(view(0, 3)), ..turned.clone() };
    for desc in [turned, elsewhere, in_place] {
        desc.validate().unwrap();
        assert_eq!(bytes(desc.cost()), [tensor, tensor], "{desc:?}");
    }
}

/// Columns of a wider matrix cost what the columns cost.
#[test]
fn columns_of_wider_matrices() {
    let (batch, m, k, n) = (2, 6, 4, 8);
    let product = MatmulDesc { batch, m, k, n, ..Default::default() };
    let some = |start| Some(Columns { start, width: 100 });
    let wide = MatmulDesc {
        a: Operand { columns: some(8), ..Default::default() },
        b: Operand { columns: some(4), ..Default::default() },
        out_columns: some(12),
        ..product.clone()
    };
    wide.validate().unwrap();
    assert_eq!(wide.cost(), product.cost());
    let gated = MatmulDesc { gate: some(16), ..product.clone() };
    assert_eq!(gated.cost().bytes_read - product.cost().bytes_read, (4 * batch * n) as f64);

    let norm = NormDesc { batch, rows: m, width: n, ..Default::default() };
    let modulated =
        NormDesc { modulation: Some(Modulation { width: 100, shift: 8, scale: 24 }), ..norm.clone() };
    assert_eq!(modulated.cost().bytes_read - norm.cost().bytes_read, (2 * 4 * batch * n) as f64);
    let residual = GatedResidualDesc { batch, rows: m, width: n, ..Default::default() };
    let gated = GatedResidualDesc { gate: some(16), ..residual.clone() };
    assert_eq!(gated.cost().bytes_read - residual.cost().bytes_read, (4 * batch * n) as f64);
}
