//! A layer norm with the modulation of a diffusion transformer, then RMS norm and rotary position embedding of a query in one
//! kernel, each checked against its reference on this machine's adapter: `cargo run --example norm`.

use langevin::reference::generate;
use langevin::verify::{self, RunOptions};
use langevin::{Format, Gpu, Kernel, Modulation, NormDesc, Pairing, RotaryDesc};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::open(&Default::default())?;
    println!("on {}", gpu.capabilities());
    // Shift and scale are columns of the matrix that one projection makes for six of them.
    let modulation = Some(Modulation { width: 6 * 48, shift: 0, scale: 48 });
    check(
        &gpu,
        &NormDesc { batch: 2, rows: 5, width: 48, out: Format::F16, modulation, ..Default::default() },
    )?;
    check(
        &gpu,
        &RotaryDesc {
            heads: 4,
            seq: 7,
            head_dim: 32,
            axes: vec![32],
            pairing: Pairing::HalfSplit,
            table_rows: 7,
            norm: Some(1e-6),
            weight: true,
            ..Default::default()
        },
    )
}

fn check<D: Kernel>(gpu: &Gpu, desc: &D) -> Result<(), Box<dyn std::error::Error>> {
    for comparison in verify::check(gpu, desc, &generate::inputs(desc, 1), &RunOptions::default())? {
        println!("{}: {comparison}", D::NAME);
        if !comparison.passed() {
            return Err("a result is out of its bound".into());
        }
    }
    Ok(())
}
