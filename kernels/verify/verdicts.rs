//! What a check of an adapter found, kept for the plans of later runs.

use crate::Capabilities;
use langevin_gpu::Distrusted;
use std::fmt;
use std::str::FromStr;

/// The first line of the text form; another version of the crate has other shaders, and so nothing to say here.
const HEADER: &str = concat!("langevin verdicts ", env!("CARGO_PKG_VERSION"));

/// Which variants failed on an adapter with a driver, by one version of this crate.
///
/// As text it is a line each: a header with the version, the adapter, the driver, then `KERNEL VARIANT FINDING` for each
/// variant that failed.
///
/// ```
/// use langevin::verify::Verdicts;
/// use langevin::{Capabilities, MatmulDesc, Pick, choice};
/// let mut capabilities = Capabilities::minimal();
/// let mut verdicts = Verdicts::of(&capabilities);
/// verdicts.fail("matmul", "vector", "[0, 3] is off by 7 bounds");
/// let kept = verdicts.to_string();
/// // In a later run:
/// capabilities.distrusted = kept.parse::<Verdicts>()?.distrusted(&capabilities);
/// let desc = MatmulDesc { m: 1, k: 64, n: 64, ..Default::default() };
/// assert_eq!(choice(&desc, &capabilities, &Pick::Best)?.name, "tiled");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    adapter: String,
    driver: String,
    failed: Vec<Distrusted>,
}

/// A text is no list of verdicts of this version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected {expected}, got \"{got}\"")]
pub struct NoVerdicts {
    /// The line, from 1.
    pub line: usize,
    /// What should stand there.
    pub expected: String,
    /// What does.
    pub got: String,
}

impl Verdicts {
    /// No failures yet.
    pub fn of(capabilities: &Capabilities) -> Self {
        let one_line = |text: &str| text.lines().collect::<Vec<_>>().join(" ");
        let (adapter, driver) = (one_line(&capabilities.adapter), one_line(&capabilities.driver));
        Self { adapter, driver, failed: Vec::new() }
    }

    /// Notes that a variant failed; the first finding is kept.
    pub fn fail(&mut self, op: &str, variant: &str, finding: &str) {
        if !self.failed.iter().any(|failed| failed.op == op && failed.variant == variant) {
            let finding = finding.lines().collect::<Vec<_>>().join(" ");
            self.failed.push(Distrusted { op: op.to_owned(), variant: variant.to_owned(), finding });
        }
    }

    /// The variants not to trust on a device: none where the adapter or its driver is another one.
    pub fn distrusted(&self, capabilities: &Capabilities) -> Vec<Distrusted> {
        let Self { adapter, driver, .. } = Self::of(capabilities);
        if (&adapter, &driver) == (&self.adapter, &self.driver) { self.failed.clone() } else { Vec::new() }
    }
}

impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\n{}\n{}", self.adapter, self.driver)?;
        self.failed
            .iter()
            .try_for_each(|failed| writeln!(f, "{} {} {}", failed.op, failed.variant, failed.finding))
    }
}

impl FromStr for Verdicts {
    type Err = NoVerdicts;

    fn from_str(text: &str) -> Result<Self, NoVerdicts> {
        let mut lines = text.lines();
        let wrong = |line, expected: &str, got: &str| NoVerdicts {
            line,
            expected: expected.to_owned(),
            got: got.to_owned(),
        };
        let header = lines.next().unwrap_or_default();
        if header != HEADER {
            return Err(wrong(1, &format!("\"{HEADER}\""), header));
        }
        let adapter = lines.next().ok_or_else(|| wrong(2, "the adapter", ""))?.to_owned();
        let driver = lines.next().ok_or_else(|| wrong(3, "the driver", ""))?.to_owned();
        let failure = |(i, line): (usize, &str)| {
            let mut words = line.splitn(3, ' ');
            match [words.next(), words.next(), words.next()] {
                [Some(op), Some(variant), Some(finding)] if !op.is_empty() && !variant.is_empty() => {
                    let [op, variant, finding] = [op, variant, finding].map(str::to_owned);
                    Ok(Distrusted { op, variant, finding })
                }
                _ => Err(wrong(i + 4, "KERNEL VARIANT FINDING", line)),
            }
        };
        let failed = lines.enumerate().map(failure).collect::<Result<_, _>>()?;
        Ok(Self { adapter, driver, failed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MatmulDesc, Pick, PlanError, choice};

    fn verdicts() -> Verdicts {
        let mut verdicts = Verdicts::of(&Capabilities::minimal());
        verdicts.fail("matmul", "tiled", "worst at [0],\n7 bounds");
        verdicts.fail("matmul", "tiled", "a later finding");
        verdicts.fail("norm", "tree", "");
        verdicts
    }

    #[test]
    fn they_survive_as_text() {
        let kept = verdicts().to_string();
        assert_eq!(kept.parse(), Ok(verdicts()));
        assert!(kept.ends_with("matmul tiled worst at [0], 7 bounds\nnorm tree \n"), "{kept}");
    }

    #[test]
    fn what_is_no_list_is_named_by_its_line() {
        for (text, line) in [
            ("", 1),
            ("langevin verdicts 0.0.0\na\nd\n", 1),
            (HEADER, 2),
            (&format!("{HEADER}\na"), 3),
            (&format!("{HEADER}\na\nd\nmatmul"), 4),
            (&format!("{HEADER}\na\nd\nmatmul tiled x\n tiled x"), 5),
        ] {
            assert_eq!(text.parse::<Verdicts>().map_err(|error| error.line), Err(line), "{text}");
        }
    }

    #[test]
    fn another_driver_starts_anew() {
        let here = Capabilities::minimal();
        assert_eq!(verdicts().distrusted(&here).len(), 2);
        let newer = Capabilities { driver: "newer".to_owned(), ..here.clone() };
        assert_eq!(verdicts().distrusted(&newer), []);
        assert_eq!(verdicts().distrusted(&Capabilities { adapter: "other".to_owned(), ..here }), []);
    }

    #[test]
    fn a_plan_takes_another_variant_or_says_why_not() {
        let mut capabilities = Capabilities::minimal();
        let one_row = MatmulDesc { m: 1, k: 64, n: 64, ..Default::default() };
        let wide = MatmulDesc { m: 64, ..one_row.clone() };
        let taken = |desc, capabilities: &Capabilities, pick: &Pick| choice(desc, capabilities, pick);
        assert_eq!(taken(&one_row, &capabilities, &Pick::Best).unwrap().name, "vector");
        assert_eq!(taken(&wide, &capabilities, &Pick::Best).unwrap().name, "tiled");
        capabilities.distrusted = verdicts().distrusted(&capabilities);
        assert_eq!(taken(&one_row, &capabilities, &Pick::Best).unwrap().name, "vector");
        assert_eq!(taken(&wide, &capabilities, &Pick::Best).unwrap().name, "vector");
        let forced = taken(&wide, &capabilities, &Pick::Variant("tiled".to_owned()));
        assert!(
            matches!(&forced, Err(PlanError::Distrusted { variant: "tiled", finding, .. }) if finding.contains("7 bounds")),
            "{forced:?}"
        );
    }
}
