//! What a run of the benchmark leaves behind, and how it is read again.

use super::cases::Unit;
use super::ceilings::Ceilings;
use super::overhead::Overhead;
use super::stats::Spread;
use crate::CliError;
use crate::stamp::{self, Adapter, WGPU_VERSION};
use langevin::Gpu;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The meaning of the fields; it changes when one does.
pub(super) const SCHEMA: u32 = 1;

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
        Self {
            schema: SCHEMA,
            langevin: env!("CARGO_PKG_VERSION").into(),
            wgpu: WGPU_VERSION.into(),
            commit,
            command: stamp::command(),
            date: stamp::now(),
            adapter: Adapter::of(gpu),
            clock: clock.to_owned(),
            ceilings: None,
            overhead: None,
            rows: Vec::new(),
        }
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
        let record: Self = serde_json::from_slice(&bytes).map_err(no_record)?;
        match record.impossible() {
            Some(what) => Err(no_record(serde::de::Error::custom(what))),
            None => Ok(record),
        }
    }

    /// A number that no clock gives.
    fn impossible(&self) -> Option<String> {
        let rates = self.ceilings.iter().flat_map(|ceilings| {
            let Ceilings { copy_bytes, buffer_copy_bytes, f32_flops, f16_flops, cooperative_flops, .. } =
                ceilings;
            let [copy, buffer_copy, f32] = [copy_bytes, buffer_copy_bytes, f32_flops].map(|rate| Some(*rate));
            [copy, buffer_copy, f32, *f16_flops, *cooperative_flops].into_iter().flatten()
        });
        let timings = || self.rows.iter().filter_map(|row| row.timing.as_ref());
        let rates = rates.chain(timings().map(|timing| timing.rate));
        let seconds = timings()
            .flat_map(|timing| [&timing.gpu_seconds, &timing.wall_seconds])
            .flat_map(|spread| [spread.lower_quartile, spread.median, spread.upper_quartile]);
        let outside = |name: &str, range: std::ops::RangeInclusive<f64>, value: f64| {
            let text = format!("{name} must be from {:e} to {:e}, got {value:e}", range.start(), range.end());
            (!range.contains(&value)).then_some(text)
        };
        let rate = |value| outside("a rate", 1.0..=1e21, value);
        let time = |value| outside("a time in seconds", 1e-12..=1e9, value);
        rates.into_iter().find_map(rate).or_else(|| seconds.into_iter().find_map(time))
    }
}
