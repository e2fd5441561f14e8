use super::{Pattern, QuantizationError, Scheme};
use langevin::formats::e8m0::ScaleRounding;
use langevin::{Format, Granularity};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Which tensors of a model are quantized, and how: a list of rules, from JSON or TOML by serde.
///
/// The first rule that applies to a tensor decides; a tensor to which none applies is left alone, and so are tensors that
/// hold anything but F32, F16 or BF16. In TOML:
///
/// ```toml
/// [[rule]]
/// tensors = "**.norm*.**"
/// format = "keep"
///
/// [[rule]]
/// tensors = ["blocks.*.attn.*.weight", "blocks.*.mlp.*.weight"]
/// format = "e4m3"
/// granularity = "per_row"
///
/// [[rule]]
/// tensors = "head.weight"
/// format = "e4m3"
/// granularity = { per_group = 32 }
/// scale_rounding = "rceil"
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The rules, in order.
    #[serde(rename = "rule")]
    pub rules: Vec<Rule>,
}

/// What becomes of the tensors of some names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The names: one pattern, or several.
    #[serde(deserialize_with = "one_or_many")]
    pub tensors: Vec<Pattern>,
    /// What they become.
    pub format: Target,
    /// What shares one scale, of the tensor as a [`matrix`](super::matrix()); `per_row`, an output channel of a linear layer
    /// or a convolution, unless it is given.
    #[serde(default = "per_row")]
    pub granularity: Granularity,
    /// I8 codes have zero points and use their full range.
    #[serde(default)]
    pub asymmetric: bool,
    /// The scales are powers of two, rounded so: MXFP8, with `per_group` of 32.
    #[serde(default)]
    pub scale_rounding: Option<ScaleRounding>,
    /// How the range of the numbers becomes a scale.
    #[serde(default)]
    pub scale: ScaleChoice,
    /// The rule applies to tensors of so many axes or more: 2 unless it is given, so that biases and the weights of norms stay;
    /// 0 for formats that are no codes.
    #[serde(default)]
    pub min_axes: Option<usize>,
}

/// What becomes of a tensor: nothing (`"keep"`), codes (`"e4m3"`, `"e5m2"`, `"i8"`), or other numbers (`"f32"`, `"f16"`,
/// `"bf16"`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// It stays what it is.
    Keep,
    /// It is stored in another format; in one of 8 bits with scales.
    Stored(Format),
}

/// How numbers become a scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScaleChoice {
    /// The largest magnitude (or the range) becomes the largest code: nothing is clipped.
    #[default]
    Max,
    /// So many percent of the numbers are not clipped.
    Percentile(f64),
    /// The scale of the smallest mean squared error among those that are tried.
    ///
    /// They are those of parts of the range: of `m / 8` times 2^-`n` of it, `m` from 8 down to 5 and `n` from 0 to 9, and of
    /// 2^-10; then of all 128ths of such a power of two between the two neighbours of the best of them. With zero points both
    /// ends of the range are first moved together, then the upper one by itself and the lower one by itself, twice. The search
    /// is the same on every machine; where one scale is for the whole tensor, the numbers it looks at are those of a
    /// [`Histogram`].
    ///
    /// [`Histogram`]: super::Histogram
    Mse,
}

impl ScaleChoice {
    /// Checks that a scale can be chosen so.
    ///
    /// # Errors
    /// [`QuantizationError::Percentile`].
    pub fn validate(&self) -> Result<(), QuantizationError> {
        match *self {
            Self::Percentile(got) if !(got > 0.0 && got <= 100.0) => {
                Err(QuantizationError::Percentile { got })
            }
            _ => Ok(()),
        }
    }
}

/// A pattern of a rule that no tensor has to do with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnusedPattern {
    /// The rule, counted from 1.
    pub rule: usize,
    /// The pattern.
    pub pattern: Pattern,
    /// The axes that the rule asks of a tensor.
    pub min_axes: usize,
}

impl fmt::Display for UnusedPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, pattern, min_axes } = self;
        write!(f, "rule {rule}: `{pattern}` matches no tensor")?;
        match min_axes {
            0 => Ok(()),
            1 => write!(f, " of 1 axis or more"),
            axes => write!(f, " of {axes} axes or more"),
        }
    }
}

impl Policy {
    /// Reads a policy as JSON and checks it.
    ///
    /// # Errors
    /// [`QuantizationError::Json`]; those of [`Policy::validate`].
    pub fn from_json(json: &str) -> Result<Self, QuantizationError> {
        let policy: Self = serde_json::from_str(json)?;
        policy.validate()?;
        Ok(policy)
    }

    /// Checks the rules.
    ///
    /// # Errors
    /// [`QuantizationError::Rule`] for the first rule that cannot be followed, counted from 1.
    pub fn validate(&self) -> Result<(), QuantizationError> {
        for (i, rule) in self.rules.iter().enumerate() {
            rule.validate().map_err(|what| QuantizationError::Rule { rule: i + 1, what })?;
        }
        Ok(())
    }

    /// The rule that changes a tensor of that name and shape; `None` where it stays.
    pub fn rule_for(&self, name: &str, shape: &[usize]) -> Option<&Rule> {
        let rule = self.rules.iter().find(|rule| rule.applies_to(name, shape))?;
        (rule.format != Target::Keep).then_some(rule)
    }

    /// The patterns that match none of these tensors, names with shapes of enough axes for the rule: mistyped ones, most
    /// likely. A pattern that matches only what an earlier rule decides is not among them.
    pub fn unused<'a>(
        &self,
        tensors: impl Iterator<Item = (&'a str, &'a [usize])> + Clone,
    ) -> Vec<UnusedPattern> {
        let mut unused = Vec::new();
        for (i, rule) in self.rules.iter().enumerate() {
            let min_axes = rule.min_axes();
            for pattern in &rule.tensors {
                let matches =
                    |(name, shape): (&str, &[usize])| shape.len() >= min_axes && pattern.matches(name);
                if !tensors.clone().any(matches) {
                    unused.push(UnusedPattern { rule: i + 1, pattern: pattern.clone(), min_axes });
                }
            }
        }
        unused
    }
}

impl Rule {
    /// How the codes are made; `None` where the tensors do not become codes.
    pub fn scheme(&self) -> Option<Scheme> {
        let Self { granularity, asymmetric, scale_rounding, .. } = *self;
        match self.format {
            Target::Stored(format) if format.bits() == 8 => {
                Some(Scheme { format, granularity, asymmetric, scale_rounding })
            }
            _ => None,
        }
    }

    fn applies_to(&self, name: &str, shape: &[usize]) -> bool {
        shape.len() >= self.min_axes() && self.tensors.iter().any(|pattern| pattern.matches(name))
    }

    fn min_axes(&self) -> usize {
        self.min_axes.unwrap_or(if self.scheme().is_some() { 2 } else { 0 })
    }

    fn validate(&self) -> Result<(), String> {
        if self.tensors.is_empty() {
            return Err("`tensors` must name a pattern".into());
        }
        let Some(scheme) = self.scheme() else {
            let plain =
                (self.granularity == Granularity::PerRow, self.asymmetric, self.scale_rounding, self.scale);
            return match plain {
                (true, false, None, ScaleChoice::Max) => Ok(()),
                _ => Err("only formats of 8 bits have granularities and scales".into()),
            };
        };
        scheme.validate().map_err(|error| error.to_string())?;
        self.scale.validate().map_err(|error| error.to_string())?;
        match self.scale {
            ScaleChoice::Max => Ok(()),
            _ if self.scale_rounding.is_some() => {
                Err("`scale` must be \"max\" where scales are powers of two".into())
            }
            _ if !matches!(self.granularity, Granularity::PerTensor | Granularity::PerRow) => {
                Err("`scale` must be \"max\" unless the granularity is per_tensor or per_row".into())
            }
            _ => Ok(()),
        }
    }
}

fn per_row() -> Granularity {
    Granularity::PerRow
}

pub(crate) fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Pattern>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a pattern, or a list of patterns")]
    enum Patterns {
        One(Pattern),
        Many(Vec<Pattern>),
    }
    Ok(match Patterns::deserialize(deserializer)? {
        Patterns::One(pattern) => vec![pattern],
        Patterns::Many(patterns) => patterns,
    })
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Keep => serializer.serialize_str("keep"),
            Self::Stored(format) => format.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name == "keep" {
            return Ok(Self::Keep);
        }
        let unknown = |_| {
            let names = Format::ALL.map(Format::name).join(", ");
            serde::de::Error::custom(format!("unknown format \"{name}\", expected keep, {names}"))
        };
        name.parse().map(Self::Stored).map_err(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(rules: &str) -> Result<Policy, QuantizationError> {
        Policy::from_json(&format!(r#"{{"rule": [{rules}]}}"#))
    }

    #[test]
    fn the_first_rule_that_applies_decides() {
        let policy = policy(
            r#"{"tensors": "head.*", "format": "keep"},
               {"tensors": ["**.weight", "table"], "format": "i8", "granularity": "per_tensor"},
               {"tensors": "**", "format": "bf16"}"#,
        )
        .unwrap();
        let format = |name: &str, shape: &[usize]| policy.rule_for(name, shape).map(|rule| rule.format);
        let stored = |format| Some(Target::Stored(format));
        assert_eq!(format("head.weight", &[4, 4]), None);
        assert_eq!(format("a.b.weight", &[4, 4]), stored(Format::I8));
        assert_eq!(format("table", &[4, 4]), stored(Format::I8));
        // A norm's weight has one axis, so the rule for codes passes it over.
        assert_eq!(format("a.norm.weight", &[4]), stored(Format::BF16));
        assert_eq!(format("a.bias", &[]), stored(Format::BF16));
        assert!(Policy::default().rule_for("a", &[1, 1]).is_none());
    }

    #[test]
    fn patterns_that_match_nothing_are_told() {
        let policy = policy(
            r#"{"tensors": ["a.*", "b.*"], "format": "i8"},
               {"tensors": "a.**", "format": "bf16"},
               {"tensors": "c", "format": "keep"},
               {"tensors": "b.*", "format": "e4m3", "min_axes": 1}"#,
        )
        .unwrap();
        let tensors: [(&str, &[usize]); 2] = [("a.x", &[2, 2]), ("b", &[2, 2])];
        let sentences = |tensors: &[(&str, &[usize])]| -> Vec<String> {
            policy.unused(tensors.iter().copied()).iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            sentences(&tensors),
            [
                "rule 1: `b.*` matches no tensor of 2 axes or more",
                "rule 3: `c` matches no tensor",
                "rule 4: `b.*` matches no tensor of 1 axis or more"
            ]
        );
        assert_eq!(
            sentences(&[("a.x", &[1]), ("b.x", &[1, 1]), ("c", &[])]),
            ["rule 1: `a.*` matches no tensor of 2 axes or more"]
        );
    }

    #[test]
    fn rules_are_as_wide_as_they_say() {
        let vectors = policy(r#"{"tensors": "*", "format": "i8", "min_axes": 1}"#).unwrap();
        assert!(vectors.rule_for("a", &[3]).is_some() && vectors.rule_for("a", &[]).is_none());
    }

    #[test]
    fn a_policy_is_the_same_after_a_round_trip() {
        let policy = policy(
            r#"{"tensors": "a", "format": "e5m2", "granularity": {"per_group": 32}, "scale_rounding": "even"},
               {"tensors": "b", "format": "i8", "asymmetric": true, "scale": {"percentile": 99.5}},
               {"tensors": "c", "format": "keep"}"#,
        )
        .unwrap();
        let json = serde_json::to_string(&policy).unwrap();
        assert_eq!(Policy::from_json(&json).unwrap(), policy);
    }

    #[test]
    fn errors_name_the_rule_and_what_is_wrong() {
        for (rule, sentence) in [
            (r#"{"tensors": [], "format": "i8"}"#, "rule 1: `tensors` must name a pattern"),
            (
                r#"{"tensors": "a", "format": "e4m3", "asymmetric": true}"#,
                "rule 1: quantize: `asymmetric` must be false unless `q` is i8, got e4m3",
            ),
            (
                r#"{"tensors": "a", "format": "i8", "granularity": {"per_group": 6}}"#,
                "rule 1: quantize: `granularity` must be groups of a multiple of 4, got per_group of 6",
            ),
            (
                r#"{"tensors": "a", "format": "f16", "granularity": "per_tensor"}"#,
                "rule 1: only formats of 8 bits have granularities and scales",
            ),
            (
                r#"{"tensors": "a", "format": "i8", "scale": {"percentile": 0}}"#,
                "rule 1: `percentile` must be above 0 and at most 100, got 0",
            ),
            (
                r#"{"tensors": "a", "format": "i8", "granularity": "per_column", "scale": "mse"}"#,
                "rule 1: `scale` must be \"max\" unless the granularity is per_tensor or per_row",
            ),
        ] {
            assert_eq!(policy(rule).unwrap_err().to_string(), sentence);
        }
        let error = policy(r#"{"tensors": "a", "format": "fp8"}"#).unwrap_err().to_string();
        assert!(error.contains("unknown format \"fp8\", expected keep, f32, f16"), "{error}");
        let error = policy(r#"{"tensors": 3, "format": "i8"}"#).unwrap_err().to_string();
        assert!(error.contains("a pattern, or a list of patterns"), "{error}");
        assert!(policy(r#"{"tensors": "a", "format": "i8", "granulrity": "per_row"}"#).is_err());
    }
}
