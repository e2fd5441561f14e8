//! How fast the error of a Laplacian falls with the spacing of the grid, by stencil, on a field whose Laplacian is known:
//! `cargo run --example laplacian`.

use langevin::verify::{self, RunOptions, Tensor, Tensors};
use langevin::{Format, Gpu, LaplacianDesc, Stencil};
use std::f64::consts::TAU;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::open(&Default::default())?;
    println!("on {}", gpu.capabilities());
    for stencil in [Stencil::Second, Stencil::Fourth] {
        let mut last: Option<f64> = None;
        for cells in [16, 32] {
            let spacing = 1.0 / cells as f64;
            let desc = LaplacianDesc {
                spatial: vec![cells; 2],
                spacing: vec![spacing],
                stencil,
                ..Default::default()
            };
            // sin(2 pi x) sin(2 pi y) at the cells' centres, whose Laplacian is -8 pi^2 times itself.
            let wave = |i: usize| (TAU * (i as f64 + 0.5) * spacing).sin();
            let field: Vec<f32> =
                (0..cells * cells).map(|i| (wave(i / cells) * wave(i % cells)) as f32).collect();
            let mut inputs = Tensors::new();
            inputs.insert("u", Tensor::from_f32(Format::F32, &[1, cells, cells], &field)?);
            let outputs = verify::run(&gpu, &desc, &inputs, &RunOptions::default())?;
            let out = outputs.get("out").map(Tensor::to_f32).unwrap_or_default();
            let error = out.iter().zip(&field).fold(0.0f64, |worst, (&got, &u)| {
                worst.max((f64::from(got) + 2.0 * TAU * TAU * f64::from(u)).abs())
            });
            let gain = last.map_or(String::new(), |coarse| format!(", {:.1} times less", coarse / error));
            println!("{stencil:?}, {cells} cells to an axis: worst error {error:.2e}{gain}");
            last = Some(error);
        }
    }
    Ok(())
}
