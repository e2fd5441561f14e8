//! The one place with `unsafe`.
#![allow(unsafe_code)]

use crate::Checks;

/// The token that enables wgpu's experimental features.
pub(crate) fn experimental(enabled: bool) -> wgpu::ExperimentalFeatures {
    if enabled {
        // SAFETY: the caller asked for an experimental feature in `OpenOptions`, whose documentation says what it is;
        // the features are used as wgpu documents them.
        unsafe { wgpu::ExperimentalFeatures::enabled() }
    } else {
        wgpu::ExperimentalFeatures::disabled()
    }
}

/// A module without the counter and branch that wgpu adds to every loop, and without checks of indices where that is asked for.
pub(crate) fn module(device: &wgpu::Device, label: &str, source: &str, checks: Checks) -> wgpu::ShaderModule {
    let descriptor =
        wgpu::ShaderModuleDescriptor { label: Some(label), source: wgpu::ShaderSource::Wgsl(source.into()) };
    let all = wgpu::ShaderRuntimeChecks::checked();
    let checks = wgpu::ShaderRuntimeChecks {
        force_loop_bounding: checks == Checks::All,
        bounds_checks: checks != Checks::None,
        ..all
    };
    // SAFETY: loop bounding protects against loops that never end. Every loop of our shaders counts up to a size that
    // the host has checked, so it ends. Checks of indices are left out only for shaders of this crate that index workgroup
    // memory by constants and by the numbers of invocations, which the shader's own sizes bound; wgpu opens every Vulkan
    // device with robust buffer access, so that whatever a tensor holds, no access leaves its buffer.
    unsafe { device.create_shader_module_trusted(descriptor, checks) }
}

/// A file as memory, for reading.
pub(crate) fn map(file: &std::fs::File) -> std::io::Result<memmap2::Mmap> {
    // SAFETY: the bytes must not change while they are borrowed. We only read them, value by value into other memory, and
    // `MappedFile` tells its callers to map files that are finished.
    unsafe { memmap2::Mmap::map(file) }
}
