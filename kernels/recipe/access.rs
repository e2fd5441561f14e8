//! How shaders reach tensors: bindings, loads and stores by words of several sizes, and the codecs of the formats.

use super::{SCRATCH, StageBuilder};
use langevin_gpu::{Access, Binding, Element, ShaderPart};
use langevin_reference::{Dtype, Format};

impl StageBuilder {
    /// Gives the shader `load_NAME` and `load4_NAME` of a tensor; zeros where the descriptor leaves it out.
    pub(crate) fn reads(self, name: &'static str) -> Self {
        self.reads_by(name, Load::Words)
    }

    /// The same, by larger loads or the adapter's own type.
    pub(crate) fn reads_by(mut self, name: &'static str, load: Load) -> Self {
        let Some(dtype) = self.dtype(name) else { return self.absent(name) };
        let (template_name, template, element) = match (dtype.bytes(), load) {
            (4, Load::Wide | Load::WideTogether) => {
                ("load32_wide", include_str!("../../shaders/shared/load32_wide.wgsl"), Element::Vec4Word)
            }
            (4, Load::Long) => {
                ("load32_long", include_str!("../../shaders/shared/load32_long.wgsl"), Element::Vec2Long)
            }
            (2, Load::Long) => {
                ("load16_long", include_str!("../../shaders/shared/load16_long.wgsl"), Element::Long)
            }
            (2, Load::Native) if dtype == Format::F16.into() => {
                ("load16_native", include_str!("../../shaders/shared/load16_native.wgsl"), Element::Vec2F16)
            }
            (2, Load::NativeWide) if dtype == Format::F16.into() => {
                let text = include_str!("../../shaders/shared/load16_native_wide.wgsl");
                ("load16_native_wide", text, Element::Vec4F16)
            }
            (2, Load::Wide) => {
                ("load16_wide", include_str!("../../shaders/shared/load16_wide.wgsl"), Element::Vec2Word)
            }
            (2, Load::WideTogether) => {
                self.shader.parts.push(together(dtype));
                ("load16_quads", include_str!("../../shaders/shared/load16_quads.wgsl"), Element::Vec2Word)
            }
            (1, Load::WideTogether) => {
                self.shader.parts.push(by_half(dtype));
                ("load8_quads", include_str!("../../shaders/shared/load8_quads.wgsl"), Element::Word)
            }
            (2, Load::Together) => {
                self.shader.parts.push(together(dtype));
                ("load16_pairs", include_str!("../../shaders/shared/load16_pairs.wgsl"), Element::Word)
            }
            (1, Load::Together) => {
                self.shader.parts.push(together(dtype));
                ("load8_quads", include_str!("../../shaders/shared/load8_quads.wgsl"), Element::Word)
            }
            (2, Load::Eights | Load::Vectors) => {
                self.shader.parts.push(together(dtype));
                ("load16_eights", include_str!("../../shaders/shared/load16_eights.wgsl"), Element::Vec4Word)
            }
            (1, Load::Vectors) => {
                self.shader.parts.push(by_half(dtype));
                ("load8_vectors", include_str!("../../shaders/shared/load8_vectors.wgsl"), Element::Vec4Word)
            }
            (1, Load::Eights) => {
                self.shader.parts.push(together(dtype));
                ("load8_eights", include_str!("../../shaders/shared/load8_eights.wgsl"), Element::Vec2Word)
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

    /// Gives the shader `halves_NAME`, eight elements of a tensor as f16, which holds them.
    pub(crate) fn halves(mut self, name: &'static str, load: Load) -> Self {
        let eights = include_str!("../../shaders/shared/halves_of_8.wgsl");
        let codec = match (self.dtype(name), load) {
            (Some(Dtype::Number(Format::F16)), Load::Eights) => {
                let words = include_str!("../../shaders/shared/halves_of_16.wgsl");
                return self.part_for(name, "halves_of_16", words);
            }
            (Some(Dtype::Number(Format::E4m3)), Load::Eights) => {
                ShaderPart::new("e4m3_halves", include_str!("../../shaders/format/e4m3_halves.wgsl"))
            }
            (Some(Dtype::Number(Format::E5m2)), Load::Eights) => {
                ShaderPart::new("e5m2_halves", include_str!("../../shaders/format/e5m2_halves.wgsl"))
            }
            (Some(Dtype::Number(Format::I8)), Load::Eights) => {
                ShaderPart::new("i8_halves", include_str!("../../shaders/format/i8_halves.wgsl"))
            }
            _ => {
                let decoded = include_str!("../../shaders/shared/halves_decoded.wgsl");
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
            2 => ("quads_of_16", include_str!("../../shaders/shared/quads_of_16.wgsl")),
            _ => ("quads_of_8", include_str!("../../shaders/shared/quads_of_8.wgsl")),
        };
        let (vector, whole) = match load {
            Load::Vectors => ("vector_at_once", include_str!("../../shaders/shared/vector_at_once.wgsl")),
            _ => ("vector_by_words", include_str!("../../shaders/shared/vector_by_words.wgsl")),
        };
        self.shader.parts.push(ShaderPart::accessor(quads, text, name, half_name(dtype)));
        self.constant(per_word, 4 / dtype.bytes() as u32).part_for(name, vector, whole)
    }

    /// Gives the shader `load_NAME` and `load4_NAME` of a tensor that it does not read.
    pub(crate) fn absent(mut self, name: &'static str) -> Self {
        let absent = include_str!("../../shaders/shared/load_absent.wgsl");
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
                ("store32_wide", include_str!("../../shaders/shared/store32_wide.wgsl"), Element::Vec4Word)
            }
            (2, Load::Wide) => {
                ("store16_wide", include_str!("../../shaders/shared/store16_wide.wgsl"), Element::Vec2Word)
            }
            (4, Load::Long) => {
                ("store32_long", include_str!("../../shaders/shared/store32_long.wgsl"), Element::Vec2Long)
            }
            (2, Load::Long) => {
                ("store16_long", include_str!("../../shaders/shared/store16_long.wgsl"), Element::Long)
            }
            (4, _) => ("store32", include_str!("../../shaders/shared/store32.wgsl"), Element::Word),
            (2, _) => ("store16", include_str!("../../shaders/shared/store16.wgsl"), Element::Word),
            _ => ("store8", include_str!("../../shaders/shared/store8.wgsl"), Element::Word),
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
            let absent = include_str!("../../shaders/shared/store_absent.wgsl");
            self.shader.parts.push(ShaderPart::accessor("store_absent", absent, name, "none"));
            return self;
        };
        let template = include_str!("../../shaders/shared/store_bits.wgsl");
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
        4 => ("load32", include_str!("../../shaders/shared/load32.wgsl")),
        2 => ("load16", include_str!("../../shaders/shared/load16.wgsl")),
        _ => ("load8", include_str!("../../shaders/shared/load8.wgsl")),
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
            ShaderPart::new("f16_by_half", include_str!("../../shaders/format/f16_by_half.wgsl"))
        }
        Dtype::Number(Format::E4m3) => {
            ShaderPart::new("e4m3_by_half", include_str!("../../shaders/format/e4m3_by_half.wgsl"))
        }
        Dtype::Number(Format::E5m2) => {
            ShaderPart::new("e5m2_by_half", include_str!("../../shaders/format/e5m2_by_half.wgsl"))
        }
        Dtype::Number(Format::I8) => {
            ShaderPart::new("i8_together", include_str!("../../shaders/format/i8_together.wgsl"))
        }
        _ => codec(dtype),
    }
}

/// The function that decodes the elements of a word together, by the adapter's conversion of F16 for I8 as well: a GPU's
/// conversions of integers are fewer to a cycle than all else, a CPU's are not.
fn by_half(dtype: Dtype) -> ShaderPart {
    match dtype {
        Dtype::Number(Format::I8) => {
            ShaderPart::new("i8_by_half", include_str!("../../shaders/format/i8_by_half.wgsl"))
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
        Dtype::Number(Format::F16) => include_str!("../../shaders/format/f16.wgsl"),
        Dtype::Number(Format::BF16) => include_str!("../../shaders/format/bf16.wgsl"),
        Dtype::Number(Format::E4m3) => include_str!("../../shaders/format/e4m3.wgsl"),
        Dtype::Number(Format::E5m2) => include_str!("../../shaders/format/e5m2.wgsl"),
        Dtype::Number(Format::I8) => include_str!("../../shaders/format/i8.wgsl"),
        Dtype::Number(_) => include_str!("../../shaders/format/f32.wgsl"),
        Dtype::I32 => include_str!("../../shaders/format/i32.wgsl"),
        Dtype::E8m0 => include_str!("../../shaders/format/e8m0.wgsl"),
        _ => include_str!("../../shaders/format/bool.wgsl"),
    };
    ShaderPart::new(format!("format {}", codec_name(dtype)), text)
}
