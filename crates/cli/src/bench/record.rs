//! What a run of the benchmark leaves behind, and how it is read again.

use super::cases::Unit;
use super::ceilings::Ceilings;
use super::overhead::Overhead;
use super::stats::Spread;
use crate::CliError;
use langevin::Gpu;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The meaning of the fields; it changes when one does.
pub(super) const SCHEMA: u32 = 1;

/// wgpu has no constant for its version; a test compares this with the lock file.
const WGPU_VERSION: &str = "30.0.1";

/// One run on one adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) schema: u32,
    pub(super) langevin: String,
    pub(super) wgpu: String,
    /// The commit that was built, where the caller says so.
    pub(super) commit: Option<String>,
    pub(super) command: Vec<String>,
    /// UTC.
    pub(super) date: String,
    pub(super) adapter: Adapter,
    /// What the times of the cases are read from.
    pub(super) clock: String,
    pub(super) ceilings: Option<Ceilings>,
    pub(super) overhead: Option<Overhead>,
    pub(super) rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Adapter {
    pub(super) name: String,
    pub(super) driver: String,
    pub(super) backend: String,
    pub(super) device_type: String,
    pub(super) tiers: Vec<String>,
    pub(super) timestamp_period_nanoseconds: f32,
    /// Threads of the host.
    pub(super) host_threads: usize,
}

/// One variant of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) kernel: String,
    pub(super) case: String,
    pub(super) variant: String,
    pub(super) tier: String,
    /// A plan takes this variant by itself.
    pub(super) chosen: bool,
    pub(super) descriptor: String,
    pub(super) unit: Unit,
    pub(super) flops: f64,
    pub(super) bytes: f64,
    /// What of the answer was compared with the reference before the time was taken.
    pub(super) checked: Option<String>,
    /// Why there is no time.
    pub(super) finding: Option<String>,
    pub(super) failed: bool,
    pub(super) timing: Option<Timing>,
}

/// How long a call took, and what that means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Timing {
    /// One call of several that follow each other.
    pub(super) gpu_seconds: Spread,
    /// One call alone: recorded, submitted and waited for.
    pub(super) wall_seconds: Spread,
    pub(super) samples: usize,
    pub(super) calls_per_pass: usize,
    pub(super) plan_seconds: f64,
    /// Copies of the tensors, used in turn, and their bytes together.
    pub(super) sets: usize,
    pub(super) rotated_bytes: u64,
    /// The tensors of a run may still lie in a cache.
    pub(super) cache_resident: bool,
    /// Operations or bytes per second, as the unit says.
    pub(super) rate: f64,
    pub(super) ceiling: Option<String>,
    pub(super) fraction_of_ceiling: Option<f64>,
}

impl Record {
    /// A record of this program and adapter without measurements.
    pub(super) fn new(gpu: &Gpu, commit: Option<String>, clock: &str) -> Self {
        let capabilities = gpu.capabilities();
        Self {
            schema: SCHEMA,
            langevin: env!("CARGO_PKG_VERSION").into(),
            wgpu: WGPU_VERSION.into(),
            commit,
            command: std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect(),
            date: utc(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()),
            adapter: Adapter {
                name: capabilities.adapter.clone(),
                driver: capabilities.driver.clone(),
                backend: capabilities.backend.to_str().to_owned(),
                device_type: format!("{:?}", capabilities.device_type),
                tiers: capabilities.tiers().into_iter().map(|tier| tier.name().to_owned()).collect(),
                timestamp_period_nanoseconds: gpu.queue().get_timestamp_period(),
                host_threads: std::thread::available_parallelism().map_or(1, usize::from),
            },
            clock: clock.to_owned(),
            ceilings: None,
            overhead: None,
            rows: Vec::new(),
        }
    }

    pub(super) fn json(&self) -> Result<Vec<u8>, CliError> {
        let mut json = serde_json::to_vec_pretty(self).map_err(CliError::Json)?;
        json.push(b'\n');
        Ok(json)
    }

    /// Reads a record that an earlier run wrote.
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        #[derive(Deserialize)]
        struct Head {
            schema: u32,
        }
        let path_of = || path.to_owned();
        let bytes = std::fs::read(path).map_err(|source| CliError::Read { path: path_of(), source })?;
        let no_record = |source| CliError::NoRecord { path: path_of(), source };
        let Head { schema } = serde_json::from_slice(&bytes).map_err(no_record)?;
        if schema != SCHEMA {
            return Err(CliError::RecordSchema { path: path_of(), expected: SCHEMA, got: schema });
        }
        serde_json::from_slice(&bytes).map_err(no_record)
    }
}

/// Seconds since 1970 as `YYYY-MM-DDThh:mm:ssZ`.
fn utc(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (day, hour, minute) = (days + 1, second / 3600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        let date = |seconds| utc(Duration::from_secs(seconds));
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert_eq!(date(951_826_154), "2000-02-29T12:09:14Z");
        assert_eq!(date(1_798_761_599), "2026-12-31T23:59:59Z");
        assert_eq!(date(1_798_761_600), "2027-01-01T00:00:00Z");
    }

    #[test]
    fn the_version_of_wgpu_is_that_of_the_lock_file() {
        let lock = include_str!("../../../../Cargo.lock");
        assert!(lock.contains(&format!("name = \"wgpu\"\nversion = \"{WGPU_VERSION}\"")));
    }
}
