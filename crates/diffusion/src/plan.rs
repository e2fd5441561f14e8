//! A pipeline before it has a device.

use crate::dit::{DitProgram, DitShape};
use crate::process::Process;
use crate::program::Needs;
use crate::{DiffusionError, DitConfig, DitWeights, Memory, PipelineOptions, Schedule};
use langevin::Capabilities;
use langevin::reference::Cost;

/// Everything about a pipeline but its device: what it computes, what that costs, and the memory it will take. Reads no
/// weights.
#[derive(Debug)]
pub struct PipelinePlan {
    pub(crate) weights: DitWeights,
    options: PipelineOptions,
    schedule: Schedule,
    pub(crate) dit: DitProgram,
}

/// What one kind of kernel costs in one evaluation of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelCost {
    /// The kernel.
    pub kernel: &'static str,
    /// How many dispatches.
    pub dispatches: usize,
    /// FLOPs and bytes of all of them.
    pub cost: Cost,
}

impl PipelinePlan {
    /// Checks the options against the model and lays out every operation.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for options that make no sense.
    pub fn new(weights: &DitWeights, options: PipelineOptions) -> Result<Self, DiffusionError> {
        Self::of(weights, options, false)
    }

    /// The same, where what layers multiply may be kept for a calibration.
    pub(crate) fn of(
        weights: &DitWeights,
        options: PipelineOptions,
        calibrating: bool,
    ) -> Result<Self, DiffusionError> {
        let config = weights.config();
        options.validate(config)?;
        let process = match Process::from(config.noise_schedule) {
            Process::Flow { .. } => Process::Flow { shift: options.shift },
            process => process,
        };
        let levels = process.levels(options.steps)?;
        if options.start_step >= options.steps {
            let expected = format!("below the {} steps", options.steps);
            return Err(DiffusionError::config("start_step", expected, options.start_step));
        }
        let schedule = Schedule::new(options.sampler, config.prediction, &levels[options.start_step..])?;
        let shape = DitShape {
            samples: options.samples,
            predictions: options.guidance.predictions(),
            turns: options.guidance.turns(),
            evaluations: schedule.evaluations.len(),
            states: schedule.states(),
            noise: schedule.is_noisy(),
            text_tokens: options.text_tokens,
            caching: options.caching,
            weights: options.weights,
            calibrating,
        };
        let dit = DitProgram::new(weights, shape)?;
        Ok(Self { weights: weights.clone(), options, schedule, dit })
    }

    /// The model's configuration.
    pub fn config(&self) -> &DitConfig {
        self.weights.config()
    }

    /// The options.
    pub fn options(&self) -> &PipelineOptions {
        &self.options
    }

    /// What is evaluated when, and how the samples move on.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// What the pipeline will allocate on a device with these capabilities.
    ///
    /// # Errors
    /// [`DiffusionError::Plan`] for a kernel that such a device cannot run.
    pub fn memory(&self, capabilities: &Capabilities) -> Result<Memory, DiffusionError> {
        Ok(self.dit.program.memory(capabilities)?.into())
    }

    /// The same, where it fits into the budget and the device's largest buffer.
    ///
    /// # Errors
    /// [`DiffusionError::Budget`] and [`DiffusionError::LargestBuffer`], with the whole table.
    pub fn fitting_memory(&self, capabilities: &Capabilities) -> Result<Memory, DiffusionError> {
        let memory = self.memory(capabilities)?;
        let allowed = capabilities.limits.max_buffer_size;
        if memory.largest_buffer > allowed {
            return Err(DiffusionError::LargestBuffer { memory: Box::new(memory), allowed });
        }
        match self.options.budget {
            Some(budget) if memory.total() > budget => {
                Err(DiffusionError::Budget { memory: Box::new(memory), budget })
            }
            _ => Ok(memory),
        }
    }

    /// What one evaluation of the network with its step costs on a device with these capabilities, by kernel.
    ///
    /// A block is seven dispatches: norm with modulation; query, key and value as one matrix; attention; its projection, with
    /// gate and residual; norm with modulation; and the two matrices of the feed-forward network with what lies between
    /// and behind them. Weights of any format and activations of 16 bits change nothing. Activations of 8 bits make it eight
    /// where they are calibrated - what attention leaves is quantized by itself, norms and matrices write codes - and nine with
    /// a scale for each token, which is known only when all of the token is. A norm of queries and keys, rotary positions or
    /// both add one. A text adds four: norm, query, attention and projection; its keys and values are made once, but at each
    /// pass where guidance has its passes in turn. A GPU may cut the sums of small products, or the keys of small attentions, among
    /// more workgroups than they have tiles: each that it cuts takes a dispatch more. So does each part of a product whose tensors are larger than the device binds at once.
    ///
    /// Beside the blocks an evaluation is seven: the modulations of all blocks as one product, two to tokens, three to the
    /// prediction, and the step.
    ///
    /// # Errors
    /// [`DiffusionError::Plan`] for a kernel that such a device cannot run.
    pub fn evaluation_kernels(&self, capabilities: &Capabilities) -> Result<Vec<KernelCost>, DiffusionError> {
        let needs = self.dit.program.needs(capabilities)?;
        let mut kernels: Vec<KernelCost> = Vec::new();
        for node in self.evaluation_nodes() {
            let (kernel, cost) = self.dit.program.node_cost(node);
            let Needs { dispatches, .. } = needs[node];
            match kernels.iter_mut().find(|known| known.kernel == kernel) {
                Some(known) => {
                    known.dispatches += dispatches;
                    known.cost = add(known.cost, cost);
                }
                None => kernels.push(KernelCost { kernel, dispatches, cost }),
            }
        }
        Ok(kernels)
    }

    /// FLOPs and bytes of one evaluation of the network with its step.
    pub fn evaluation_cost(&self) -> Cost {
        let cost = |node| self.dit.program.node_cost(node).1;
        self.evaluation_nodes().map(cost).fold(Cost::default(), add)
    }

    /// The operations of an evaluation that is computed, with its step.
    pub(crate) fn evaluation_nodes(&self) -> impl Iterator<Item = usize> {
        let passes = std::iter::repeat_n(self.dit.forward_nodes(), self.dit.shape.turns);
        passes.flatten().chain(self.dit.combine.clone())
    }
}

fn add(a: Cost, b: Cost) -> Cost {
    Cost {
        flops: a.flops + b.flops,
        bytes_read: a.bytes_read + b.bytes_read,
        bytes_written: a.bytes_written + b.bytes_written,
    }
}
