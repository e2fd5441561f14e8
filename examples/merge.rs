//! Attention over two halves of the keys, each by itself, merged to that over all of them - what ring attention and shared
//! prefixes are made of: `cargo run --example merge`.

use langevin::reference::generate;
use langevin::verify::{self, Op, RunOptions, Tensor, Tensors};
use langevin::{AttentionDesc, Format, Gpu, MergeDesc};

const KEYS: usize = 48;
const DIM: usize = 16;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::open(&Default::default())?;
    println!("on {}", gpu.capabilities());
    let whole =
        AttentionDesc { seq_q: 3, seq_kv: KEYS, head_dim: DIM, v_dim: DIM, lse: true, ..Default::default() };
    let inputs = generate::inputs(&whole, 1);

    let half = AttentionDesc { seq_kv: KEYS / 2, ..whole.clone() };
    let (mut parts, mut logarithms) = (Vec::new(), Vec::new());
    for keys in [0..KEYS / 2, KEYS / 2..KEYS] {
        let mut given = Tensors::new();
        for (name, tensor) in inputs.iter() {
            let bytes = 4 * DIM * keys.start..4 * DIM * keys.end;
            let tensor = match name {
                "q" => tensor.clone(),
                _ => Tensor::new(Format::F32, &[1, 1, KEYS / 2, DIM], tensor.bytes()[bytes].to_vec())?,
            };
            given.insert(name, tensor);
        }
        let outputs = verify::run(&gpu, &half, &given, &RunOptions::default())?;
        parts.extend(outputs.get("out").map(Tensor::to_f32).unwrap_or_default());
        logarithms.extend(outputs.get("lse").map(Tensor::to_f32).unwrap_or_default());
    }

    let merge = MergeDesc { parts: 2, rows: 3, dim: DIM, ..Default::default() };
    let mut given = Tensors::new();
    given.insert("parts", Tensor::from_f32(Format::F32, &[2, 3, DIM], &parts)?);
    given.insert("part_lse", Tensor::from_f32(Format::F32, &[2, 3], &logarithms)?);
    let merged = verify::run(&gpu, &merge, &given, &RunOptions::default())?;
    let merged = merged.get("out").map(Tensor::to_f64).unwrap_or_default();
    let expected = whole.evaluate(&inputs)?[0].values();
    let pairs = merged.iter().zip(expected.iter());
    let worst = pairs.fold(0.0f64, |worst, (got, expected)| worst.max((got - expected).abs()));
    println!("two halves merged are off by {worst:.1e} from the attention over all {KEYS} keys");
    Ok(())
}
