//! The one place with `unsafe`.
#![allow(unsafe_code)]

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

/// A module without the counter and branch that wgpu adds to every loop; buffer and array accesses stay checked.
pub(crate) fn module_without_loop_bounding(
    device: &wgpu::Device,
    label: &str,
    source: &str,
) -> wgpu::ShaderModule {
    let descriptor =
        wgpu::ShaderModuleDescriptor { label: Some(label), source: wgpu::ShaderSource::Wgsl(source.into()) };
    let checks =
        wgpu::ShaderRuntimeChecks { force_loop_bounding: false, ..wgpu::ShaderRuntimeChecks::checked() };
    // SAFETY: loop bounding protects against loops that never end. Every loop of our shaders counts up to a size that
    // the host has checked, so it ends; the bounds checks that keep memory safe stay on.
    unsafe { device.create_shader_module_trusted(descriptor, checks) }
}
