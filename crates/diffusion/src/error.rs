use langevin::gpu::GpuError;
use langevin::reference::DescError;
use langevin::{BindError, PlanError};

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
    /// A rule of a configuration that does not hold.
    pub(crate) fn config(what: &'static str, expected: impl ToString, got: impl ToString) -> Self {
        Self::Config { what, expected: expected.to_string(), got: got.to_string() }
    }
}
