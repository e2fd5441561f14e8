use super::shapes::{Choice, choose, join, shape};
use super::{Described, FromFile};
use crate::CliError;
use crate::tensors::{self, FLOATS, I32, Input, NUMBERS, SCALES};
use langevin::reference::ScaleSource;
use langevin::verify::{Dtype, Tensor, Tensors};
use langevin::{
    ActivationQuantizeDesc, CastDesc, DequantizeDesc, DescError, FakeQuantizeDesc, Format, Granularity,
    HistogramDesc, NormQuantizeDesc, QuantizeDesc, Rounding,
};

impl FromFile for QuantizeDesc {
    const INPUTS: &'static [Input] = &[
        Input::required("x", FLOATS),
        Input::optional("scale", SCALES),
        Input::optional("zero_point", I32),
        Input::optional("seed", I32),
    ];
    const OUTPUTS: &'static str = "q as x; where no scale is given also scale and, asymmetric, zero_point: \
         for x [.., r, c] [] per tensor, [.., r] per row, [c] per column, [.., r, groups] per group, [.., down, across] \
         per block";
    const FIELDS: &'static str = "q: e4m3, e5m2, i8; granularity: per_tensor, per_row (or per_token), per_column, {\"per_group\": 32}, \
         {\"per_block\": {\"rows\": 128, \"columns\": 128}}; asymmetric: true (i8; a zero_point needs it), false; \
         scale_rounding (MXFP8, per_group 32): floor, rceil, ceil, even; \
         rounding: nearest_even, stochastic (with a seed of two I32, the key of its random numbers; a seed alone says \
         stochastic); overflow: saturate, non_saturating";

    fn describe(self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        let (shape, x) = (shape(&tensors, "x").to_vec(), tensors::format(&tensors, "x"));
        let desc = scaled(Self { shape, x, ..self }, &mut tensors)?;
        Ok(Described { desc, tensors, output_shapes: Vec::new() })
    }
}

/// What scales, zero points and a seed in the file say.
fn scaled(mut desc: QuantizeDesc, tensors: &mut Tensors) -> Result<QuantizeDesc, DescError> {
    if tensors.get("seed").is_some() {
        desc.rounding = Rounding::Stochastic;
    }
    if power_scales(tensors) {
        // Given scales are rounded no more.
        desc.scale_rounding.get_or_insert_default();
    }
    if let Some(granularity) = granularity("quantize", tensors, "scale", &desc.shape, desc.granularity)? {
        (desc.scale, desc.granularity) = (ScaleSource::Static, granularity);
    }
    if desc.asymmetric {
        granularity("quantize", tensors, "zero_point", &desc.shape, desc.granularity)?;
    }
    Ok(desc)
}

impl FromFile for NormQuantizeDesc {
    const INPUTS: &'static [Input] = &[
        Input::required("x", NUMBERS),
        Input::optional("weight", tensors::F32),
        Input::optional("bias", tensors::F32),
        Input::optional("modulation", tensors::F32),
        Input::optional("scale", SCALES),
        Input::optional("zero_point", I32),
        Input::optional("seed", I32),
    ];
    const OUTPUTS: &'static str = "q as x; scales and zero points as of quantize for [batch, rows, width], whatever the axes of x: batch is x's \
         first axis where a modulation of two axes is given, else 1; rows are all others but the last";
    const FIELDS: &'static str = "norm: the fields of norm but out; codes: the fields of quantize";

    fn describe(self, tensors: Tensors) -> Result<Described<Self>, CliError> {
        let Described { desc: norm, mut tensors, output_shapes } = self.norm.describe(tensors)?;
        let mut desc = Self::new(norm, self.codes);
        desc.codes = scaled(desc.codes, &mut tensors)?;
        Ok(Described { desc, tensors, output_shapes: renamed(output_shapes) })
    }
}

impl FromFile for ActivationQuantizeDesc {
    const INPUTS: &'static [Input] = &[
        Input::required("x", NUMBERS),
        Input::optional("scale", SCALES),
        Input::optional("zero_point", I32),
        Input::optional("seed", I32),
    ];
    const OUTPUTS: &'static str = "q as x; scales and zero points as of quantize, for [rows, width], whatever the axes of x: rows are all but the last";
    const FIELDS: &'static str =
        "activation: the fields of activation but out; codes: the fields of quantize";

    fn describe(self, tensors: Tensors) -> Result<Described<Self>, CliError> {
        let Described { desc: activation, mut tensors, output_shapes } = self.activation.describe(tensors)?;
        let mut desc = Self::new(activation, self.codes);
        desc.codes = scaled(desc.codes, &mut tensors)?;
        Ok(Described { desc, tensors, output_shapes: renamed(output_shapes) })
    }
}

/// Codes have the shape in the file that the numbers would have.
fn renamed(output_shapes: Vec<(&'static str, Vec<usize>)>) -> Vec<(&'static str, Vec<usize>)> {
    output_shapes.into_iter().map(|(name, shape)| (if name == "out" { "q" } else { name }, shape)).collect()
}

impl FromFile for FakeQuantizeDesc {
    const INPUTS: &'static [Input] = QuantizeDesc::INPUTS;
    const OUTPUTS: &'static str = "out as x; the others of quantize but q";
    const FIELDS: &'static str = "codes: the fields of quantize; out: f32, f16, bf16";

    fn describe(self, tensors: Tensors) -> Result<Described<Self>, CliError> {
        let Described { desc, tensors, output_shapes } = self.codes.describe(tensors)?;
        Ok(Described { desc: Self { codes: desc, out: self.out }, tensors, output_shapes })
    }
}

impl FromFile for DequantizeDesc {
    const INPUTS: &'static [Input] = &[
        Input::required("q", NUMBERS),
        Input::required("scale", SCALES),
        Input::optional("zero_point", I32),
    ];
    const OUTPUTS: &'static str = "out as q; scale and zero_point as quantize writes them";
    const FIELDS: &'static str = "out: f32, f16, bf16; granularity: as of quantize";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        self.shape = shape(&tensors, "q").to_vec();
        self.q = tensors::format(&tensors, "q");
        self.power_scales = power_scales(&tensors);
        if let Some(granularity) =
            granularity("dequantize", &mut tensors, "scale", &self.shape, self.granularity)?
        {
            self.granularity = granularity;
        }
        let zeros = granularity("dequantize", &mut tensors, "zero_point", &self.shape, self.granularity)?;
        self.zero_point = zeros.is_some();
        Ok(Described { desc: self, tensors, output_shapes: Vec::new() })
    }
}

impl FromFile for CastDesc {
    const INPUTS: &'static [Input] = &[Input::required("x", NUMBERS)];
    const OUTPUTS: &'static str = "out as x";
    const FIELDS: &'static str = "out: f32, f16, bf16, e4m3, e5m2, i8; overflow: saturate, non_saturating";

    fn describe(mut self, tensors: Tensors) -> Result<Described<Self>, CliError> {
        self.shape = shape(&tensors, "x").to_vec();
        self.x = tensors::format(&tensors, "x");
        Ok(Described { desc: self, tensors, output_shapes: Vec::new() })
    }
}

impl FromFile for HistogramDesc {
    const INPUTS: &'static [Input] = &[
        Input::required("x", FLOATS),
        Input::optional("counts", I32),
        Input::optional("range", tensors::F32),
    ];
    const OUTPUTS: &'static str = "counts [65536], range [2]: those of x, added to what the file has";
    const FIELDS: &'static str = "none";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        self.shape = shape(&tensors, "x").to_vec();
        self.x = tensors::format(&tensors, "x");
        if tensors.get("counts").is_none() {
            tensors.insert("counts", Tensor::from_i32(&[Self::BINS], &[0; Self::BINS])?);
        }
        if tensors.get("range").is_none() {
            tensors.insert("range", Tensor::from_f32(Format::F32, &[2], &[0.0; 2])?);
        }
        Ok(Described { desc: self, tensors, output_shapes: Vec::new() })
    }
}

/// Whether the scales in the file are powers of two by their exponents.
fn power_scales(tensors: &Tensors) -> bool {
    tensors.get("scale").is_some_and(|scale| scale.dtype() == Dtype::E8m0)
}

/// What shares one scale or zero point, from its shape: the tensor, unless `asked` says a row, or a row; `asked` where it
/// says anything else, of the shape that follows.
fn granularity(
    op: &'static str,
    tensors: &mut Tensors,
    name: &'static str,
    shape: &[usize],
    asked: Granularity,
) -> Result<Option<Granularity>, DescError> {
    if !matches!(asked, Granularity::PerTensor | Granularity::PerRow) {
        let desc = QuantizeDesc { shape: shape.to_vec(), granularity: asked, ..Default::default() };
        let scales = desc.scale_shape();
        return choose(op, tensors, name, vec![Choice::new(scales.clone(), asked, &scales)]);
    }
    let rows = &shape[..shape.len().saturating_sub(1)];
    let per_row = |in_file| Choice::new(in_file, Granularity::PerRow, rows);
    let mut choices = vec![per_row(rows.to_vec()), per_row(join(rows, &[1]))];
    if asked != Granularity::PerRow {
        choices.splice(0..0, Choice::scalar(asked));
    }
    choose(op, tensors, name, choices)
}
