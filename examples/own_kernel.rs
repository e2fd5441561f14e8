//! A kernel of your own, checked as ours are: a reference in f64 with an error bound, garbage in what it has to write, guards
//! behind it, and a wrong kernel that must be found. `cargo run --example own_kernel`.

use langevin::reference::{
    Cost, DescError, Expected, Op, Rounded, Tensor, TensorSpec, Tensors, compare, generate,
};
use langevin::{Format, Gpu, wgpu};

/// `out = max(x, 0)^2`, a vector of `len` numbers.
#[derive(Clone, Debug, PartialEq)]
struct SquaredRelu {
    len: usize,
}

impl Op for SquaredRelu {
    const NAME: &'static str = "squared_relu";

    fn validate(&self) -> Result<(), DescError> {
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        vec![
            TensorSpec::input("x", Format::F32, &[self.len]),
            TensorSpec::output("out", Format::F32, &[self.len]),
        ]
    }

    fn cost(&self) -> Cost {
        Cost::of(2.0 * self.len as f64, &self.tensors())
    }

    /// From the formula, in f64. `Rounded` carries the error that each operation of f32 may add.
    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let x = inputs.get("x").map(Tensor::to_f64).unwrap_or_default();
        let squares = x.mapv(|x| {
            let positive = Rounded::exact(x.max(0.0));
            positive.mul(positive)
        });
        vec![Expected::bounded("out", squares.mapv(|y| y.value), squares.mapv(|y| y.error))]
    }
}

const RIGHT: &str = "
    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> out: array<f32>;
    override len: u32;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        if (id.x < len) { let positive = max(x[id.x], 0.0); out[id.x] = positive * positive; }
    }";

/// Words behind the output that nobody may touch.
const GUARD: usize = 64;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::open(&Default::default())?;
    println!("on {}", gpu.capabilities());
    for len in [1, 63, 64, 65, 1000] {
        let comparison = check(&gpu, RIGHT, &SquaredRelu { len })?;
        println!("{len:4}: {comparison}");
    }
    // A check that nothing can fail is worth nothing.
    let forgets_the_last = RIGHT.replace("id.x < len", "id.x + 1 < len");
    let forgets_the_sign = RIGHT.replace("max(x[id.x], 0.0)", "x[id.x]");
    let writes_too_far = RIGHT.replace("id.x < len", "id.x < len + 1");
    for wrong in [forgets_the_last, forgets_the_sign, writes_too_far] {
        match check(&gpu, &wrong, &SquaredRelu { len: 65 }) {
            Ok(_) => return Err("a wrong kernel passed".into()),
            Err(finding) => println!("found: {finding}"),
        }
    }
    Ok(())
}

/// Runs the kernel twice, with different garbage in its output, and compares with the reference.
fn check(gpu: &Gpu, wgsl: &str, desc: &SquaredRelu) -> Result<String, Box<dyn std::error::Error>> {
    let inputs = generate::inputs(desc, 1);
    let first = run(gpu, wgsl, desc, &inputs, f32::NAN.to_bits())?;
    let second = run(gpu, wgsl, desc, &inputs, 0xa5a5_a5a5)?;
    if first[..desc.len] != second[..desc.len] {
        return Err("an element was not written, or depends on what was there".into());
    }
    if second[desc.len..].iter().any(|&word| word != 0xa5a5_a5a5) {
        return Err("something was written behind the output".into());
    }
    let out = Tensor::from_words(Format::F32, &[desc.len], &second[..desc.len])?;
    let comparison = compare(&desc.evaluate(&inputs)?[0], &out);
    // Where zeros would pass, too, the inputs were too tame.
    let is_good = comparison.passed() && (comparison.rejects_zeros || desc.len == 1);
    if is_good { Ok(comparison.to_string()) } else { Err(comparison.to_string().into()) }
}

/// One dispatch over an output full of `garbage`; the output with what lies behind it.
fn run(
    gpu: &Gpu,
    wgsl: &str,
    desc: &SquaredRelu,
    inputs: &Tensors,
    garbage: u32,
) -> Result<Vec<u32>, Box<dyn std::error::Error>> {
    let x = inputs.get("x").map(|x| x.to_words(0)).unwrap_or_default();
    let buffers = [gpu.upload("x", &x)?, gpu.upload("out", &vec![garbage; desc.len + GUARD])?];
    let device = gpu.device();
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("squared relu"),
        source: wgpu::ShaderSource::Wgsl(wgsl.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &[("len", desc.len as f64)],
            ..Default::default()
        },
        cache: None,
    });
    let entry = |binding: u32| wgpu::BindGroupEntry {
        binding,
        resource: buffers[binding as usize].as_entire_binding(),
    };
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[entry(0), entry(1)],
    });
    gpu.run(|encoder| {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(desc.len.div_ceil(64) as u32, 1, 1);
    })?;
    Ok(gpu.download(&buffers[1])?)
}
