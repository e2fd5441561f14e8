use crate::Memory;
use langevin::gpu::GpuError;
use langevin::reference::DescError;
use langevin::{BindError, PlanError};
use std::path::{Path, PathBuf};

/// What can go wrong in a diffusion.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiffusionError {
    /// A configuration breaks a rule.
    #[error("{what} must be {expected}, got {got}")]
    Config {
        /// The field.
        what: &'static str,
        /// What the rule asks for.
        expected: String,
        /// What was given.
        got: String,
    },
    /// The bytes are not a configuration.
    #[error("not a DiT configuration: {0}")]
    Json(#[from] serde_json::Error),
    /// The bytes are not a safetensors file.
    #[error("not a whole safetensors file: {0}")]
    Safetensors(#[from] safetensors::SafeTensorError),
    /// A file of weights cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of weights is damaged.
    #[error("{} is no whole safetensors file: {source}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: safetensors::SafeTensorError,
    },
    /// An index of weights is none.
    #[error("{} is no index of safetensors files: {source}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The index names a file for a tensor, and the tensor is not there.
    #[error("tensor `{name}` is not in {}, where the index has it", file.display())]
    NotInShard {
        /// The tensor.
        name: String,
        /// The file that the index names.
        file: PathBuf,
    },
    /// Two files hold a tensor of that name.
    #[error("two files have a tensor `{name}`")]
    TensorTwice {
        /// The tensor.
        name: String,
    },
    /// A tensor of the model is absent.
    #[error("the weights have no tensor `{name}`, expected {expected:?}")]
    MissingTensor {
        /// The tensor.
        name: String,
        /// Its shape.
        expected: Vec<usize>,
    },
    /// A tensor of the model has another shape.
    #[error("tensor `{name}` must have shape {expected:?}, got {got:?}")]
    TensorShape {
        /// The tensor.
        name: String,
        /// The shape the configuration asks for.
        expected: Vec<usize>,
        /// The shape in the file.
        got: Vec<usize>,
    },
    /// A tensor of the model has an element type that weights do not come in.
    #[error("tensor `{name}` must hold F32, F16 or BF16, got {got}")]
    TensorType {
        /// The tensor.
        name: String,
        /// The type in the file.
        got: String,
    },
    /// A tensor of the file is not of this model.
    #[error("the weights have a tensor `{name}` that this configuration does not use")]
    ExtraTensor {
        /// The tensor.
        name: String,
    },
    /// The blocks have different embedders, and this pipeline computes one for all.
    #[error("tensor `{name}` must be the same in every block, and block {block} differs")]
    DifferentEmbedders {
        /// The tensor of the first block.
        name: String,
        /// The block that differs.
        block: usize,
    },
    /// A rule of a precision policy cannot be followed.
    #[error("precision rule {rule}: {what}")]
    Precision {
        /// Its place, counted from 1.
        rule: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A pipeline needs more memory than it may take.
    #[error("the pipeline needs {} bytes, more than the {budget} it may take:\n{memory}", memory.total())]
    Budget {
        /// What it needs.
        memory: Box<Memory>,
        /// What it may take.
        budget: u64,
    },
    /// A buffer is larger than the device allows.
    #[error("a buffer needs {} bytes, and this device allows {allowed} in one:\n{memory}", memory.largest_buffer)]
    LargestBuffer {
        /// What the pipeline needs.
        memory: Box<Memory>,
        /// What the device allows.
        allowed: u64,
    },
    /// The device ran out of memory.
    #[error("the device has no memory left for the {} bytes of the pipeline:\n{memory}", memory.total())]
    OutOfMemory {
        /// What the pipeline needs.
        memory: Box<Memory>,
    },
    /// An operation's descriptor or tensors are wrong.
    #[error(transparent)]
    Desc(#[from] DescError),
    /// A kernel cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A kernel cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The GPU failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

impl DiffusionError {
    /// A file that cannot be read.
    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    /// A rule of a configuration that does not hold.
    pub(crate) fn config(what: &'static str, expected: impl ToString, got: impl ToString) -> Self {
        Self::Config { what, expected: expected.to_string(), got: got.to_string() }
    }
}
