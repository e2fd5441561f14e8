use super::shapes::{Choice, choose, join, reshape, split, wrong};
use super::{Described, FromFile};
use crate::CliError;
use crate::tensors::{self, F32, FLOATS, I32, Input, NUMBERS};
use langevin::verify::Tensors;
use langevin::{Columns, DescError, Granularity, MatmulDesc};

const OP: &str = "matmul";

impl FromFile for MatmulDesc {
    const INPUTS: &'static [Input] = &[
        Input::required("a", NUMBERS),
        Input::required("b", NUMBERS),
        Input::optional("a_scale", F32),
        Input::optional("b_scale", F32),
        Input::optional("a_zero", I32),
        Input::optional("b_zero", I32),
        Input::optional("bias", F32),
        Input::optional("gate", F32),
        Input::optional("residual", FLOATS),
    ];
    const OUTPUTS: &'static str = "out [.., m, n] of a [.., m, k] and b [.., k, n] or [k, n]";
    const FIELDS: &'static str = "out: f32, f16, bf16; activation: identity, relu, gelu_tanh, silu";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        let (leading, [m, k]) = split(OP, &tensors, "a", "[.., m, k]")?;
        let (b_leading, [b_k, n]) = split(OP, &tensors, "b", &format!("[.., {k}, n]"))?;
        let b_shared = b_leading.is_empty();
        if b_k != k || !(b_shared || b_leading == leading) {
            let own: String = leading.iter().map(|extent| format!("{extent}, ")).collect();
            let expected = if own.is_empty() { String::new() } else { format!(" or [{own}{k}, n]") };
            let expected = format!("[{k}, n]{expected}");
            return Err(wrong(OP, &tensors, "b", expected).into());
        }
        let batch = leading.iter().product();
        self = Self { batch, m, k, n, b_shared, ..self };
        (self.a, self.b) = (tensors::format(&tensors, "a"), tensors::format(&tensors, "b"));
        reshape(OP, &mut tensors, "a", &[batch, m, k])?;
        if !b_shared {
            reshape(OP, &mut tensors, "b", &[batch, k, n])?;
        }
        scales(&mut self, &mut tensors, &leading)?;
        epilogue(&mut self, &mut tensors, &leading)?;
        Ok(Described { desc: self, tensors, output_shapes: vec![("out", join(&leading, &[m, n]))] })
    }
}

/// Scales and zero points.
fn scales(desc: &mut MatmulDesc, tensors: &mut Tensors, leading: &[usize]) -> Result<(), DescError> {
    let MatmulDesc { batch, m, n, .. } = *desc;
    let per_tensor = || Choice::scalar(Granularity::PerTensor);
    let per_row = |shape| Choice::new(shape, Granularity::PerRow, &[batch, m]);
    let per_column = |shape: &[usize]| Choice::new(shape.to_vec(), Granularity::PerColumn, &[n]);
    let a = [per_tensor(), vec![per_row(join(leading, &[m])), per_row(join(leading, &[m, 1]))]].concat();
    let b = [per_tensor(), vec![per_column(&[n]), per_column(&[1, n])]].concat();
    desc.a_scale = choose(OP, tensors, "a_scale", a)?;
    desc.b_scale = choose(OP, tensors, "b_scale", b)?;
    desc.a_zero = choose(OP, tensors, "a_zero", Choice::scalar(()))?.is_some();
    desc.b_zero = choose(OP, tensors, "b_zero", Choice::scalar(()))?.is_some();
    Ok(())
}

/// What comes after the product.
fn epilogue(desc: &mut MatmulDesc, tensors: &mut Tensors, leading: &[usize]) -> Result<(), DescError> {
    let MatmulDesc { batch, m, n, .. } = *desc;
    desc.bias = choose(OP, tensors, "bias", vec![Choice::new(vec![n], (), &[n])])?.is_some();
    let gate = Choice::new(join(leading, &[n]), Columns::all(n), &[batch, n]);
    desc.gate = choose(OP, tensors, "gate", vec![gate])?;
    let own = Choice::new(join(leading, &[m, n]), false, &[batch, m, n]);
    let shared = Choice::new(vec![m, n], true, &[m, n]);
    let residual_shared = choose(OP, tensors, "residual", vec![own, shared])?;
    desc.residual = residual_shared.is_some();
    desc.residual_shared = residual_shared.unwrap_or(false);
    Ok(())
}
