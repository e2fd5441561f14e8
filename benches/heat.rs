//! `cargo bench --bench heat`: one step on grids in and out of the cache.

mod shared;

use langevin::{Format, HeatDesc};

fn main() {
    let mut bench = shared::Bench::open();
    let step = |spatial: &[usize], format| HeatDesc {
        spatial: spatial.to_vec(),
        time_step: 0.1,
        u: format,
        out: format,
        ..Default::default()
    };
    let grids: [(&[usize], Format); 4] = [
        (&[1024, 1024], Format::F32),
        (&[1024, 1024], Format::F16),
        (&[4096, 4096], Format::F32),
        (&[128, 128, 128], Format::F32),
    ];
    for (spatial, format) in grids {
        let small: Vec<usize> = spatial.iter().map(|extent| extent / 16 + 3).collect();
        let name = format!("{format} {spatial:?}");
        bench.time(&name, &step(spatial, format), &step(&small, format));
    }
}
