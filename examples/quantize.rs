//! A tensor quantized on your GPU, and what that cost: `cargo run --example quantize`.

use langevin::verify::{self, RunOptions, Tensor, Tensors};
use langevin::{DequantizeDesc, Format, Gpu, Granularity, QuantizeDesc};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::open(&Default::default())?;
    println!("on {}", gpu.capabilities());

    // Two rows of very different size: each gets a scale of its own.
    let shape = vec![2, 4];
    let x = [0.1, -0.2, 0.3, 0.02, 100.0, -250.0, 3.0, 0.5];
    let mut inputs = Tensors::new();
    inputs.insert("x", Tensor::from_f32(Format::F32, &shape, &x)?);
    for q in [Format::E4m3, Format::E5m2, Format::I8] {
        let desc =
            QuantizeDesc { shape: shape.clone(), q, granularity: Granularity::PerRow, ..Default::default() };
        // The same bits as on the CPU: `check` compares them.
        assert!(
            verify::check(&gpu, &desc, &inputs, &RunOptions::default())?.iter().all(|found| found.passed())
        );
        let codes = verify::run(&gpu, &desc, &inputs, &RunOptions::default())?;
        let desc = DequantizeDesc {
            shape: shape.clone(),
            q,
            granularity: Granularity::PerRow,
            ..Default::default()
        };
        let numbers = verify::run(&gpu, &desc, &codes, &RunOptions::default())?;
        let [scales, numbers] = [(&codes, "scale"), (&numbers, "out")]
            .map(|(tensors, name)| tensors.get(name).map(Tensor::to_f32));
        println!(
            "{q}: scales {scales:?}\n      {numbers:?}",
            scales = scales.unwrap_or_default(),
            numbers = numbers.unwrap_or_default()
        );
    }
    Ok(())
}
