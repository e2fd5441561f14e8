use crate::GpuError;

/// Open error scopes: everything wgpu creates until [`ErrorScopes::finish`] reports its errors here instead of to the
/// application's handler.
#[derive(Debug)]
#[must_use = "call finish to see the errors"]
pub struct ErrorScopes {
    // Popped in the reverse order of pushing.
    internal: wgpu::ErrorScopeGuard,
    memory: wgpu::ErrorScopeGuard,
    validation: wgpu::ErrorScopeGuard,
}

impl ErrorScopes {
    /// Opens the scopes on the calling thread.
    pub fn open(device: &wgpu::Device) -> Self {
        let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
        Self { internal, memory, validation }
    }

    /// Closes the scopes; `what` names what was being made.
    ///
    /// # Errors
    /// The first error of the scopes: out of memory before validation, since the former causes the latter.
    pub fn finish(self, what: &str) -> Result<(), GpuError> {
        // In a browser the futures need its event loop, so errors go to the application's handler there.
        if cfg!(target_arch = "wasm32") {
            return Ok(());
        }
        // On every native backend these futures are ready at once.
        let internal = pollster::block_on(self.internal.pop());
        let memory = pollster::block_on(self.memory.pop());
        let validation = pollster::block_on(self.validation.pop());
        let what = what.to_owned();
        match (memory, internal, validation) {
            (Some(error), _, _) => Err(GpuError::OutOfMemory { what, message: describe(&error) }),
            (_, Some(error), _) => Err(GpuError::Internal { what, message: describe(&error) }),
            (_, _, Some(error)) => {
                let message = describe(&error);
                // wgpu reports use of a lost device as a validation error.
                if message.contains("is lost") || message.contains("Device is lost") {
                    return Err(GpuError::DeviceLost { reason: format!("while creating {what}") });
                }
                Err(GpuError::Validation { what, message })
            }
            (None, None, None) => Ok(()),
        }
    }
}

/// Runs `make` inside error scopes.
///
/// # Errors
/// The first error wgpu reported; what `make` returned is dropped then.
pub fn with_scopes<T>(device: &wgpu::Device, what: &str, make: impl FnOnce() -> T) -> Result<T, GpuError> {
    let scopes = ErrorScopes::open(device);
    let made = make();
    scopes.finish(what)?;
    Ok(made)
}

/// wgpu's message with its line breaks folded: errors are one sentence.
fn describe(error: &wgpu::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
