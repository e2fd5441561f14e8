use crate::bind::{Call, Extent, Memory, STAND_IN_BYTES, bind_stages};
use crate::kernel::{Buffers, Kernel, Variant};
use crate::recipe::{Recipe, SCRATCH, Stage, Window};
use crate::{BindError, PlanError};
use langevin_gpu::{Capabilities, Checks, ComputeStage, Distrusted, StageDesc, Tier, with_scopes};
use langevin_reference::{Cost, TensorSpec};
use std::fmt;

/// Which of a kernel's variants a plan takes. One that the device cannot run is an error, never replaced in silence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Pick {
    /// The preferred one of those that the device can run.
    #[default]
    Best,
    /// The preferred one of a tier.
    Tier(Tier),
    /// The one of that name.
    Variant(String),
}

impl Pick {
    fn takes(&self, variant: &Variant) -> bool {
        match self {
            Self::Best => true,
            Self::Tier(tier) => variant.tier == *tier,
            Self::Variant(name) => variant.name == name,
        }
    }
}

impl From<Variant> for Pick {
    fn from(variant: Variant) -> Self {
        Self::Variant(variant.name.to_owned())
    }
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Best => f.write_str("any"),
            Self::Tier(tier) => write!(f, "of tier `{tier}`"),
            Self::Variant(name) => write!(f, "`{name}`"),
        }
    }
}

/// How to make a plan, beyond what it computes.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// Which variant to take.
    pub pick: Pick,
    /// What the device can do; taken from the device where absent. A device does not know its cooperative-matrix sizes:
    /// give [`Capabilities::with_adapter`] for that tier.
    pub capabilities: Option<Capabilities>,
    /// Keeps wgpu's run-time checks of loops and zeroes workgroup memory: slower, for hunting defects.
    pub checked: bool,
}

/// One dispatch as text: all that another WebGPU host needs to run it.
#[derive(Clone, Debug, PartialEq)]
pub struct StageSource {
    /// What it is.
    pub label: &'static str,
    /// The WGSL module; its entry point is `main`.
    pub wgsl: String,
    /// Invocations of a workgroup, as the module says.
    pub invocations: u32,
    /// The contents of the uniform buffer at binding 0.
    pub params: Vec<u32>,
    /// The tensors (or `scratch`) at the storage bindings from 1 on. A variable has its tensor's name, but where a dispatch
    /// goes on with what one before it left elsewhere.
    pub bindings: Vec<&'static str>,
    /// For each of them the range of its bytes that is bound where that is not all: where a tensor is larger than a binding
    /// may be.
    pub ranges: Vec<Option<std::ops::Range<u64>>>,
    /// The workgroups to dispatch.
    pub workgroups: [u32; 3],
}

/// A descriptor that has been checked and compiled for a device. Immutable, and usable from many threads.
///
/// The kernels' plans are aliases of it: `Matmul` is `Plan<MatmulDesc>`.
#[derive(Debug)]
pub struct Plan<D: Kernel> {
    desc: D,
    variant: Variant,
    stages: Vec<(Stage, ComputeStage, [u32; 3])>,
    memory: Memory,
    avoided: Vec<Distrusted>,
}

impl<D: Kernel> Plan<D> {
    /// Checks a descriptor and compiles it for `device`.
    ///
    /// # Errors
    /// [`PlanError`]: a broken rule, a device limit, or what the driver said.
    pub fn new(device: &wgpu::Device, desc: &D) -> Result<Self, PlanError> {
        Self::with_options(device, desc, &PlanOptions::default())
    }

    /// The same with a variant forced, or with checks.
    ///
    /// # Errors
    /// [`PlanError`]; [`PlanError::Variant`] where the device or the kernel lacks the variant.
    pub fn with_options(device: &wgpu::Device, desc: &D, options: &PlanOptions) -> Result<Self, PlanError> {
        let capabilities = options.capabilities.clone().unwrap_or_else(|| Capabilities::of(device));
        desc.validate()?;
        let (variant, recipe) = choose(desc, &capabilities, &options.pick)?;
        let memory = memory(device, desc, &recipe, &capabilities)?;
        let grids = check_limits::<D>(&recipe, &memory, &capabilities)?;
        let checks = |stage: &Stage| checks(stage, &capabilities, options.checked);
        let compiled = compile(device, &recipe.stages, &memory, checks)?;
        let stages = recipe.stages.into_iter().zip(compiled).zip(grids);
        let stages = stages.map(|((stage, compiled), grid)| (stage, compiled, grid)).collect();
        let avoided = avoided(desc, &capabilities, &options.pick);
        Ok(Self { desc: desc.clone(), variant, stages, memory, avoided })
    }

    /// Binds buffers. Offsets must be multiples of the device's `min_storage_buffer_offset_alignment`; larger buffers
    /// than needed are fine. They must be buffers of `device`: wgpu itself panics at one of another instance.
    ///
    /// # Errors
    /// [`BindError`] names the tensor, what was expected and what was given.
    pub fn bind(&self, device: &wgpu::Device, buffers: D::Buffers<'_>) -> Result<Call, BindError> {
        let given = buffers.named().into_iter().filter_map(|(name, binding)| Some((name, binding?)));
        self.bind_named(device, &given.collect::<Vec<_>>())
    }

    /// Binds buffers by tensor name; for hosts that know the tensors only at run time.
    ///
    /// # Errors
    /// Those of [`Plan::bind`].
    pub fn bind_named(
        &self,
        device: &wgpu::Device,
        buffers: &[(&str, wgpu::BufferBinding<'_>)],
    ) -> Result<Call, BindError> {
        self.bind_extent(device, buffers, Extent::Exact)
    }

    pub(crate) fn bind_extent(
        &self,
        device: &wgpu::Device,
        buffers: &[(&str, wgpu::BufferBinding<'_>)],
        extent: Extent,
    ) -> Result<Call, BindError> {
        let bound = self.memory.check(D::NAME, device, buffers, extent)?;
        let stages = self.stages.iter().map(|(stage, compiled, grid)| (stage, compiled, *grid));
        Ok(with_scopes(device, D::NAME, || bind_stages(device, stages, &bound))?)
    }

    /// What it computes.
    pub fn desc(&self) -> &D {
        &self.desc
    }

    /// Which shader was chosen, and why.
    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// The variants that would have been considered, had they not failed a check: see [`Capabilities::distrusted`].
    pub fn avoided(&self) -> &[Distrusted] {
        &self.avoided
    }

    /// FLOPs and bytes, from the formula.
    pub fn cost(&self) -> Cost {
        self.desc.cost()
    }

    /// Bytes the caller must lend as `scratch`; 0 when none. Its contents do not matter before, and mean nothing after.
    pub fn scratch_bytes(&self) -> u64 {
        self.memory.bytes_or_zero(SCRATCH)
    }

    /// The tensors, in the order of the descriptor's table.
    pub fn tensors(&self) -> &[TensorSpec] {
        self.memory.specs()
    }

    /// The final WGSL of every dispatch, with its bindings.
    pub fn sources(&self) -> Vec<StageSource> {
        self.stages.iter().map(|(stage, _, grid)| StageSource::of(stage, *grid)).collect()
    }
}

/// The variant that a plan of `desc` would take on a device with these capabilities; needs no GPU.
///
/// # Errors
/// [`PlanError`]: a broken rule, a variant that is not there, or loops that the driver would end too early.
pub fn choice<D: Kernel>(desc: &D, capabilities: &Capabilities, pick: &Pick) -> Result<Variant, PlanError> {
    desc.validate()?;
    Ok(choose(desc, capabilities, pick)?.0)
}

/// What a plan of `desc` would dispatch on a device with these capabilities; needs no GPU.
///
/// # Errors
/// [`PlanError`], except those that only a device can raise.
pub fn sources<D: Kernel>(
    desc: &D,
    capabilities: &Capabilities,
    pick: &Pick,
) -> Result<Vec<StageSource>, PlanError> {
    desc.validate()?;
    let (_, recipe) = choose(desc, capabilities, pick)?;
    stage_sources(desc, &recipe, capabilities)
}

pub(crate) fn stage_sources<D: Kernel>(
    desc: &D,
    recipe: &Recipe,
    capabilities: &Capabilities,
) -> Result<Vec<StageSource>, PlanError> {
    let memory = Memory::of(desc, recipe, capabilities);
    let grids = check_limits::<D>(recipe, &memory, capabilities)?;
    Ok(recipe.stages.iter().zip(grids).map(|(stage, grid)| StageSource::of(stage, grid)).collect())
}

impl StageSource {
    fn of(stage: &Stage, workgroups: [u32; 3]) -> Self {
        Self {
            label: stage.label,
            wgsl: stage.shader.compose(),
            invocations: stage.shader.invocations(),
            params: stage.shader.param_words(),
            bindings: stage.tensors().collect(),
            ranges: stage.bound().map(|(_, window)| window.map(|w| w.offset..w.offset + w.bytes)).collect(),
            workgroups,
        }
    }
}

/// The distrusted ones of the variants asked for.
fn avoided<D: Kernel>(desc: &D, capabilities: &Capabilities, pick: &Pick) -> Vec<Distrusted> {
    let variants = desc.variants(capabilities);
    let asked = variants.iter().filter(|variant| pick.takes(variant));
    asked.filter_map(|variant| capabilities.distrusts(D::NAME, variant.name)).cloned().collect()
}

/// What a variant asks of a workgroup, or of a loop, that the device does not have.
fn excess<D: Kernel>(recipe: &Recipe, variant: Variant, capabilities: &Capabilities) -> Option<PlanError> {
    let limits = &capabilities.limits;
    let most = limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x);
    let error = |what: &str, stage: &Stage, limit, asked, allowed| PlanError::Limit {
        op: D::NAME,
        what: format!("{what} of {} ({})", stage.label, variant.name),
        limit,
        asked,
        allowed,
    };
    let widest =
        recipe.stages.iter().map(|stage| (stage.shader.invocations(), stage)).max_by_key(|(n, _)| *n);
    if let Some((asked, stage)) = widest.filter(|(asked, _)| *asked > most) {
        let limit = "max_compute_invocations_per_workgroup";
        return Some(error("a workgroup", stage, limit, u64::from(asked), u64::from(most)));
    }
    let longest = recipe.stages.iter().max_by_key(|stage| stage.loop_iterations)?;
    let (asked, allowed) = (longest.loop_iterations, capabilities.max_loop_iterations);
    (asked > allowed).then(|| error("a loop", longest, "max_loop_iterations", asked, allowed))
}

/// The first trusted variant of those asked for that fits the device, and whose loops the driver runs to their end.
pub(crate) fn choose<D: Kernel>(
    desc: &D,
    capabilities: &Capabilities,
    pick: &Pick,
) -> Result<(Variant, Recipe), PlanError> {
    let variants = desc.variants(capabilities);
    let mut refused = None;
    for &variant in variants.iter().filter(|variant| pick.takes(variant)) {
        if let Some(Distrusted { finding, .. }) = capabilities.distrusts(D::NAME, variant.name) {
            let finding = finding.clone();
            refused.get_or_insert(PlanError::Distrusted { op: D::NAME, variant: variant.name, finding });
            continue;
        }
        let recipe = desc.recipe(variant, capabilities);
        let Some(excess) = excess::<D>(&recipe, variant, capabilities) else { return Ok((variant, recipe)) };
        // Of those that ask too much of the same, the one that asks for least is told.
        match (&refused, &excess) {
            (
                Some(PlanError::Limit { limit: known, asked: least, .. }),
                PlanError::Limit { limit, asked, .. },
            ) if known != limit || least <= asked => {}
            _ => refused = Some(excess),
        }
    }
    let name = |variant: &Variant| format!("{} ({})", variant.name, variant.tier);
    Err(refused.unwrap_or_else(|| PlanError::Variant {
        op: D::NAME,
        asked: pick.to_string(),
        available: variants.iter().map(name).collect::<Vec<_>>().join(", "),
    }))
}

fn memory<D: Kernel>(
    device: &wgpu::Device,
    desc: &D,
    recipe: &Recipe,
    capabilities: &Capabilities,
) -> Result<Memory, PlanError> {
    let memory = Memory::of(desc, recipe, capabilities);
    let stand_in = |_| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("stand-in for an empty tensor"),
            size: STAND_IN_BYTES,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        })
    };
    let stand_ins = with_scopes(device, "a stand-in for empty tensors", || {
        (0..memory.empty_tensors()).map(stand_in).collect()
    })?;
    Ok(memory.with_stand_ins(stand_ins))
}

/// Checks every dispatch against the device's limits; the workgroups of each.
fn check_limits<D: Kernel>(
    recipe: &Recipe,
    memory: &Memory,
    capabilities: &Capabilities,
) -> Result<Vec<[u32; 3]>, PlanError> {
    let grid = |stage: &Stage| {
        check_bindings::<D>(stage, &binding_bytes(stage, memory), capabilities)?;
        fold::<D>(stage, capabilities)
    };
    recipe.stages.iter().map(grid).collect()
}

/// Bytes of what a stage binds, in order.
fn binding_bytes(stage: &Stage, memory: &Memory) -> Vec<u64> {
    let bytes =
        |(name, window): (&str, Option<Window>)| window.map_or_else(|| memory.bytes(name), |w| w.bytes);
    stage.bound().map(bytes).collect()
}

/// What a stage needs checked on a device. Vulkan's own checks of buffers are on whatever wgpu adds.
fn checks(stage: &Stage, capabilities: &Capabilities, all: bool) -> Checks {
    match (all, stage.proven && capabilities.backend == wgpu::Backend::Vulkan) {
        (true, _) => Checks::All,
        (false, true) => Checks::None,
        (false, false) => Checks::Indices,
    }
}

/// Compiles the stages; those of one text share a pipeline.
fn compile(
    device: &wgpu::Device,
    stages: &[Stage],
    memory: &Memory,
    checks: impl Fn(&Stage) -> Checks,
) -> Result<Vec<ComputeStage>, PlanError> {
    let texts: Vec<String> = stages.iter().map(|stage| stage.shader.compose()).collect();
    let mut compiled: Vec<ComputeStage> = Vec::with_capacity(stages.len());
    for (i, Stage { label, shader, .. }) in stages.iter().enumerate() {
        let alike = |j: &usize| texts[*j] == texts[i];
        if let Some(first) = (0..i).find(alike) {
            compiled.push(compiled[first].with_params(device, label, shader)?);
            continue;
        }
        // The layout asks for as many bytes as the least of them binds.
        let mut bytes = binding_bytes(&stages[i], memory);
        for other in (i + 1..stages.len()).filter(alike) {
            let others = binding_bytes(&stages[other], memory);
            bytes.iter_mut().zip(others).for_each(|(bytes, other)| *bytes = (*bytes).min(other));
        }
        let desc = StageDesc { label, shader, binding_bytes: &bytes, checks: checks(&stages[i]) };
        compiled.push(ComputeStage::new(device, &desc)?);
    }
    Ok(compiled)
}

/// Workgroups in at most two dimensions.
fn fold<D: Kernel>(stage: &Stage, capabilities: &Capabilities) -> Result<[u32; 3], PlanError> {
    let per_dimension = capabilities.limits.max_compute_workgroups_per_dimension;
    let x = stage.groups.min(u64::from(per_dimension));
    let y = stage.groups.div_ceil(x.max(1));
    let limit = |limit, allowed: u64| PlanError::Limit {
        op: D::NAME,
        what: format!("the dispatch of {}", stage.label),
        limit,
        asked: stage.groups,
        allowed,
    };
    if y > u64::from(per_dimension) {
        return Err(limit("max_compute_workgroups_per_dimension", u64::from(per_dimension).pow(2)));
    }
    if x * y > u64::from(u32::MAX) {
        return Err(limit("u32 range of workgroup indices", u64::from(u32::MAX)));
    }
    Ok([x as u32, y as u32, 1])
}

fn check_bindings<D: Kernel>(
    stage: &Stage,
    bytes: &[u64],
    capabilities: &Capabilities,
) -> Result<(), PlanError> {
    let limits = &capabilities.limits;
    let limit = |what: String, limit, asked: u64, allowed: u64| {
        if asked > allowed {
            Err(PlanError::Limit { op: D::NAME, what, limit, asked, allowed })
        } else {
            Ok(())
        }
    };
    limit(
        format!("the set of tensors of {}", stage.label),
        "max_storage_buffers_per_shader_stage",
        bytes.len() as u64,
        u64::from(limits.max_storage_buffers_per_shader_stage),
    )?;
    for (binding, &size) in stage.shader.bindings.iter().zip(bytes) {
        let what = format!("`{}`", binding.name);
        limit(what, "max_storage_buffer_binding_size", size, limits.max_storage_buffer_binding_size)?;
    }
    Ok(())
}
