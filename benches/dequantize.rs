//! `cargo bench --bench dequantize`: 8 bits into bf16.

mod shared;

use langevin::{DequantizeDesc, Format, Granularity};

fn main() {
    let mut bench = shared::Bench::open();
    for q in [Format::E4m3, Format::I8] {
        let tensor = |rows| DequantizeDesc {
            shape: vec![rows, 4096],
            q,
            out: Format::BF16,
            granularity: Granularity::PerRow,
            ..Default::default()
        };
        bench.time(&format!("{q} to bf16 by rows"), &tensor(2048), &tensor(5));
    }
}
