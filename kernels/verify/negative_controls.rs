//! The runner must fail when it must: a kernel with one defect at a time goes through it.

use super::{RunOptions, VerifyError, check};
use crate::ActivationBuffers;
use crate::kernel::{Kernel, Variant, sealed};
use crate::recipe::{Recipe, SCRATCH, StageBuilder};
use langevin_gpu::{Access, Capabilities, Tier};
use langevin_reference::{Cost, DescError, Expected, Format, Op, TensorSpec, Tensors, U_ACC, generate};
use langevin_testkit::gpu;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Defect {
    None,
    /// Writes zeros.
    Zeros,
    /// Each element is its neighbour's.
    OffByOne,
    /// Writes NaN into one element.
    Nan,
    /// Leaves one element as it was.
    Untouched,
    /// Writes one element past the end.
    Outside,
    /// Adds what lay in the scratch.
    DirtyScratch,
    /// Adds what lies in the padding of a row.
    DirtyPadding,
    /// Is wrong by twice the bound.
    TwiceTheBound,
}

/// `out = 2 x`, with a defect.
#[derive(Clone, Debug, PartialEq)]
struct DoubleDesc {
    rows: usize,
    width: usize,
    defect: Defect,
}

impl Op for DoubleDesc {
    const NAME: &'static str = "double";

    fn validate(&self) -> Result<(), DescError> {
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let shape = [self.rows, self.width];
        vec![TensorSpec::input("x", Format::F16, &shape), TensorSpec::output("out", Format::F32, &shape)]
    }

    fn cost(&self) -> Cost {
        Cost::of((self.rows * self.width) as f64, &self.tensors())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let value = inputs.get("x").unwrap().to_f64() * 2.0;
        let bound = value.mapv(|value| U_ACC * value.abs());
        vec![Expected::bounded("out", value, bound)]
    }
}

impl sealed::Sealed for DoubleDesc {}

const SHADER: &str = "
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.elements) {
    return;
  }
  let row = id.x / p.width;
  let column = id.x % p.width;
  let pitch = (p.width + 1u) / 2u * 2u;
  var y = 2.0 * load_x(row * pitch + column);
  if (DEFECT == 1u) { y = 0.0; }
  if (DEFECT == 2u) { y = 2.0 * load_x(row * pitch + (column + 1u) % p.width); }
  if (DEFECT == 3u && id.x == 5u) { y = bitcast<f32>(0x7fc00000u | p.width); }
  if (DEFECT == 4u && id.x == 5u) { return; }
  if (DEFECT == 5u && id.x == 5u) { store4_out(p.elements, vec4<f32>(1.0), 1u); }
  if (DEFECT == 6u) { y += f32(scratch[0] >> 24u); }
  if (DEFECT == 7u) { y += load_x(row * pitch + p.width); }
  if (DEFECT == 8u && id.x == 5u) { y *= 1.0 + 2.0 / 8388608.0; }
  store4_out(id.x, vec4<f32>(y), 1u);
}
";

impl Kernel for DoubleDesc {
    // The runner binds by name; this one's are never used.
    type Buffers<'a> = ActivationBuffers<'a>;

    fn variants(&self, _: &Capabilities) -> Vec<Variant> {
        vec![Variant { name: "plain", tier: Tier::Portable, reason: "the only one" }]
    }

    fn recipe(&self, _: Variant, _: &Capabilities) -> Recipe {
        let elements = self.rows * self.width;
        let stage = StageBuilder::new("double", self)
            .constant("DEFECT", self.defect as u32)
            .size("elements", elements)
            .size("width", self.width)
            .reads("x")
            .writes("out")
            .words(SCRATCH, Access::ReadWrite)
            .part("double", SHADER)
            .groups(elements.div_ceil(64) as u64);
        Recipe { stages: vec![stage], scratch_bytes: 16 }
    }
}

/// What the runner says of a defect; `None` without a GPU.
fn verdict(defect: Defect) -> Option<Result<bool, VerifyError>> {
    let gpu = gpu()?;
    let desc = DoubleDesc { rows: 7, width: 9, defect };
    let inputs = generate::inputs(&desc, 3);
    let comparisons = check(&gpu, &desc, &inputs, &RunOptions::default());
    Some(comparisons.map(|all| all.iter().all(|comparison| comparison.passed() && comparison.rejects_zeros)))
}

#[test]
fn a_right_kernel_passes() {
    assert!(verdict(Defect::None).is_none_or(|verdict| verdict.unwrap()));
}

#[test]
fn wrong_values_are_rejected() {
    for defect in [Defect::Zeros, Defect::OffByOne, Defect::Nan, Defect::TwiceTheBound] {
        let Some(verdict) = verdict(defect) else { return };
        assert!(!verdict.unwrap(), "{defect:?} passed");
    }
}

#[test]
fn what_depends_on_garbage_is_unstable() {
    for defect in [Defect::Untouched, Defect::DirtyScratch, Defect::DirtyPadding] {
        let Some(verdict) = verdict(defect) else { return };
        assert!(matches!(verdict, Err(VerifyError::Unstable { .. })), "{defect:?}: {verdict:?}");
    }
}

#[test]
fn a_write_past_the_end_is_noticed() {
    let Some(verdict) = verdict(Defect::Outside) else { return };
    assert!(matches!(verdict, Err(VerifyError::WroteOutside { word: 63, .. })), "{verdict:?}");
}
