//! A decoder's layer and its transpose, checked against their reference on this machine's adapter.
//!
//! cargo run --example conv

use langevin::reference::generate;
use langevin::verify::{self, Op, RunOptions};
use langevin::{Activation, Boundary, ConvDesc, ConvLayout, Format, Gpu};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::open(&Default::default())?;
    println!("on {}", gpu.capabilities());
    // Each pixel twice along both axes, then 3 x 3 filters that see the picture around a cylinder.
    let upsampled = ConvDesc {
        in_channels: 8,
        out_channels: 6,
        spatial: vec![5, 7],
        kernel: vec![3, 3],
        layout: ConvLayout::ChannelsLast,
        w: Format::E4m3,
        upsample: vec![2],
        padding: vec![[1, 1]],
        boundary: vec![Boundary::Reflect, Boundary::Circular],
        bias: true,
        activation: Activation::Silu,
        ..Default::default()
    };
    // The other way to twice the extents: every pixel spreads over 4 x 4 outputs.
    let spread = ConvDesc {
        in_channels: 8,
        out_channels: 6,
        spatial: vec![5, 7],
        kernel: vec![4, 4],
        stride: vec![2],
        padding: vec![[1, 1]],
        transposed: true,
        ..Default::default()
    };
    for desc in [upsampled, spread] {
        println!("{:?} to {:?}", desc.tensors()[0].shape, desc.out_spatial());
        let inputs = generate::inputs(&desc, 1);
        for comparison in verify::check(&gpu, &desc, &inputs, &RunOptions::default())? {
            println!("{comparison}");
        }
    }
    Ok(())
}
