//! A linear layer of a checkpoint, on its way to the GPU.

use crate::precision::{LayerPrecision, MX_GROUP};
use crate::program::{Constant, Emit};
use crate::{Checkpoint, DiffusionError, Storage};
use langevin::formats::e8m0::{self, ScaleRounding};
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
    /// What a policy says of it.
    pub(crate) precision: Option<LayerPrecision>,
    /// Whether what it multiplies may be other than F32.
    pub(crate) has_choice: bool,
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
        Self {
            checkpoint: checkpoint.clone(),
            parts: names.iter().map(part).collect(),
            kernel: vec![inputs],
            precision: None,
            has_choice: false,
        }
    }

    pub(crate) fn inputs(&self) -> usize {
        self.kernel.iter().product()
    }

    pub(crate) fn outputs(&self) -> usize {
        self.parts.iter().map(Part::width).sum()
    }

    /// The names of its layers in the file.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.name.as_str())
    }

    /// The names and shapes of its tensors in the file.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = (String, Vec<usize>)> + '_ {
        self.parts.iter().flat_map(|part| {
            let weight = [&[part.outputs], &self.kernel[..]].concat();
            [(format!("{}.weight", part.name), weight), (format!("{}.bias", part.name), vec![part.outputs])]
        })
    }

    /// The matrix as matmul's right operand, `[inputs, outputs]`.
    pub(crate) fn matrix(&self, storage: Storage) -> Constant {
        let layer = self.clone();
        let fill = move |emit: &mut Emit<'_>| layer.emit_matrix(storage, emit);
        Constant::new(storage.format(), &[self.inputs(), self.outputs()], Arc::new(fill))
    }

    /// Its scales, where it has any, as that operand's: `[outputs]`, or `[groups, outputs]`.
    pub(crate) fn scales(&self, storage: Storage) -> Option<Constant> {
        let layer = self.clone();
        match storage {
            Storage::Mxfp8 => {
                let groups = self.inputs().div_ceil(MX_GROUP);
                let fill = move |emit: &mut Emit<'_>| {
                    let mut scales = vec![0f32; groups * layer.outputs()];
                    let mut output = 0;
                    for part in &layer.parts {
                        for row in layer.rows(part)? {
                            for (group, values) in row.chunks(MX_GROUP).enumerate() {
                                scales[group * layer.outputs() + output] = mx_scale(values);
                            }
                            output += 1;
                        }
                    }
                    emit(0, &formats::encode(Format::F32, &scales, Overflow::Saturate))
                };
                Some(Constant::new(Format::F32, &[groups, self.outputs()], Arc::new(fill)))
            }
            Storage::Plain(format) if format.bits() == 8 => {
                let fill = move |emit: &mut Emit<'_>| {
                    layer.emit_vectors(emit, |part| {
                        Ok(layer.rows(part)?.iter().map(|row| plain_scale(row, format)).collect())
                    })
                };
                Some(Constant::new(Format::F32, &[self.outputs()], Arc::new(fill)))
            }
            Storage::Plain(_) => None,
        }
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
    fn emit_matrix(&self, storage: Storage, emit: &mut Emit<'_>) -> Result<(), DiffusionError> {
        let format = storage.format();
        let pitch = formats::padded_row_len(format, self.outputs()) * format.bytes();
        let mut band = 0;
        let mut whole = Vec::new();
        // Bands that do not start on words cannot be written by themselves.
        let by_bands = self.parts.iter().all(|part| (part.width() * format.bytes()).is_multiple_of(4));
        if !by_bands {
            whole.resize(pitch * self.inputs(), 0);
        }
        for part in &self.parts {
            let codes = transposed(&self.rows(part)?, storage);
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

/// The codes of `[inputs, outputs]` from a row of weights for each output; those of eight bits by their scales.
fn transposed(rows: &[Vec<f32>], storage: Storage) -> Vec<u8> {
    let (outputs, inputs) = (rows.len(), rows.first().map_or(0, Vec::len));
    let format = storage.format();
    let bytes = format.bytes();
    let mut codes = vec![0; inputs * outputs * bytes];
    for (j, row) in rows.iter().enumerate() {
        let encoded: Vec<u8> = match storage {
            Storage::Mxfp8 => {
                row.chunks(MX_GROUP).flat_map(|group| quantized(group, mx_scale(group), format)).collect()
            }
            Storage::Plain(_) if format.bits() == 8 => quantized(row, plain_scale(row, format), format),
            Storage::Plain(_) => formats::encode(format, row, Overflow::NonSaturating),
        };
        for (i, code) in encoded.chunks(bytes).enumerate() {
            codes[(i * outputs + j) * bytes..][..bytes].copy_from_slice(code);
        }
    }
    codes
}

fn quantized(values: &[f32], scale: f32, format: Format) -> Vec<u8> {
    let inverse = formats::scale::inverse(scale);
    values.iter().map(|&x| formats::quantize(x, inverse, format, Overflow::Saturate) as u8).collect()
}

/// The scale under which the largest magnitude is the largest code.
fn plain_scale(values: &[f32], format: Format) -> f32 {
    formats::scale::symmetric(formats::scale::amax(values), format)
}

fn mx_scale(values: &[f32]) -> f32 {
    e8m0::decode(e8m0::encode_scale(formats::scale::amax(values), Format::E4m3, ScaleRounding::Rceil))
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
        Linear { checkpoint, parts, kernel: vec![inputs], precision: None, has_choice: false }
    }

    fn values(constant: &Constant) -> Vec<f32> {
        constant.tensor().unwrap().to_f32()
    }

    #[test]
    fn eight_bit_matrices_have_a_scale_for_each_column() {
        // The second output is a thousand times smaller: one scale for both would leave it no codes.
        let layer = beside(&[&[1.0, -0.5, 0.001, 0.0005]], 2);
        let scales = values(&layer.scales(Storage::Plain(Format::I8)).unwrap());
        assert_eq!(scales, [1.0 / 127.0, 0.001 / 127.0]);
        assert_eq!(values(&layer.matrix(Storage::Plain(Format::I8))), [127.0, 127.0, -64.0, 64.0]);
        assert!(layer.scales(Storage::Plain(Format::F16)).is_none());
        assert_eq!(values(&layer.matrix(Storage::Plain(Format::F16)))[2], -0.5);
    }

    #[test]
    fn layers_stand_side_by_side() {
        let layer = beside(&[&[0.0, 1.0], &[10.0, 12.0, 11.0, 13.0]], 2);
        assert_eq!(values(&layer.matrix(Storage::Plain(Format::F32))), [0.0, 10.0, 11.0, 1.0, 12.0, 13.0]);
        assert_eq!(values(&layer.bias()), [10.0, 20.0, 21.0]);
        // Three codes of a byte: neither band starts on a word.
        let codes: Tensor = layer.matrix(Storage::Plain(Format::E4m3)).tensor().unwrap();
        assert_eq!((codes.shape(), codes.bytes().len()), (&[2, 3][..], 6));
        let scales = values(&layer.scales(Storage::Plain(Format::E4m3)).unwrap());
        let decoded: Vec<f32> =
            codes.to_f32().iter().enumerate().map(|(i, code)| code * scales[i % 3]).collect();
        for (got, want) in decoded.iter().zip([0.0, 10.0, 11.0, 1.0, 12.0, 13.0f32]) {
            assert!((got - want).abs() <= want / 16.0, "{decoded:?}");
        }
    }

    /// Groups of 32 inputs, the last one shorter, each with its own power of two; the numbers are those that main's quantizer
    /// gives for the rows.
    #[test]
    fn mxfp8_has_a_power_of_two_for_each_group_of_inputs() {
        let row = |start: f32| (0..40).map(move |i| (start + i as f32) * if i < 32 { 1.0 } else { 1e-3 });
        let values_of: Vec<f32> = row(1.0).chain(row(-70.0)).collect();
        let layer = beside(&[&values_of], 40);
        let scales = layer.scales(Storage::Mxfp8).unwrap().tensor().unwrap();
        assert_eq!(scales.shape(), [2, 2]);
        // 32, 70, 0.04 and 0.038 over 448, up to a power of two.
        assert_eq!(scales.to_f32(), [2f32.powi(-3), 2f32.powi(-2), 2f32.powi(-13), 2f32.powi(-13)]);
        let desc = langevin::QuantizeDesc {
            shape: vec![2, 40],
            granularity: langevin::Granularity::PerGroup(32),
            scale_rounding: Some(ScaleRounding::Rceil),
            ..Default::default()
        };
        let mut inputs = langevin::reference::Tensors::new();
        inputs.insert("x", Tensor::from_f32(Format::F32, &[2, 40], &values_of).unwrap());
        let expected = langevin::reference::Op::evaluate(&desc, &inputs).unwrap()[0].values();
        let codes = values(&layer.matrix(Storage::Mxfp8));
        for (i, j) in (0..40).flat_map(|i| [(i, 0), (i, 1)]) {
            assert_eq!(f64::from(codes[i * 2 + j]), expected[[j, i]], "{i} {j}");
        }
    }

    #[test]
    fn unused_outputs_are_left_out() {
        let mut layer = beside(&[&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]], 1);
        layer.parts[0].used = [3, 1];
        assert_eq!(layer.outputs(), 2);
        assert_eq!(values(&layer.matrix(Storage::Plain(Format::F32))), [1.0, 4.0]);
        assert_eq!(values(&layer.bias()), [10.0, 13.0]);
    }
}
