//! The element-wise and row-wise operations of a diffusion transformer.

use super::shapes::{Choice, choose, join, reshape, shape, split, wrong};
use super::{Described, FromFile};
use crate::CliError;
use crate::tensors::{self, F32, FLOATS, Input, NUMBERS};
use langevin::verify::Tensors;
use langevin::{
    ActivationDesc, ChangeDesc, Columns, CombineDesc, DescError, GatedResidualDesc, NormDesc, PatchifyDesc,
    UnpatchifyDesc,
};

impl FromFile for NormDesc {
    const INPUTS: &'static [Input] = &[
        Input::required("x", NUMBERS),
        Input::optional("weight", F32),
        Input::optional("bias", F32),
        Input::optional("modulation", F32),
    ];
    const OUTPUTS: &'static str =
        "out as x [.., width]; weight, bias [width]; modulation [x's first axis, columns]";
    const FIELDS: &'static str = "out: f32, f16, bf16; kind: layer, rms; eps: number; modulation: {\"width\": columns, \
         \"shift\": first column, \"scale\": first column}";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        let x_shape = shape(&tensors, "x").to_vec();
        let (batch, rows, width) = grouped_rows("norm", &mut tensors, &["x"], "modulation")?;
        self = Self { batch, rows, width, ..self };
        self.x = tensors::format(&tensors, "x");
        let vector = || vec![Choice::new(vec![width], (), &[width])];
        self.weight = choose("norm", &mut tensors, "weight", vector())?.is_some();
        self.bias = choose("norm", &mut tensors, "bias", vector())?.is_some();
        Ok(Described { desc: self, tensors, output_shapes: vec![("out", x_shape)] })
    }
}

impl FromFile for GatedResidualDesc {
    const INPUTS: &'static [Input] =
        &[Input::required("x", NUMBERS), Input::required("residual", FLOATS), Input::optional("gate", F32)];
    const OUTPUTS: &'static str = "out as x and residual [.., width]; gate [x's first axis, columns]";
    const FIELDS: &'static str =
        "out: f32, f16, bf16, as the residual; gate: {\"start\": first column, \"width\": columns}";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        let x_shape = shape(&tensors, "x").to_vec();
        if shape(&tensors, "residual") != x_shape {
            return Err(wrong("gated_residual", &tensors, "residual", format!("{x_shape:?}")).into());
        }
        let (batch, rows, width) = grouped_rows("gated_residual", &mut tensors, &["x", "residual"], "gate")?;
        self = Self { batch, rows, width, ..self };
        self.x = tensors::format(&tensors, "x");
        // A gate as wide as the rows needs no field to say where it stands.
        if tensors.get("gate").is_some() {
            self.gate = self.gate.or(Some(Columns::all(width)));
        }
        Ok(Described { desc: self, tensors, output_shapes: vec![("out", x_shape)] })
    }
}

/// Makes `[batch, rows, width]` of the tensors named in `of`, all of one shape `[.., width]`. Their first axis is the
/// batch where `shared`, one row of numbers per batch item, is given with two axes; otherwise there is one item.
fn grouped_rows(
    op: &'static str,
    tensors: &mut Tensors,
    of: &[&'static str],
    shared: &'static str,
) -> Result<(usize, usize, usize), DescError> {
    let (leading, [width]) = split(op, tensors, of[0], "[.., width]")?;
    let by_item = matches!(shape(tensors, shared), [_, _]);
    let (batch, rows) = match leading.split_first() {
        Some((&batch, rest)) if by_item => (batch, rest.iter().product()),
        _ => (1, leading.iter().product()),
    };
    for name in of {
        reshape(op, tensors, name, &[batch, rows, width])?;
    }
    if let [columns] = *shape(tensors, shared) {
        reshape(op, tensors, shared, &[1, columns])?;
    }
    Ok((batch, rows, width))
}

impl FromFile for ActivationDesc {
    const INPUTS: &'static [Input] = &[Input::required("x", NUMBERS)];
    const OUTPUTS: &'static str = "out as x";
    const FIELDS: &'static str = "out: f32, f16, bf16; activation: identity, relu, gelu_tanh, silu";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        let x_shape = shape(&tensors, "x").to_vec();
        self.x = tensors::format(&tensors, "x");
        (self.rows, self.width) = match x_shape.split_last() {
            Some((&width, leading)) => (leading.iter().product(), width),
            None => (1, 1),
        };
        reshape("activation", &mut tensors, "x", &[self.rows, self.width])?;
        Ok(Described { desc: self, tensors, output_shapes: vec![("out", x_shape)] })
    }
}

impl FromFile for CombineDesc {
    const INPUTS: &'static [Input] = &[
        Input::required("state", F32),
        Input::optional("prediction", F32),
        Input::optional("noise", F32),
        Input::required("factors", F32),
    ];
    const OUTPUTS: &'static str = "state as state [s, ..]; prediction [p, ..], noise [..], factors [s, s + p, or + 1 \
         with noise]";
    const FIELDS: &'static str = "";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        let state_shape = shape(&tensors, "state").to_vec();
        let (&states, row) =
            state_shape.split_first().ok_or_else(|| wrong("combine", &tensors, "state", "[states, ..]"))?;
        let elements = row.iter().product();
        self = Self { states, elements, predictions: 0, noise: tensors.get("noise").is_some() };
        if tensors.get("prediction").is_some() {
            self.predictions = shape(&tensors, "prediction").first().copied().unwrap_or(1);
            let flat = Choice::new(join(&[self.predictions], row), (), &[self.predictions, elements]);
            choose("combine", &mut tensors, "prediction", vec![flat])?;
        }
        choose("combine", &mut tensors, "noise", vec![Choice::new(row.to_vec(), (), &[elements])])?;
        reshape("combine", &mut tensors, "state", &[states, elements])?;
        Ok(Described { desc: self, tensors, output_shapes: vec![("state", state_shape)] })
    }
}

impl FromFile for ChangeDesc {
    const INPUTS: &'static [Input] = &[Input::required("x", F32), Input::required("y", F32)];
    const OUTPUTS: &'static str = "out [2]: sum of |x - y|, sum of |y|";
    const FIELDS: &'static str = "";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        self.elements = shape(&tensors, "x").iter().product();
        if shape(&tensors, "x") != shape(&tensors, "y") {
            let expected = format!("{:?}", shape(&tensors, "x"));
            return Err(wrong("change", &tensors, "y", expected).into());
        }
        for name in ["x", "y"] {
            reshape("change", &mut tensors, name, &[self.elements])?;
        }
        Ok(Described { desc: self, tensors, output_shapes: Vec::new() })
    }
}

impl FromFile for PatchifyDesc {
    const INPUTS: &'static [Input] = &[Input::required("x", F32)];
    const OUTPUTS: &'static str = "out [repeat b, tokens, c patch patch] of x [b, c, height, width]";
    const FIELDS: &'static str = "patch: size; repeat: count";

    fn describe(mut self, tensors: Tensors) -> Result<Described<Self>, CliError> {
        let [batch, channels, height, width] = *shape(&tensors, "x") else {
            return Err(wrong("patchify", &tensors, "x", "[b, c, height, width]").into());
        };
        self = Self { batch, channels, height, width, ..self };
        Ok(Described { desc: self, tensors, output_shapes: Vec::new() })
    }
}

impl FromFile for UnpatchifyDesc {
    const INPUTS: &'static [Input] = &[Input::required("x", F32)];
    const OUTPUTS: &'static str = "out [b, c, height, width] of x [b, tokens, patch patch c]";
    const FIELDS: &'static str = "height, width: size; patch: size";

    fn describe(mut self, tensors: Tensors) -> Result<Described<Self>, CliError> {
        let [batch, _, token] = *shape(&tensors, "x") else {
            return Err(wrong("unpatchify", &tensors, "x", "[b, tokens, patch patch c]").into());
        };
        self.batch = batch;
        // A token that is no whole number of patches does not fit the shape this gives, which the error then names.
        self.channels = token / self.patch.saturating_mul(self.patch).max(1);
        Ok(Described { desc: self, tensors, output_shapes: Vec::new() })
    }
}
