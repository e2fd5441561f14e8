//! What a run starts from.

use crate::{DiffusionError, Noise, PipelinePlan};

/// What a run starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Start<'a> {
    /// The class of every sample; the number of classes stands for none. Empty for a model without classes.
    pub classes: &'a [usize],
    /// The texts, for a model that attends to one.
    pub texts: Option<Texts<'a>>,
    /// The noise.
    pub noise: Noise<'a>,
    /// Pictures `[samples, channels, size, size]` to start from; needed where the first step is not step 0.
    pub pictures: Option<&'a [f32]>,
}

/// Texts as another model encoded them. All tokens are attended to: there is no padding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Texts<'a> {
    /// `[samples, tokens, dim]`
    pub texts: &'a [f32],
    /// The text that says nothing, `[tokens, dim]`; used by classifier-free guidance alone.
    pub without: &'a [f32],
}

impl Start<'_> {
    /// Checks it against what a pipeline was made for.
    pub(crate) fn check(&self, plan: &PipelinePlan) -> Result<(), DiffusionError> {
        let elements = plan.options().samples * plan.config().sample_elements();
        if let Noise::Given(values) = self.noise {
            let noisy = plan.schedule().evaluations.iter().filter(|evaluation| evaluation.next.noise != 0.0);
            numbers("noise", elements * (1 + noisy.count()), values.len())?;
        }
        match (self.pictures, plan.options().start_step) {
            (Some(pictures), _) => numbers("pictures", elements, pictures.len())?,
            (None, 0) => {}
            (None, step) => {
                let expected = format!("given, to start at step {step}");
                return Err(DiffusionError::config("pictures", expected, "none"));
            }
        }
        self.check_texts(plan)?;
        self.check_classes(plan)
    }

    fn check_texts(&self, plan: &PipelinePlan) -> Result<(), DiffusionError> {
        let row = plan.options().text_tokens * plan.config().cross_attention_dim.unwrap_or(0);
        match self.texts {
            None if row > 0 => Err(DiffusionError::config("texts", "given for this model", "none")),
            Some(_) if row == 0 => Err(DiffusionError::config("texts", "none for this model", "some")),
            Some(Texts { texts, without }) => {
                numbers("texts", plan.options().samples * row, texts.len())?;
                match plan.options().guidance.predictions() {
                    1 => Ok(()),
                    _ => numbers("the text that says nothing", row, without.len()),
                }
            }
            None => Ok(()),
        }
    }

    fn check_classes(&self, plan: &PipelinePlan) -> Result<(), DiffusionError> {
        let null = plan.config().null_class();
        let expected = if plan.config().num_embeds_ada_norm.is_some() { plan.options().samples } else { 0 };
        if self.classes.len() != expected {
            return Err(DiffusionError::config("classes", format!("{expected} of them"), self.classes.len()));
        }
        match self.classes.iter().find(|class| **class > null) {
            Some(class) => {
                Err(DiffusionError::config("class", format!("at most {null} ({null} is no class)"), class))
            }
            None => Ok(()),
        }
    }
}

fn numbers(what: &'static str, expected: usize, got: usize) -> Result<(), DiffusionError> {
    match expected == got {
        true => Ok(()),
        false => Err(DiffusionError::config(what, format!("{expected} numbers"), got)),
    }
}
