//! Somebody else's program: it has a device, a queue and buffers of its own, and records langevin's matmul and attention
//! into its own encoder between its own commands, in one submit.

use langevin::Format;
use langevin::reference::{Comparison, Op, Tensor, Tensors, compare, generate};
use langevin::{Align, Attention, AttentionBuffers, AttentionDesc, Heads, Matmul, MatmulBuffers, MatmulDesc};
use wgpu::util::{BufferInitDescriptor, DeviceExt};

const TOKENS: usize = 10;
const WIDTH: usize = 24;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default()))?;
    // WebGPU's default limits and no feature: langevin needs nothing else.
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default()))?;
    println!("on {}", adapter.get_info().name);

    let project = MatmulDesc { m: TOKENS, k: WIDTH, n: 3 * WIDTH, ..Default::default() };
    let packed = |part| {
        Heads::default().viewed(langevin::View { offset: part * WIDTH, batch: 0, head: 0, seq: 3 * WIDTH })
    };
    let attend = AttentionDesc {
        seq_q: TOKENS,
        seq_kv: TOKENS,
        head_dim: WIDTH,
        v_dim: WIDTH,
        causal: Some(Align::TopLeft),
        q: packed(0),
        k: packed(1),
        v: packed(2),
        ..Default::default()
    };
    let matmul = Matmul::new(&device, &project)?;
    let attention = Attention::new(&device, &attend)?;

    let inputs = generate::inputs(&project, 1);
    let upload = |name: &str| {
        let words = inputs.get(name).map(|tensor| tensor.to_words(0)).unwrap_or_default();
        let contents: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let usage = wgpu::BufferUsages::STORAGE;
        device.create_buffer_init(&BufferInitDescriptor { label: Some(name), contents: &contents, usage })
    };
    let empty = |label, elements: usize, usage| {
        let size = elements as u64 * 4;
        device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
    };
    let (x, weight) = (upload("a"), upload("b"));
    let both = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let qkv = empty("qkv", TOKENS * 3 * WIDTH, both);
    let out = empty("out", TOKENS * WIDTH, both);
    let mapped = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    let qkv_readback = empty("qkv readback", TOKENS * 3 * WIDTH, mapped);
    let out_readback = empty("out readback", TOKENS * WIDTH, mapped);

    let [x, weight, packed_qkv] = [&x, &weight, &qkv].map(wgpu::Buffer::as_entire_buffer_binding);
    let project_call = matmul.bind(&device, MatmulBuffers::new(x, weight, packed_qkv.clone()))?;
    let (q, k, v) = (packed_qkv.clone(), packed_qkv.clone(), packed_qkv);
    let buffers = AttentionBuffers::new(q, k, v, out.as_entire_buffer_binding());
    let attend_call = attention.bind(&device, buffers)?;

    let mut encoder = device.create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    project_call.record(&mut pass);
    attend_call.record(&mut pass);
    drop(pass);
    for (buffer, readback) in [(&qkv, &qkv_readback), (&out, &out_readback)] {
        encoder.copy_buffer_to_buffer(buffer, 0, readback, 0, readback.size());
        encoder.map_buffer_on_submit(readback, wgpu::MapMode::Read, .., |result| result.expect("it is mapped"));
    }
    queue.submit([encoder.finish()]);
    device.poll(wgpu::PollType::wait_indefinitely())?;
    let tensor = |shape: &[usize], bytes: &[u8]| Tensor::new(Format::F32, shape, bytes.to_vec());
    let qkv_bytes = qkv_readback.get_mapped_range(..)?.to_vec();

    // Each against its CPU reference, attention on what the GPU projected.
    let projected = compare(&project.evaluate(&inputs)?[0], &tensor(&[1, TOKENS, 3 * WIDTH], &qkv_bytes)?);
    println!("matmul {projected}");
    let mut packed = Tensors::new();
    for spec in attend.tensors().iter().take(3) {
        packed.insert(spec.name, tensor(&spec.shape, &qkv_bytes[..spec.shape[0] * 4])?);
    }
    let out_bytes = out_readback.get_mapped_range(..)?.to_vec();
    let attended = compare(&attend.evaluate(&packed)?[0], &tensor(&[1, 1, TOKENS, WIDTH], &out_bytes)?);
    println!("attention {attended}");
    let good = |comparison: &Comparison| comparison.passed() && comparison.rejects_zeros;
    if good(&projected) && good(&attended) { Ok(()) } else { Err("a result is out of its bound".into()) }
}
