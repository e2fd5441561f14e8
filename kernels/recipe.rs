use crate::{Capabilities, wgpu};
use langevin_gpu::{Access, Binding, Element, ParamValue, Shader, ShaderPart};
use langevin_reference::{Dtype, Format, Op, TensorSpec};

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

    /// Gives the shader `load_NAME` and `load4_NAME` of a tensor; zeros where the descriptor leaves it out.
    pub(crate) fn reads(self, name: &'static str) -> Self {
        self.reads_by(name, Load::Words)
    }

    /// The same, by larger loads or the adapter's own type.
    pub(crate) fn reads_by(mut self, name: &'static str, load: Load) -> Self {
        let Some(dtype) = self.dtype(name) else { return self.absent(name) };
        let (template_name, template, element) = match (dtype.bytes(), load) {
            (4, Load::Wide | Load::WideTogether) => {
                ("load32_wide", include_str!("../shaders/shared/load32_wide.wgsl"), Element::Vec4Word)
            }
            (4, Load::Long) => {
                ("load32_long", include_str!("../shaders/shared/load32_long.wgsl"), Element::Vec2Long)
            }
            (2, Load::Long) => {
                ("load16_long", include_str!("../shaders/shared/load16_long.wgsl"), Element::Long)
            }
            (2, Load::Native) if dtype == Format::F16.into() => {
                ("load16_native", include_str!("../shaders/shared/load16_native.wgsl"), Element::Vec2F16)
            }
            (2, Load::NativeWide) if dtype == Format::F16.into() => {
                let text = include_str!("../shaders/shared/load16_native_wide.wgsl");
                ("load16_native_wide", text, Element::Vec4F16)
            }
            (2, Load::Wide) => {
                ("load16_wide", include_str!("../shaders/shared/load16_wide.wgsl"), Element::Vec2Word)
            }
            (2, Load::WideTogether) => {
                self.shader.parts.push(together(dtype));
                ("load16_quads", include_str!("../shaders/shared/load16_quads.wgsl"), Element::Vec2Word)
            }
            (1, Load::WideTogether) => {
                self.shader.parts.push(by_half(dtype));
                ("load8_quads", include_str!("../shaders/shared/load8_quads.wgsl"), Element::Word)
            }
            (2, Load::Together) => {
                self.shader.parts.push(together(dtype));
                ("load16_pairs", include_str!("../shaders/shared/load16_pairs.wgsl"), Element::Word)
            }
            (1, Load::Together) => {
                self.shader.parts.push(together(dtype));
                ("load8_quads", include_str!("../shaders/shared/load8_quads.wgsl"), Element::Word)
            }
            (2, Load::Eights | Load::Vectors) => {
                self.shader.parts.push(together(dtype));
                ("load16_eights", include_str!("../shaders/shared/load16_eights.wgsl"), Element::Vec4Word)
            }
            (1, Load::Vectors) => {
                self.shader.parts.push(by_half(dtype));
                ("load8_vectors", include_str!("../shaders/shared/load8_vectors.wgsl"), Element::Vec4Word)
            }
            (1, Load::Eights) => {
                self.shader.parts.push(together(dtype));
                ("load8_eights", include_str!("../shaders/shared/load8_eights.wgsl"), Element::Vec2Word)
            }
            _ => {
                let (name, text) = plain_load(dtype);
                (name, text, Element::Word)
            }
        };
        let format = match load {
            Load::WideTogether | Load::Vectors => half_name(dtype),
            _ => codec_name(dtype),
        };
        let binding = Binding { name, element, access: Access::Read };
        self.binds_as(binding, dtype, template_name, template, format)
    }

    /// Spreads `units` of work that need nothing of each other: LANES invocations to a workgroup, UNITS units to an
    /// invocation.
    pub(crate) fn spread(self, units: usize, capabilities: &Capabilities) -> Stage {
        // A GPU starts about a workgroup every nanosecond, whatever its size, and hides what a load takes behind other
        // loads. On an H200, casts of 32 M elements took 122 us by 64 invocations of one unit, whatever the format.
        let (lanes, each) =
            if capabilities.device_type == wgpu::DeviceType::Cpu { (64, 1) } else { (256, 4) };
        let limits = &capabilities.limits;
        let lanes =
            lanes.min(limits.max_compute_invocations_per_workgroup).min(limits.max_compute_workgroup_size_x);
        let per_group = lanes as usize * each as usize;
        self.constant("LANES", lanes)
            .constant("UNITS", each)
            .size("units", units)
            .groups(units.div_ceil(per_group) as u64)
    }

    /// Gives the shader `halves_NAME`, eight elements of a tensor as f16, which holds them.
    pub(crate) fn halves(mut self, name: &'static str, load: Load) -> Self {
        let eights = include_str!("../shaders/shared/halves_of_8.wgsl");
        let codec = match (self.dtype(name), load) {
            (Some(Dtype::Number(Format::F16)), Load::Eights) => {
                let words = include_str!("../shaders/shared/halves_of_16.wgsl");
                return self.part_for(name, "halves_of_16", words);
            }
            (Some(Dtype::Number(Format::E4m3)), Load::Eights) => {
                ShaderPart::new("e4m3_halves", include_str!("../shaders/format/e4m3_halves.wgsl"))
            }
            (Some(Dtype::Number(Format::E5m2)), Load::Eights) => {
                ShaderPart::new("e5m2_halves", include_str!("../shaders/format/e5m2_halves.wgsl"))
            }
            (Some(Dtype::Number(Format::I8)), Load::Eights) => {
                ShaderPart::new("i8_halves", include_str!("../shaders/format/i8_halves.wgsl"))
            }
            _ => {
                let decoded = include_str!("../shaders/shared/halves_decoded.wgsl");
                return self.part_for(name, "halves_decoded", decoded);
            }
        };
        self.shader.parts.push(codec);
        self.part_for(name, "halves_of_8", eights)
    }

    /// Gives the shader `vector_NAME`, 16 bytes of a tensor read by `load`, and `quad_of_NAME`, four elements of them.
    pub(crate) fn vectors(mut self, name: &'static str, per_word: &'static str, load: Load) -> Self {
        let Some(dtype) = self.dtype(name) else { return self };
        self.shader.parts.push(by_half(dtype));
        let (quads, text) = match dtype.bytes() {
            2 => ("quads_of_16", include_str!("../shaders/shared/quads_of_16.wgsl")),
            _ => ("quads_of_8", include_str!("../shaders/shared/quads_of_8.wgsl")),
        };
        let (vector, whole) = match load {
            Load::Vectors => ("vector_at_once", include_str!("../shaders/shared/vector_at_once.wgsl")),
            _ => ("vector_by_words", include_str!("../shaders/shared/vector_by_words.wgsl")),
        };
        self.shader.parts.push(ShaderPart::accessor(quads, text, name, half_name(dtype)));
        self.constant(per_word, 4 / dtype.bytes() as u32).part_for(name, vector, whole)
    }

    /// Gives the shader `load_NAME` and `load4_NAME` of a tensor that it does not read.
    pub(crate) fn absent(mut self, name: &'static str) -> Self {
        let absent = include_str!("../shaders/shared/load_absent.wgsl");
        self.shader.parts.push(ShaderPart::accessor("load_absent", absent, name, "none"));
        self
    }

    /// Gives the shader `store4_NAME` of a tensor, if the descriptor has it.
    pub(crate) fn writes(self, name: &'static str) -> Self {
        self.writes_by(name, Load::Words)
    }

    /// The same by larger words, where every row and every offset is a multiple of four elements.
    pub(crate) fn writes_by(self, name: &'static str, by: Load) -> Self {
        let Some(dtype) = self.dtype(name) else { return self };
        let (template_name, template, element) = match (dtype.bytes(), by) {
            (4, Load::Wide) => {
                ("store32_wide", include_str!("../shaders/shared/store32_wide.wgsl"), Element::Vec4Word)
            }
            (2, Load::Wide) => {
                ("store16_wide", include_str!("../shaders/shared/store16_wide.wgsl"), Element::Vec2Word)
            }
            (4, Load::Long) => {
                ("store32_long", include_str!("../shaders/shared/store32_long.wgsl"), Element::Vec2Long)
            }
            (2, Load::Long) => {
                ("store16_long", include_str!("../shaders/shared/store16_long.wgsl"), Element::Long)
            }
            (4, _) => ("store32", include_str!("../shaders/shared/store32.wgsl"), Element::Word),
            (2, _) => ("store16", include_str!("../shaders/shared/store16.wgsl"), Element::Word),
            _ => ("store8", include_str!("../shaders/shared/store8.wgsl"), Element::Word),
        };
        let binding = Binding { name, element, access: Access::ReadWrite };
        self.binds(binding, dtype, template_name, template)
    }

    /// Gives the shader `load_NAME`, `load4_NAME` and `store4_NAME` of a tensor that is overwritten.
    pub(crate) fn updates(self, name: &'static str) -> Self {
        let Some(dtype) = self.dtype(name) else { return self };
        let mut builder = self.writes(name);
        let (template_name, template) = plain_load(dtype);
        builder.shader.parts.push(ShaderPart::accessor(template_name, template, name, codec_name(dtype)));
        builder
    }

    /// Gives the shader `store_bits_NAME` of a tensor of 32-bit elements; it does nothing where the descriptor leaves the
    /// tensor out.
    pub(crate) fn writes_bits(mut self, name: &'static str) -> Self {
        let Some(dtype) = self.dtype(name) else {
            let absent = include_str!("../shaders/shared/store_absent.wgsl");
            self.shader.parts.push(ShaderPart::accessor("store_absent", absent, name, "none"));
            return self;
        };
        let template = include_str!("../shaders/shared/store_bits.wgsl");
        self.binds(written(name), dtype, "store_bits", template)
    }

    /// Binds a tensor, or the scratch, as plain words under its name, with the codec of its format.
    pub(crate) fn words(mut self, name: &'static str, access: Access) -> Self {
        if let Some(dtype) = self.dtype(name) {
            self.shader.parts.push(codec(dtype));
        } else if name != SCRATCH {
            return self;
        }
        match self.shader.bindings.iter_mut().find(|binding| binding.name == name) {
            // Two parts of a stage may use the scratch, and one of them write it.
            Some(bound) if access == Access::ReadWrite => bound.access = access,
            Some(_) => {}
            None => self.shader.bindings.push(Binding { name, element: Element::Word, access }),
        }
        self
    }

    /// Binds a tensor of 32-bit elements as words that many invocations add to.
    pub(crate) fn counts(mut self, name: &'static str) -> Self {
        self.shader.bindings.push(Binding { name, element: Element::Atomic, access: Access::ReadWrite });
        self
    }

    /// Binds the scratch by larger elements than words.
    pub(crate) fn scratch(mut self, access: Access, element: Element) -> Self {
        self.shader.bindings.push(Binding { name: SCRATCH, element, access });
        self
    }

    /// Appends a part.
    pub(crate) fn part(mut self, name: &'static str, text: &str) -> Self {
        self.shader.parts.push(ShaderPart::new(name, text));
        self
    }

    /// Appends a part that is written for the storage format of one tensor: `FORMAT` in it stands for the format's name,
    /// `TENSOR` for its own.
    pub(crate) fn part_for(mut self, tensor: &'static str, name: &'static str, text: &str) -> Self {
        let format = self.dtype(tensor).map_or("none", codec_name);
        self.shader.parts.push(ShaderPart::accessor(name, text, tensor, format));
        self
    }

    /// Appends a part that is written for a storage format, with the format's codec.
    pub(crate) fn part_in(mut self, format: Format, name: &'static str, text: &str) -> Self {
        self.shader.parts.push(codec(format.into()));
        self.shader.parts.push(ShaderPart::accessor(name, text, "codes", format.name()));
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

    fn binds(self, binding: Binding, dtype: Dtype, template_name: &str, template: &str) -> Self {
        self.binds_as(binding, dtype, template_name, template, codec_name(dtype))
    }

    fn binds_as(
        mut self,
        binding: Binding,
        dtype: Dtype,
        template_name: &str,
        template: &str,
        format: &str,
    ) -> Self {
        self.shader.bindings.push(binding);
        self.shader.parts.push(codec(dtype));
        self.shader.parts.push(ShaderPart::accessor(template_name, template, binding.name, format));
        self
    }
}

/// The template that loads a tensor word by word.
fn plain_load(dtype: Dtype) -> (&'static str, &'static str) {
    match dtype.bytes() {
        4 => ("load32", include_str!("../shaders/shared/load32.wgsl")),
        2 => ("load16", include_str!("../shaders/shared/load16.wgsl")),
        _ => ("load8", include_str!("../shaders/shared/load8.wgsl")),
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

/// A binding by words that is written.
fn written(name: &'static str) -> Binding {
    Binding { name, element: Element::Word, access: Access::ReadWrite }
}

/// How a tensor is read, or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Word by word.
    Words,
    /// Four elements at once, where every row and every offset is a multiple of four elements.
    Wide,
    /// The same by 64-bit integers, of 32-bit and 16-bit formats; needs the feature.
    Long,
    /// F16 by the adapter's own type, others word by word.
    Native,
    /// The same, four elements at once, where every row and every offset is a multiple of four elements.
    NativeWide,
    /// The elements of a word decoded together, by the adapter's conversion of F16 where that helps.
    Together,
    /// The same, four elements at once, where every row and every offset is a multiple of four elements; of I8, as a GPU
    /// does it best.
    WideTogether,
    /// As `Together`, eight elements at once, where every row and every offset is a multiple of eight.
    Eights,
    /// The same, 16 bytes at once, as a GPU does it best, where every row and every offset is a multiple of that.
    Vectors,
}

/// Units of four neighbours of rows that long, from their starts on: at once where every row is one of whole units.
pub(crate) fn by_units(width: usize) -> Load {
    if width.is_multiple_of(4) { Load::Wide } else { Load::Words }
}

fn codec_name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::Number(format) => format.name(),
        Dtype::I32 => "i32",
        Dtype::E8m0 => "e8m0",
        _ => "bool",
    }
}

/// The function that decodes the elements of a word together.
fn together(dtype: Dtype) -> ShaderPart {
    match dtype {
        Dtype::Number(Format::F16) => {
            ShaderPart::new("f16_by_half", include_str!("../shaders/format/f16_by_half.wgsl"))
        }
        Dtype::Number(Format::E4m3) => {
            ShaderPart::new("e4m3_by_half", include_str!("../shaders/format/e4m3_by_half.wgsl"))
        }
        Dtype::Number(Format::E5m2) => {
            ShaderPart::new("e5m2_by_half", include_str!("../shaders/format/e5m2_by_half.wgsl"))
        }
        Dtype::Number(Format::I8) => {
            ShaderPart::new("i8_together", include_str!("../shaders/format/i8_together.wgsl"))
        }
        _ => codec(dtype),
    }
}

/// The function that decodes the elements of a word together, by the adapter's conversion of F16 for I8 as well: a GPU's
/// conversions of integers are fewer to a cycle than all else, a CPU's are not.
fn by_half(dtype: Dtype) -> ShaderPart {
    match dtype {
        Dtype::Number(Format::I8) => {
            ShaderPart::new("i8_by_half", include_str!("../shaders/format/i8_by_half.wgsl"))
        }
        _ => together(dtype),
    }
}

/// What the functions of `by_half` call the format.
fn half_name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::Number(Format::I8) => "i8_by_half",
        _ => codec_name(dtype),
    }
}

/// The `decode_*` function of a format, and the `encode_*` functions of those that kernels write.
fn codec(dtype: Dtype) -> ShaderPart {
    let text = match dtype {
        Dtype::Number(Format::F16) => include_str!("../shaders/format/f16.wgsl"),
        Dtype::Number(Format::BF16) => include_str!("../shaders/format/bf16.wgsl"),
        Dtype::Number(Format::E4m3) => include_str!("../shaders/format/e4m3.wgsl"),
        Dtype::Number(Format::E5m2) => include_str!("../shaders/format/e5m2.wgsl"),
        Dtype::Number(Format::I8) => include_str!("../shaders/format/i8.wgsl"),
        Dtype::Number(_) => include_str!("../shaders/format/f32.wgsl"),
        Dtype::I32 => include_str!("../shaders/format/i32.wgsl"),
        Dtype::E8m0 => include_str!("../shaders/format/e8m0.wgsl"),
        _ => include_str!("../shaders/format/bool.wgsl"),
    };
    ShaderPart::new(format!("format {}", codec_name(dtype)), text)
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
