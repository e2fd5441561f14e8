//! `cargo bench --bench quantize`: bf16 into 8 bits, the scales found on the way.

mod shared;

use langevin::{Format, Granularity, QuantizeDesc};

fn main() {
    let mut bench = shared::Bench::open();
    for q in [Format::E4m3, Format::I8] {
        let granularities = [
            ("rows", Granularity::PerRow),
            ("groups", Granularity::PerGroup(128)),
            ("tensor", Granularity::PerTensor),
        ];
        for (by, granularity) in granularities {
            let tensor = |rows| QuantizeDesc {
                shape: vec![rows, 4096],
                x: Format::BF16,
                q,
                granularity,
                ..Default::default()
            };
            bench.time(&format!("bf16 to {q} by {by}"), &tensor(2048), &tensor(5));
        }
    }
}
