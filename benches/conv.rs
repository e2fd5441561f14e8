//! `cargo bench --bench conv`: filters of 3 x 3 over many channels, each by itself, and one.

mod shared;

use langevin::{Boundary, ConvDesc};

fn main() {
    let mut bench = shared::Bench::open();
    let layer = |channels: usize, groups: usize, extent: usize| ConvDesc {
        in_channels: channels,
        out_channels: channels,
        groups,
        spatial: vec![extent, extent],
        kernel: vec![3, 3],
        padding: vec![[1, 1]],
        boundary: vec![Boundary::Circular],
        ..Default::default()
    };
    for (name, channels, groups, extent) in
        [("64 to 64, 64^2", 64, 1, 64), ("depthwise 64, 64^2", 64, 64, 64), ("1 to 1, 1024^2", 1, 1, 1024)]
    {
        let [desc, small] = [extent, 11].map(|extent| layer(channels, groups, extent));
        bench.time(name, &desc, &small);
    }
}
