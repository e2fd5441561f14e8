//! What the adapter can do at best, measured in the same run: the rates that a case's rate is a fraction of.

use super::cases::Unit;
use super::clock::Clock;
use langevin::gpu::{
    Access, Binding, Checks, ComputeStage, CoopShape, Element, GpuError, ParamValue, Shader, ShaderPart,
    StageDesc,
};
use langevin::{Capabilities, Gpu, Tier, wgpu};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Rates per second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Ceilings {
    /// Bytes in and out of a shader that copies 16 bytes at a time.
    pub(super) copy_bytes: f64,
    /// Bytes in and out of the driver's own copy between buffers, on the host's clock.
    pub(super) buffer_copy_bytes: f64,
    /// Operations of fused multiply-adds in f32.
    pub(super) f32_flops: f64,
    /// The same in f16, where the adapter has it.
    pub(super) f16_flops: Option<f64>,
    /// Operations of cooperative matrices, f16 into f32, where the adapter has them.
    pub(super) cooperative_flops: Option<f64>,
    /// Their size.
    pub(super) cooperative_size: Option<u32>,
}

impl Ceilings {
    /// The rate that bounds a variant, and its name.
    pub(super) fn of(&self, unit: Unit, tier: Tier) -> (&'static str, f64) {
        match (unit, tier, self.cooperative_flops) {
            (Unit::Bytes, ..) => ("copy", self.copy_bytes),
            (Unit::Flops, Tier::Cooperative, Some(rate)) => ("cooperative", rate),
            (Unit::Flops, ..) => ("f32 fma", self.f32_flops),
        }
    }

    /// Bytes in and out per second of a shader that copies.
    pub(super) fn copy(gpu: &Gpu, seconds: f64) -> Result<f64, GpuError> {
        let clock = Clock::new(gpu)?;
        let rate = |unroll| Probe::copy(gpu, unroll)?.rate(gpu, &clock, seconds);
        Ok(rate(1)?.max(rate(4)?))
    }

    /// Measures all of them; `seconds` for each shader.
    pub(super) fn measure(gpu: &Gpu, clock: &Clock, seconds: f64) -> Result<Self, GpuError> {
        let capabilities = gpu.capabilities();
        let best = |probes: Vec<Probe>| -> Result<f64, GpuError> {
            probes.iter().try_fold(0.0, |best: f64, probe| Ok(best.max(probe.rate(gpu, clock, seconds)?)))
        };
        let fma = |real| -> Result<Vec<Probe>, GpuError> {
            [1, 2, 4, 8].into_iter().map(|chains| Probe::fma(gpu, real, chains)).collect()
        };
        let copies = [1, 4].into_iter().map(|unroll| Probe::copy(gpu, unroll)).collect::<Result<_, _>>()?;
        let f16 = capabilities.has(Tier::F16).then(|| best(fma("f16")?)).transpose()?;
        let shape = capabilities.coop.first().copied();
        let cooperative = shape.map(|shape| best(vec![Probe::cooperative(gpu, shape)?])).transpose()?;
        Ok(Self {
            copy_bytes: best(copies)?,
            buffer_copy_bytes: buffer_copy(gpu, seconds)?,
            f32_flops: best(fma("f32")?)?,
            f16_flops: f16,
            cooperative_flops: cooperative,
            cooperative_size: shape.map(|shape| shape.size),
        })
    }
}

/// A shader whose work grows with its workgroups.
struct Probe {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    /// Operations, or bytes, of one workgroup.
    work: f64,
    /// The first number of workgroups to try, and the last.
    groups: [u32; 2],
    /// Workgroups beyond this many stand in further rows.
    per_row: u32,
}

/// Workgroups of every probe have this many invocations, but for cooperative matrices.
const INVOCATIONS: u32 = 64;
/// Long enough that starting a loop costs nothing, short enough for drivers that count iterations.
const ITERATIONS: u32 = 256;

impl Probe {
    /// Copies between two buffers of at most 512 MiB, far more than any cache holds, or what the device allows.
    fn copy(gpu: &Gpu, unroll: u32) -> Result<Self, GpuError> {
        let bytes = copy_bytes(gpu.capabilities());
        let vectors = (bytes / 16) as u32;
        let groups = vectors / unroll / INVOCATIONS;
        let per_row = groups.min(1 << 14);
        let shader = Shader {
            constants: vec![("UNROLL", format!("{unroll}u"))],
            params: vec![
                ("vectors", ParamValue::U32(vectors)),
                ("row", ParamValue::U32(per_row * INVOCATIONS)),
            ],
            bindings: vec![
                binding("source", Element::Vec4Word, Access::Read),
                binding("destination", Element::Vec4Word, Access::ReadWrite),
            ],
            parts: vec![ShaderPart::new("copy", include_str!("copy.wgsl"))],
            ..Default::default()
        };
        let work = 2.0 * bytes as f64 / f64::from(groups);
        Self::new(gpu, &shader, &[bytes, bytes], work, [groups, groups], per_row)
    }

    fn fma(gpu: &Gpu, real: &'static str, chains: u32) -> Result<Self, GpuError> {
        let shader = Shader {
            enables: if real == "f16" { vec!["f16"] } else { Vec::new() },
            constants: vec![("CHAINS", format!("{chains}u"))],
            params: vec![
                ("iterations", ParamValue::U32(ITERATIONS)),
                ("factor", ParamValue::F32(0.5)),
                ("term", ParamValue::F32(0.5)),
            ],
            bindings: vec![binding("result", Element::Word, Access::ReadWrite)],
            parts: vec![
                ShaderPart::new("real", &format!("alias Real = {real};")),
                ShaderPart::new("fma", include_str!("fma.wgsl")),
            ],
        };
        // Four steps of an iteration, four lanes of a chain, two operations.
        let work = f64::from(ITERATIONS) * 4.0 * 4.0 * 2.0 * f64::from(chains) * f64::from(INVOCATIONS);
        let bytes = u64::from(MOST_GROUPS * INVOCATIONS) * 4;
        Self::new(gpu, &shader, &[bytes], work, [64, MOST_GROUPS], MOST_GROUPS)
    }

    fn cooperative(gpu: &Gpu, CoopShape { size, .. }: CoopShape) -> Result<Self, GpuError> {
        let lanes = gpu.capabilities().subgroup_sizes.1;
        let shader = Shader {
            enables: vec!["f16", "wgpu_cooperative_matrix"],
            constants: vec![("LANES", format!("{lanes}u")), ("SIZE", format!("{size}u"))],
            params: vec![("iterations", ParamValue::U32(ITERATIONS))],
            bindings: vec![binding("result", Element::Word, Access::ReadWrite)],
            parts: vec![
                ShaderPart::new("tiles", &tile_types(size)),
                ShaderPart::new("cooperative", include_str!("cooperative.wgsl")),
            ],
        };
        let work = f64::from(ITERATIONS) * 8.0 * 2.0 * f64::from(size).powi(3);
        let bytes = u64::from(MOST_GROUPS * lanes) * 4;
        Self::new(gpu, &shader, &[bytes], work, [16, MOST_GROUPS], MOST_GROUPS)
    }

    fn new(
        gpu: &Gpu,
        shader: &Shader,
        bytes: &[u64],
        work: f64,
        groups: [u32; 2],
        per_row: u32,
    ) -> Result<Self, GpuError> {
        let desc = StageDesc { label: "ceiling", shader, binding_bytes: bytes, checks: Checks::Indices };
        let stage = ComputeStage::new(gpu.device(), &desc)?;
        let buffer = |&bytes: &u64| random_buffer(gpu, bytes);
        let buffers = bytes.iter().map(buffer).collect::<Result<Vec<_>, _>>()?;
        let bindings: Vec<_> = buffers.iter().map(wgpu::Buffer::as_entire_buffer_binding).collect();
        let bind_group = stage.bind(gpu.device(), "ceiling", &bindings);
        Ok(Self { pipeline: stage.pipeline().clone(), bind_group, work, groups, per_row })
    }

    /// The best of several runs of some milliseconds each.
    fn rate(&self, gpu: &Gpu, clock: &Clock, seconds: f64) -> Result<f64, GpuError> {
        let [mut groups, most] = self.groups;
        let mut best: f64 = 0.0;
        let start = Instant::now();
        for run in 0.. {
            let [x, y] = [groups.min(self.per_row), groups.div_ceil(self.per_row)];
            let time = clock.measure(gpu, |pass| {
                pass.set_pipeline(&self.pipeline);
                pass.set_bind_group(0, &self.bind_group, &[]);
                pass.dispatch_workgroups(x, y, 1);
            })?;
            if time.gpu < PROBE_SECONDS && groups < most {
                groups = groups.saturating_mul(4).min(most);
                continue;
            }
            best = best.max(self.work * f64::from(groups) / time.gpu.max(1e-9));
            if run >= 3 && start.elapsed().as_secs_f64() >= seconds {
                break;
            }
        }
        Ok(best)
    }
}

/// At most so many workgroups in a row: a limit that every device has.
const MOST_GROUPS: u32 = 1 << 15;
/// One run takes at least this long, unless the workgroups end first.
const PROBE_SECONDS: f64 = 4e-3;

fn binding(name: &'static str, element: Element, access: Access) -> Binding {
    Binding { name, element, access }
}

fn tile_types(size: u32) -> String {
    let tile = |name, scalar, role| format!("alias {name} = coop_mat{size}x{size}<{scalar}, {role}>;\n");
    [tile("Left", "f16", "A"), tile("Right", "f16", "B"), tile("Sum", "f32", "C")].concat()
}

fn copy_bytes(capabilities: &Capabilities) -> u64 {
    let wanted = if capabilities.device_type == wgpu::DeviceType::Cpu { 64 << 20 } else { 512 << 20 };
    let limits = &capabilities.limits;
    let allowed = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
    // A power of two, so that every number of vectors to an invocation divides it.
    let most: u64 = 1 << allowed.max(1).ilog2();
    most.min(wanted)
}

/// Numbers in [1, 2) as f32 and as two halves: neither zeros, which some GPUs multiply faster, nor NaN.
fn random_buffer(gpu: &Gpu, bytes: u64) -> Result<wgpu::Buffer, GpuError> {
    let mut random = langevin::reference::generate::Random::new(7);
    let words: Vec<u32> =
        (0..bytes.min(1 << 20) / 4).map(|_| random.next_u64() as u32 & 0x007f_03ff | 0x3f80_3c00).collect();
    let buffer = gpu.empty("ceiling", bytes)?;
    gpu.write(&buffer, &words)?;
    let chunk = words.len() as u64 * 4;
    let first = gpu.upload("ceiling", &words)?;
    gpu.run(|encoder| {
        for offset in (chunk..bytes).step_by(chunk.max(4) as usize) {
            encoder.copy_buffer_to_buffer(&first, 0, &buffer, offset, chunk.min(bytes - offset));
        }
    })?;
    Ok(buffer)
}

/// Bytes in and out per second of the driver's copy.
fn buffer_copy(gpu: &Gpu, seconds: f64) -> Result<f64, GpuError> {
    let bytes = copy_bytes(gpu.capabilities());
    let [from, to] = [random_buffer(gpu, bytes)?, random_buffer(gpu, bytes)?];
    // Several in one submit, so that the submit itself does not count.
    let copies = 4;
    let mut best: f64 = 0.0;
    let start = Instant::now();
    for run in 0.. {
        let begin = Instant::now();
        gpu.run(|encoder| {
            (0..copies).for_each(|_| encoder.copy_buffer_to_buffer(&from, 0, &to, 0, bytes));
        })?;
        best = best.max(2.0 * f64::from(copies) * bytes as f64 / begin.elapsed().as_secs_f64());
        if run >= 3 && start.elapsed().as_secs_f64() >= seconds {
            break;
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests;
