//! Which cases and variants to time.

use super::cases::{self, Case};
use crate::CliError;
use clap::builder::PossibleValuesParser;
use langevin::{Capabilities, Tier, Variant};

/// What to time; everything where nothing is said.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Selection {
    /// One kernel only.
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(crate::run::names()))]
    kernel: Option<String>,
    /// Only cases whose name contains this, case ignored.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Only the variant of this name.
    #[arg(long, value_name = "NAME", conflicts_with = "chosen")]
    variant: Option<String>,
    /// Only variants of this tier.
    #[arg(long, value_name = "TIER")]
    tier: Option<Tier>,
    /// Only the variant that a plan takes by itself.
    #[arg(long)]
    chosen: bool,
    /// Also the variants that no plan takes by itself, since one that runs everywhere comes before them.
    #[arg(long, conflicts_with = "chosen")]
    all: bool,
}

impl Selection {
    /// The cases asked for, whatever the adapter.
    pub(super) fn cases(&self, quick: bool) -> Result<Vec<Case>, CliError> {
        let contains = |name: &str, part: &str| name.to_lowercase().contains(&part.to_lowercase());
        let of_kernel = |case: &Case| self.kernel.as_deref().is_none_or(|name| case.subject.kernel() == name);
        let of_filter = |case: &Case| self.filter.as_deref().is_none_or(|part| contains(&case.name, part));
        let of_size = |case: &Case| !quick || case.is_quick();
        let wanted = |case: &Case| of_kernel(case) && of_filter(case) && of_size(case);
        let selected: Vec<Case> = cases::cases().into_iter().filter(wanted).collect();
        if selected.is_empty() { Err(self.no_case(quick)) } else { Ok(selected) }
    }

    fn no_case(&self, quick: bool) -> CliError {
        let part =
            self.filter.as_ref().map_or(String::new(), |part| format!(" whose name contains \"{part}\""));
        let kernel = self.kernel.as_ref().map_or(String::new(), |name| format!("{name} has "));
        let size = match (quick, self.filter.is_some()) {
            (false, _) => "",
            (true, true) => " and that is small enough for --quick",
            (true, false) => " that is small enough for --quick",
        };
        CliError::NoCase { what: format!("{kernel}no case{part}{size}") }
    }

    /// The variants of a case that are asked for.
    pub(super) fn variants(&self, case: &Case, capabilities: &Capabilities) -> Vec<Variant> {
        let chosen = case.subject.chosen(capabilities);
        let mut variants = case.subject.variants(capabilities);
        // What comes after the first portable variant can be absurdly slow: it is there to be asked for by name.
        let is_portable = |variant: &Variant| variant.tier == Tier::Portable;
        if let Some(fallback) = variants.iter().position(is_portable)
            && !self.all
            && self.variant.is_none()
        {
            variants.truncate(fallback + 1);
        }
        let wanted = |variant: &Variant| {
            self.variant.as_deref().is_none_or(|name| variant.name == name)
                && self.tier.is_none_or(|tier| variant.tier == tier)
                && (!self.chosen || chosen == Some(*variant))
        };
        variants.into_iter().filter(wanted).collect()
    }

    /// An error where the adapter has nothing of what is asked for.
    pub(super) fn check_variants(&self, cases: &[Case], capabilities: &Capabilities) -> Result<(), CliError> {
        if cases.is_empty() {
            return Err(CliError::NoCase {
                what: "every case asked for is too large for this adapter".into(),
            });
        }
        if cases.iter().any(|case| !self.variants(case, capabilities).is_empty()) {
            return Ok(());
        }
        let mut names: Vec<&str> = Vec::new();
        for variant in cases.iter().flat_map(|case| case.subject.variants(capabilities)) {
            if !names.contains(&variant.name) {
                names.push(variant.name);
            }
        }
        Err(CliError::NoVariant { names: names.join(", ") })
    }
}
