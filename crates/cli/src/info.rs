use crate::{CliError, output};
use langevin::gpu::{GpuError, OpenOptions, adapters};
use langevin::wgpu::{self, Features};
use langevin::{Capabilities, Gpu};
use std::fmt::Write;

/// Print every GPU adapter of this machine: its driver, tiers, features and limits.
///
/// The first adapter is the one that the other commands use.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  langevin info --brief")]
pub(crate) struct InfoArgs {
    /// One line per adapter: name | backend | driver | type | tiers.
    #[arg(long)]
    brief: bool,
}

/// The features that a kernel variant or a measurement can use.
const FEATURES: [(Features, &str); 4] = [
    (Features::SHADER_F16, "shader-f16"),
    (Features::SUBGROUP, "subgroups"),
    (Features::TIMESTAMP_QUERY, "timestamp-query"),
    (Features::EXPERIMENTAL_COOPERATIVE_MATRIX, "cooperative-matrix"),
];

pub(crate) fn run(args: &InfoArgs) -> Result<(), CliError> {
    let adapters = adapters();
    if adapters.is_empty() {
        return Err(GpuError::NoAdapter { wanted: None, found: Vec::new() }.into());
    }
    let options = OpenOptions { cooperative: true, ..Default::default() };
    for (position, adapter) in adapters.iter().enumerate() {
        // An adapter that opens no device is worth a line too, not the end of the list.
        let text = match Gpu::open_adapter(adapter, &options) {
            Err(error) => format!("{} | {error}\n", adapter.get_info().name),
            Ok(gpu) if args.brief => format!("{}\n", gpu.capabilities()),
            Ok(gpu) => describe(&gpu),
        };
        let separator = if position > 0 && !args.brief { "\n" } else { "" };
        output::print(&format!("{separator}{text}"))?;
    }
    Ok(())
}

/// One adapter as a block of aligned lines.
fn describe(gpu: &Gpu) -> String {
    let Capabilities { adapter, driver, backend, device_type, features, subgroup_sizes, coop, .. } =
        gpu.capabilities();
    let join = |words: Vec<&str>| if words.is_empty() { "none".to_owned() } else { words.join(" ") };
    let tiers = gpu.capabilities().tiers().into_iter().map(langevin::Tier::name).collect();
    let known =
        FEATURES.iter().filter(|(feature, _)| features.contains(*feature)).map(|(_, name)| *name).collect();
    let sizes: Vec<String> = coop.iter().map(|shape| format!("{0}x{0}x{0}", shape.size)).collect();
    let mut rows = vec![
        ("backend", backend.to_str().to_owned()),
        ("driver", driver.clone()),
        ("type", format!("{device_type:?}")),
        ("tiers", join(tiers)),
        ("features", join(known)),
        ("subgroup size", format!("{} to {}", subgroup_sizes.0, subgroup_sizes.1)),
        ("cooperative matrix", join(sizes.iter().map(String::as_str).collect())),
    ];
    if features.contains(Features::TIMESTAMP_QUERY) {
        rows.push(("timestamp period", format!("{} ns", gpu.queue().get_timestamp_period())));
    }
    rows.extend(limits(&gpu.capabilities().limits));
    let rows: Vec<_> = rows.into_iter().map(|(name, value)| vec![format!("  {name}"), value]).collect();
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write!(text, "{adapter}\n{}", output::table(&rows));
    text
}

/// The limits that decide how large a problem may be and which variant fits.
fn limits(limits: &wgpu::Limits) -> Vec<(&'static str, String)> {
    vec![
        ("largest buffer", bytes(limits.max_buffer_size)),
        ("largest binding", bytes(limits.max_storage_buffer_binding_size)),
        ("bindings per shader", limits.max_storage_buffers_per_shader_stage.to_string()),
        ("workgroup memory", bytes(u64::from(limits.max_compute_workgroup_storage_size))),
        ("workgroup size", limits.max_compute_invocations_per_workgroup.to_string()),
        ("workgroups per axis", limits.max_compute_workgroups_per_dimension.to_string()),
        ("offset alignment", bytes(u64::from(limits.min_storage_buffer_offset_alignment))),
    ]
}

/// A number of bytes in the largest unit that is at most it.
fn bytes(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|&(unit, _)| bytes >= unit) {
        Some((unit, name)) if bytes.is_multiple_of(unit) => format!("{} {name}", bytes / unit),
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / unit as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn bytes_are_readable() {
        assert_eq!(super::bytes(256), "256 B");
        assert_eq!(super::bytes(128 << 20), "128 MiB");
        assert_eq!(super::bytes((2 << 30) - 1), "2.0 GiB");
        assert_eq!(super::bytes(3 << 29), "1.5 GiB");
    }
}
