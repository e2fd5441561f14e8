//! The weights of a DiT on the host, from a safetensors file in diffusers' names.

use crate::config::{MLP_RATIO, TIMESTEP_CHANNELS};
use crate::{DiffusionError, DitConfig};
use langevin::reference::{Tensor, formats};
use langevin::{Format, Overflow};
use safetensors::SafeTensors;

/// A linear layer, its matrix transposed to `[in, out]` as matmul's right operand wants it.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    /// Row-major `[inputs, outputs]`.
    pub(crate) matrix: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

impl Linear {
    /// Layers that read the same input, side by side.
    fn beside(layers: &[Self]) -> Self {
        let inputs = layers.first().map_or(0, |layer| layer.inputs);
        let outputs = layers.iter().map(|layer| layer.outputs).sum();
        let row = |i: usize| {
            layers
                .iter()
                .flat_map(move |layer| layer.matrix[i * layer.outputs..][..layer.outputs].iter().copied())
        };
        Self {
            matrix: (0..inputs).flat_map(row).collect(),
            bias: layers.iter().flat_map(|layer| layer.bias.iter().copied()).collect(),
            inputs,
            outputs,
        }
    }

    /// The matrix in a storage format, and the scale of each column where the format has eight bits.
    pub(crate) fn stored(&self, format: Format) -> Result<(Tensor, Option<Tensor>), DiffusionError> {
        let shape = [self.inputs, self.outputs];
        if format.bytes() > 1 {
            return Ok((Tensor::from_f32(format, &shape, &self.matrix)?, None));
        }
        let mut codes = vec![0u8; self.matrix.len()];
        let mut scales = vec![0.0f32; self.outputs];
        for (j, scale) in scales.iter_mut().enumerate() {
            let column: Vec<f32> = self.matrix.iter().skip(j).step_by(self.outputs).copied().collect();
            *scale = formats::scale::symmetric(formats::scale::amax(&column), format);
            let inverse = formats::scale::inverse(*scale);
            for (i, &value) in column.iter().enumerate() {
                codes[i * self.outputs + j] =
                    formats::quantize(value, inverse, format, Overflow::Saturate) as u8;
            }
        }
        let scales = Tensor::from_f32(Format::F32, &[self.outputs], &scales)?;
        Ok((Tensor::new(format, &shape, codes)?, Some(scales)))
    }
}

/// One block's layers.
#[derive(Clone, Debug)]
pub(crate) struct BlockWeights {
    /// Query, key and value side by side.
    pub(crate) qkv: Linear,
    pub(crate) attention_out: Linear,
    pub(crate) feed_forward_in: Linear,
    pub(crate) feed_forward_out: Linear,
}

/// The weights of a diffusion transformer, checked against its configuration.
#[derive(Clone, Debug)]
pub struct DitWeights {
    pub(crate) config: DitConfig,
    pub(crate) patch: Linear,
    pub(crate) timestep_in: Linear,
    pub(crate) timestep_out: Linear,
    /// `[classes + 1, width]`
    pub(crate) labels: Vec<f32>,
    pub(crate) blocks: Vec<BlockWeights>,
    /// The modulations of all blocks and of the last norm side by side.
    pub(crate) modulation: Linear,
    pub(crate) projection: Linear,
}

impl DitWeights {
    /// Reads the bytes of a safetensors file with the tensor names of diffusers' `DiTTransformer2DModel`: F32, F16 or
    /// BF16, linear layers as `[out, in]`.
    ///
    /// # Errors
    /// [`DiffusionError`] names the first tensor that is missing, misshapen, of another type, or not of this model; a
    /// truncated file is [`DiffusionError::Safetensors`].
    pub fn from_safetensors(bytes: &[u8], config: &DitConfig) -> Result<Self, DiffusionError> {
        config.validate()?;
        let mut file = File { tensors: SafeTensors::deserialize(bytes)?, used: Vec::new() };
        let (width, hidden) = (config.width(), MLP_RATIO * config.width());
        let embedder = "norm1.emb.timestep_embedder";
        let block_name = |i: usize, rest: &str| format!("transformer_blocks.{i}.{rest}");
        let patch = file
            .linear("pos_embed.proj", &[width, config.in_channels, config.patch_size, config.patch_size])?;
        let timestep_in =
            file.linear(&block_name(0, &format!("{embedder}.linear_1")), &[width, TIMESTEP_CHANNELS])?;
        let timestep_out = file.linear(&block_name(0, &format!("{embedder}.linear_2")), &[width, width])?;
        let table = "norm1.emb.class_embedder.embedding_table.weight";
        let labels = file.values(&block_name(0, table), &[config.num_embeds_ada_norm + 1, width])?;
        file.check_shared_embedders(config)?;

        let mut blocks = Vec::new();
        let mut modulations = Vec::new();
        for i in 0..config.num_layers {
            let mut layer =
                |rest: &str, outputs, inputs| file.linear(&block_name(i, rest), &[outputs, inputs]);
            let qkv = [
                layer("attn1.to_q", width, width)?,
                layer("attn1.to_k", width, width)?,
                layer("attn1.to_v", width, width)?,
            ];
            blocks.push(BlockWeights {
                qkv: Linear::beside(&qkv),
                attention_out: layer("attn1.to_out.0", width, width)?,
                feed_forward_in: layer("ff.net.0.proj", hidden, width)?,
                feed_forward_out: layer("ff.net.2", width, hidden)?,
            });
            modulations.push(layer("norm1.linear", 6 * width, width)?);
        }
        modulations.push(file.linear("proj_out_1", &[2 * width, width])?);
        let projection = file.linear("proj_out_2", &[config.patch_elements(), width])?;
        file.check_all_used()?;
        let modulation = Linear::beside(&modulations);
        Ok(Self {
            config: config.clone(),
            patch,
            timestep_in,
            timestep_out,
            labels,
            blocks,
            modulation,
            projection,
        })
    }

    /// The digit model that comes with this crate: 8x8 handwritten digits, ten classes, 1.4 million parameters.
    ///
    /// # Errors
    /// None unless the crate was damaged; those of [`DitWeights::from_safetensors`].
    pub fn digits() -> Result<Self, DiffusionError> {
        let config = DitConfig::from_json(include_str!("../weights/digits_dit.json"))?;
        Self::from_safetensors(include_bytes!("../weights/digits_dit.safetensors"), &config)
    }

    /// The configuration they were checked against.
    pub fn config(&self) -> &DitConfig {
        &self.config
    }
}

struct File<'a> {
    tensors: SafeTensors<'a>,
    used: Vec<String>,
}

impl File<'_> {
    /// A tensor's values as f32; exact.
    fn values(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, DiffusionError> {
        let view = self
            .tensors
            .tensor(name)
            .map_err(|_| DiffusionError::MissingTensor { name: name.to_owned(), expected: shape.to_vec() })?;
        if view.shape() != shape {
            return Err(DiffusionError::TensorShape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                got: view.shape().to_vec(),
            });
        }
        let format = match view.dtype() {
            safetensors::Dtype::F32 => Format::F32,
            safetensors::Dtype::F16 => Format::F16,
            safetensors::Dtype::BF16 => Format::BF16,
            other => {
                return Err(DiffusionError::TensorType { name: name.to_owned(), got: format!("{other:?}") });
            }
        };
        self.used.push(name.to_owned());
        Ok(Tensor::new(format, shape, view.data().to_vec())?.to_f32())
    }

    /// A layer `NAME.weight`, `NAME.bias`; all axes but the first are inputs.
    fn linear(&mut self, name: &str, shape: &[usize]) -> Result<Linear, DiffusionError> {
        let weight = self.values(&format!("{name}.weight"), shape)?;
        let (outputs, inputs) = (shape[0], shape[1..].iter().product::<usize>());
        let bias = self.values(&format!("{name}.bias"), &[outputs])?;
        let column = |i: usize| weight.iter().skip(i).step_by(inputs.max(1)).copied();
        Ok(Linear { matrix: (0..inputs).flat_map(column).collect(), bias, inputs, outputs })
    }

    /// Published checkpoints store one embedder in every block.
    fn check_shared_embedders(&mut self, config: &DitConfig) -> Result<(), DiffusionError> {
        let width = config.width();
        let tensors: [(&str, Vec<usize>); 5] = [
            ("timestep_embedder.linear_1.weight", vec![width, TIMESTEP_CHANNELS]),
            ("timestep_embedder.linear_1.bias", vec![width]),
            ("timestep_embedder.linear_2.weight", vec![width, width]),
            ("timestep_embedder.linear_2.bias", vec![width]),
            ("class_embedder.embedding_table.weight", vec![config.num_embeds_ada_norm + 1, width]),
        ];
        for (rest, shape) in tensors {
            let name = |i: usize| format!("transformer_blocks.{i}.norm1.emb.{rest}");
            let first = self.values(&name(0), &shape)?;
            for block in 1..config.num_layers {
                if self.values(&name(block), &shape)? != first {
                    return Err(DiffusionError::DifferentEmbedders { name: name(0), block });
                }
            }
        }
        Ok(())
    }

    fn check_all_used(&self) -> Result<(), DiffusionError> {
        let unused = self.tensors.names().into_iter().find(|name| !self.used.iter().any(|used| used == name));
        match unused {
            Some(name) => Err(DiffusionError::ExtraTensor { name: name.to_owned() }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bit_matrices_have_a_scale_for_each_column() {
        // The second column is a thousand times smaller: one scale for both would leave it no codes.
        let matrix = vec![1.0, 0.001, -0.5, 0.0005];
        let layer = Linear { matrix, bias: vec![0.0; 2], inputs: 2, outputs: 2 };
        let (codes, scales) = layer.stored(Format::I8).unwrap();
        let scales = scales.unwrap().to_f32();
        assert_eq!(scales, [1.0 / 127.0, 0.001 / 127.0]);
        assert_eq!(codes.to_f32(), [127.0, 127.0, -64.0, 64.0]);
        let (halves, none) = layer.stored(Format::F16).unwrap();
        assert!(none.is_none() && halves.to_f32()[2] == -0.5);
    }

    #[test]
    fn layers_stand_side_by_side() {
        let layer = |first: f32, outputs| Linear {
            matrix: (0..2 * outputs).map(|i| first + i as f32).collect(),
            bias: vec![first; outputs],
            inputs: 2,
            outputs,
        };
        let both = Linear::beside(&[layer(0.0, 1), layer(10.0, 2)]);
        assert_eq!(both.matrix, [0.0, 10.0, 11.0, 1.0, 12.0, 13.0]);
        assert_eq!((both.bias, both.outputs), (vec![0.0, 10.0, 10.0], 3));
    }
}
