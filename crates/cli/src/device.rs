use crate::{CliError, output};
use langevin::Gpu;
use langevin::gpu::OpenOptions;
use langevin::verify::Verdicts;
use std::path::{Path, PathBuf};

/// Which adapter to run on; shared by the commands that compute.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct DeviceArgs {
    /// Run on the first adapter whose name contains this, case ignored [default: the most capable one, or the one that
    /// the environment variable LANGEVIN_ADAPTER names].
    #[arg(long, value_name = "NAME")]
    pub(crate) adapter: Option<String>,
    /// Avoid the variants that failed here, by the verdicts that `langevin doctor --keep` wrote.
    #[arg(long, value_name = "FILE")]
    pub(crate) verdicts: Option<PathBuf>,
}

impl DeviceArgs {
    /// Opens the adapter with everything a kernel variant can use.
    pub(crate) fn open(&self) -> Result<Gpu, CliError> {
        let from_environment = || std::env::var("LANGEVIN_ADAPTER").ok().filter(|name| !name.is_empty());
        let adapter = self.adapter.clone().or_else(from_environment);
        let mut gpu = Gpu::open(&OpenOptions { adapter, minimal: false, cooperative: true })?;
        if let Some(path) = &self.verdicts {
            let verdicts = verdicts(path)?;
            let distrusted = verdicts.distrusted(gpu.capabilities());
            if distrusted.is_empty() && verdicts != Verdicts::of(gpu.capabilities()) {
                output::complain(&format!("{}: verdicts on another adapter or driver", path.display()));
            }
            gpu.distrust(distrusted);
        }
        Ok(gpu)
    }
}

fn verdicts(path: &Path) -> Result<Verdicts, CliError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    text.parse().map_err(|source| CliError::NoVerdicts { path: path.to_owned(), source: Box::new(source) })
}
