//! How the layers of a model are stored, and what they multiply: a policy by layer names.

use crate::DiffusionError;
use crate::quantization::{Calibration, Pattern};
use langevin::Format;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::str::FromStr;

/// How layers are stored and what they multiply, by their names in the checkpoint (`transformer_blocks.3.attn1.to_q`, without
/// `.weight`): a list of rules, from TOML or JSON by serde, or made in code. The first rule that applies to a layer decides; a
/// layer to which none applies is stored as [`PipelineOptions::weights`](crate::PipelineOptions::weights) says and multiplies
/// F32. In TOML:
///
/// ```toml
/// [[layer]]                                  # the last block stays as it was trained
/// names = ["transformer_blocks.27.attn1.**", "transformer_blocks.27.ff.**"]
/// weights = "bf16"
///
/// [[layer]]
/// names = "transformer_blocks.*.ff.net.**"
/// weights = "i8"
/// activations = "i8"                         # one scale for each token, found as it comes
///
/// [[layer]]
/// names = ["transformer_blocks.*.attn1.**"]
/// weights = "mxfp8"
/// activations = "e4m3"
/// calibrated = true                          # one scale, from a run before: Pipeline::calibrate
/// ```
///
/// Layers that are multiplied as one matrix must be of one precision: query, key and value of an attention; the modulations
/// (`norm1.linear` of every block, with `proj_out_1`), which is why the example does not say `transformer_blocks.27.**`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Precision {
    /// The rules, in order.
    #[serde(rename = "layer")]
    pub rules: Vec<PrecisionRule>,
}

/// The precision of the layers of some names.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrecisionRule {
    /// The names: one pattern, or several.
    #[serde(deserialize_with = "crate::quantization::one_or_many")]
    pub names: Vec<Pattern>,
    /// How the matrix is stored.
    pub weights: Storage,
    /// What the matrix multiplies: F32 unless it is given. With 8 bits the layer's input is quantized; other formats are what
    /// the operation before stores. Only the layers of attention to itself and of the feed-forward network have a choice.
    #[serde(default = "f32_activations")]
    pub activations: Format,
    /// 8-bit activations have one scale from a calibration instead of one for each token.
    #[serde(default)]
    pub calibrated: bool,
}

/// How a matrix is stored: `f32`, `f16`, `bf16`, `e4m3`, `e5m2`, `i8` or `mxfp8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In that format; one of 8 bits with an F32 scale for each output.
    Plain(Format),
    /// E4M3 with a power of two for each output and 32 inputs (OCP Microscaling Formats 1.0), rounded up so that nothing
    /// overflows.
    Mxfp8,
}

/// Inputs that share a scale of [`Storage::Mxfp8`].
pub(crate) const MX_GROUP: usize = 32;

impl Storage {
    /// The format of its numbers.
    pub const fn format(self) -> Format {
        match self {
            Self::Plain(format) => format,
            Self::Mxfp8 => Format::E4m3,
        }
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(format) => f.write_str(format.name()),
            Self::Mxfp8 => f.write_str("mxfp8"),
        }
    }
}

impl FromStr for Storage {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name == "mxfp8" {
            return Ok(Self::Mxfp8);
        }
        let names = || Format::ALL.map(Format::name).join(", ");
        let unknown = |_| format!("unknown format \"{name}\", expected {}, mxfp8", names());
        name.parse().map(Self::Plain).map_err(unknown)
    }
}

impl<'de> Deserialize<'de> for Storage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

fn f32_activations() -> Format {
    Format::F32
}

/// What one matrix of a model is stored as and multiplies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LayerPrecision {
    pub(crate) weights: Storage,
    pub(crate) activations: Activations,
}

/// What a matrix multiplies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Activations {
    /// Numbers of that format, not of 8 bits.
    Plain(Format),
    /// Codes with a scale for each token.
    Dynamic(Format),
    /// Codes with a scale for all, of so large a magnitude.
    Calibrated(Format, f32),
}

impl Precision {
    /// One rule for all layers of attention and of the feed-forward networks.
    pub fn of_blocks(weights: Storage, activations: Format) -> Self {
        let patterns = ["transformer_blocks.*.attn1.**", "transformer_blocks.*.ff.**"];
        let names = patterns.map(Pattern::new).to_vec();
        Self { rules: vec![PrecisionRule { names, weights, activations, calibrated: false }] }
    }

    /// What applies to a layer, as the place of its rule.
    pub(crate) fn rule_for(&self, layer: &str) -> Option<usize> {
        self.rules.iter().position(|rule| rule.applies_to(layer))
    }

    /// Checks the rules by themselves and against the names of a model's layers.
    pub(crate) fn validate<'a>(
        &self,
        layers: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<(), DiffusionError> {
        for (i, rule) in self.rules.iter().enumerate() {
            let refuse = |what: String| Err(DiffusionError::Precision { rule: i + 1, what });
            if let Some(pattern) =
                rule.names.iter().find(|pattern| !layers.clone().any(|layer| pattern.matches(layer)))
            {
                return refuse(format!("no layer of the model is named `{pattern}`"));
            }
            if rule.names.is_empty() {
                return refuse("`names` must name a pattern".into());
            }
            if rule.calibrated && rule.activations.bits() != 8 {
                return refuse(format!(
                    "only activations of 8 bits are calibrated, not {}",
                    rule.activations
                ));
            }
        }
        Ok(())
    }
}

impl PrecisionRule {
    fn applies_to(&self, layer: &str) -> bool {
        self.names.iter().any(|pattern| pattern.matches(layer))
    }

    /// What it makes of a matrix of those layers.
    pub(crate) fn precision(
        &self,
        layers: &[&str],
        calibration: Option<&Calibration>,
    ) -> Result<LayerPrecision, String> {
        let activations = match self.activations {
            format if format.bits() != 8 => Activations::Plain(format),
            format if !self.calibrated => Activations::Dynamic(format),
            format => {
                let mut known = calibration.into_iter().flat_map(Calibration::iter);
                let found = known.find(|(layer, _)| layers.contains(layer));
                let missing = || format!("there is no calibration of layer `{}`", layers.join("`, `"));
                let (low, high) = found.ok_or_else(missing)?.1.range();
                Activations::Calibrated(format, high.max(-low))
            }
        };
        Ok(LayerPrecision { weights: self.weights, activations })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYERS: [&str; 3] = ["blocks.0.a", "blocks.1.a", "out"];

    fn precision(json: &str) -> Result<Precision, serde_json::Error> {
        serde_json::from_str(&format!(r#"{{"layer": [{json}]}}"#))
    }

    #[test]
    fn the_first_rule_that_applies_decides() {
        let precision = precision(
            r#"{"names": "blocks.1.*", "weights": "mxfp8", "activations": "i8"},
               {"names": ["blocks.*.a"], "weights": "f16"}"#,
        )
        .unwrap();
        precision.validate(LAYERS.into_iter()).unwrap();
        assert_eq!(LAYERS.map(|layer| precision.rule_for(layer)), [Some(1), Some(0), None]);
        let of = |rule: usize| precision.rules[rule].precision(&["blocks.1.a"], None).unwrap();
        let quantized =
            LayerPrecision { weights: Storage::Mxfp8, activations: Activations::Dynamic(Format::I8) };
        assert_eq!(of(0), quantized);
        assert_eq!(of(1).activations, Activations::Plain(Format::F32));
    }

    #[test]
    fn a_calibrated_rule_takes_the_largest_magnitude_of_its_layer() {
        let precision =
            precision(r#"{"names": "out", "weights": "e4m3", "activations": "e4m3", "calibrated": true}"#)
                .unwrap();
        let rule = &precision.rules[0];
        let mut known = Calibration::default();
        known.histogram("out").observe(&[1.0, -3.5, 2.0]);
        let found = rule.precision(&["out"], Some(&known)).unwrap();
        assert_eq!(found.activations, Activations::Calibrated(Format::E4m3, 3.5));
        let error = rule.precision(&["out"], None).unwrap_err();
        assert_eq!(error, "there is no calibration of layer `out`");
    }

    #[test]
    fn senseless_rules_are_one_sentence() {
        for (rule, sentence) in [
            (
                r#"{"names": "out.*", "weights": "i8"}"#,
                "precision rule 1: no layer of the model is named `out.*`",
            ),
            (r#"{"names": [], "weights": "i8"}"#, "precision rule 1: `names` must name a pattern"),
            (
                r#"{"names": "out", "weights": "i8", "activations": "f16", "calibrated": true}"#,
                "precision rule 1: only activations of 8 bits are calibrated, not f16",
            ),
        ] {
            let precision = precision(rule).unwrap();
            assert_eq!(precision.validate(LAYERS.into_iter()).unwrap_err().to_string(), sentence);
        }
        let error = precision(r#"{"names": "out", "weights": "fp8"}"#).unwrap_err().to_string();
        assert!(error.contains("unknown format \"fp8\", expected f32, f16"), "{error}");
        assert!(precision(r#"{"names": "out", "weights": "i8", "activation": "i8"}"#).is_err());
        for name in ["mxfp8", "i8", "bf16"] {
            assert_eq!(name.parse::<Storage>().unwrap().to_string(), name);
        }
    }
}
