//! The Gray-Scott reaction: two substances that spread at different speeds and react make a pattern of their own.
//! `cargo run --release --example reaction_diffusion -- FILE.png [STEPS]`
//!
//! The spreading is langevin's Laplacian of both fields, the reaction a shader of this program; they take turns in one pass.
//! Source: Pearson, Complex patterns in a simple system, Science 261:189, 1993.

use image::{Rgb, RgbImage};
use langevin::reference::generate::Random;
use langevin::verify::Tensor;
use langevin::{Format, Gpu, Laplacian, LaplacianBuffers, LaplacianDesc, wgpu};
use std::path::PathBuf;

const EXTENT: usize = 256;
const CELLS: usize = EXTENT * EXTENT;
/// Steps to a submit: a driver gives up on work that takes seconds.
const STEPS_PER_SUBMIT: usize = 50;

/// u is fed and eaten, v grows on u and dies; each spreads by its share of the Laplacian. A time step is 1.
const REACTION: &str = "
    @group(0) @binding(0) var<storage, read_write> fields: array<f32>;
    @group(0) @binding(1) var<storage, read> laplacian: array<f32>;
    const feed = 0.0545;
    const kill = 0.062;
    override cells: u32;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        if (id.x >= cells) { return; }
        let u = fields[id.x];
        let v = fields[cells + id.x];
        let eaten = u * v * v;
        fields[id.x] = u + 0.16 * laplacian[id.x] - eaten + feed * (1.0 - u);
        fields[cells + id.x] = v + 0.08 * laplacian[cells + id.x] + eaten - (feed + kill) * v;
    }";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file =
        arguments.next().map_or_else(|| std::env::temp_dir().join("reaction_diffusion.png"), PathBuf::from);
    let steps = arguments.next().map_or(Ok(8000), |steps| steps.parse::<usize>())?;
    let gpu = Gpu::open(&Default::default())?;
    println!("on {}", gpu.capabilities());
    let device = gpu.device();

    // Both fields are one batch.
    let shape = [2, EXTENT, EXTENT];
    let fields = gpu.upload("fields", &Tensor::from_f32(Format::F32, &shape, &start())?.to_words(0))?;
    let spread = gpu.empty("laplacian", fields.size())?;
    let laplacian =
        Laplacian::new(device, &LaplacianDesc { batch: 2, spatial: vec![EXTENT; 2], ..Default::default() })?;
    let [from, to] = [&fields, &spread].map(wgpu::Buffer::as_entire_buffer_binding);
    let call = laplacian.bind(device, LaplacianBuffers::new(from, to))?;
    let (pipeline, group) = reaction(device, &fields, &spread);

    for first in (0..steps).step_by(STEPS_PER_SUBMIT) {
        gpu.run(|encoder| {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for _ in first..steps.min(first + STEPS_PER_SUBMIT) {
                call.record(&mut pass);
                pass.set_pipeline(&pipeline);
                pass.set_bind_group(0, &group, &[]);
                pass.dispatch_workgroups(CELLS.div_ceil(64) as u32, 1, 1);
            }
        })?;
    }

    let v: Vec<f32> = gpu.download(&fields)?.into_iter().skip(CELLS).map(f32::from_bits).collect();
    let (most, grown) = (v.iter().copied().fold(0.0, f32::max), v.iter().filter(|&&v| v > 0.1).count());
    println!(
        "after {steps} steps v is at most {most:.3} and above 0.1 in {:.0} % of the cells",
        100.0 * grown as f64 / CELLS as f64
    );
    // A wrong sign or a step too large ends in infinity; without a reaction nothing is left.
    if !(most < 1.0 && grown > 0) {
        return Err("there is no pattern".into());
    }
    RgbImage::from_fn(EXTENT as u32, EXTENT as u32, |x, y| {
        let share = (v[y as usize * EXTENT + x as usize] / most).clamp(0.0, 1.0);
        // From a pale ground to a dark blue.
        Rgb([[245.0, 20.0], [240.0, 45.0], [225.0, 110.0]]
            .map(|[low, high]| (low + share * (high - low)) as u8))
    })
    .save(&file)?;
    println!("{}", file.display());
    Ok(())
}

/// u is everywhere; v stands in some squares.
fn start() -> Vec<f32> {
    let mut fields = [vec![1.0; CELLS], vec![0.0; CELLS]].concat();
    let mut random = Random::new(1);
    for _ in 0..24 {
        let corner = [(); 2].map(|()| random.uniform(0.0, (EXTENT - 10) as f32) as usize);
        for (row, column) in (0..100).map(|i| (corner[0] + i / 10, corner[1] + i % 10)) {
            fields[row * EXTENT + column] = 0.5;
            fields[CELLS + row * EXTENT + column] = 0.25;
        }
    }
    fields
}

fn reaction(
    device: &wgpu::Device,
    fields: &wgpu::Buffer,
    laplacian: &wgpu::Buffer,
) -> (wgpu::ComputePipeline, wgpu::BindGroup) {
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("reaction"),
        source: wgpu::ShaderSource::Wgsl(REACTION.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("reaction"),
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &[("cells", CELLS as f64)],
            ..Default::default()
        },
        cache: None,
    });
    let entries = [fields, laplacian].map(wgpu::Buffer::as_entire_binding);
    let [fields, laplacian] = entries;
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("reaction"),
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[
            wgpu::BindGroupEntry { binding: 0, resource: fields },
            wgpu::BindGroupEntry { binding: 1, resource: laplacian },
        ],
    });
    (pipeline, group)
}
