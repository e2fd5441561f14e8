use crate::output;
use langevin::gpu::GpuError;
use std::io;
use std::path::PathBuf;

/// Why a command failed: one sentence for the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CliError {
    /// A file could not be written; nothing of it was left behind.
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// Standard output is gone for another reason than a closed pipe.
    #[error("cannot write to standard output: {0}")]
    Stdout(io::Error),
    /// No adapter, a lost device, or what the driver said.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

/// A defect of ours ends the program like every other error: one sentence and exit code 1. With `RUST_BACKTRACE` set, the
/// usual report.
pub(crate) fn report_panics_in_one_sentence() {
    if std::env::var_os("RUST_BACKTRACE").is_some() {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("unknown").lines().collect::<Vec<_>>().join(" ");
        let place = panic.location().map_or(String::new(), |location| format!(" at {location}"));
        output::complain(&format!("internal error{place}: {message}; please report it"));
        std::process::exit(1);
    }));
}
