//! `langevin quantize`: a model's file rewritten by a policy.

use crate::device::DeviceArgs;
use crate::{CliError, output, progress};
use langevin::Gpu;
use langevin_diffusion::quantization::{
    Loss, Measure, Policy, QuantizationError, Scheme, Source, TensorReport, UnusedPattern, quantize_file,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

const EXAMPLE: &str = "Example:
  langevin quantize model.safetensors --policy policy.toml --out quantized.safetensors

  # policy.toml: the first rule that applies to a tensor decides; others are copied.
  [[rule]]
  tensors = \"**.head.*\"                    # * any characters but dots, ** any, ? one
  format = \"keep\"
  [[rule]]
  tensors = [\"blocks.*.attn.*.weight\", \"blocks.*.mlp.*.weight\"]
  format = \"e4m3\"                          # e4m3, e5m2, i8; f32, f16, bf16; keep
  granularity = \"per_row\"                  # per_tensor, per_column, { per_group = 32 },
                                           # { per_block = { rows = 128, columns = 128 } }
  scale = \"mse\"                            # max, { percentile = 99.9 }, mse
  # asymmetric = true (i8); scale_rounding = \"rceil\" (MXFP8, with groups of 32): floor, rceil, ceil, even
  # min_axes = 2: biases and the weights of norms stay

A tensor is taken as a matrix, its first axis by all others together. For a tensor NAME the file then holds its codes as NAME
and its scales as NAME_scale (and NAME_zero_point): a code stands for (code - zero point) * scale. Such tensors of a file
that was quantized before are copied whatever the policy says, and so are tensors without elements.

Of the report: SNR and the worst error are of the finite numbers. SNR is \"exact\" where all of them are what they were, and
\"lost\" where one has become infinite or NaN, or where all were not finite and are so no more.";

/// Quantize the tensors of a safetensors file that a policy names, and say what that did to their numbers.
///
/// The file is read and written piece by piece, so that a model larger than memory is no problem. Tensors of which the
/// policy says nothing are copied.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct QuantizeArgs {
    /// The model.
    #[arg(value_name = "MODEL.safetensors")]
    model: PathBuf,
    /// Which tensors become what.
    #[arg(long, value_name = "POLICY.toml")]
    policy: PathBuf,
    /// Where the result goes; it may be the model itself.
    #[arg(long, value_name = "Q.safetensors")]
    out: PathBuf,
    /// Write the report, with the adapter's identity, as JSON.
    ///
    /// For every tensor that was changed, `loss` is "none", "some" or "total": "total" where a number has become infinite or
    /// NaN, or all of them were not finite and are so no more. `snr_db` is a number with "some" and null else (and null where
    /// only infinities and NaN have changed); `noise` and `worst_relative` are null where infinite. `part_of` names the quantized
    /// tensor to which a tensor belongs that was left alone for that. `unused` lists the patterns that match no tensor.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Whether only a file that is written can fail so.
fn is_of_writing(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, ReadOnlyFilesystem, StorageFull, WriteZero};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge | ReadOnlyFilesystem | WriteZero)
}

pub(crate) fn run(args: &QuantizeArgs) -> Result<(), CliError> {
    // The result may take the model's place.
    output::check_distinct(&[("--policy", args.policy.as_path()), ("--out", &args.out)])?;
    if let Some(json) = &args.json {
        for (name, path) in [("the model", &args.model), ("--policy", &args.policy), ("--out", &args.out)] {
            output::check_distinct(&[(name, path.as_path()), ("--json", json)])?;
        }
    }
    let policy = read_policy(&args.policy)?;
    output::check_writable(&args.out)?;
    args.json.as_deref().map_or(Ok(()), output::check_writable)?;
    let file =
        File::open(&args.model).map_err(|source| CliError::Read { path: args.model.clone(), source })?;
    let wrong = |source| CliError::Quantize { path: args.model.clone(), source: Box::new(source) };
    let mut source = Source::new(BufReader::new(file)).map_err(wrong)?;
    let gpu = args.device.open()?;
    let bar = progress::bytes(source.data_bytes(), "quantizing");
    let tensors = output::write_by(&args.out, |file| {
        let mut writer = BufWriter::new(file);
        let reports = quantize_file(&gpu, &policy, &mut source, &mut writer, |done| bar.set_position(done));
        let flushed = |reports| writer.flush().map(|()| reports).map_err(QuantizationError::Io);
        reports.and_then(flushed).map_err(|error| match error {
            QuantizationError::Io(source) if is_of_writing(&source) => {
                CliError::Write { path: args.out.clone(), source }
            }
            other => wrong(other),
        })
    })?;
    bar.finish_and_clear();
    let unused = policy.unused(tensors.iter().map(|tensor| (tensor.name.as_str(), &tensor.shape[..])));
    for pattern in &unused {
        output::complain(&format!("{}: warning: {pattern}", args.policy.display()));
    }
    let report = Report::new(&gpu, &tensors, &unused);
    if let Some(path) = &args.json {
        let mut json = serde_json::to_vec_pretty(&report).map_err(CliError::Json)?;
        json.push(b'\n');
        output::write_file(path, &json)?;
    }
    output::print(&text(&tensors))
}

fn read_policy(path: &Path) -> Result<Policy, CliError> {
    let text = fs::read_to_string(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    let policy: Policy = parse_toml(path, &text)?;
    let wrong =
        |error: QuantizationError| CliError::Policy { path: path.to_owned(), what: error.to_string() };
    policy.validate().map_err(wrong)?;
    Ok(policy)
}

/// A policy from the text of a file.
pub(crate) fn parse_toml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, CliError> {
    // The parser's message has a picture of the line; an error is one sentence here.
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| 1 + text[..span.start].matches('\n').count());
        let what = error.message().replace('\n', " ");
        let what = line.map_or(what.clone(), |line| format!("line {line}: {what}"));
        CliError::Policy { path: path.to_owned(), what }
    })
}

/// What `--json` writes.
#[derive(Serialize)]
struct Report<'a> {
    version: &'static str,
    adapter: String,
    driver: String,
    bytes_before: u64,
    bytes_after: u64,
    tensors: Vec<Row<'a>>,
    unused: &'a [UnusedPattern],
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    tensor: &'a TensorReport,
    clipped_fraction: Option<f64>,
    loss: Option<Loss>,
    /// Null also where it is infinite: where nothing is lost, or something altogether, as `loss` says.
    snr_db: Option<f64>,
}

impl<'a> Report<'a> {
    fn new(gpu: &Gpu, tensors: &'a [TensorReport], unused: &'a [UnusedPattern]) -> Self {
        let row = |tensor: &'a TensorReport| {
            let measure = tensor.measure.as_ref();
            let snr_db = measure.map(Measure::snr_db).filter(|ratio| ratio.is_finite());
            let clipped_fraction = measure.map(Measure::clipped_fraction);
            Row { tensor, clipped_fraction, loss: measure.map(Measure::loss), snr_db }
        };
        Self {
            version: env!("CARGO_PKG_VERSION"),
            adapter: gpu.capabilities().adapter.clone(),
            driver: gpu.capabilities().driver.clone(),
            bytes_before: tensors.iter().map(|tensor| tensor.bytes_before).sum(),
            bytes_after: tensors.iter().map(|tensor| tensor.bytes_after).sum(),
            tensors: tensors.iter().map(row).collect(),
            unused,
        }
    }
}

/// The table for people: a line for every tensor that changed.
fn text(tensors: &[TensorReport]) -> String {
    let heading = ["tensor", "shape", "from", "to", "scales", "range", "clipped", "SNR", "worst error"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    let changed = tensors.iter().filter_map(|tensor| Some(cells(tensor, tensor.measure.as_ref()?)));
    rows.extend(changed);
    let sum = |bytes: fn(&TensorReport) -> u64| tensors.iter().map(bytes).sum::<u64>();
    let (before, after) = (sum(|tensor| tensor.bytes_before), sum(|tensor| tensor.bytes_after));
    let (changed, kept) = (rows.len() - 1, tensors.len() + 1 - rows.len());
    let parts = match tensors.iter().filter(|tensor| tensor.part_of.is_some()).count() {
        0 => String::new(),
        parts => format!(" ({parts} of them codes, scales and zero points of tensors quantized before)"),
    };
    let table = if changed == 0 { String::new() } else { output::table(&rows) + "\n" };
    let percent = 100.0 * after as f64 / (before as f64).max(1.0);
    format!(
        "{table}{changed} of {} tensors changed, {kept} copied{parts}; {before} bytes became {after}, {percent:.1} %\n",
        tensors.len()
    )
}

fn cells(tensor: &TensorReport, measure: &Measure) -> Vec<String> {
    let snr = match (measure.loss(), measure.snr_db()) {
        (Loss::Total, _) => "lost".to_owned(),
        (_, f64::INFINITY) => "exact".to_owned(),
        (_, ratio) => format!("{ratio:.1} dB"),
    };
    let cells = [
        tensor.name.clone(),
        format!("{:?}", tensor.shape),
        tensor.from.clone(),
        tensor.to.clone(),
        tensor.scheme.as_ref().map_or("-".into(), scales),
        format!("{:.3e} to {:.3e}", measure.min, measure.max),
        format!("{:.4} %", 100.0 * measure.clipped_fraction()),
        snr,
        format!("{:.3}", measure.worst_relative),
    ];
    let mut cells = cells.to_vec();
    if measure.not_finite > 0 {
        cells.push(match measure.made_finite {
            0 => format!("{} not finite", measure.not_finite),
            made => format!("{} not finite, {made} of them made finite", measure.not_finite),
        });
    }
    cells
}

/// A scheme in a few words.
fn scales(scheme: &Scheme) -> String {
    use langevin::Granularity::{PerBlock, PerColumn, PerGroup, PerRow, PerTensor};
    let by = match scheme.granularity {
        PerTensor => "per tensor".to_owned(),
        PerRow => "per row".to_owned(),
        PerColumn => "per column".to_owned(),
        PerGroup(size) => format!("per group of {size}"),
        PerBlock { rows, columns } => format!("per block of {rows} x {columns}"),
        other => format!("{other:?}"),
    };
    match (scheme.scale_rounding, scheme.asymmetric) {
        (Some(_), _) => by + ", powers of two",
        (None, true) => by + ", zero points",
        (None, false) => by,
    }
}
