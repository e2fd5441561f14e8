use langevin::gpu::GpuError;
use langevin::reference::DescError;
use langevin::{BindError, PlanError};

/// What can go wrong when a model is quantized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuantizationError {
    /// A rule of a policy cannot be followed.
    #[error("rule {rule}: {what}")]
    Rule {
        /// The rule, counted from 1.
        rule: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A percentile is none.
    #[error("`percentile` must be above 0 and at most 100, got {got}")]
    Percentile {
        /// The percentile.
        got: f64,
    },
    /// The text is not a policy, or a header's entry not what it must be.
    #[error("not what was expected in JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The file's header is not that of a safetensors file.
    #[error("not a whole safetensors file: {0}")]
    Safetensors(#[from] safetensors::SafeTensorError),
    /// The file's data end before or after those that its header tells of.
    #[error("not a whole safetensors file: the header tells of {expected} bytes, the file has {got}")]
    Length {
        /// Bytes of a whole file.
        expected: u64,
        /// Bytes of this one.
        got: u64,
    },
    /// A tensor that the quantized file needs room for is there already.
    #[error("tensor `{name}` would be written, but the file has a tensor of that name")]
    NameTaken {
        /// The tensor.
        name: String,
    },
    /// A calibration, or a scale of one, is not what it must be.
    #[error("calibration of `{tensor}`: expected {what}")]
    Calibration {
        /// The tensor.
        tensor: String,
        /// What was expected.
        what: &'static str,
    },
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A descriptor is wrong.
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
