use crate::CliError;
use langevin::Gpu;
use langevin::gpu::OpenOptions;

/// Which adapter to run on; shared by the commands that compute.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct DeviceArgs {
    /// Run on the first adapter whose name contains this, case ignored [default: the most capable one, or the one that
    /// the environment variable LANGEVIN_ADAPTER names].
    #[arg(long, value_name = "NAME")]
    pub(crate) adapter: Option<String>,
}

impl DeviceArgs {
    /// Opens the adapter with everything a kernel variant can use.
    pub(crate) fn open(&self) -> Result<Gpu, CliError> {
        let from_environment = || std::env::var("LANGEVIN_ADAPTER").ok().filter(|name| !name.is_empty());
        let adapter = self.adapter.clone().or_else(from_environment);
        Ok(Gpu::open(&OpenOptions { adapter, minimal: false, cooperative: true })?)
    }
}
