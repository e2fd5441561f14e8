//! The result as a table and as JSON.

use crate::burn_side;
use crate::cases::Case;
use langevin::Gpu;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::path::Path;

/// The meaning of the fields; it changes when one does.
const SCHEMA: u32 = 1;

/// All cases on one adapter.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    schema: u32,
    adapter: String,
    driver: String,
    backend: String,
    host_threads: usize,
    burn: &'static str,
    burn_compiler: &'static str,
    clock: &'static str,
    pub(crate) rows: Vec<Row>,
    /// Results of the Python programs.
    others: Vec<Other>,
}

/// One case.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    case: String,
    flops: Option<f64>,
    langevin: Side,
    burn: Side,
    /// How many times faster langevin is, by the medians; nothing where one of them is wrong.
    ratio: Option<f64>,
    /// The same by the fastest samples, which a busy machine disturbs least.
    ratio_of_fastest: Option<f64>,
}

/// One library's figures.
#[derive(Debug, Serialize)]
pub(crate) struct Side {
    how: String,
    /// Relative to an f64 reference, in the Euclidean norm.
    relative_error: f64,
    right: bool,
    median_seconds: f64,
    lower_quartile: f64,
    upper_quartile: f64,
    fastest_seconds: f64,
    samples: usize,
}

/// What `torch_baseline.py` writes.
#[derive(Debug, Serialize, Deserialize)]
struct Other {
    library: String,
    device: String,
    rows: Vec<OtherRow>,
}

#[derive(Debug, Serialize, Deserialize)]
struct OtherRow {
    case: String,
    how: String,
    median_seconds: f64,
}

impl Report {
    pub(crate) fn new<'p>(gpu: &Gpu, also: impl Iterator<Item = &'p Path>) -> Result<Self, Box<dyn Error>> {
        let read = |path: &Path| -> Result<Other, Box<dyn Error>> {
            let named = |error: String| format!("{}: {error}", path.display());
            let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
            Ok(serde_json::from_str(&text).map_err(|error| named(error.to_string()))?)
        };
        let capabilities = gpu.capabilities();
        Ok(Self {
            schema: SCHEMA,
            adapter: capabilities.adapter.clone(),
            driver: capabilities.driver.clone(),
            backend: capabilities.backend.to_str().to_owned(),
            host_threads: std::thread::available_parallelism().map_or(1, usize::from),
            burn: burn_side::VERSION,
            burn_compiler: burn_side::COMPILER,
            clock: "host, from the first call of a batch until the device is done with it",
            rows: Vec::new(),
            others: also.map(read).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec_pretty(self)
    }

    pub(crate) fn text(&self) -> String {
        let heading = [
            "case",
            "langevin",
            "variant",
            "IQR",
            "error",
            "burn",
            "IQR",
            "error",
            "burn/langevin",
            "fastest",
        ];
        let mut table = vec![heading.map(str::to_owned).to_vec()];
        for other in self.others.iter().flat_map(Other::columns) {
            table[0].extend([other.clone(), "/langevin".to_owned()]);
        }
        for row in &self.rows {
            let mut cells = row.cells();
            for (other, how) in self.others.iter().flat_map(|other| other.ways().map(move |how| (other, how)))
            {
                let found = other.rows.iter().find(|o| o.case == row.case && o.how == how);
                let time = found.map(|found| found.median_seconds);
                cells.push(time.map_or("-".into(), milliseconds));
                cells.push(
                    time.map_or("-".into(), |time| format!("{:.2}x", time / row.langevin.median_seconds)),
                );
            }
            table.push(cells);
        }
        let driver = format!("{} ({}, {})", self.adapter, self.backend, self.driver);
        format!("{driver}, burn {} through {}\n\n{}", self.burn, self.burn_compiler, aligned(&table))
    }
}

impl Other {
    /// The ways this library computes, each once.
    fn ways(&self) -> impl Iterator<Item = &str> {
        let mut ways: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !ways.contains(&row.how.as_str()) {
                ways.push(&row.how);
            }
        }
        ways.into_iter()
    }

    fn columns(&self) -> impl Iterator<Item = String> {
        self.ways().map(|how| format!("{} {how}", self.library))
    }
}

impl Row {
    pub(crate) fn new(case: &Case, langevin: Side, burn: Side) -> Self {
        let right = langevin.right && burn.right;
        let ratio = right.then(|| burn.median_seconds / langevin.median_seconds);
        let ratio_of_fastest = right.then(|| burn.fastest_seconds / langevin.fastest_seconds);
        let (case, flops) = (case.name.clone(), case.problem.flops());
        Self { case, flops, langevin, burn, ratio, ratio_of_fastest }
    }

    fn cells(&self) -> Vec<String> {
        let time = |side: &Side| {
            let rate = self.flops.map(|flops| flops / side.median_seconds / 1e9);
            let rate = rate.map_or(String::new(), |rate| format!(" = {rate:.1} GFLOP/s"));
            format!("{}{rate}", milliseconds(side.median_seconds))
        };
        let range = |side: &Side| {
            format!("{:.0} %", 100.0 * (side.upper_quartile - side.lower_quartile) / side.median_seconds)
        };
        let error =
            |side: &Side| format!("{:.1e}{}", side.relative_error, if side.right { "" } else { " WRONG" });
        let (ours, burns) = (&self.langevin, &self.burn);
        vec![
            self.case.clone(),
            time(ours),
            ours.how.clone(),
            range(ours),
            error(ours),
            time(burns),
            range(burns),
            error(burns),
            self.ratio.map_or("-".into(), |ratio| format!("{ratio:.2}x")),
            self.ratio_of_fastest.map_or("-".into(), |ratio| format!("{ratio:.2}x")),
        ]
    }
}

impl Side {
    pub(crate) fn new(how: String, relative_error: f64, right: bool, seconds: &[f64]) -> Self {
        let mut sorted = seconds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |fraction: f64| {
            let position = (fraction * (sorted.len() - 1) as f64).round() as usize;
            sorted.get(position).copied().unwrap_or(f64::NAN)
        };
        let (median_seconds, lower_quartile, upper_quartile) = (at(0.5), at(0.25), at(0.75));
        Self {
            how,
            relative_error,
            right,
            median_seconds,
            lower_quartile,
            upper_quartile,
            fastest_seconds: at(0.0),
            samples: sorted.len(),
        }
    }
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.3} ms", seconds * 1e3)
}

/// Columns two spaces apart.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let of = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let width = |column| of(column).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
