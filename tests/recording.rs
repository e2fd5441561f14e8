//! Recording a call does what a program without this library would do, and no more: as many allocations of wgpu's, none
//! of ours.

use allocation_counter::AllocationInfo;
use langevin::gpu::with_scopes;
use langevin::{Gpu, Matmul, MatmulBuffers, MatmulDesc, StageSource};
use langevin_testkit::gpu;

/// Enough calls for wgpu's lists to grow several times.
const CALLS: usize = 100;

/// A dispatch made from a plan's source with wgpu alone.
struct ByHand {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    workgroups: [u32; 3],
}

impl ByHand {
    fn new(gpu: &Gpu, source: &StageSource, tensors: &[&wgpu::Buffer]) -> Self {
        let device = gpu.device();
        let params = device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: source.params.len() as u64 * 4,
            usage: wgpu::BufferUsages::UNIFORM,
            mapped_at_creation: false,
        });
        let made = with_scopes(device, "a pipeline by hand", || {
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl(source.wgsl.as_str().into()),
            });
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: None,
                module: &module,
                entry_point: Some("main"),
                compilation_options: Default::default(),
                cache: None,
            });
            let entries: Vec<_> = std::iter::once(&params)
                .chain(tensors.iter().copied())
                .enumerate()
                .map(|(i, buffer)| wgpu::BindGroupEntry {
                    binding: i as u32,
                    resource: buffer.as_entire_binding(),
                })
                .collect();
            let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
            (pipeline, bind_group)
        });
        let (pipeline, bind_group) = made.unwrap();
        Self { pipeline, bind_group, workgroups: source.workgroups }
    }

    fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        let [x, y, z] = self.workgroups;
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}

/// What recording many times into one pass allocates; beginning and ending the pass does not count.
fn allocations(gpu: &Gpu, record: impl Fn(&mut wgpu::ComputePass<'_>)) -> AllocationInfo {
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    allocation_counter::measure(|| (0..CALLS).for_each(|_| record(&mut pass)))
}

#[test]
fn recording_allocates_nothing_of_its_own() {
    let Some(gpu) = gpu() else { return };
    let matmul = Matmul::new(gpu.device(), &MatmulDesc { m: 8, k: 8, n: 8, ..Default::default() }).unwrap();
    let [a, b, out] = ["a", "b", "out"].map(|name| gpu.empty(name, 256).unwrap());
    let [source] = matmul.sources().try_into().expect("one dispatch");
    let by_hand = ByHand::new(&gpu, &source, &[&a, &b, &out]);
    let [a, b, out] = [&a, &b, &out].map(wgpu::Buffer::as_entire_buffer_binding);
    let call = matmul.bind(gpu.device(), MatmulBuffers::new(a, b, out)).unwrap();

    // The first pass of each fills what wgpu keeps for later ones.
    allocations(&gpu, |pass| by_hand.record(pass));
    allocations(&gpu, |pass| call.record(pass));
    let wgpus = allocations(&gpu, |pass| by_hand.record(pass));
    let ours = allocations(&gpu, |pass| call.record(pass));
    assert_eq!((ours.count_total, ours.bytes_total), (wgpus.count_total, wgpus.bytes_total));

    // One allocation more in each call is noticed.
    let wasteful = allocations(&gpu, |pass| {
        std::hint::black_box(Box::new(1u8));
        call.record(pass);
    });
    assert_eq!(wasteful.count_total, ours.count_total + CALLS as u64);
}
