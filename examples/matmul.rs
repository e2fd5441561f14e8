//! A matmul on your own data, checked against the CPU reference: `cargo run --example matmul`.

use langevin::verify::{self, RunOptions, Tensor, Tensors};
use langevin::{Format, Gpu, MatmulDesc};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::open(&Default::default())?;
    println!("on {}", gpu.capabilities());

    // F16 times E4M3 into F32: rounding the operands is our doing, so the reference gets the same ones.
    let (a, b) = (Format::F16.into(), Format::E4m3.into());
    let desc = MatmulDesc { m: 2, k: 3, n: 2, a, b, ..Default::default() };
    let mut inputs = Tensors::new();
    inputs.insert("a", Tensor::from_f32(Format::F16, &[1, 2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?);
    inputs.insert("b", Tensor::from_f32(Format::E4m3, &[1, 3, 2], &[0.5, -1.0, 0.25, 2.0, 1.5, 0.0])?);

    let outputs = verify::run(&gpu, &desc, &inputs, &RunOptions::default())?;
    println!("out = {:?}", outputs.get("out").map(Tensor::to_f32));
    for comparison in verify::check(&gpu, &desc, &inputs, &RunOptions::default())? {
        println!("{comparison}");
    }
    Ok(())
}
