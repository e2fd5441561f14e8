//! A file of tensors, rewritten by a policy: `cargo run --example quantize_file -- MODEL.safetensors OUT.safetensors`.
//! Without a model it makes a small one.

use langevin::Gpu;
use langevin::reference::generate::Random;
use langevin_diffusion::quantization::{Policy, Source, quantize_file};
use safetensors::{Dtype, tensor::TensorView};
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The first rule that names a tensor decides; what no rule names is copied.
const POLICY: &str = r#"{"rule": [
    {"tensors": "**.head.weight", "format": "bf16"},
    {"tensors": "**.weight", "format": "e4m3", "granularity": "per_row"}
]}"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut paths = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = std::env::temp_dir();
    let model = match paths.next() {
        Some(model) => model,
        None => small_model(&folder)?,
    };
    let out = paths.next().unwrap_or_else(|| folder.join("langevin-quantized.safetensors"));

    let gpu = Gpu::open(&Default::default())?;
    println!("on {}", gpu.capabilities());
    let policy = Policy::from_json(POLICY)?;
    let mut source = Source::new(BufReader::new(File::open(&model)?))?;
    let mut writer = BufWriter::new(File::create(&out)?);
    // Piece by piece: a model may be larger than memory.
    let reports = quantize_file(&gpu, &policy, &mut source, &mut writer, |_| ())?;
    writer.flush()?;
    for report in &reports {
        let snr =
            report.measure.as_ref().map_or(String::new(), |measure| format!(", {:.1} dB", measure.snr_db()));
        println!("{}: {} to {}{snr}", report.name, report.from, report.to);
    }
    println!("{} bytes became {}: {}", model.metadata()?.len(), out.metadata()?.len(), out.display());
    Ok(())
}

fn small_model(folder: &Path) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let mut random = Random::new(1);
    let mut numbers =
        |count: usize| (0..count).flat_map(|_| random.uniform(-1.0, 1.0).to_le_bytes()).collect::<Vec<_>>();
    let (layer, bias, head) = (numbers(64 * 32), numbers(64), numbers(10 * 64));
    let tensors = [
        ("model.layer.weight", TensorView::new(Dtype::F32, vec![64, 32], &layer)?),
        ("model.layer.bias", TensorView::new(Dtype::F32, vec![64], &bias)?),
        ("model.head.weight", TensorView::new(Dtype::F32, vec![10, 64], &head)?),
    ];
    let path = folder.join("langevin-model.safetensors");
    std::fs::write(&path, safetensors::serialize(tensors, None)?)?;
    Ok(path)
}
