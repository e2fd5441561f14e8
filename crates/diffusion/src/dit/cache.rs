//! What a cache adds to a forward pass.

use super::layers::{ADA_NORM_EPS, Builder};
use crate::DiffusionError;
use crate::caching::Caching;
use crate::program::Slot;
use langevin::reference::Tensor;
use langevin::{ChangeDesc, CombineDesc, Format, Modulation};

impl Builder<'_> {
    /// What the cache looks at, what it was, and the change between them.
    pub(super) fn probe(
        &mut self,
        patches: Slot,
        entering: Slot,
        modulation: Slot,
    ) -> Result<[Slot; 3], DiffusionError> {
        let elements = self.token_elements();
        let [before, change] = [self.program.held(&[1, elements]), self.program.held(&[2])];
        let probe = match self.shape.caching {
            Caching::FirstBlocks { .. } => {
                // What the first blocks added.
                let added = self.program.held(&[1, elements]);
                self.combine(added, entering, patches, &[0.0, 1.0, -1.0])?;
                added
            }
            _ => {
                let columns = Modulation {
                    width: self.config.modulation_width(),
                    shift: 0,
                    scale: self.config.width(),
                };
                let normed = self.norm(entering, ADA_NORM_EPS, Some((modulation, columns)));
                self.program.hold(normed);
                normed
            }
        };
        self.program.node(ChangeDesc { elements }, &[("x", probe), ("y", before), ("out", change)]);
        Ok([probe, before, change])
    }

    /// Keeps the difference between the tokens that leave the blocks and those that enter them; earlier ones move on.
    pub(super) fn keep_difference(&mut self, entering: Slot, leaving: Slot) -> Result<Slot, DiffusionError> {
        let kept = self.shape.caching.kept();
        let differences = self.program.held(&[kept, self.token_elements()]);
        let mut factors = vec![0.0; kept * (kept + 2)];
        factors[kept] = 1.0;
        factors[kept + 1] = -1.0;
        for row in 1..kept {
            factors[row * (kept + 2) + row - 1] = 1.0;
        }
        self.combine(differences, leaving, entering, &factors)?;
        Ok(differences)
    }

    /// Makes the leaving tokens of the entering ones and the kept differences; returns the slot of the factors `[1, kept + 2]`
    /// of the old leaving tokens, the differences and the entering tokens.
    pub(super) fn reuse_difference(&mut self, entering: Slot, leaving: Slot, differences: Slot) -> Slot {
        let kept = self.shape.caching.kept();
        let factors = self.program.held(&[1, kept + 2]);
        let elements = self.token_elements();
        let desc = CombineDesc { states: 1, predictions: kept, noise: true, elements };
        let slots =
            [("state", leaving), ("prediction", differences), ("noise", entering), ("factors", factors)];
        self.program.node(desc, &slots);
        factors
    }

    /// A combination whose factors never change: of a state, of one tensor and of another.
    fn combine(
        &mut self,
        state: Slot,
        one: Slot,
        other: Slot,
        factors: &[f32],
    ) -> Result<(), DiffusionError> {
        let elements = self.token_elements();
        let states = self.program.elements(state) / elements.max(1);
        let desc = CombineDesc { states, predictions: 1, noise: true, elements };
        let factors = Tensor::from_f32(Format::F32, &[states, desc.inputs()], factors)?;
        let factors = self.program.constant(factors);
        self.program
            .node(desc, &[("state", state), ("prediction", one), ("noise", other), ("factors", factors)]);
        Ok(())
    }

    fn token_elements(&self) -> usize {
        self.shape.batch() * self.config.tokens() * self.config.width()
    }
}
