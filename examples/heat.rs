//! Heat that spreads over a grid, recorded into one encoder and checked against the reference:
//! `cargo run --example heat`.

use langevin::reference::heat_step;
use langevin::verify::Tensor;
use langevin::{Edge, Format, Gpu, Heat, HeatBuffers, HeatDesc};

const STEPS: usize = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::open(&Default::default())?;
    println!("on {}", gpu.capabilities());

    let insulated = vec![[Edge::Neumann(0.0); 2]];
    let desc = HeatDesc { spatial: vec![32, 48], boundary: insulated, ..Default::default() };
    let desc = HeatDesc { time_step: 0.9 * desc.monotone_dt(), ..desc };
    let hot_spot: Vec<f32> = (0..32 * 48).map(|i| if i == 10 * 48 + 20 { 100.0 } else { 0.0 }).collect();
    let start = Tensor::from_f32(Format::F32, &[1, 32, 48], &hot_spot)?;

    // Two buffers in turn; a step is bound from each to the other.
    let heat = Heat::new(gpu.device(), &desc)?;
    let words = start.to_words(0);
    let buffers = [gpu.upload("even", &words)?, gpu.upload("odd", &words)?];
    let [even, odd] = [&buffers[0], &buffers[1]].map(wgpu::Buffer::as_entire_buffer_binding);
    let to_odd = heat.bind(gpu.device(), HeatBuffers::new(even.clone(), odd.clone()))?;
    let to_even = heat.bind(gpu.device(), HeatBuffers::new(odd, even))?;
    gpu.run(|encoder| {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for step in 0..STEPS {
            if step % 2 == 0 { to_odd.record(&mut pass) } else { to_even.record(&mut pass) }
        }
    })?;
    let end = Tensor::from_words(Format::F32, start.shape(), &gpu.download(&buffers[STEPS % 2])?)?.to_f64();

    // A step amplifies no error, so the errors that the steps add are all there is.
    let hottest = |cells: &ndarray::ArrayD<f64>| cells.iter().copied().fold(0.0, f64::max);
    let (mut reference, mut bound) = (start.to_f64(), 0.0);
    for _ in 0..STEPS {
        bound += desc.step_bound(hottest(&reference) + bound);
        reference = heat_step(reference.view(), &desc)?;
    }
    let error = (&end - &reference).iter().fold(0.0f64, |worst, error| worst.max(error.abs()));
    println!("hottest cell {:.4}, heat {:.4} of 100", hottest(&end), end.sum());
    println!("worst error {error:.1e}, bound {bound:.1e}");
    if error <= bound { Ok(()) } else { Err("the result is out of its bound".into()) }
}
