//! What is said of weights that do not fit their configuration. No GPU needed.

use langevin_diffusion::{Checkpoint, DiffusionError, DitConfig, DitWeights, Positions, QkNorm};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};

const BYTES: &[u8] = include_bytes!("../weights/digits_dit.safetensors");
const JSON: &str = include_str!("../weights/digits_dit.json");

type Tensors = Vec<(String, Dtype, Vec<usize>, Vec<u8>)>;

/// Loads the digit model's file after a change.
fn load(change: impl FnOnce(&mut Tensors)) -> Result<DitWeights, DiffusionError> {
    let file = SafeTensors::deserialize(BYTES).unwrap();
    let copy = |(name, view): (String, TensorView<'_>)| {
        (name, view.dtype(), view.shape().to_vec(), view.data().to_vec())
    };
    let mut tensors: Tensors = file.tensors().into_iter().map(copy).collect();
    change(&mut tensors);
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    let checkpoint = Checkpoint::from_bytes(serialize(views, None).unwrap()).unwrap();
    DitWeights::new(checkpoint, &DitConfig::from_json(JSON).unwrap())
}

fn sentence(change: impl FnOnce(&mut Tensors)) -> String {
    load(change).unwrap_err().to_string()
}

fn find<'a>(tensors: &'a mut Tensors, name: &str) -> &'a mut (String, Dtype, Vec<usize>, Vec<u8>) {
    tensors.iter_mut().find(|(other, ..)| other == name).unwrap()
}

#[test]
fn an_unchanged_file_loads() {
    load(|_| ()).unwrap();
}

#[test]
fn every_misfit_is_named() {
    let name = "transformer_blocks.2.attn1.to_k.weight";
    assert_eq!(
        sentence(|tensors| tensors.retain(|(other, ..)| other != name)),
        "the weights have no tensor `transformer_blocks.2.attn1.to_k.weight`, expected [128, 128]"
    );
    assert_eq!(
        sentence(|tensors| find(tensors, name).2 = vec![64, 256]),
        "tensor `transformer_blocks.2.attn1.to_k.weight` must have shape [128, 128], got [64, 256]"
    );
    assert_eq!(
        sentence(|tensors| find(tensors, name).1 = Dtype::I16),
        "tensor `transformer_blocks.2.attn1.to_k.weight` must hold F32, F16 or BF16, got I16"
    );
    assert_eq!(
        sentence(|tensors| tensors.push(("learned_sigma".into(), Dtype::F16, vec![1], vec![0, 0]))),
        "the weights have a tensor `learned_sigma` that this configuration does not use"
    );
    let table = "norm1.emb.class_embedder.embedding_table.weight";
    assert_eq!(
        sentence(|tensors| find(tensors, &format!("transformer_blocks.3.{table}")).3[7] ^= 1),
        format!("tensor `transformer_blocks.0.{table}` must be the same in every block, and block 3 differs")
    );
}

/// Norms of queries and keys have tensors of their own.
#[test]
fn norms_of_queries_and_keys_are_looked_for() {
    let checkpoint = Checkpoint::from_bytes(BYTES).unwrap();
    let config = DitConfig { qk_norm: Some(QkNorm::RmsNorm), ..DitConfig::from_json(JSON).unwrap() };
    assert_eq!(
        DitWeights::new(checkpoint, &config).unwrap_err().to_string(),
        "the weights have no tensor `transformer_blocks.0.attn1.norm_q.weight`, expected [32]"
    );
}

#[test]
fn a_truncated_file_is_no_file() {
    for bytes in [0, 7, 8, 1000, BYTES.len() - 1] {
        let error = Checkpoint::from_bytes(&BYTES[..bytes]).unwrap_err();
        assert!(matches!(error, DiffusionError::Safetensors(_)), "{bytes}: {error}");
    }
}

#[test]
fn every_rule_of_a_configuration_is_named() {
    let broken = |from: &str, to: &str| {
        assert!(JSON.contains(from));
        DitConfig::from_json(&JSON.replace(from, to)).unwrap_err().to_string()
    };
    assert_eq!(
        broken("\"num_layers\": 4", "\"num_layers\": 0"),
        "num_layers must be between 1 and 65536, got 0"
    );
    assert_eq!(
        broken("\"patch_size\": 2", "\"patch_size\": 3"),
        "patch_size must be a divisor of sample_size 8, got 3"
    );
    assert_eq!(
        broken("\"out_channels\": 1", "\"out_channels\": 3"),
        "out_channels must be in_channels 1, or twice that with a learned variance, got 3"
    );
    assert_eq!(broken("gelu-approximate", "geglu"), "activation_fn must be gelu-approximate, got geglu");
    assert!(broken("\"velocity\"", "\"score\"").contains("unknown variant `score`"));
    assert!(broken("{", "[").starts_with("not a DiT configuration"));
    let large = |change: fn(DitConfig) -> DitConfig| {
        let config = change(DitConfig { num_embeds_ada_norm: None, ..DitConfig::dit_s_2() });
        config.validate().unwrap_err().to_string()
    };
    assert_eq!(
        large(|config| DitConfig { num_attention_heads: 2048, ..config }),
        "attention_head_dim must be such that heads times head_dim is at most 65536, got 64"
    );
    assert_eq!(
        large(|config| DitConfig { sample_size: 65_536, ..config }),
        "sample_size must be such that a picture, and its tokens, are fewer than 2^32 numbers, got 65536"
    );
    assert_eq!(
        large(|config| DitConfig { timestep_scale: f64::INFINITY, ..config }),
        "timestep_scale must be a finite number, got inf"
    );
    assert_eq!(
        large(|config| DitConfig { positions: Positions::Rotary, attention_head_dim: 66, ..config }),
        "attention_head_dim must be a multiple of 4 with rotary positions (pairs for the row, and pairs for the column), got 66"
    );
    assert_eq!(
        large(|config| DitConfig { rope_theta: 0.0, ..config }),
        "rope_theta must be a positive finite number, got 0"
    );
    assert_eq!(
        large(|config| DitConfig { qk_norm_eps: f32::NAN, ..config }),
        "qk_norm_eps must be a positive normal number, got NaN"
    );
    assert!(
        broken("\"num_layers\": 4", "\"num_layers\": 4, \"qk_norm\": \"layer_norm\"")
            .contains("`layer_norm`")
    );
}
