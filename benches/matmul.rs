//! `cargo bench --bench matmul`: products of three sizes, and weights of several formats.

mod shared;

use langevin::{Format, MatmulDesc};

fn main() {
    let mut bench = shared::Bench::open();
    let product =
        |size: usize, b: Format| MatmulDesc { m: size, k: size, n: size, b: b.into(), ..Default::default() };
    for size in [256, 512, 1024] {
        let name = format!("f32 {size}");
        bench.time(&name, &product(size, Format::F32), &product(100, Format::F32));
    }
    for b in [Format::F16, Format::E4m3, Format::I8] {
        bench.time(&format!("f32 x {b} 512"), &product(512, b), &product(100, b));
    }
}
