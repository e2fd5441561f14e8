//! `cargo bench --bench norm`: the rows of a diffusion transformer and of a language model.

mod shared;

use langevin::{Format, NormDesc, NormKind};

fn main() {
    let mut bench = shared::Bench::open();
    let (x, out) = (Format::F16, Format::F16);
    for (name, kind, rows, width) in
        [("layer 256 x 1152", NormKind::Layer, 256, 1152), ("rms 2048 x 4096", NormKind::Rms, 2048, 4096)]
    {
        let desc = NormDesc { rows, width, kind, x, out, ..Default::default() };
        bench.time(name, &desc, &NormDesc { rows: 5, ..desc.clone() });
    }
}
