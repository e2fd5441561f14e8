//! A matmul recorded into your own encoder, on your own device and buffers: `cargo run --example own_device`.

use langevin::wgpu::util::{BufferInitDescriptor, DeviceExt};
use langevin::{Gpu, Matmul, MatmulBuffers, MatmulDesc, wgpu};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Yours: WebGPU's default limits and no feature are enough.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default()))?;
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default()))?;
    let buffer = |numbers: [f32; 4]| {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let contents = &numbers.map(f32::to_le_bytes).concat();
        device.create_buffer_init(&BufferInitDescriptor { label: None, contents, usage })
    };
    let (a, b, out) = (buffer([1.0, 2.0, 3.0, 4.0]), buffer([0.5, 0.0, 0.0, 2.0]), buffer([0.0; 4]));
    let [a, b, product] = [&a, &b, &out].map(wgpu::Buffer::as_entire_buffer_binding);

    // langevin's: a plan is made once, bound to buffers as often as needed, and recorded as often as needed.
    let matmul = Matmul::new(&device, &MatmulDesc { m: 2, k: 2, n: 2, ..Default::default() })?;
    let call = matmul.bind(&device, MatmulBuffers::new(a, b, product))?;

    // Yours again: whatever you record before and after, and when you submit.
    let mut encoder = device.create_command_encoder(&Default::default());
    call.encode(&mut encoder);
    queue.submit([encoder.finish()]);
    let words = Gpu::from_device(device, queue).download(&out)?;
    println!("{:?}", words.into_iter().map(f32::from_bits).collect::<Vec<_>>());
    Ok(())
}
