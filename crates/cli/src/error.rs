use crate::output;
use langevin::DescError;
use langevin::gpu::GpuError;
use langevin::verify::{Comparison, VerifyError};
use std::io;
use std::path::PathBuf;

/// Why a command failed: one sentence for the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CliError {
    /// A file could not be written; nothing of it was left behind.
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file is not what its name or use promises.
    #[error("{} is no whole safetensors file: {source}", path.display())]
    Safetensors { path: PathBuf, source: safetensors::SafeTensorError },
    /// A tensor in a file has no place in the operation.
    #[error("{}: {op} has no tensor `{tensor}`; its tensors are {known}", path.display())]
    UnknownTensor { path: PathBuf, tensor: String, op: &'static str, known: String },
    /// A tensor that the operation needs is not in the file.
    #[error("{}: tensor `{tensor}`, which {op} needs, is missing", path.display())]
    MissingTensor { path: PathBuf, tensor: &'static str, op: &'static str },
    /// A tensor's element type is none that the operation takes there.
    #[error("{op}: tensor `{tensor}` must have one of the dtypes {allowed}, got {got}")]
    UnsupportedDtype { op: &'static str, tensor: &'static str, got: String, allowed: String },
    /// The JSON of a descriptor is wrong.
    #[error("{op}: --desc: {source}")]
    Desc { op: &'static str, source: serde_json::Error },
    /// A field of a descriptor's JSON is wrong.
    #[error("{op}: --desc: `{field}`: {source}, got {got}")]
    DescField { op: &'static str, field: String, got: String, source: serde_json::Error },
    /// The reference needs more memory than there is.
    #[error("{op}: the CPU reference needs {bytes} bytes of memory, more than there are")]
    Memory { op: &'static str, bytes: usize },
    /// A result is further from its reference than its bound allows.
    #[error("{op}: the result is out of its bound: {comparison}")]
    OutOfBounds { op: &'static str, comparison: Box<Comparison> },
    /// The doctor found kernels that are wrong on this adapter.
    #[error("{failures} of {cases} cases failed on {adapter}")]
    DoctorFailed { adapter: String, cases: usize, failures: usize },
    /// A file is not what the doctor keeps.
    #[error("{} holds no verdicts that this version can use: {source}", path.display())]
    NoVerdicts { path: PathBuf, source: Box<langevin::verify::NoVerdicts> },
    /// The benchmark was asked for cases that there are not.
    #[error("{what}; `langevin bench --list` prints the cases")]
    NoCase { what: String },
    /// The benchmark was asked for variants that there are not.
    #[error("no case has the variant asked for on this adapter; their variants are {names}")]
    NoVariant { names: String },
    /// A file is not what the benchmark writes.
    #[error("{} is no record of `langevin bench`: {source}", path.display())]
    NoRecord { path: PathBuf, source: serde_json::Error },
    /// A record of another version.
    #[error("{} has schema {got}, this program reads {expected}", path.display())]
    RecordSchema { path: PathBuf, expected: u32, got: u32 },
    /// A record without what the adapter can do at best.
    #[error("{} holds no ceilings; `langevin bench --ceilings --json FILE` measures them", path.display())]
    NoCeilings { path: PathBuf },
    /// The benchmark found kernels that are wrong on this adapter.
    #[error("{failures} of {rows} variants failed on {adapter}, and have no time")]
    BenchFailed { adapter: String, rows: usize, failures: usize },
    /// A report could not be written as JSON.
    #[error("cannot write the report as JSON: {0}")]
    Json(serde_json::Error),
    /// A picture could not be encoded.
    #[error("cannot encode the picture: {0}")]
    Png(image::ImageError),
    /// A picture could not be decoded.
    #[error("{} is no picture that can be used: {source}", path.display())]
    NoPicture { path: PathBuf, source: image::ImageError },
    /// A run would take forever.
    #[error("--time takes {steps:.0} steps of {dt}, at most {most:.0} are allowed")]
    TooManySteps { steps: f64, most: f64, dt: f64 },
    /// The result of a heat run is not what it must be.
    #[error("the result is wrong, nothing was written: {what}: {finding}")]
    HeatCheck { what: &'static str, finding: String },
    /// A field of the descriptor that has no useful default is absent.
    #[error("{op}: --desc: `{field}` is missing or zero")]
    MissingField { op: &'static str, field: &'static str },
    /// Two files would be one, and what is written there would replace the other.
    #[error("{first} and {second} must be two files, got {} for both", path.display())]
    SameFile { first: &'static str, second: &'static str, path: PathBuf },
    /// The sampler left the range of f32.
    #[error("sample {sample} holds numbers that are not finite; the guidance {guidance:e} must be smaller")]
    NotFinite { sample: usize, guidance: f64 },
    /// A file of samples holds another number of them.
    #[error("{}: tensor `samples` must hold {expected} numbers, as many as are made, got {got}", path.display())]
    SampleCount { path: PathBuf, expected: usize, got: usize },
    /// A diffusion failed.
    #[error(transparent)]
    Diffusion(#[from] langevin_diffusion::DiffusionError),
    /// A file is no policy of quantization.
    #[error("{} is no policy: {what}", path.display())]
    Policy { path: PathBuf, what: String },
    /// A model could not be quantized.
    #[error("{}: {source}", path.display())]
    Quantize { path: PathBuf, source: Box<langevin_diffusion::quantization::QuantizationError> },
    /// Standard output is gone for another reason than a closed pipe.
    #[error("cannot write to standard output: {0}")]
    Stdout(io::Error),
    /// No adapter, a lost device, or what the driver said.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// A descriptor or its tensors break a rule.
    #[error(transparent)]
    Rule(#[from] DescError),
    /// A kernel could not be run.
    #[error(transparent)]
    Verify(#[from] VerifyError),
}

/// A defect of ours ends the program like every other error: one sentence and exit code 1. With `RUST_BACKTRACE` set, the
/// usual report.
pub(crate) fn report_panics_in_one_sentence() {
    if std::env::var_os("RUST_BACKTRACE").is_some() {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("unknown").lines().collect::<Vec<_>>().join(" ");
        let place = panic.location().map_or(String::new(), |location| format!(" at {location}"));
        output::complain(&format!("internal error{place}: {message}; please report it"));
        std::process::exit(1);
    }));
}
