//! Two records side by side.

use super::record::{Record, Row};
use super::table::duration;
use crate::output;

/// A table of the ratios of medians, new over old, of what both have timed.
pub(super) fn text(old: &Record, new: &Record) -> String {
    let heading = ["kernel", "case", "variant", "old", "new", "new/old", ""];
    let mut table = vec![heading.map(str::to_owned).to_vec()];
    table.extend(new.rows.iter().filter_map(|row| cells(row, old)));
    let mut text = format!(
        "\nagainst {}{}\n",
        old.date,
        old.commit.as_ref().map_or(String::new(), |c| format!(", {c}"))
    );
    if (&old.adapter.name, &old.adapter.driver) != (&new.adapter.name, &new.adapter.driver) {
        text += &format!("another adapter or driver: {} ({})\n", old.adapter.name, old.adapter.driver);
    }
    if table.len() == 1 {
        return text + "nothing was timed in both\n";
    }
    text + &output::table(&table)
}

fn cells(new: &Row, old: &Record) -> Option<Vec<String>> {
    let same = |old: &&Row| (&old.kernel, &old.case, &old.variant) == (&new.kernel, &new.case, &new.variant);
    let old = old.rows.iter().find(same)?;
    let (before, now) = (old.timing.as_ref()?.gpu_seconds, new.timing.as_ref()?.gpu_seconds);
    let overlap = now.lower_quartile <= before.upper_quartile && before.lower_quartile <= now.upper_quartile;
    let verdict = if overlap {
        "within the spread"
    } else if now.median < before.median {
        "faster"
    } else {
        "slower"
    };
    let times = [before.median, now.median].map(duration);
    let ratio = format!("{:.3}", now.median / before.median);
    let mut cells = vec![new.kernel.clone(), new.case.clone(), new.variant.clone()];
    cells.extend(times);
    cells.extend([ratio, verdict.to_owned()]);
    Some(cells)
}
