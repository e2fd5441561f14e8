use crate::{DiffusionError, DitConfig};
use std::fmt;

/// How strongly a sample follows its condition.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Guidance {
    /// As the model learnt it: one forward pass with the condition.
    #[default]
    None,
    /// `u + scale (c - u)` of the predictions with the condition and without (Ho and Salimans, arXiv 2207.12598, with
    /// `scale = 1 + w`): two forward passes.
    ClassifierFree {
        /// 1 is the conditional prediction, 0 the unconditional one; above 1 it extrapolates.
        scale: f64,
        /// The times, from 0 (data) to 1 (noise), at which the scale applies; elsewhere it is 1 (Kynkäänniemi et al.,
        /// arXiv 2404.07724).
        interval: [f64; 2],
        /// How the two passes run.
        passes: Passes,
    },
    /// The scale is told to the network like the time: one forward pass (Meng et al., arXiv 2210.03142). For models that
    /// were distilled for it ([`DitConfig::guidance_embeds`](crate::DitConfig::guidance_embeds)).
    Distilled {
        /// The scale.
        scale: f64,
    },
}

/// How the two forward passes of classifier-free guidance run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Passes {
    /// In one batch of twice the size: fewer and larger kernels.
    #[default]
    Together,
    /// One after the other: half the memory of activations, and no second pass outside the interval.
    InTurn,
}

impl fmt::Display for Guidance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::ClassifierFree { scale, .. } => write!(f, "classifier-free {scale}"),
            Self::Distilled { scale } => write!(f, "distilled {scale}"),
        }
    }
}

impl Guidance {
    /// Classifier-free guidance at all times, both passes together.
    pub const fn classifier_free(scale: f64) -> Self {
        Self::ClassifierFree { scale, interval: [0.0, 1.0], passes: Passes::Together }
    }

    pub(crate) fn validate(&self, config: &DitConfig) -> Result<(), DiffusionError> {
        let distilled = matches!(self, Self::Distilled { .. });
        if distilled != config.guidance_embeds {
            let expected =
                if distilled { "another: this model embeds no scale" } else { "distilled for this model" };
            return Err(DiffusionError::config("guidance", expected, self));
        }
        let conditions = config.num_embeds_ada_norm.is_some() || config.cross_attention_dim.is_some();
        if self.predictions() > 1 && !conditions {
            let expected = "none for a model without conditions";
            return Err(DiffusionError::config("guidance", expected, self));
        }
        match *self {
            Self::ClassifierFree { scale, .. } | Self::Distilled { scale } if !scale.is_finite() => {
                Err(DiffusionError::config("guidance", "a finite number", scale))
            }
            Self::ClassifierFree { interval: [low, high], .. }
                if !(0.0 <= low && low <= high && high <= 1.0) =>
            {
                let got = format!("{low} to {high}");
                Err(DiffusionError::config("the guidance interval", "times within 0 to 1, in order", got))
            }
            _ => Ok(()),
        }
    }

    /// The weights of the predictions: the conditional one, then the unconditional one if there is one.
    pub(crate) fn weights(&self, time: f64) -> Vec<f64> {
        match *self {
            Self::ClassifierFree { scale, .. } if self.acts_at(time) => vec![scale, 1.0 - scale],
            Self::ClassifierFree { .. } => vec![1.0, 0.0],
            _ => vec![1.0],
        }
    }

    /// Whether the unconditional prediction counts at that time.
    pub(crate) fn acts_at(&self, time: f64) -> bool {
        matches!(*self, Self::ClassifierFree { interval: [low, high], .. } if (low..=high).contains(&time))
    }

    /// Predictions of a sample in one evaluation.
    pub(crate) fn predictions(&self) -> usize {
        if matches!(self, Self::ClassifierFree { .. }) { 2 } else { 1 }
    }

    /// The same with its passes in one batch.
    pub(crate) fn together(self) -> Self {
        match self {
            Self::ClassifierFree { scale, interval, .. } => {
                Self::ClassifierFree { scale, interval, passes: Passes::Together }
            }
            other => other,
        }
    }

    /// Forward passes that run one after the other.
    pub(crate) fn turns(&self) -> usize {
        match self {
            Self::ClassifierFree { passes: Passes::InTurn, .. } => 2,
            _ => 1,
        }
    }
}
