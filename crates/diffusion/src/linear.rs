//! A linear layer of a checkpoint, on its way to the GPU.

use crate::program::{Constant, Emit};
use crate::{Checkpoint, DiffusionError};
use langevin::reference::formats;
use langevin::{Format, Overflow};
use std::sync::Arc;

/// A linear layer, or several that read the same input, side by side. Names and sizes: the numbers stay in the checkpoint.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) parts: Vec<Part>,
    /// The axes of the weight behind the first; their product is the number of inputs.
    pub(crate) kernel: Vec<usize>,
}

/// A layer `NAME.weight` `[outputs, kernel..]`, `NAME.bias`.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) outputs: usize,
    /// Of every so many outputs the first so many are used: a learned variance is left out.
    pub(crate) used: [usize; 2],
}

impl Part {
    fn kept(&self) -> impl Iterator<Item = usize> + use<> {
        let [period, used] = self.used;
        (0..self.outputs).filter(move |output| output % period < used)
    }

    fn width(&self) -> usize {
        self.outputs / self.used[0] * self.used[1]
    }
}

impl Linear {
    pub(crate) fn new(checkpoint: &Checkpoint, names: &[String], outputs: usize, inputs: usize) -> Self {
        let part = |name: &String| Part { name: name.clone(), outputs, used: [1, 1] };
        Self { checkpoint: checkpoint.clone(), parts: names.iter().map(part).collect(), kernel: vec![inputs] }
    }

    pub(crate) fn inputs(&self) -> usize {
        self.kernel.iter().product()
    }

    pub(crate) fn outputs(&self) -> usize {
        self.parts.iter().map(Part::width).sum()
    }

    /// The names and shapes of its tensors in the file.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = (String, Vec<usize>)> + '_ {
        self.parts.iter().flat_map(|part| {
            let weight = [&[part.outputs], &self.kernel[..]].concat();
            [(format!("{}.weight", part.name), weight), (format!("{}.bias", part.name), vec![part.outputs])]
        })
    }

    /// The matrix as matmul's right operand, `[inputs, outputs]` in that format.
    pub(crate) fn matrix(&self, format: Format) -> Constant {
        let layer = self.clone();
        let fill = move |emit: &mut Emit<'_>| layer.emit_matrix(format, emit);
        Constant::new(format, &[self.inputs(), self.outputs()], Arc::new(fill))
    }

    /// The scale of each column, where the format has eight bits.
    pub(crate) fn scales(&self, format: Format) -> Option<Constant> {
        let layer = self.clone();
        let fill = move |emit: &mut Emit<'_>| {
            layer.emit_vectors(emit, |part| {
                let scale = |row: &[f32]| formats::scale::symmetric(formats::scale::amax(row), format);
                Ok(layer.rows(part)?.iter().map(|row| scale(row)).collect())
            })
        };
        (format.bits() == 8).then(|| Constant::new(Format::F32, &[self.outputs()], Arc::new(fill)))
    }

    pub(crate) fn bias(&self) -> Constant {
        let layer = self.clone();
        let fill = move |emit: &mut Emit<'_>| {
            layer.emit_vectors(emit, |part| {
                let all = layer.checkpoint.rows(&format!("{}.bias", part.name), 0..part.outputs)?;
                Ok(part.kept().map(|output| all[output]).collect())
            })
        };
        Constant::new(Format::F32, &[self.outputs()], Arc::new(fill))
    }

    /// The weights of each used output.
    fn rows(&self, part: &Part) -> Result<Vec<Vec<f32>>, DiffusionError> {
        let all = self.checkpoint.rows(&format!("{}.weight", part.name), 0..part.outputs)?;
        let inputs = self.inputs();
        Ok(part.kept().map(|output| all[output * inputs..][..inputs].to_vec()).collect())
    }

    fn emit_vectors(
        &self,
        emit: &mut Emit<'_>,
        of_part: impl Fn(&Part) -> Result<Vec<f32>, DiffusionError>,
    ) -> Result<(), DiffusionError> {
        let mut start = 0;
        for part in &self.parts {
            let bytes = formats::encode(Format::F32, &of_part(part)?, Overflow::Saturate);
            emit(start, &bytes)?;
            start += bytes.len();
        }
        Ok(())
    }

    /// Part by part, each a band of columns, so that no more than one is in memory.
    fn emit_matrix(&self, format: Format, emit: &mut Emit<'_>) -> Result<(), DiffusionError> {
        let pitch = formats::padded_row_len(format, self.outputs()) * format.bytes();
        let mut band = 0;
        let mut whole = Vec::new();
        // Bands that do not start on words cannot be written by themselves.
        let by_bands = self.parts.iter().all(|part| (part.width() * format.bytes()).is_multiple_of(4));
        if !by_bands {
            whole.resize(pitch * self.inputs(), 0);
        }
        for part in &self.parts {
            let codes = transposed(&self.rows(part)?, format);
            let width = part.width() * format.bytes();
            for (i, row) in codes.chunks(width.max(1)).enumerate() {
                let start = i * pitch + band;
                match by_bands {
                    true if self.parts.len() > 1 => emit(start, row)?,
                    true => {}
                    false => whole[start..start + width].copy_from_slice(row),
                }
            }
            if by_bands && self.parts.len() == 1 {
                emit(0, &codes)?;
            }
            band += width;
        }
        if by_bands { Ok(()) } else { emit(0, &whole) }
    }
}

/// The codes of `[inputs, outputs]` from a row of weights for each output; those of eight bits by a scale for each output.
fn transposed(rows: &[Vec<f32>], format: Format) -> Vec<u8> {
    let (outputs, inputs) = (rows.len(), rows.first().map_or(0, Vec::len));
    let bytes = format.bytes();
    let mut codes = vec![0; inputs * outputs * bytes];
    for (j, row) in rows.iter().enumerate() {
        let encoded: Vec<u8> = match format.bits() {
            8 => {
                let scale = formats::scale::symmetric(formats::scale::amax(row), format);
                let inverse = formats::scale::inverse(scale);
                let code = |&x| formats::quantize(x, inverse, format, Overflow::Saturate) as u8;
                row.iter().map(code).collect()
            }
            _ => formats::encode(format, row, Overflow::NonSaturating),
        };
        for (i, code) in encoded.chunks(bytes).enumerate() {
            codes[(i * outputs + j) * bytes..][..bytes].copy_from_slice(code);
        }
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;
    use langevin::reference::Tensor;
    use safetensors::Dtype;
    use safetensors::tensor::{TensorView, serialize};

    /// Layers `0`, `1`, .. of these matrices `[outputs, inputs]` side by side, biases 10, 20, ..
    fn beside(matrices: &[&[f32]], inputs: usize) -> Linear {
        let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let mut tensors = Vec::new();
        let mut parts = Vec::new();
        for (i, matrix) in matrices.iter().enumerate() {
            let outputs = matrix.len() / inputs;
            let bias: Vec<f32> = (0..outputs).map(|j| (10 * (i + 1) + j) as f32).collect();
            tensors.push((format!("{i}.weight"), vec![outputs, inputs], bytes(matrix)));
            tensors.push((format!("{i}.bias"), vec![outputs], bytes(&bias)));
            parts.push(Part { name: i.to_string(), outputs, used: [1, 1] });
        }
        let views = tensors.iter().map(|(name, shape, data)| {
            (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), data).unwrap())
        });
        let checkpoint = Checkpoint::from_bytes(serialize(views, None).unwrap()).unwrap();
        Linear { checkpoint, parts, kernel: vec![inputs] }
    }

    fn values(constant: &Constant) -> Vec<f32> {
        constant.tensor().unwrap().to_f32()
    }

    #[test]
    fn eight_bit_matrices_have_a_scale_for_each_column() {
        // The second output is a thousand times smaller: one scale for both would leave it no codes.
        let layer = beside(&[&[1.0, -0.5, 0.001, 0.0005]], 2);
        let scales = values(&layer.scales(Format::I8).unwrap());
        assert_eq!(scales, [1.0 / 127.0, 0.001 / 127.0]);
        assert_eq!(values(&layer.matrix(Format::I8)), [127.0, 127.0, -64.0, 64.0]);
        assert!(layer.scales(Format::F16).is_none());
        assert_eq!(values(&layer.matrix(Format::F16))[2], -0.5);
    }

    #[test]
    fn layers_stand_side_by_side() {
        let layer = beside(&[&[0.0, 1.0], &[10.0, 12.0, 11.0, 13.0]], 2);
        assert_eq!(values(&layer.matrix(Format::F32)), [0.0, 10.0, 11.0, 1.0, 12.0, 13.0]);
        assert_eq!(values(&layer.bias()), [10.0, 20.0, 21.0]);
        // Three codes of a byte: neither band starts on a word.
        let codes: Tensor = layer.matrix(Format::E4m3).tensor().unwrap();
        assert_eq!((codes.shape(), codes.bytes().len()), (&[2, 3][..], 6));
        let scales = values(&layer.scales(Format::E4m3).unwrap());
        let decoded: Vec<f32> =
            codes.to_f32().iter().enumerate().map(|(i, code)| code * scales[i % 3]).collect();
        for (got, want) in decoded.iter().zip([0.0, 10.0, 11.0, 1.0, 12.0, 13.0f32]) {
            assert!((got - want).abs() <= want / 16.0, "{decoded:?}");
        }
    }

    #[test]
    fn unused_outputs_are_left_out() {
        let mut layer = beside(&[&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]], 1);
        layer.parts[0].used = [3, 1];
        assert_eq!(layer.outputs(), 2);
        assert_eq!(values(&layer.matrix(Format::F32)), [1.0, 4.0]);
        assert_eq!(values(&layer.bias()), [10.0, 13.0]);
    }
}
