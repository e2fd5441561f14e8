//! Super steps: stages that go on from the two before them, through four fields of F32 in the scratch.

use super::{Finish, Part, ROWS, Steps, TensorNames, factor, tensor_names};
use crate::Capabilities;
use crate::kernel::Variant;
use crate::recipe::{Recipe, SCRATCH, Stage, StageBuilder, Window};
use langevin_gpu::ParamValue;
use langevin_reference::{Dtype, Format, RklStage, TensorSpec};

const START: TensorNames = tensor_names!("start");
const FIRST: TensorNames = tensor_names!("first");
const BEFORE: TensorNames = tensor_names!("before");

/// The place of what changes first among the fields of the scratch; behind it lie those of three stages in turn.
const FIRST_FIELD: usize = 0;

fn field_of(stage: usize) -> usize {
    1 + stage % 3
}

impl Steps {
    /// The dispatches of a super step. Every grid's tensors may be cut, so the fields of the scratch are bound one by one.
    pub(crate) fn super_step(
        &self,
        variant: Variant,
        stages: &[RklStage],
        capabilities: &Capabilities,
    ) -> Recipe {
        let bytes = self.scratch_field().gpu_bytes().unwrap_or(u64::from(u32::MAX));
        // Fields start where every device allows.
        let pitch = bytes.next_multiple_of(256);
        let field = |field: usize| Window { offset: field as u64 * pitch, bytes };
        let mut recipe = Recipe { stages: Vec::new(), scratch_bytes: 4 * pitch };
        for (number, &stage) in stages.iter().enumerate() {
            let last = number + 1 == stages.len();
            let steps = Self { finish: Finish::Stage(number, stage), ..self.clone() };
            let steps = Self { specs: self.stage_specs(number, last), ..steps };
            for part in steps.parts(self.stencil.reach(), capabilities) {
                let stage = match variant {
                    ROWS => steps.row_stage(&part, capabilities),
                    _ => steps.cell_stage(&part),
                };
                recipe.stages.push(in_scratch(part.bind(stage), &part, number, last, field));
            }
        }
        recipe.stages.retain(|stage| stage.groups > 0);
        if recipe.stages.is_empty() {
            recipe.scratch_bytes = 0;
        }
        recipe
    }

    fn scratch_field(&self) -> TensorSpec {
        let shape: Vec<usize> =
            [self.batch].into_iter().chain(self.axes.iter().map(|axis| axis.extent)).collect();
        TensorSpec::input("first", Format::F32, &shape)
    }

    /// The tensors of a stage: `u` is the stage before, `start` what the step starts from.
    fn stage_specs(&self, number: usize, last: bool) -> Vec<TensorSpec> {
        let field = |name| TensorSpec { name, ..self.scratch_field() };
        let own = |spec: &TensorSpec| match spec.name {
            "u" if number > 0 => vec![field("u"), TensorSpec { name: "start", ..spec.clone() }],
            "out" if !last => vec![TensorSpec { dtype: Dtype::from(Format::F32), ..spec.clone() }],
            _ => vec![spec.clone()],
        };
        let mut specs: Vec<TensorSpec> = self.specs.iter().flat_map(own).collect();
        specs.push(field("first"));
        if number > 0 {
            specs.push(field("before"));
        }
        specs
    }

    /// Gives a stage `result` and what it reads for it.
    pub(super) fn stage(
        &self,
        builder: StageBuilder,
        part: &Part,
        number: usize,
        stage: RklStage,
    ) -> StageBuilder {
        let place = |builder: StageBuilder, names: &TensorNames| {
            let builder = builder.size(names.pitch, self.pitch(names.tensor));
            builder.param(names.shift, ParamValue::U32(part.shift(names.tensor)))
        };
        let builder = place(builder, &FIRST).param("factor_change", factor(stage.change));
        if number == 0 {
            let text = include_str!("../../shaders/shared/stencil_first_stage.wgsl");
            return builder.writes("first").part("first_stage", text);
        }
        [START, BEFORE]
            .iter()
            .fold(builder, place)
            .size("has_before", usize::from(number > 1))
            .param("factor_last", factor(stage.last))
            .param("factor_before", factor(stage.before))
            .param("factor_start", factor(stage.start))
            .param("factor_first", factor(stage.first))
            .reads("start")
            .reads("first")
            .reads("before")
            .part("stage", include_str!("../../shaders/shared/stencil_stage.wgsl"))
    }
}

/// A stage whose fields lie in the scratch.
fn in_scratch(
    mut stage: Stage,
    part: &Part,
    number: usize,
    last: bool,
    field: impl Fn(usize) -> Window,
) -> Stage {
    let place = |tensor: &str| match tensor {
        "first" => Some(FIRST_FIELD),
        "before" => Some(field_of(number + 1)),
        "u" if number > 0 => Some(field_of(number + 2)),
        "out" if !last => Some(field_of(number)),
        _ => None,
    };
    for bound in &part.ranges {
        if let Some(place) = place(bound.tensor) {
            stage = stage.moved(bound.variable, SCRATCH, Some(field(place)));
        } else if bound.tensor == "start" {
            stage = stage.moved("start", "u", None);
        }
    }
    stage.one_access(SCRATCH)
}
