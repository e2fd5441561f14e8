//! Weights in files: one, several with an index, a directory; and what is said of those that are wrong. No GPU needed.

use langevin_diffusion::{Checkpoint, DiffusionError, DitConfig, DitWeights};
use safetensors::tensor::{TensorView, serialize};
use safetensors::{Dtype, SafeTensors};
use std::fs;
use std::path::{Path, PathBuf};

const BYTES: &[u8] = include_bytes!("../weights/digits_dit.safetensors");
const JSON: &str = include_str!("../weights/digits_dit.json");

/// A directory that goes when the test ends.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("langevin-checkpoint-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// The digit model in two files, and the index over them; every third tensor is in the second.
fn shards(directory: &Directory) -> PathBuf {
    let file = SafeTensors::deserialize(BYTES).unwrap();
    let mut tensors: Vec<(String, TensorView<'_>)> = file.tensors();
    tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut map = Vec::new();
    for shard in [0, 1] {
        let name = format!("model-0000{}-of-00002.safetensors", shard + 1);
        let of_shard = |i: usize| usize::from(i % 3 == 2) == shard;
        let own: Vec<_> =
            tensors.iter().enumerate().filter(|(i, _)| of_shard(*i)).map(|(_, t)| t.clone()).collect();
        map.extend(own.iter().map(|(tensor, _)| format!("\"{tensor}\": \"{name}\"")));
        directory.write(&name, serialize(own, None).unwrap());
    }
    let index = format!("{{\"metadata\": {{\"total_size\": 1}}, \"weight_map\": {{{}}}}}", map.join(", "));
    directory.write("diffusion_pytorch_model.safetensors.index.json", index)
}

/// Every tensor's values.
fn values(checkpoint: &Checkpoint) -> Vec<(String, Vec<f32>)> {
    let rows = |name: &str| checkpoint.shape(name).unwrap()[0];
    checkpoint.names().map(|name| (name.to_owned(), checkpoint.rows(name, 0..rows(name)).unwrap())).collect()
}

fn sentence(path: &Path) -> String {
    Checkpoint::open(path).unwrap_err().to_string()
}

#[test]
fn one_file_and_several_and_memory_hold_the_same_tensors() {
    let directory = Directory::new("same");
    let in_memory = values(&Checkpoint::from_bytes(BYTES).unwrap());
    // 19 in each of four blocks, and three layers around them.
    assert_eq!(in_memory.len(), 82);
    let single = directory.write("digits.safetensors", BYTES);
    assert_eq!(values(&Checkpoint::open(&single).unwrap()), in_memory);
    let index = shards(&directory);
    assert_eq!(values(&Checkpoint::open(&index).unwrap()), in_memory);
    directory.write("config.json", JSON);
    let weights = DitWeights::open(&directory.0).unwrap();
    assert_eq!(weights.config(), &DitConfig::from_json(JSON).unwrap());
}

#[test]
fn some_rows_are_read_alone() {
    let checkpoint = Checkpoint::from_bytes(BYTES).unwrap();
    let name = "transformer_blocks.1.ff.net.2.weight";
    let shape = checkpoint.shape(name).unwrap().to_vec();
    let all = checkpoint.rows(name, 0..shape[0]).unwrap();
    assert_eq!(checkpoint.rows(name, 3..5).unwrap(), all[3 * shape[1]..5 * shape[1]]);
    let error = checkpoint.rows(name, 3..shape[0] + 1).unwrap_err();
    assert!(
        error.to_string().starts_with("tensor `transformer_blocks.1.ff.net.2.weight` must have shape"),
        "{error}"
    );
}

#[test]
fn every_damage_is_one_sentence() {
    let directory = Directory::new("damage");
    let index = shards(&directory);
    let missing = directory.0.join("absent.safetensors");
    assert!(sentence(&missing).starts_with(&format!("cannot read {}:", missing.display())));
    let cut = directory.write("cut.safetensors", &BYTES[..BYTES.len() - 1]);
    let error = sentence(&cut);
    assert!(error.starts_with(&format!("{} is no whole safetensors file: ", cut.display())), "{error}");
    let no_index = directory.write("no.index.json", "{}");
    assert!(sentence(&no_index).contains("is no index of safetensors files: missing field `weight_map`"));

    let text = fs::read_to_string(&index).unwrap();
    let promised =
        directory.write("promised.json", text.replace("\"proj_out_1.bias\"", "\"proj_out_3.bias\""));
    let error = sentence(&promised);
    assert!(error.contains("tensor `proj_out_3.bias` is not in model-0000"), "{error}");
    let elsewhere =
        directory.write("elsewhere.json", text.replace("model-00002-of-00002", "../model-00002-of-00002"));
    let error = sentence(&elsewhere);
    assert!(
        error.ends_with("it names `../model-00002-of-00002.safetensors`, which is not a file beside it"),
        "{error}"
    );
    let second = directory.0.join("model-00002-of-00002.safetensors");
    fs::copy(directory.0.join("model-00001-of-00002.safetensors"), &second).unwrap();
    assert!(sentence(&index).starts_with("two files have a tensor `"));
    fs::remove_file(&second).unwrap();
    assert!(sentence(&index).starts_with(&format!("cannot read {}:", second.display())));

    let empty = Directory::new("empty");
    assert!(sentence(&empty.0).contains("it has none of [\"diffusion_pytorch_model.safetensors\""));
    let error = DitWeights::open(&empty.0).unwrap_err().to_string();
    assert!(error.starts_with("cannot read") && error.contains("config.json"), "{error}");
}

/// The published sizes: DiT-S/2 has 33 million parameters and DiT-XL/2 675 million (Peebles and Xie, table 1), counted there
/// without the label table's 1,001 rows of the classes but with every other tensor.
#[test]
fn random_models_have_the_published_shapes_and_need_no_memory() {
    for (config, millions) in [(DitConfig::dit_s_2(), 33.0), (DitConfig::dit_xl_2(), 675.0)] {
        let weights = DitWeights::random(&config, 3).unwrap();
        let parameters = weights.parameters() as f64 / 1e6;
        println!("{parameters:.1} million");
        assert!((parameters / millions - 1.0).abs() < 0.01, "{parameters}");
    }
}

/// The names and shapes are those that diffusers gives the published model.
#[test]
fn a_published_model_of_random_tensors_loads() {
    let config = DitConfig { num_layers: 2, sample_size: 8, ..DitConfig::dit_s_2() };
    let width = config.width();
    let mut tensors: Vec<(String, Vec<usize>)> = Vec::new();
    let mut linear = |name: String, shape: &[usize]| {
        tensors.push((format!("{name}.weight"), shape.to_vec()));
        tensors.push((format!("{name}.bias"), vec![shape[0]]));
    };
    linear("pos_embed.proj".into(), &[width, 4, 2, 2]);
    for block in 0..2 {
        let name = |rest: &str| format!("transformer_blocks.{block}.{rest}");
        linear(name("norm1.emb.timestep_embedder.linear_1"), &[width, 256]);
        linear(name("norm1.emb.timestep_embedder.linear_2"), &[width, width]);
        linear(name("norm1.linear"), &[6 * width, width]);
        for projection in ["to_q", "to_k", "to_v", "to_out.0"] {
            linear(name(&format!("attn1.{projection}")), &[width, width]);
        }
        linear(name("ff.net.0.proj"), &[4 * width, width]);
        linear(name("ff.net.2"), &[width, 4 * width]);
    }
    linear("proj_out_1".into(), &[2 * width, width]);
    // Mean and variance of four channels in patches of 2 x 2.
    linear("proj_out_2".into(), &[32, width]);
    for block in 0..2 {
        let table = "norm1.emb.class_embedder.embedding_table.weight";
        tensors.push((format!("transformer_blocks.{block}.{table}"), vec![1001, width]));
    }
    let zeros = vec![0u8; 2 * 1001 * 6 * width];
    let views = tensors.iter().map(|(name, shape)| {
        let bytes = 2 * shape.iter().product::<usize>();
        (name.as_str(), TensorView::new(Dtype::BF16, shape.clone(), &zeros[..bytes]).unwrap())
    });
    let checkpoint = Checkpoint::from_bytes(serialize(views, None).unwrap()).unwrap();
    DitWeights::new(checkpoint.clone(), &config).unwrap();
    let error = DitWeights::new(checkpoint, &DitConfig { num_layers: 3, ..config }).unwrap_err();
    assert!(matches!(error, DiffusionError::MissingTensor { .. }), "{error}");
}
