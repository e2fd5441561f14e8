//! Which diffusion transformer a command works on, and how it samples; shared by `plan` and `evaluate`.

use crate::CliError;
use langevin_diffusion::{DitConfig, DitWeights};
use std::path::{Path, PathBuf};

/// The digit model, a random one of a published shape or of a configuration, or a directory as diffusers saves a model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Model {
    Digits,
    Random(DitConfig),
    Configuration(PathBuf),
    Directory(PathBuf),
}

/// The seed of random weights: their numbers do not matter.
const SEED: u64 = 0;

impl Model {
    /// For clap.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "digits" => Ok(Self::Digits),
            "dit-s-2" => Ok(Self::Random(DitConfig::dit_s_2())),
            "dit-xl-2" => Ok(Self::Random(DitConfig::dit_xl_2())),
            path if Path::new(path).is_dir() => Ok(Self::Directory(path.into())),
            path if path.ends_with(".json") => Ok(Self::Configuration(path.into())),
            _ => Err("a model is digits, dit-s-2, dit-xl-2, a configuration in a file .json (of random weights) or a \
                      directory with a config.json"
                .into()),
        }
    }

    /// Its weights, for pictures (or latents) of another size where one is given.
    pub(crate) fn weights(&self, size: Option<usize>) -> Result<DitWeights, CliError> {
        let weights = match self {
            Self::Digits => DitWeights::digits()?,
            Self::Random(config) => DitWeights::random(config, SEED)?,
            Self::Configuration(path) => {
                let read = std::fs::read_to_string(path);
                let json = read.map_err(|source| CliError::Read { path: path.clone(), source })?;
                DitWeights::random(&DitConfig::from_json(&json)?, SEED)?
            }
            Self::Directory(path) => DitWeights::open(path)?,
        };
        Ok(match size {
            Some(size) => weights.with_sample_size(size)?,
            None => weights,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_have_names() {
        assert_eq!(Model::parse("digits"), Ok(Model::Digits));
        assert_eq!(Model::parse("dit-xl-2"), Ok(Model::Random(DitConfig::dit_xl_2())));
        assert_eq!(Model::parse("."), Ok(Model::Directory(".".into())));
        assert_eq!(Model::parse("a.json"), Ok(Model::Configuration("a.json".into())));
        assert!(Model::parse("dit-xxl").unwrap_err().contains("dit-s-2, dit-xl-2, a configuration"));
    }
}
