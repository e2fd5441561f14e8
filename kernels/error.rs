use langevin_gpu::GpuError;
use langevin_reference::DescError;

/// Why no plan can be made of a descriptor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The descriptor breaks a rule.
    #[error(transparent)]
    Desc(#[from] DescError),
    /// A limit of the device is too small.
    #[error("{op}: {what} needs {asked}{unit}, but the device's `{limit}` is {allowed}{unit}", unit = unit_of(limit))]
    Limit {
        /// The kernel.
        op: &'static str,
        /// What needs it.
        what: String,
        /// The limit, by wgpu's name.
        limit: &'static str,
        /// What is needed.
        asked: u64,
        /// What the device allows.
        allowed: u64,
    },
    /// The kernel has no such variant for the descriptor, or the device cannot run it.
    #[error("{op}: no variant {asked} here; this device can run {available}")]
    Variant {
        /// The kernel.
        op: &'static str,
        /// What was asked for.
        asked: String,
        /// The variants that can run.
        available: String,
    },
    /// Every variant that could run failed an earlier check of this adapter.
    #[error("{op}: variant {variant} may not run here, a check of this adapter found: {finding}")]
    Distrusted {
        /// The kernel.
        op: &'static str,
        /// The preferred one of the variants.
        variant: &'static str,
        /// What was found.
        finding: String,
    },
    /// wgpu or the driver refused.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

/// Why buffers cannot be bound to a plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// A tensor of the descriptor has no buffer.
    #[error("{op}: no buffer for `{tensor}`, which the descriptor uses")]
    Missing {
        /// The kernel.
        op: &'static str,
        /// The tensor.
        tensor: String,
    },
    /// Two buffers were given for one tensor.
    #[error("{op}: `{tensor}` was given twice")]
    Twice {
        /// The kernel.
        op: &'static str,
        /// The tensor.
        tensor: String,
    },
    /// A buffer was given for a tensor that the descriptor leaves out.
    #[error("{op}: a buffer for `{tensor}` was given, but the descriptor does not use it")]
    Unexpected {
        /// The kernel.
        op: &'static str,
        /// The tensor.
        tensor: String,
    },
    /// A binding is too small.
    #[error("{op}: `{tensor}` takes {expected} bytes, but its binding has {got}")]
    TooSmall {
        /// The kernel.
        op: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// Bytes needed.
        expected: u64,
        /// Bytes bound.
        got: u64,
    },
    /// A buffer was created without a usage it needs.
    #[error("{op}: the buffer of `{tensor}` must have usage STORAGE, it has {got}")]
    Usage {
        /// The kernel.
        op: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// The usages it has.
        got: String,
    },
    /// An offset is not a multiple of the device's alignment.
    #[error("{op}: the offset of `{tensor}` must be a multiple of {alignment} bytes, got {offset}")]
    Misaligned {
        /// The kernel.
        op: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// The alignment, `min_storage_buffer_offset_alignment`.
        alignment: u64,
        /// The offset given.
        offset: u64,
    },
    /// An output shares its buffer with another tensor, which wgpu forbids within one dispatch, ranges apart or not.
    #[error("{op}: `{output}` is written, so it cannot share a buffer with `{other}`")]
    Aliased {
        /// The kernel.
        op: &'static str,
        /// The tensor that is written.
        output: &'static str,
        /// The other tensor.
        other: &'static str,
    },
    /// wgpu or the driver refused.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

/// What a limit counts, as a message says it.
fn unit_of(limit: &str) -> &'static str {
    match limit {
        "max_storage_buffer_binding_size" | "max_compute_workgroup_storage_size" => " bytes",
        "max_loop_iterations" => " iterations",
        "max_compute_invocations_per_workgroup" => " invocations",
        _ => "",
    }
}
