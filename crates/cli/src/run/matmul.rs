use super::shapes::{Choice, choose, join, reshape, split, wrong};
use super::{Described, FromFile};
use crate::CliError;
use crate::tensors::{self, F32, I32, Input, NUMBERS};
use langevin::verify::{Dtype, Tensor, Tensors};
use langevin::{Columns, DescError, Granularity, MatmulDesc, Operand};

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
        Input::optional("residual", NUMBERS),
        Input::optional("out_scale", F32),
    ];
    const OUTPUTS: &'static str = "out [.., m, n] of a [.., m, k] and b [.., k, n] or [k, n]";
    const FIELDS: &'static str = "out: f32, f16, bf16, e4m3, e5m2, i8; activation: identity, relu, gelu_tanh, gelu_erf, \
                                  silu; pair: gate_first, gate_last; overflow: saturate, non_saturating; \
                                  a, b: {\"transposed\": true}; batch_invariant: true, false";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        let a_expected = if self.a.transposed { "[.., k, m]" } else { "[.., m, k]" };
        let (a_leading, a_sizes) = split(OP, &tensors, "a", a_expected)?;
        let [m, k] = ordered(a_sizes, self.a.transposed);
        let b_expected = if self.b.transposed { format!("[.., n, {k}]") } else { format!("[.., {k}, n]") };
        let (b_leading, b_sizes) = split(OP, &tensors, "b", &b_expected)?;
        let [b_k, b_columns] = ordered(b_sizes, self.b.transposed);
        self.a.shared = a_leading.is_empty() && !b_leading.is_empty();
        self.b.shared = b_leading.is_empty();
        let leading = if self.a.shared { b_leading.clone() } else { a_leading };
        if b_k != k || !(self.b.shared || b_leading == leading) {
            let own: String = leading.iter().map(|extent| format!("{extent}, ")).collect();
            let matrix = b_expected.trim_start_matches("[.., ");
            let batched = if own.is_empty() { String::new() } else { format!(" or [{own}{matrix}") };
            return Err(wrong(OP, &tensors, "b", format!("[{matrix}{batched}")).into());
        }
        if self.pair.is_some() && !b_columns.is_multiple_of(2) {
            return Err(wrong(OP, &tensors, "b", format!("[.., {k}, 2 n] for a pair")).into());
        }
        let n = if self.pair.is_some() { b_columns / 2 } else { b_columns };
        let batch = leading.iter().product();
        self = Self { batch, m, k, n, ..self };
        (self.a.format, self.b.format) = (tensors::format(&tensors, "a"), tensors::format(&tensors, "b"));
        for (name, shared, sizes) in [("a", self.a.shared, a_sizes), ("b", self.b.shared, b_sizes)] {
            if !shared {
                reshape(OP, &mut tensors, name, &join(&[batch], &sizes))?;
            }
        }
        scales(&mut self, &mut tensors, &leading)?;
        epilogue(&mut self, &mut tensors, &leading)?;
        Ok(Described { desc: self, tensors, output_shapes: vec![("out", join(&leading, &[m, n]))] })
    }
}

/// The sizes of a matrix, exchanged if it is stored so.
fn ordered([first, second]: [usize; 2], transposed: bool) -> [usize; 2] {
    if transposed { [second, first] } else { [first, second] }
}

/// Scales and zero points.
fn scales(desc: &mut MatmulDesc, tensors: &mut Tensors, leading: &[usize]) -> Result<(), DescError> {
    let (m, b_columns) = (desc.m, desc.b_columns());
    let a = choices(desc, leading, desc.a, m, Granularity::PerRow, !desc.a.transposed);
    let b = choices(desc, leading, desc.b, b_columns, Granularity::PerColumn, desc.b.transposed);
    let names = [("a_scale", "a_zero"), ("b_scale", "b_zero")];
    for ((scale, zero), (operand, accepted)) in names.into_iter().zip([(&mut desc.a, a), (&mut desc.b, b)]) {
        // A zero point goes with each scale; one for all is repeated.
        let scale_shape = tensors.get(scale).map_or(vec![], |scale| scale.shape().to_vec());
        operand.scale = choose(OP, tensors, scale, accepted.clone())?;
        repeat_scalar(tensors, zero, &scale_shape);
        let of_scale = operand.scale.unwrap_or(Granularity::PerTensor);
        let own = accepted.into_iter().filter(|choice| *choice.meaning() == of_scale);
        operand.zero = choose(OP, tensors, zero, own.collect())?.is_some();
    }
    Ok(())
}

/// Gives a tensor of one integer another shape, filled with it.
fn repeat_scalar(tensors: &mut Tensors, name: &'static str, shape: &[usize]) {
    let scalar = tensors.get(name).filter(|tensor| matches!(tensor.shape(), [] | [1]));
    let Some(bytes) = scalar.map(|tensor| tensor.bytes().to_vec()) else { return };
    let repeated = Tensor::new(Dtype::I32, shape, bytes.repeat(shape.iter().product()));
    repeated.map(|tensor| tensors.insert(name, tensor)).ok();
}

/// The shapes that an operand's scales may have.
fn choices(
    desc: &MatmulDesc,
    leading: &[usize],
    operand: Operand,
    rows: usize,
    own: Granularity,
    by_depth: bool,
) -> Vec<Choice<Granularity>> {
    let (in_file, in_desc) = if operand.shared { (&[][..], vec![]) } else { (leading, vec![desc.batch]) };
    let one_per_row = if by_depth { [rows, 1] } else { [1, rows] };
    let mut choices = Choice::scalar(Granularity::PerTensor);
    choices.push(Choice::new(join(in_file, &[rows]), own, &join(&in_desc, &[rows])));
    choices.push(Choice::new(join(in_file, &one_per_row), own, &join(&in_desc, &[rows])));
    for size in [32, 64, 128, 256] {
        let groups = desc.k.div_ceil(size);
        let last = if by_depth { [rows, groups] } else { [groups, rows] };
        let meaning = Granularity::PerGroup(size);
        choices.push(Choice::new(join(in_file, &last), meaning, &join(&in_desc, &last)));
    }
    choices
}

/// What comes after the product.
fn epilogue(desc: &mut MatmulDesc, tensors: &mut Tensors, leading: &[usize]) -> Result<(), DescError> {
    let MatmulDesc { batch, m, n, .. } = *desc;
    let b_columns = desc.b_columns();
    desc.bias = choose(OP, tensors, "bias", vec![Choice::new(vec![b_columns], (), &[b_columns])])?.is_some();
    let gate = Choice::new(join(leading, &[n]), Columns::all(n), &[batch, n]);
    desc.gate = choose(OP, tensors, "gate", vec![gate])?;
    let own = Choice::new(join(leading, &[m, n]), false, &[batch, m, n]);
    let shared = Choice::new(vec![m, n], true, &[m, n]);
    let residual_shared = choose(OP, tensors, "residual", vec![own, shared])?;
    desc.residual = residual_shared.is_some();
    desc.residual_shared = residual_shared.unwrap_or(false);
    desc.out_scale = choose(OP, tensors, "out_scale", Choice::scalar(()))?.is_some();
    Ok(())
}
