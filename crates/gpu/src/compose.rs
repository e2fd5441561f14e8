//! Joins WGSL parts into one module: enables, constants, parameters, bindings, then the parts in order.
//!
//! Every part is a plain file that is valid WGSL by itself ([`standalone`]): what it expects of its surroundings is declared between
//! [`STAND_IN_BEGIN`] and [`STAND_IN_END`], and the composer leaves those lines out. A part may be an accessor template
//! for one tensor: `TENSOR` and `FORMAT` in it stand for the names of the tensor and of its storage format.
//!
//! Registers have names, not indices: what stands between a line `// @repeat R ROWS` and its `// @end` is written once for
//! every number below the constant `ROWS` (or a literal one). `R` alone becomes the number, and so does each `R` between
//! underscores of a name: `sum_R` becomes `sum_0`, `sum_1` and so on. Repetitions nest, and `// @let L = R * WIDTH + C` in
//! one names another number for the rest of it, by the operators + - * / % and no parentheses.

use std::fmt::Write as _;

/// The line that starts what a part declares only to be valid by itself.
pub const STAND_IN_BEGIN: &str = "// @stand-in begin";
/// The line that ends it.
pub const STAND_IN_END: &str = "// @stand-in end";
/// The line that starts a repetition: the name of its number and how often follow.
const REPEAT: &str = "// @repeat ";
/// The line that ends the innermost repetition.
const REPEAT_END: &str = "// @end";
/// The line that computes a number from those of repetitions and constants.
const LET: &str = "// @let ";

/// Whether a shader writes a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only reads it.
    Read,
    /// Writes it, and may read it.
    ReadWrite,
}

/// The WGSL element type of a storage binding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Element {
    /// `u32`: every format, packed.
    #[default]
    Word,
    /// `vec2<u32>`: 8 bytes at a time; the binding's size is a multiple of that.
    Vec2Word,
    /// `vec4<u32>`: 16 bytes at a time; the binding's size is a multiple of that.
    Vec4Word,
    /// `vec2<f16>`; needs the feature.
    Vec2F16,
    /// `atomic<u32>`: words that many invocations add to; the binding is written.
    Atomic,
    /// `vec4<f16>`; needs the feature, and the binding's size is a multiple of 8 bytes.
    Vec4F16,
    /// `u64`; needs the feature, and the binding's size is a multiple of 8.
    Long,
    /// `vec2<u64>`: 16 bytes at a time; likewise.
    Vec2Long,
}

impl Element {
    const fn wgsl(self) -> &'static str {
        match self {
            Self::Word => "u32",
            Self::Vec2Word => "vec2<u32>",
            Self::Vec4Word => "vec4<u32>",
            Self::Vec2F16 => "vec2<f16>",
            Self::Atomic => "atomic<u32>",
            Self::Vec4F16 => "vec4<f16>",
            Self::Long => "u64",
            Self::Vec2Long => "vec2<u64>",
        }
    }
}

/// One storage buffer of a shader, bound from 1 on in order; binding 0 is the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The tensor's name, also the variable's.
    pub name: &'static str,
    /// How it is typed.
    pub element: Element,
    /// How it is used.
    pub access: Access,
}

/// A size or a factor that the host hands to a shader at run time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ParamValue {
    /// An index or a size.
    U32(u32),
    /// A position that may be negative.
    I32(i32),
    /// A factor.
    F32(f32),
}

impl ParamValue {
    const fn wgsl(self) -> &'static str {
        match self {
            Self::U32(_) => "u32",
            Self::I32(_) => "i32",
            Self::F32(_) => "f32",
        }
    }

    const fn word(self) -> u32 {
        match self {
            Self::U32(value) => value,
            Self::I32(value) => value as u32,
            Self::F32(value) => value.to_bits(),
        }
    }
}

/// A piece of WGSL.
#[derive(Clone, Debug, PartialEq)]
pub struct ShaderPart {
    name: String,
    text: String,
}

impl ShaderPart {
    /// A part as it stands in its file; a second part of the same name is left out.
    pub fn new(name: impl Into<String>, text: &str) -> Self {
        Self { name: name.into(), text: without_stand_ins(text) }
    }

    /// An accessor template made for one tensor.
    pub fn accessor(template_name: &str, template: &str, tensor: &str, format: &str) -> Self {
        let text = without_stand_ins(template).replace("TENSOR", tensor).replace("FORMAT", format);
        Self { name: format!("{template_name} of {tensor}: {format}"), text }
    }
}

/// A shader before it is text: what the composer joins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shader {
    /// Extensions to enable (`f16`, ..).
    pub enables: Vec<&'static str>,
    /// Values fixed when the shader is made: flags and tile sizes. A bool's value is `true` or `false`.
    pub constants: Vec<(&'static str, String)>,
    /// Values read from the uniform buffer at binding 0, as fields of `p`.
    pub params: Vec<(&'static str, ParamValue)>,
    /// The storage buffers.
    pub bindings: Vec<Binding>,
    /// The parts, helpers first.
    pub parts: Vec<ShaderPart>,
}

impl Shader {
    /// The whole module.
    pub fn compose(&self) -> String {
        let mut text = String::new();
        for enable in &self.enables {
            _ = writeln!(text, "enable {enable};");
        }
        for (name, value) in &self.constants {
            _ = writeln!(text, "const {name} = {value};");
        }
        if !self.params.is_empty() {
            text.push_str("struct Params {\n");
            for (name, value) in &self.params {
                _ = writeln!(text, "  {name}: {},", value.wgsl());
            }
            text.push_str("}\n@group(0) @binding(0) var<uniform> p: Params;\n");
        }
        for (i, binding) in self.bindings.iter().enumerate() {
            let access = match binding.access {
                Access::Read => "read",
                Access::ReadWrite => "read_write",
            };
            let (index, name, element) = (i + 1, binding.name, binding.element.wgsl());
            _ = writeln!(
                text,
                "@group(0) @binding({index}) var<storage, {access}> {name}: array<{element}>;"
            );
        }
        let constants: Vec<(&str, &str)> =
            self.constants.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut seen = Vec::new();
        for part in &self.parts {
            if !seen.contains(&&part.name) {
                seen.push(&part.name);
                let unrolled = unroll(part.text.trim_matches('\n'), &constants);
                _ = writeln!(text, "\n// ---- {}\n{}", part.name, unrolled.trim_end());
            }
        }
        text
    }

    /// Invocations of a workgroup, as the entry point says; zero where it says so in other words than a product of constants.
    pub fn invocations(&self) -> u32 {
        let mut constants: Vec<(&str, String)> = self.constants.clone();
        let value = |expression: &str, constants: &[(&str, String)]| {
            let known: Vec<(&str, &str)> =
                constants.iter().map(|(name, value)| (*name, value.as_str())).collect();
            evaluate(expression, &known)
        };
        for line in self.parts.iter().flat_map(|part| part.text.lines()) {
            if let Some(constant) = line.strip_prefix("const ") {
                let Some((name, expression)) = constant.trim_end_matches(';').split_once(" = ") else {
                    continue;
                };
                constants.push((name, value(expression, &constants).to_string()));
            } else if let Some((_, size)) = line.split_once("@workgroup_size(") {
                return size.split_once(')').map_or(0, |(size, _)| value(size, &constants));
            }
        }
        0
    }

    /// The uniform buffer's contents, padded to 16 bytes.
    pub fn param_words(&self) -> Vec<u32> {
        let mut words: Vec<u32> = self.params.iter().map(|(_, value)| value.word()).collect();
        words.resize(words.len().max(1).next_multiple_of(4), 0);
        words
    }
}

/// Writes out the repetitions, as often as constants say.
fn unroll(text: &str, constants: &[(&str, &str)]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some((name, expression)) =
            line.trim_start().strip_prefix(LET).and_then(|rest| rest.split_once(" = "))
        {
            let rest: Vec<&str> = lines.collect();
            let number = evaluate(expression, constants);
            return result + &unroll(&numbered(&(rest.join("\n") + "\n"), name, number), constants);
        }
        let Some(head) = line.trim_start().strip_prefix(REPEAT) else {
            result.push_str(line);
            result.push('\n');
            continue;
        };
        let body = repeated_lines(&mut lines);
        let (name, count) = head.split_once(' ').unwrap_or((head, "1"));
        for number in 0..value_of(count.trim(), constants) {
            result.push_str(&unroll(&numbered(&body, name, number), constants));
        }
    }
    result
}

/// A sum of products, from left to right.
fn evaluate(expression: &str, constants: &[(&str, &str)]) -> u32 {
    let (mut sum, mut term, mut negative, mut operator) = (0u32, 0u32, false, "+");
    for word in expression.split_whitespace() {
        if ["+", "-", "*", "/", "%"].contains(&word) {
            operator = word;
            continue;
        }
        let value = value_of(word, constants);
        match operator {
            "*" => term = term.wrapping_mul(value),
            "/" => term = term.checked_div(value).unwrap_or(0),
            "%" => term = term.checked_rem(value).unwrap_or(0),
            _ => {
                sum = if negative { sum.wrapping_sub(term) } else { sum.wrapping_add(term) };
                (term, negative) = (value, operator == "-");
            }
        }
    }
    if negative { sum.wrapping_sub(term) } else { sum.wrapping_add(term) }
}

/// A constant's value or a literal.
fn value_of(name: &str, constants: &[(&str, &str)]) -> u32 {
    let constant = constants.iter().find(|(constant, _)| *constant == name);
    constant.map_or(name, |(_, value)| value).trim_end_matches('u').parse().unwrap_or(1)
}

/// The lines up to the end of a repetition whose first line has been read.
fn repeated_lines(lines: &mut std::str::Lines<'_>) -> String {
    let mut body = String::new();
    let mut depth = 1;
    for line in lines {
        let directive = line.trim_start();
        depth += usize::from(directive.starts_with(REPEAT));
        depth -= usize::from(directive.starts_with(REPEAT_END));
        if depth == 0 {
            break;
        }
        body.push_str(line);
        body.push('\n');
    }
    body
}

/// A number in place of its name: `R` becomes `2u`, `sum_R` becomes `sum_2`.
fn numbered(text: &str, name: &str, number: u32) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let end = rest[start..].find(|c| !is_part(c)).map_or(rest.len(), |length| start + length);
        result.push_str(&rest[..start]);
        let word = &rest[start..end];
        if word == name {
            _ = write!(result, "{number}u");
        } else {
            let parts =
                word.split('_').map(|part| if part == name { number.to_string() } else { part.to_owned() });
            result.push_str(&parts.collect::<Vec<_>>().join("_"));
        }
        rest = &rest[end..];
    }
    result + rest
}

/// A part's file as a module of its own, for checks: with what it declares to be valid by itself, and repetitions written
/// out by the constants there.
pub fn standalone(file: &str) -> String {
    let mut constants = Vec::new();
    for line in file.lines() {
        let constant = line.strip_prefix("const ").and_then(|rest| rest.strip_suffix(';')?.split_once(" = "));
        constants.extend(constant);
    }
    unroll(file, &constants)
}

fn without_stand_ins(text: &str) -> String {
    let mut inside = false;
    let mut kept = String::with_capacity(text.len());
    for line in text.lines() {
        inside |= line.starts_with(STAND_IN_BEGIN);
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
        inside &= !line.starts_with(STAND_IN_END);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_computed_from_numbers() {
        let text = "// @repeat R 2\n// @repeat C WIDTH\n// @let L = R * WIDTH + C\n// @let M = L % 4 - L / 4\nx_L, L, y_M;\n// @end\nz_R;\n// @end";
        let written = unroll(text, &[("WIDTH", "3u")]);
        assert_eq!(
            written,
            "x_0, 0u, y_0;\nx_1, 1u, y_1;\nx_2, 2u, y_2;\nz_0;\nx_3, 3u, y_3;\n\
                             x_4, 4u, y_4294967295;\nx_5, 5u, y_0;\nz_1;\n"
        );
    }

    #[test]
    fn repetitions_are_written_out_and_nest() {
        let text = "a;\n  // @repeat R ROWS\n  x_R += R * y_R_z;\n  // @repeat C 3\n  s_R_C;\n  // @end\n  // @end\nR;";
        let shader = Shader {
            constants: vec![("ROWS", "2u".into())],
            parts: vec![ShaderPart::new("p", text)],
            ..Default::default()
        };
        let expected = "a;\n  x_0 += 0u * y_0_z;\n  s_0_0;\n  s_0_1;\n  s_0_2;\n  \
                        x_1 += 1u * y_1_z;\n  s_1_0;\n  s_1_1;\n  s_1_2;\nR;\n";
        assert!(shader.compose().ends_with(expected), "{}", shader.compose());
    }

    #[test]
    fn parts_lose_their_stand_ins_and_repeat_once() {
        let part = "// @stand-in begin: for editors\nvar<private> x: f32;\n// @stand-in end\nfn twice() {}\n";
        let shader = Shader {
            enables: vec!["f16"],
            constants: vec![("WIDTH", "4u".into())],
            params: vec![("rows", ParamValue::U32(7)), ("dt", ParamValue::F32(0.5))],
            bindings: vec![
                Binding { name: "a", element: Element::Word, access: Access::Read },
                Binding { name: "out", element: Element::Word, access: Access::ReadWrite },
            ],
            parts: vec![
                ShaderPart::new("helper", part),
                ShaderPart::new("helper", part),
                ShaderPart::accessor("load", "fn load_TENSOR() { decode_FORMAT(); }", "a", "f32"),
            ],
        };
        let text = shader.compose();
        assert!(
            text.starts_with("enable f16;\nconst WIDTH = 4u;\nstruct Params {\n  rows: u32,\n  dt: f32,\n}")
        );
        assert!(text.contains("@binding(2) var<storage, read_write> out: array<u32>;"));
        assert!(text.contains("fn load_a() { decode_f32(); }"));
        assert!(!text.contains("private"));
        assert_eq!(text.matches("fn twice").count(), 1);
        assert_eq!(shader.param_words(), [7, 0.5f32.to_bits(), 0, 0]);
    }
}
