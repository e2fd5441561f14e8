//! A record as text for people.

use super::cases::Unit;
use super::ceilings::Ceilings;
use super::overhead::Overhead;
use super::record::{Record, Row, Timing};
use super::stats::Spread;
use crate::output;

impl Record {
    /// The adapter, its ceilings, what the host pays, and every variant of every case.
    pub(super) fn text(&self) -> String {
        let adapter = &self.adapter;
        let mut text = format!("{} ({}, {})\n", adapter.name, adapter.backend, adapter.driver);
        text += &self.ceilings.as_ref().map_or(String::new(), ceilings);
        text += &self.overhead.as_ref().map_or(String::new(), overhead);
        let heading = ["kernel", "case", "variant", "GPU", "IQR", "submit", "rate", "of ceiling", ""];
        let mut table = vec![heading.map(str::to_owned).to_vec()];
        table.extend(self.rows.iter().map(cells));
        text += &format!("\n{}", output::table(&table));
        text += "\n* is what a plan takes by itself. GPU: one call among calls that follow each other, the median and the \
                 distance of its quartiles; submit: one call alone, on the host's clock.\n";
        if self.rows.iter().filter_map(|row| row.timing.as_ref()).any(|timing| timing.cache_resident) {
            text += "c: the tensors may lie in a cache; --rotate takes more of them in turn.\n";
        }
        text
    }
}

fn ceilings(ceilings: &Ceilings) -> String {
    let flops = |rate| quantity(rate, "FLOP/s");
    let cooperative = ceilings.cooperative_size.zip(ceilings.cooperative_flops);
    format!(
        "\nceilings: shader copy {}, buffer copy {}, f32 fma {}, f16 fma {}, cooperative matrix {}\n",
        quantity(ceilings.copy_bytes, "B/s"),
        quantity(ceilings.buffer_copy_bytes, "B/s"),
        flops(ceilings.f32_flops),
        ceilings.f16_flops.map_or("none".into(), flops),
        cooperative.map_or("none".into(), |(size, rate)| format!("{} ({size}x{size}x{size})", flops(rate))),
    )
}

fn overhead(overhead: &Overhead) -> String {
    let median = |spread: &Spread| duration(spread.median);
    format!(
        "host: plan {} cold, {} warm; bind {}; record {} a call, {:+.0} ns to wgpu by hand; empty submit {}\n",
        duration(overhead.plan_cold_seconds),
        median(&overhead.plan_warm_seconds),
        median(&overhead.bind_seconds),
        median(&overhead.record_seconds),
        overhead.record_on_top() * 1e9,
        median(&overhead.submit_seconds),
    )
}

fn cells(row: &Row) -> Vec<String> {
    let variant = format!("{}{}", row.variant, if row.chosen { " *" } else { "" });
    let mut cells = vec![row.kernel.clone(), row.case.clone(), variant];
    match &row.timing {
        Some(timing) => cells.extend(timing.cells(row.unit)),
        None => {
            cells.extend(["-"; 5].map(str::to_owned));
            cells.push(row.finding.clone().unwrap_or_default());
        }
    }
    cells
}

impl Timing {
    fn cells(&self, unit: Unit) -> Vec<String> {
        let fraction = self.fraction_of_ceiling.zip(self.ceiling.as_ref());
        vec![
            duration(self.gpu_seconds.median),
            percent(self.gpu_seconds.relative_range()),
            duration(self.wall_seconds.median),
            rate(self.rate, unit),
            fraction.map_or("-".into(), |(fraction, name)| format!("{} {name}", percent(fraction))),
            if self.cache_resident { "c".into() } else { String::new() },
        ]
    }
}

pub(super) fn rate(rate: f64, unit: Unit) -> String {
    quantity(rate, if unit == Unit::Flops { "FLOP/s" } else { "B/s" })
}

/// A number with the prefix that leaves one to three digits before the point.
pub(super) fn quantity(value: f64, unit: &str) -> String {
    let prefixes = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")];
    let (scale, prefix) = prefixes.into_iter().find(|(scale, _)| value >= *scale).unwrap_or((1e3, "k"));
    format!("{} {prefix}{unit}", digits(value / scale))
}

/// Seconds in the unit that leaves one to three digits before the point.
pub(super) fn duration(seconds: f64) -> String {
    let units = [(1.0, "s"), (1e-3, "ms"), (1e-6, "us")];
    let (scale, unit) = units.into_iter().find(|(scale, _)| seconds >= *scale).unwrap_or((1e-9, "ns"));
    format!("{} {unit}", digits(seconds / scale))
}

/// Three digits.
fn digits(value: f64) -> String {
    let places = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.places$}")
}

pub(super) fn percent(fraction: f64) -> String {
    format!("{:.0} %", fraction * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_three_digits() {
        assert_eq!(quantity(34.56e9, "FLOP/s"), "34.6 GFLOP/s");
        assert_eq!(quantity(4.3e12, "B/s"), "4.30 TB/s");
        assert_eq!(quantity(7.0, "B/s"), "0.01 kB/s");
        assert_eq!([1.5, 0.0123, 123e-6, 2.5e-8].map(duration), ["1.50 s", "12.3 ms", "123 us", "25.0 ns"]);
    }
}
