use crate::output;
use langevin::verify::{Comparison, Verdicts, VerifyError};
use langevin::{Capabilities, Kernel, Variant};
use serde::Serialize;

pub(super) const HEADING: [&str; 6] = ["kernel", "variant", "tier", "cases", "worst error/bound", "verdict"];

/// What a check of an adapter found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) version: &'static str,
    pub(super) adapter: String,
    pub(super) driver: String,
    pub(super) backend: String,
    pub(super) device_type: String,
    pub(super) tiers: Vec<&'static str>,
    passed: bool,
    pub(super) rows: Vec<Row>,
    #[serde(skip)]
    capabilities: Capabilities,
}

/// One kernel's variant.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) kernel: &'static str,
    pub(super) variant: &'static str,
    tier: &'static str,
    cases: usize,
    /// The worst error over its bound; nothing where a case did not run or an error is NaN.
    worst_ratio: Option<f64>,
    pub(super) failures: Vec<Failure>,
}

#[derive(Debug, Serialize)]
pub(super) struct Failure {
    pub(super) descriptor: String,
    pub(super) finding: String,
}

impl Report {
    pub(super) fn new(capabilities: &Capabilities) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            adapter: capabilities.adapter.clone(),
            driver: capabilities.driver.clone(),
            backend: capabilities.backend.to_str().to_owned(),
            device_type: format!("{:?}", capabilities.device_type),
            tiers: capabilities.tiers().into_iter().map(langevin::Tier::name).collect(),
            passed: true,
            rows: Vec::new(),
            capabilities: capabilities.clone(),
        }
    }

    /// Of the device that is checked.
    pub(super) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Adds the outcome of one case.
    pub(super) fn add<D: Kernel>(
        &mut self,
        desc: &D,
        variant: Variant,
        outcome: Result<Vec<Comparison>, VerifyError>,
    ) {
        let (ratio, finding) = match outcome {
            Ok(comparisons) => {
                let ratio = comparisons.iter().map(Comparison::worst_ratio).fold(Some(0.0), worse);
                let findings: Vec<String> = comparisons.iter().filter_map(finding).collect();
                (ratio, findings.join("; "))
            }
            Err(error) => (None, error.to_string()),
        };
        self.passed &= finding.is_empty();
        let row = self.row(D::NAME, variant);
        row.cases += 1;
        row.worst_ratio = row.worst_ratio.and_then(|worst| worse(ratio, worst));
        if !finding.is_empty() {
            row.failures.push(Failure { descriptor: format!("{desc:?}"), finding });
        }
    }

    fn row(&mut self, kernel: &'static str, variant: Variant) -> &mut Row {
        let tier = variant.tier.name();
        let same = |row: &Row| (row.kernel, row.variant, row.tier) == (kernel, variant.name, tier);
        let position = self.rows.iter().position(same).unwrap_or_else(|| {
            let (cases, worst_ratio, failures) = (0, Some(0.0), Vec::new());
            self.rows.push(Row { kernel, variant: variant.name, tier, cases, worst_ratio, failures });
            self.rows.len() - 1
        });
        &mut self.rows[position]
    }

    pub(super) fn passed(&self) -> bool {
        self.passed && !self.rows.is_empty()
    }

    /// The table for people, with every failing case below it.
    pub(super) fn text(&self) -> String {
        let mut table = vec![HEADING.map(str::to_owned).to_vec()];
        table.extend(self.rows.iter().map(Row::cells));
        let mut text =
            format!("{} ({}, {})\n\n{}", self.adapter, self.backend, self.driver, output::table(&table));
        for row in &self.rows {
            for Failure { descriptor, finding } in &row.failures {
                text += &format!("\n{} by `{}`: {descriptor}\n  {finding}\n", row.kernel, row.variant);
            }
        }
        text
    }

    /// What later plans should know.
    pub(super) fn verdicts(&self, capabilities: &Capabilities) -> Verdicts {
        let mut verdicts = Verdicts::of(capabilities);
        for row in &self.rows {
            for failure in &row.failures {
                verdicts.fail(row.kernel, row.variant, &failure.finding);
            }
        }
        verdicts
    }

    /// Cases that ran, and those that failed.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.rows.iter().map(|row| row.cases).sum(), self.rows.iter().map(|row| row.failures.len()).sum())
    }
}

impl Row {
    pub(super) fn cells(&self) -> Vec<String> {
        let verdict = if self.failures.is_empty() { "ok" } else { "FAILED" };
        let worst = self.worst_ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.3}"));
        let cells = [self.kernel, self.variant, self.tier, &self.cases.to_string(), &worst, verdict];
        cells.map(str::to_owned).to_vec()
    }
}

/// The larger of two ratios; nothing once one of them is NaN or absent.
fn worse(ratio: Option<f64>, other: f64) -> Option<f64> {
    ratio.filter(|ratio| !ratio.is_nan() && !other.is_nan()).map(|ratio| ratio.max(other))
}

/// What is wrong with a comparison. One that proves nothing is wrong too.
pub(crate) fn finding(comparison: &Comparison) -> Option<String> {
    let not_zero = comparison.worst.as_ref().is_some_and(|worst| worst.expected != 0.0);
    if !comparison.passed() {
        Some(comparison.to_string())
    } else if comparison.elements > 0 && comparison.unbounded == comparison.elements {
        Some(format!("the case proves nothing, no element has a finite bound: {comparison}"))
    } else if !comparison.rejects_zeros && not_zero {
        Some(format!("the case proves nothing, zeros would pass: {comparison}"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use langevin::reference::{Expected, Tensor, compare};
    use langevin::{Format, MatmulDesc, Tier};
    use ndarray::arr1;

    const VARIANT: Variant = Variant { name: "tiled", tier: Tier::Portable, reason: "" };

    fn outcome(got: f32, bound: f64) -> Result<Vec<Comparison>, VerifyError> {
        let expected = Expected::bounded("out", arr1(&[2.0]).into_dyn(), arr1(&[bound]).into_dyn());
        Ok(vec![compare(&expected, &Tensor::from_f32(Format::F32, &[1], &[got]).unwrap())])
    }

    fn report(outcomes: Vec<Result<Vec<Comparison>, VerifyError>>) -> Report {
        let mut report = Report::new(&Capabilities::minimal());
        for outcome in outcomes {
            report.add(&MatmulDesc::default(), VARIANT, outcome);
        }
        report
    }

    #[test]
    fn the_worst_ratio_of_a_variant_stands_in_its_row() {
        let report = report(vec![outcome(2.0, 1.0), outcome(2.5, 1.0), outcome(2.25, 1.0)]);
        assert!(report.passed());
        assert_eq!(report.counts(), (3, 0));
        assert!(
            report.text().contains("matmul  tiled    portable  3      0.500              ok"),
            "{}",
            report.text()
        );
    }

    #[test]
    fn a_failure_names_the_descriptor_and_the_element() {
        for bad in [outcome(4.0, 1.0), outcome(f32::NAN, 1.0)] {
            let report = report(vec![outcome(2.0, 1.0), bad, outcome(2.0, 1.0)]);
            assert!(!report.passed());
            assert_eq!(report.counts(), (3, 1));
            let text = report.text();
            assert!(
                text.contains("FAILED") && text.contains("MatmulDesc {") && text.contains("worst at [0]"),
                "{text}"
            );
        }
    }

    #[test]
    fn an_error_a_vacuous_case_and_an_empty_report_are_no_success() {
        let error = langevin::gpu::GpuError::Timeout { seconds: 1 };
        assert!(!report(vec![Err(error.into())]).passed());
        assert!(!report(vec![outcome(2.0, f64::INFINITY)]).passed());
        assert!(!report(vec![outcome(2.0, 3.0)]).passed());
        assert!(!report(Vec::new()).passed());
    }
}
