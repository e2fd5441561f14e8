//! A record as Markdown, for pages that must say the same as it.

use super::record::{Record, Row};
use super::table::{duration, percent, quantity, rate};

impl Record {
    /// Where and how it was measured, the ceilings, and what a plan takes by itself in every case.
    pub(super) fn markdown(&self) -> String {
        let Self { adapter, langevin, wgpu, date, .. } = self;
        let commit = self.commit.as_ref().map_or(String::new(), |commit| format!(" at {commit}"));
        let mut text = format!(
            "{} ({}, {}), {date}: langevin {langevin}{commit}, wgpu {wgpu}, `langevin {}`.\n\n",
            adapter.name,
            adapter.backend,
            adapter.driver,
            self.command.join(" ")
        );
        text += &line(&["kernel", "case", "variant", "time", "IQR", "rate", "of ceiling"]);
        text += &line(&["---"; 7]);
        text.extend(self.rows.iter().filter(|row| row.chosen).filter_map(row));
        if let Some(ceilings) = &self.ceilings {
            let flops = |rate: Option<f64>| rate.map_or("none".into(), |rate| quantity(rate, "FLOP/s"));
            text += &format!(
                "\nCeilings of the same run: copy {}, f32 multiply-adds {}, f16 {}, cooperative matrices {}.\n",
                quantity(ceilings.copy_bytes, "B/s"),
                flops(Some(ceilings.f32_flops)),
                flops(ceilings.f16_flops),
                flops(ceilings.cooperative_flops),
            );
        }
        text
    }
}

fn row(row: &Row) -> Option<String> {
    let timing = row.timing.as_ref()?;
    let fraction = timing.fraction_of_ceiling.zip(timing.ceiling.as_ref());
    Some(line(&[
        &row.kernel,
        &row.case,
        &format!("`{}`", row.variant),
        &duration(timing.gpu_seconds.median),
        &percent(timing.gpu_seconds.relative_range()),
        &rate(timing.rate, row.unit),
        &fraction.map_or("-".into(), |(fraction, name)| format!("{} {name}", percent(fraction))),
    ]))
}

fn line(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | "))
}
