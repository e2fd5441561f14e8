use crate::Dtype;

/// Why a descriptor, or the tensors given for it, describe nothing that can be computed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DescError {
    /// A field of a descriptor breaks a rule.
    #[error("{op}: `{field}` must be {expected}, got {got}")]
    Field {
        /// The operation.
        op: &'static str,
        /// The field of the descriptor.
        field: &'static str,
        /// What the rule asks for.
        expected: String,
        /// What the descriptor says.
        got: String,
    },
    /// A needed tensor is absent.
    #[error("{op}: tensor `{tensor}` is missing, expected {dtype} {shape:?}")]
    Missing {
        /// The operation.
        op: &'static str,
        /// The tensor.
        tensor: String,
        /// Its element type.
        dtype: Dtype,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A tensor was given that the descriptor does not use.
    #[error("{op}: tensor `{tensor}` was given, but the descriptor does not use it")]
    Unexpected {
        /// The operation.
        op: &'static str,
        /// The tensor.
        tensor: String,
    },
    /// A tensor has the wrong shape.
    #[error("{op}: tensor `{tensor}` must have shape {expected}, got {got:?}")]
    Shape {
        /// The operation.
        op: &'static str,
        /// The tensor.
        tensor: String,
        /// The shape, or the rule a shape must obey.
        expected: String,
        /// The shape given.
        got: Vec<usize>,
    },
    /// A tensor has the wrong element type.
    #[error("{op}: tensor `{tensor}` must hold {expected}, got {got}")]
    Dtype {
        /// The operation.
        op: &'static str,
        /// The tensor.
        tensor: String,
        /// The type, or the types, allowed.
        expected: String,
        /// The type given.
        got: Dtype,
    },
    /// A tensor holds a value that the operation cannot use.
    #[error("{op}: tensor `{tensor}` must hold {expected}, got {got} at {index:?}")]
    Value {
        /// The operation.
        op: &'static str,
        /// The tensor.
        tensor: String,
        /// The rule for its values.
        expected: &'static str,
        /// The value.
        got: f64,
        /// Where it stands.
        index: Vec<usize>,
    },
    /// A tensor's bytes do not fill its shape.
    #[error("a {dtype} tensor of shape {shape:?} takes {expected} bytes, got {got}")]
    Bytes {
        /// Its element type.
        dtype: Dtype,
        /// Its shape.
        shape: Vec<usize>,
        /// How many bytes the shape takes.
        expected: usize,
        /// How many were given.
        got: usize,
    },
    /// A size leaves the range of the indices.
    #[error("{op}: {what} must be at most {limit}, got {got}")]
    TooLarge {
        /// The operation.
        op: &'static str,
        /// The size.
        what: String,
        /// The largest size allowed.
        limit: u64,
        /// The size asked for.
        got: u128,
    },
}
