mod access;

use crate::{Capabilities, wgpu};
pub(crate) use access::{Load, by_units};
use langevin_gpu::{Access, Binding, ParamValue, Shader, ShaderPart};
use langevin_reference::{Dtype, Op, TensorSpec};

/// The name under which a stage binds the memory that the caller lends.
pub(crate) const SCRATCH: &str = "scratch";

/// What a variant dispatches, in order.
#[derive(Clone, Debug, Default)]
pub struct Recipe {
    /// The dispatches; none where the output is empty.
    pub stages: Vec<Stage>,
    /// Bytes of scratch they share.
    pub scratch_bytes: u64,
}

impl Recipe {
    /// One dispatch, or none where there is nothing to write.
    pub(crate) fn single(stage: Stage) -> Self {
        let stages = if stage.groups == 0 { Vec::new() } else { vec![stage] };
        Self { stages, scratch_bytes: 0 }
    }
}

/// One dispatch: a shader and how many workgroups of it. The groups may be folded into two dimensions.
#[derive(Clone, Debug)]
pub struct Stage {
    /// What it is, for labels and errors.
    pub label: &'static str,
    /// The shader.
    pub shader: Shader,
    /// The number of workgroups.
    pub groups: u64,
    /// At most how many iterations the loops of one invocation run together; constant small ones, which drivers unroll,
    /// do not count. See [`langevin_gpu::Capabilities::max_loop_iterations`].
    pub loop_iterations: u64,
    /// Nothing of it needs wgpu's checks of indices where the driver has its own: constants and the numbers of invocations
    /// make those of workgroup memory, what it writes of tensors is guarded, and what it reads past their ends, which is
    /// not used, Vulkan's robust buffer access keeps within the buffer.
    pub proven: bool,
    /// The variables to which it binds a range of their tensor only; to the others it binds all.
    pub windows: Vec<(&'static str, Window)>,
    /// Variables of the shader that are bound to a tensor of another name, or to the scratch: what the dispatches before
    /// left there. One shader then serves every step of several.
    pub stand_ins: Vec<(&'static str, &'static str)>,
}

impl Stage {
    /// The same on ranges of some tensors.
    pub(crate) fn within(self, windows: &[(&'static str, Window)]) -> Self {
        Self { windows: windows.to_vec(), ..self }
    }

    /// The same with a variable bound to a tensor of another name, or to a range of one.
    pub(crate) fn bound_to(
        mut self,
        variable: &'static str,
        tensor: &'static str,
        window: Option<Window>,
    ) -> Self {
        if variable != tensor {
            self.stand_ins.push((variable, tensor));
        }
        self.windows.extend(window.map(|window| (variable, window)));
        self
    }

    /// The same with other tensors, or the scratch, in place of some: where the ranges of those lie.
    pub(crate) fn instead(mut self, names: [(&'static str, &'static str); 2]) -> Self {
        let other =
            |tensor| names.iter().find(|(name, _)| *name == tensor).map_or(tensor, |(_, other)| *other);
        let variables = self.shader.bindings.iter().map(|binding| binding.name);
        self.stand_ins =
            variables.zip(self.tensors().map(other)).filter(|(name, other)| name != other).collect();
        self
    }

    /// The same with a variable bound to another tensor, or to the scratch: where its own range lies, behind the start of
    /// `within` where that is not all.
    pub(crate) fn moved(
        mut self,
        variable: &'static str,
        tensor: &'static str,
        within: Option<Window>,
    ) -> Self {
        self.stand_ins.retain(|(name, _)| *name != variable);
        self.stand_ins.push((variable, tensor));
        let own = self.windows.iter_mut().find(|(name, _)| *name == variable);
        match (own, within) {
            (Some((_, window)), Some(outer)) => window.offset += outer.offset,
            (None, Some(outer)) => self.windows.push((variable, outer)),
            (_, None) => {}
        }
        self
    }

    /// The same where every variable bound to a tensor may write it if one does: a dispatch has one way to use a buffer.
    pub(crate) fn one_access(mut self, tensor: &str) -> Self {
        let is_bound: Vec<bool> = self.tensors().map(|name| name == tensor).collect();
        let bindings = self.shader.bindings.iter_mut().zip(is_bound).filter(|(_, is_bound)| *is_bound);
        let mut bindings: Vec<&mut Binding> = bindings.map(|(binding, _)| binding).collect();
        if bindings.iter().any(|binding| binding.access == Access::ReadWrite) {
            bindings.iter_mut().for_each(|binding| binding.access = Access::ReadWrite);
        }
        self
    }

    /// The tensors that it binds, in order.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = &'static str> {
        self.shader.bindings.iter().map(|binding| {
            let found = self.stand_ins.iter().find(|(variable, _)| *variable == binding.name);
            found.map_or(binding.name, |(_, tensor)| *tensor)
        })
    }

    /// What it binds, in order: a tensor, and the range of it where that is not all.
    pub(crate) fn bound(&self) -> impl Iterator<Item = (&'static str, Option<Window>)> {
        let window =
            |name: &str| self.windows.iter().find(|(variable, _)| *variable == name).map(|(_, w)| *w);
        self.tensors().zip(self.shader.bindings.iter().map(move |binding| window(binding.name)))
    }
}

/// A range of a tensor, in bytes. It starts at a multiple of the device's `min_storage_buffer_offset_alignment`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From the tensor's first byte to the range's.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
}

/// Invocations of a workgroup that need nothing of each other. A GPU starts about a workgroup every nanosecond, whatever its
/// size: on an H200, casts of 32 M elements took 122 us by 64 invocations of one unit, whatever the format.
pub(crate) fn lanes(capabilities: &Capabilities) -> u32 {
    let wanted = if capabilities.device_type == wgpu::DeviceType::Cpu { 64 } else { 256 };
    let limits = &capabilities.limits;
    wanted.min(limits.max_compute_invocations_per_workgroup).min(limits.max_compute_workgroup_size_x)
}

/// Whether its compiler comes to an end where all of a tile is in the registers of straight code: SwiftShader's does not, in
/// 170 s and 7 GB for one shader of matmul's `broadcast`, in 40 s and 17 GB for some of its `dot4` and of conv's `depthwise`.
pub(crate) fn compiles_long_code(capabilities: &Capabilities) -> bool {
    !capabilities.adapter.contains("SwiftShader")
}

/// Builds a stage's shader from a descriptor's tensors, so that names, formats and bindings cannot disagree.
#[derive(Debug)]
pub(crate) struct StageBuilder {
    label: &'static str,
    specs: Vec<TensorSpec>,
    shader: Shader,
    loop_iterations: usize,
    proven: bool,
}

impl StageBuilder {
    pub(crate) fn new<O: Op>(label: &'static str, op: &O) -> Self {
        Self::over(label, op.tensors())
    }

    /// A stage over these tensors.
    pub(crate) fn over(label: &'static str, specs: Vec<TensorSpec>) -> Self {
        let parts = vec![ShaderPart::new("grid", include_str!("../shaders/shared/grid.wgsl"))];
        Self {
            label,
            specs,
            shader: Shader { parts, ..Default::default() },
            loop_iterations: 0,
            proven: false,
        }
    }

    /// A flag or a code, fixed when the shader is compiled.
    pub(crate) fn flag(mut self, name: &'static str, value: bool) -> Self {
        self.shader.constants.push((name, value.to_string()));
        self
    }

    /// An unsigned size, fixed when the shader is compiled.
    pub(crate) fn constant(mut self, name: &'static str, value: u32) -> Self {
        self.shader.constants.push((name, format!("{value}u")));
        self
    }

    /// A size that the host has checked to fit.
    pub(crate) fn size(self, name: &'static str, value: usize) -> Self {
        self.param(name, ParamValue::U32(u32::try_from(value).unwrap_or(u32::MAX)))
    }

    /// A parameter read at run time.
    pub(crate) fn param(mut self, name: &'static str, value: ParamValue) -> Self {
        self.shader.params.push((name, value));
        self
    }

    /// An extension of WGSL.
    pub(crate) fn enable(mut self, name: &'static str) -> Self {
        self.shader.enables.push(name);
        self
    }

    /// A number of f32, fixed when the shader is compiled.
    pub(crate) fn number(mut self, name: &'static str, value: f32) -> Self {
        self.shader.constants.push((name, literal(value)));
        self
    }

    /// Spreads `units` of work that need nothing of each other: LANES invocations to a workgroup, UNITS units to an
    /// invocation.
    pub(crate) fn spread(self, units: usize, capabilities: &Capabilities) -> Stage {
        // A GPU hides what a load takes behind other loads.
        let each = if capabilities.device_type == wgpu::DeviceType::Cpu { 1 } else { 4 };
        let lanes = lanes(capabilities);
        let per_group = lanes as usize * each as usize;
        self.constant("LANES", lanes)
            .constant("UNITS", each)
            .size("units", units)
            .groups(units.div_ceil(per_group) as u64)
    }

    /// Appends a part.
    pub(crate) fn part(mut self, name: &'static str, text: &str) -> Self {
        self.shader.parts.push(ShaderPart::new(name, text));
        self
    }

    /// Constants and the numbers of invocations make its indices of workgroup memory: they need no checks.
    pub(crate) fn proven(self) -> Self {
        Self { proven: true, ..self }
    }

    /// At most how many iterations the loops of one invocation run together, where sizes decide that.
    pub(crate) fn loop_iterations(self, loop_iterations: usize) -> Self {
        Self { loop_iterations, ..self }
    }

    /// The stage, over that many workgroups; the shader finds the number as `p.groups`.
    pub(crate) fn groups(self, groups: u64) -> Stage {
        let (label, loop_iterations, proven) = (self.label, self.loop_iterations as u64, self.proven);
        let builder = self.param("groups", ParamValue::U32(u32::try_from(groups).unwrap_or(u32::MAX)));
        let (windows, stand_ins) = (Vec::new(), Vec::new());
        Stage { label, shader: builder.shader, groups, loop_iterations, proven, windows, stand_ins }
    }

    fn dtype(&self, name: &str) -> Option<Dtype> {
        self.specs.iter().find(|spec| spec.name == name).map(|spec| spec.dtype)
    }
}

/// A finite number as WGSL writes it exactly: compilers disagree about decimals next to the largest number.
fn literal(value: f32) -> String {
    let (sign, bits) = (if value.is_sign_negative() { "-" } else { "" }, value.abs().to_bits());
    let (exponent, fraction) = (bits >> 23, (bits & 0x7f_ffff) << 1);
    match (exponent, fraction) {
        (0, 0) => format!("{sign}0f"),
        (0, _) => format!("{sign}0x0.{fraction:06x}p-126f"),
        _ => format!("{sign}0x1.{fraction:06x}p{:+}f", i64::from(exponent) - 127),
    }
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn literals_are_exact() {
        for (value, expected) in [
            (0.0, "0f"),
            (1.0, "0x1.000000p+0f"),
            (-0.1, "-0x1.99999ap-4f"),
            (f32::MAX, "0x1.fffffep+127f"),
            (f32::from_bits(1), "0x0.000002p-126f"),
        ] {
            assert_eq!(literal(value), expected);
            let module = naga::front::wgsl::parse_str(&format!("const X = {expected};")).unwrap();
            let (_, constant) = module.constants.iter().next().unwrap();
            let naga::Expression::Literal(naga::Literal::F32(parsed)) =
                module.global_expressions[constant.init]
            else {
                panic!("{expected} is no literal of f32");
            };
            assert_eq!(parsed.to_bits(), value.to_bits(), "{expected}");
        }
    }
}
