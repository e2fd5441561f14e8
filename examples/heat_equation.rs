//! The experiment of High Performance Python, a drop of dye that spreads, as a sequence of pictures:
//! `cargo run --example heat_equation -- FOLDER [PICTURES]`.
//!
//! Eight steps are one dispatch. `ffmpeg -i FOLDER/%03d.png heat.gif` makes a film of the pictures.

use image::{GrayImage, Luma};
use langevin::verify::Tensor;
use langevin::{Format, Gpu, Heat, HeatBuffers, HeatDesc};
use std::path::PathBuf;

const EXTENT: usize = 256;
/// Calls between two pictures; an even number, so that the field is where it was.
const CALLS: usize = 10;
const DYE: f32 = 0.005;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder =
        std::env::args().nth(1).map_or_else(|| std::env::temp_dir().join("heat_equation"), PathBuf::from);
    let pictures = std::env::args().nth(2).map_or(Ok(30), |pictures| pictures.parse())?;
    std::fs::create_dir_all(&folder)?;
    let gpu = Gpu::open(&Default::default())?;
    println!("on {}", gpu.capabilities());

    let desc =
        HeatDesc { spatial: vec![EXTENT; 2], time_step: 0.1, steps_per_dispatch: 8, ..Default::default() };
    let drop = EXTENT * 4 / 10..EXTENT / 2;
    let cell = |i: usize| drop.contains(&(i / EXTENT)) && drop.contains(&(i % EXTENT));
    let start: Vec<f32> = (0..EXTENT * EXTENT).map(|i| if cell(i) { DYE } else { 0.0 }).collect();
    let start = Tensor::from_f32(Format::F32, &[1, EXTENT, EXTENT], &start)?;

    let heat = Heat::new(gpu.device(), &desc)?;
    println!("by `{}`: {}", heat.variant().name, heat.variant().reason);
    let words = start.to_words(0);
    let buffers = [gpu.upload("even", &words)?, gpu.upload("odd", &words)?];
    let scratch = gpu.empty("scratch", heat.scratch_bytes().max(4))?;
    let [even, odd] = [&buffers[0], &buffers[1]].map(wgpu::Buffer::as_entire_buffer_binding);
    let call = |u, out| {
        let scratch = (heat.scratch_bytes() > 0).then(|| scratch.as_entire_buffer_binding());
        heat.bind(gpu.device(), HeatBuffers { scratch, ..HeatBuffers::new(u, out) })
    };
    let calls = [call(even.clone(), odd.clone())?, call(odd, even)?];

    let mass = start.to_f64().sum();
    for picture in 0..pictures {
        let field = Tensor::from_words(Format::F32, start.shape(), &gpu.download(&buffers[0])?)?.to_f64();
        let largest = field.iter().copied().fold(0.0, f64::max);
        let steps = picture * CALLS * desc.steps_per_dispatch;
        println!("{steps:5} steps: at most {largest:.6}, mass {:.6} of {mass:.6}", field.sum());
        // The root shows the faint rim, too.
        let bright =
            |x: u32, y: u32| (255.0 * (field[[0, y as usize, x as usize]] / f64::from(DYE)).sqrt()) as u8;
        let pixels = GrayImage::from_fn(EXTENT as u32, EXTENT as u32, |x, y| Luma([bright(x, y)]));
        pixels.save(folder.join(format!("{picture:03}.png")))?;
        gpu.run(|encoder| {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            (0..CALLS).for_each(|call| calls[call % 2].record(&mut pass));
        })?;
    }
    println!("{pictures} pictures in {}", folder.display());
    Ok(())
}
