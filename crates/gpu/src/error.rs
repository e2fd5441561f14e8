/// What can go wrong between us and a GPU.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// No adapter is there, or none matches.
    #[error("{}", no_adapter(.wanted.as_deref(), .found))]
    NoAdapter {
        /// The part of a name that was asked for.
        wanted: Option<String>,
        /// The names of the adapters that there are.
        found: Vec<String>,
    },
    /// The adapter refused to open a device.
    #[error("adapter \"{adapter}\" opened no device: {message}")]
    Open {
        /// The adapter.
        adapter: String,
        /// What the driver said.
        message: String,
    },
    /// The driver found a mistake in what it was given; a defect of this crate or of the caller's buffers.
    #[error("the GPU rejected {what}: {message}")]
    Validation {
        /// What was being made.
        what: String,
        /// What wgpu said.
        message: String,
    },
    /// There is not enough memory.
    #[error("out of GPU memory for {what}: {message}")]
    OutOfMemory {
        /// What was being made.
        what: String,
        /// What wgpu said.
        message: String,
    },
    /// The driver failed inside.
    #[error("the GPU driver failed at {what}: {message}")]
    Internal {
        /// What was being made.
        what: String,
        /// What wgpu said.
        message: String,
    },
    /// The device is gone; open a new one.
    #[error("the GPU device was lost: {reason}")]
    DeviceLost {
        /// Why.
        reason: String,
    },
    /// The GPU did not finish in time.
    #[error("the GPU did not finish within {seconds} s")]
    Timeout {
        /// How long we waited.
        seconds: u64,
    },
    /// A buffer cannot be read or written this way.
    #[error("buffer `{buffer}` must {expected}, got {got}")]
    Buffer {
        /// The buffer's label.
        buffer: String,
        /// What is needed.
        expected: &'static str,
        /// What it is.
        got: String,
    },
    /// The device lacks an optional feature.
    #[error("the device has no {feature}")]
    Unsupported {
        /// The feature.
        feature: &'static str,
    },
}

/// What is missing, and what there is instead.
fn no_adapter(wanted: Option<&str>, found: &[String]) -> String {
    let wanted = wanted.map_or(String::new(), |name| format!(" whose name contains \"{name}\""));
    let instead = match found {
        [] => "install a driver (on Debian or Ubuntu without a GPU: apt-get install mesa-vulkan-drivers)"
            .to_owned(),
        names => format!("there is \"{}\"", names.join("\", \"")),
    };
    format!("no GPU adapter found{wanted}; {instead}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_adapter_is_told_with_those_that_are_there() {
        let error = |wanted: Option<&str>, found: &[&str]| {
            let found = found.iter().map(|&name| name.to_owned()).collect();
            GpuError::NoAdapter { wanted: wanted.map(str::to_owned), found }.to_string()
        };
        assert!(error(None, &[]).starts_with("no GPU adapter found; install a driver"));
        assert_eq!(
            error(Some("x"), &["A", "B"]),
            "no GPU adapter found whose name contains \"x\"; there is \"A\", \"B\""
        );
    }
}
