//! What is compared: settings by name.

use langevin::Format;
use langevin_diffusion::{Caching, Guidance, PipelineOptions, Sampler};
use std::path::PathBuf;

/// Settings of a run, written as `weights=e4m3,precision=FILE.toml,steps=10,sampler=dpmpp-2m,cache=static:2,guidance=2`; what is left out is the
/// baseline's.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) name: String,
    weights: Format,
    pub(super) precision: Option<PathBuf>,
    steps: usize,
    sampler: Sampler,
    cache: Caching,
    guidance: f64,
}

impl Candidate {
    /// 30 Euler steps in F32 with guidance 2.
    pub(super) fn baseline() -> Self {
        let (weights, steps, guidance) = (Format::F32, 30, 2.0);
        let (sampler, cache, precision) = (Sampler::Euler, Caching::None, None);
        Self { name: "baseline".into(), weights, precision, steps, sampler, cache, guidance }
    }

    /// Reads settings; for clap.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Self::baseline().but(text)
    }

    /// The same but for some settings, which are its name.
    pub(super) fn but(&self, text: &str) -> Result<Self, String> {
        let mut candidate = Self { name: text.to_owned(), ..self.clone() };
        for setting in text.split(',') {
            let (name, value) =
                setting.split_once('=').ok_or_else(|| format!("`{setting}` is no NAME=VALUE"))?;
            let wrong = |error: &dyn std::fmt::Display| format!("{name}: {error}");
            match name {
                "weights" => candidate.weights = value.parse().map_err(|error| wrong(&error))?,
                "precision" => candidate.precision = Some(value.into()),
                "steps" => candidate.steps = value.parse().map_err(|error| wrong(&error))?,
                "sampler" => candidate.sampler = value.parse().map_err(|error| wrong(&error))?,
                "cache" => candidate.cache = value.parse().map_err(|error| wrong(&error))?,
                "guidance" => candidate.guidance = value.parse().map_err(|error| wrong(&error))?,
                _ => {
                    return Err(format!(
                        "`{name}` is none of weights, precision, steps, sampler, cache and guidance"
                    ));
                }
            }
        }
        Ok(candidate)
    }

    /// One of each kind, at the setting that the documentation names.
    pub(super) fn usual(baseline: &Self) -> Vec<Self> {
        [
            "weights=f16",
            "weights=e4m3",
            "weights=e5m2",
            "weights=i8",
            "steps=10",
            "sampler=dpmpp-2m,steps=10",
            "cache=static:2",
            "cache=taylor:3:1",
            "cache=teacache:0.3",
            "cache=dbcache:1:0.2",
        ]
        .iter()
        .filter_map(|text| baseline.but(text).ok())
        .collect()
    }

    pub(super) fn options(&self, samples: usize) -> PipelineOptions {
        let guidance =
            if self.guidance == 1.0 { Guidance::None } else { Guidance::classifier_free(self.guidance) };
        PipelineOptions {
            samples,
            steps: self.steps,
            sampler: self.sampler,
            guidance,
            caching: self.cache,
            weights: self.weights,
            ..Default::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_others_named() {
        let candidate = Candidate::parse("weights=e4m3,sampler=lms:2,cache=taylor:2:1").unwrap();
        let options = candidate.options(3);
        assert_eq!((options.weights, options.steps, options.samples), (Format::E4m3, 30, 3));
        assert_eq!(options.caching, Caching::Taylor { every: 2, order: 1 });
        assert_eq!(
            Candidate::parse("colour=red").unwrap_err(),
            "`colour` is none of weights, precision, steps, sampler, cache and guidance"
        );
        let few = candidate.but("steps=4,cache=none").unwrap();
        let options = few.options(3);
        assert_eq!(
            (few.name.as_str(), options.weights, options.steps),
            ("steps=4,cache=none", Format::E4m3, 4)
        );
        assert_eq!(options.caching, Caching::None);
        assert_eq!(Candidate::parse("steps").unwrap_err(), "`steps` is no NAME=VALUE");
        assert!(Candidate::parse("cache=tea").unwrap_err().starts_with("cache: there is no cache `tea`"));
        assert_eq!(Candidate::usual(&Candidate::baseline()).len(), 10);
    }
}
