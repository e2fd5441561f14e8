//! Descriptors and plans, their types forgotten.

use crate::DiffusionError;
use langevin::gpu::{Capabilities, Gpu, wgpu};
use langevin::reference::{Cost, DescError, Expected, TensorSpec, Tensors};
use langevin::{Call, Kernel, Pick, Plan, PlanOptions, choice};
use std::fmt::Debug;
use std::sync::Arc;

/// A kernel's descriptor, its type forgotten.
pub(super) trait AnyOp: Debug + Send + Sync {
    /// Equal keys compute the same.
    fn key(&self) -> String;
    fn name(&self) -> &'static str;
    fn tensors(&self) -> Vec<TensorSpec>;
    fn cost(&self) -> Cost;
    fn answer(&self, inputs: &Tensors) -> Result<Vec<Expected>, DescError>;
    /// Bytes of scratch and dispatches on a device with these capabilities.
    fn needs(&self, capabilities: &Capabilities) -> Result<Needs, DiffusionError>;
    fn plan(&self, gpu: &Gpu) -> Result<Arc<dyn AnyPlan>, DiffusionError>;
}

/// What an operation takes of a device beside its tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) scratch_bytes: u64,
    /// Bytes of the parameters of all its dispatches.
    pub(crate) parameter_bytes: u64,
    pub(crate) dispatches: usize,
}

impl<D: Kernel> AnyOp for D {
    fn key(&self) -> String {
        format!("{} {self:?}", D::NAME)
    }

    fn name(&self) -> &'static str {
        D::NAME
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        langevin::reference::Op::tensors(self)
    }

    fn cost(&self) -> Cost {
        langevin::reference::Op::cost(self)
    }

    fn answer(&self, inputs: &Tensors) -> Result<Vec<Expected>, DescError> {
        self.evaluate(inputs)
    }

    fn needs(&self, capabilities: &Capabilities) -> Result<Needs, DiffusionError> {
        let recipe = self.recipe(choice(self, capabilities, &Pick::Best)?, capabilities);
        let words = recipe.stages.iter().map(|stage| stage.shader.param_words().len() as u64);
        Ok(Needs {
            scratch_bytes: recipe.scratch_bytes,
            parameter_bytes: 4 * words.sum::<u64>(),
            dispatches: recipe.stages.len(),
        })
    }

    fn plan(&self, gpu: &Gpu) -> Result<Arc<dyn AnyPlan>, DiffusionError> {
        let options = PlanOptions { capabilities: Some(gpu.capabilities().clone()), ..Default::default() };
        Ok(Arc::new(Plan::with_options(gpu.device(), self, &options)?))
    }
}

/// A plan, its type forgotten.
pub(super) trait AnyPlan: Debug + Send + Sync {
    fn bind(&self, gpu: &Gpu, buffers: &[(&str, wgpu::BufferBinding<'_>)]) -> Result<Call, DiffusionError>;
}

impl<D: Kernel> AnyPlan for Plan<D> {
    fn bind(&self, gpu: &Gpu, buffers: &[(&str, wgpu::BufferBinding<'_>)]) -> Result<Call, DiffusionError> {
        Ok(self.bind_named(gpu.device(), buffers)?)
    }
}
