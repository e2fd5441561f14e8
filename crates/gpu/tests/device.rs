//! The device layer on a real driver: transfers, errors instead of panics, loss, timing.

use langevin_gpu::{
    Access, Binding, Checks, ComputeStage, Element, Gpu, GpuError, OpenOptions, Shader, ShaderPart,
    StageDesc, Stopwatch,
};
use langevin_testkit::gpu;

fn shader(text: &str) -> Shader {
    Shader {
        bindings: vec![Binding { name: "out", element: Element::Word, access: Access::ReadWrite }],
        parts: vec![ShaderPart::new("test", text)],
        ..Default::default()
    }
}

fn stage(gpu: &Gpu, text: &str, checks: Checks) -> Result<ComputeStage, GpuError> {
    let shader = shader(text);
    ComputeStage::new(
        gpu.device(),
        &StageDesc { label: "test", shader: &shader, binding_bytes: &[4], checks },
    )
}

#[test]
fn words_go_up_and_come_back() {
    let Some(gpu) = gpu() else { return };
    let words: Vec<u32> = (0..1000).map(|i: u32| i.wrapping_mul(0x9e37_79b9)).collect();
    let buffer = gpu.upload("words", &words).unwrap();
    assert_eq!(gpu.download(&buffer).unwrap(), words);
    gpu.write(&buffer, &[7, 8]).unwrap();
    assert_eq!(gpu.download(&buffer).unwrap()[..3], [7, 8, words[2]]);
    // Nothing at all still makes a buffer that can be bound.
    assert_eq!(gpu.download(&gpu.upload("nothing", &[]).unwrap()).unwrap(), [0]);
}

#[test]
fn an_asynchronous_readback_needs_only_a_poll() {
    let Some(gpu) = gpu() else { return };
    let buffer = gpu.upload("words", &[1, 2, 3]).unwrap();
    let words = std::thread::scope(|scope| {
        let reader = scope.spawn(|| pollster::block_on(gpu.download_async(&buffer)));
        while !reader.is_finished() {
            gpu.device().poll(langevin_gpu::wgpu::PollType::Poll).unwrap();
        }
        reader.join().unwrap().unwrap()
    });
    assert_eq!(words, [1, 2, 3]);
}

#[test]
fn mistakes_are_errors() {
    let Some(gpu) = gpu() else { return };
    let too_large = gpu.empty("huge", 1 << 60).unwrap_err();
    assert!(too_large.to_string().contains("`huge`"), "{too_large}");
    let small = gpu.empty("small", 4).unwrap();
    let overflow = gpu.write(&small, &[1, 2]).unwrap_err();
    assert!(overflow.to_string().contains("4 bytes for 8"), "{overflow}");
    let broken = stage(&gpu, "fn main() { nonsense }", Checks::Indices).unwrap_err();
    assert!(matches!(broken, GpuError::Validation { .. }), "{broken}");
    let message = broken.to_string();
    assert!(message.starts_with("the GPU rejected test: ") && !message.contains('\n'), "{message}");
    // The device still works afterwards.
    assert_eq!(gpu.download(&small).unwrap(), [0]);
}

#[test]
fn checked_and_unchecked_stages_compute_the_same() {
    let Some(gpu) = gpu() else { return };
    let text =
        "@compute @workgroup_size(1) fn main() { for (var i = 0u; i < 40u; i += 1u) { out[0] += i; } }";
    for checks in [Checks::All, Checks::Indices, Checks::None] {
        let compiled = stage(&gpu, text, checks).unwrap();
        let out = gpu.empty("out", 4).unwrap();
        let group = compiled.bind(gpu.device(), "test", &[out.as_entire_buffer_binding()]);
        gpu.run(|encoder| {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(compiled.pipeline());
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(1, 1, 1);
        })
        .unwrap();
        assert_eq!(gpu.download(&out).unwrap(), [780]);
        if let Ok(stopwatch) = Stopwatch::new(&gpu) {
            let time = |groups| {
                let record = |pass: &mut langevin_gpu::wgpu::ComputePass<'_>| {
                    pass.set_pipeline(compiled.pipeline());
                    pass.set_bind_group(0, &group, &[]);
                    pass.dispatch_workgroups(groups, 1, 1);
                };
                stopwatch.time(&gpu, record).unwrap()
            };
            time(1);
            let (few, many) = (time(1), time(20_000));
            assert!(many > few, "20,000 workgroups took {many:?}, one took {few:?}");
        }
    }
}

#[test]
fn a_lost_device_is_an_error_and_a_new_one_works() {
    if gpu().is_none() {
        return;
    }
    let options = OpenOptions { adapter: std::env::var("LANGEVIN_ADAPTER").ok(), ..Default::default() };
    let lost = Gpu::open(&options).unwrap();
    let buffer = lost.upload("words", &[1]).unwrap();
    lost.device().destroy();
    let _ = lost.device().poll(langevin_gpu::wgpu::PollType::Poll);
    for error in
        [lost.download(&buffer).unwrap_err(), lost.empty("more", 4).unwrap_err(), lost.wait().unwrap_err()]
    {
        assert!(matches!(error, GpuError::DeviceLost { .. }), "{error}");
    }
    let fresh = Gpu::open(&options).unwrap();
    assert_eq!(fresh.download(&fresh.upload("words", &[5]).unwrap()).unwrap(), [5]);
}

#[test]
fn no_adapter_is_an_error_that_says_what_to_do() {
    let options = OpenOptions { adapter: Some("no such adapter".into()), ..Default::default() };
    let error = Gpu::open(&options).unwrap_err();
    assert!(
        error.to_string().starts_with("no GPU adapter found whose name contains \"no such adapter\""),
        "{error}"
    );
}

#[test]
fn a_minimal_device_has_default_limits_and_no_features() {
    if gpu().is_none() {
        return;
    }
    let gpu = Gpu::open(&OpenOptions { minimal: true, ..Default::default() }).unwrap();
    assert!(gpu.capabilities().features.is_empty());
    assert_eq!(gpu.capabilities().limits.max_storage_buffers_per_shader_stage, 8);
    // Wrapped, the same device says the same.
    let wrapped = Gpu::from_device(gpu.device().clone(), gpu.queue().clone());
    assert_eq!(wrapped.capabilities(), gpu.capabilities());
}
