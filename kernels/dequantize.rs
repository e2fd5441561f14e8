use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Load, Recipe, StageBuilder, by_units};
use crate::{Capabilities, DequantizeDesc, Format, Granularity, Plan, Tier};
use langevin_reference::Dtype;

/// Codes back to numbers: see [`DequantizeDesc`]. One variant, `units`: every adapter runs it.
pub type Dequantize = Plan<DequantizeDesc>;

buffers! {
    /// Where the tensors of a [`DequantizeDesc`] are.
    DequantizeBuffers {
        required:
            /// The codes.
            q,
            /// The scales.
            scale,
            /// The numbers, written.
            out;
        optional:
            /// With [`DequantizeDesc::zero_point`].
            zero_point
    }
}

const UNITS: Variant = Variant {
    name: "units",
    tier: Tier::Portable,
    reason: "independent elements need nothing of an adapter",
};

impl sealed::Sealed for DequantizeDesc {}

impl Kernel for DequantizeDesc {
    type Buffers<'a> = DequantizeBuffers<'a>;

    fn variants(&self, _: &Capabilities) -> Vec<Variant> {
        vec![UNITS]
    }

    fn recipe(&self, _: Variant, capabilities: &Capabilities) -> Recipe {
        let is_cpu = capabilities.device_type == wgpu::DeviceType::Cpu;
        let width = self.width();
        let row_units = width.div_ceil(4);
        let units = self.rows() * row_units;
        let scales = Scales::of(self);
        let stage = StageBuilder::new("dequantize", self)
            .constant("SCALE_ROW", scales.row)
            .constant("SCALE_COLUMN", scales.column)
            .flag("HAS_ZERO", self.zero_point)
            .flag("POWERS", self.power_scales)
            .flag("HAS_NAN", self.q != Format::I8)
            .flag("HAS_SUBNORMAL", matches!(self.q, Format::F32 | Format::BF16))
            .flag("ONE_NAN", self.q == Format::E4m3)
            .flag("WHOLE_UNITS", width.is_multiple_of(4))
            .size("width", width)
            .size("row_units", row_units)
            .size("q_pitch", Dtype::from(self.q).padded_row_len(width))
            .size("out_pitch", Dtype::from(self.out).padded_row_len(width))
            .size("matrix_rows", scales.matrix_rows)
            .size("scale_rows", scales.rows)
            .size("scale_rows_down", scales.matrix_rows.div_ceil(scales.rows))
            .size("scale_units", scales.units)
            .size("scale_pitch", scales.pitch)
            .reads_by("q", load(self.q, capabilities))
            .reads("scale")
            .reads("zero_point")
            .writes_by("out", if is_cpu { Load::Words } else { by_units(width) })
            .part("float_bits", include_str!("../shaders/shared/float_bits.wgsl"))
            .part("numbers", include_str!("../shaders/shared/dequantize.wgsl"))
            .part("dequantize", include_str!("../shaders/dequantize.wgsl"))
            .spread(units, capabilities);
        Recipe::single(stage)
    }
}

/// The adapter's conversion of F16 decodes the codes of a word at once. It may make other NaN of those of E5M2.
fn load(format: Format, capabilities: &Capabilities) -> Load {
    match (format, capabilities.device_type) {
        _ if !capabilities.has(Tier::F16) => Load::Words,
        (Format::E4m3 | Format::I8, wgpu::DeviceType::Cpu) => Load::Together,
        (Format::E4m3 | Format::I8, _) => Load::WideTogether,
        _ => Load::Words,
    }
}

/// Where an element's scale is; the codes and sizes that the shader explains.
#[derive(Debug)]
struct Scales {
    row: u32,
    column: u32,
    matrix_rows: usize,
    rows: usize,
    units: usize,
    pitch: usize,
}

impl Scales {
    fn of(desc: &DequantizeDesc) -> Self {
        let width = desc.width();
        let one = Self { row: 0, column: 0, matrix_rows: 1, rows: 1, units: 1, pitch: 1 };
        let matrix_rows = desc.shape.len().checked_sub(2).map_or(1, |axis| desc.shape[axis]).max(1);
        match desc.granularity.within(matrix_rows, width) {
            Granularity::PerRow => Self { row: 1, ..one },
            Granularity::PerColumn => Self { column: 2, ..one },
            Granularity::PerGroup(size) => {
                let dtype = if desc.power_scales { Dtype::E8m0 } else { Dtype::from(Format::F32) };
                Self {
                    row: 1,
                    column: 1,
                    units: size / 4,
                    pitch: dtype.padded_row_len(width.div_ceil(size)),
                    ..one
                }
            }
            Granularity::PerBlock { rows, columns } => {
                let one = Self { row: 2, matrix_rows, rows, ..one };
                match columns {
                    1 => Self { column: 2, pitch: width, ..one },
                    _ => Self { column: 1, units: columns / 4, pitch: width.div_ceil(columns), ..one },
                }
            }
            _ => one,
        }
    }
}
