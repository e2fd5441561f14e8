//! What every record says of itself.

use langevin::Gpu;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

/// wgpu has no constant for its version; a test compares this with the lock file.
pub(crate) const WGPU_VERSION: &str = "30.0.1";

/// The program, its command and the adapter.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Stamp {
    langevin: &'static str,
    wgpu: &'static str,
    /// The commit that was built, where the caller says so.
    commit: Option<String>,
    command: Vec<String>,
    /// UTC.
    date: String,
    adapter: Adapter,
}

impl Stamp {
    pub(crate) fn of(gpu: &Gpu, commit: Option<String>) -> Self {
        let (langevin, wgpu) = (env!("CARGO_PKG_VERSION"), WGPU_VERSION);
        Self { langevin, wgpu, commit, command: command(), date: now(), adapter: Adapter::of(gpu) }
    }
}

/// What was measured on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Adapter {
    pub(crate) name: String,
    pub(crate) driver: String,
    pub(crate) backend: String,
    pub(crate) device_type: String,
    pub(crate) tiers: Vec<String>,
    pub(crate) timestamp_period_nanoseconds: f32,
    /// Threads of the host.
    pub(crate) host_threads: usize,
}

impl Adapter {
    pub(crate) fn of(gpu: &Gpu) -> Self {
        let capabilities = gpu.capabilities();
        Self {
            name: capabilities.adapter.clone(),
            driver: capabilities.driver.clone(),
            backend: capabilities.backend.to_str().to_owned(),
            device_type: format!("{:?}", capabilities.device_type),
            tiers: capabilities.tiers().into_iter().map(|tier| tier.name().to_owned()).collect(),
            timestamp_period_nanoseconds: gpu.queue().get_timestamp_period(),
            host_threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// The words that started the program.
pub(crate) fn command() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

/// The time as `YYYY-MM-DDThh:mm:ssZ`.
pub(crate) fn now() -> String {
    utc(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
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
        let lock = include_str!("../../../Cargo.lock");
        assert!(lock.contains(&format!("name = \"wgpu\"\nversion = \"{WGPU_VERSION}\"")));
    }
}
