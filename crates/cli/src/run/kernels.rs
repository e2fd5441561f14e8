//! The kernels that can be run from a file, in one table.

use super::{FromFile, RunArgs, run_kernel};
use crate::CliError;
use crate::tensors::Input;
use langevin::{
    ActivationDesc, ActivationQuantizeDesc, AttentionDesc, CastDesc, ChangeDesc, CombineDesc, ConvDesc,
    DequantizeDesc, FakeQuantizeDesc, GatedResidualDesc, HeatDesc, HistogramDesc, LaplacianDesc, MatmulDesc,
    MergeDesc, NormDesc, NormQuantizeDesc, PatchifyDesc, QuantizeDesc, RotaryDesc, UnpatchifyDesc,
};

pub(super) const EXAMPLE: &str = "Example:\n  langevin run matmul --input in.safetensors --output out.safetensors \\\n    \
     --desc '{\"activation\": \"silu\", \"out\": \"bf16\"}' --check";

/// One kernel of the command line.
struct Entry {
    name: &'static str,
    inputs: &'static [Input],
    outputs: &'static str,
    fields: &'static str,
    run: fn(&RunArgs) -> Result<(), CliError>,
}

const fn entry<D: FromFile>() -> Entry {
    Entry { name: D::NAME, inputs: D::INPUTS, outputs: D::OUTPUTS, fields: D::FIELDS, run: run_kernel::<D> }
}

const KERNELS: &[Entry] = &[
    entry::<MatmulDesc>(),
    entry::<AttentionDesc>(),
    entry::<MergeDesc>(),
    entry::<RotaryDesc>(),
    entry::<ConvDesc>(),
    entry::<LaplacianDesc>(),
    entry::<HeatDesc>(),
    entry::<QuantizeDesc>(),
    entry::<DequantizeDesc>(),
    entry::<FakeQuantizeDesc>(),
    entry::<CastDesc>(),
    entry::<HistogramDesc>(),
    entry::<NormQuantizeDesc>(),
    entry::<ActivationQuantizeDesc>(),
    entry::<NormDesc>(),
    entry::<ActivationDesc>(),
    entry::<GatedResidualDesc>(),
    entry::<CombineDesc>(),
    entry::<ChangeDesc>(),
    entry::<PatchifyDesc>(),
    entry::<UnpatchifyDesc>(),
];

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    KERNELS.iter().map(|kernel| kernel.name)
}

pub(super) fn run(args: &RunArgs) -> Result<(), CliError> {
    let kernel = KERNELS.iter().find(|kernel| kernel.name == args.kernel);
    // The command line accepts no other names.
    kernel.map_or(Ok(()), |kernel| (kernel.run)(args))
}

/// The tensors and fields of every kernel.
pub(super) fn help() -> String {
    let mut text =
        String::from("Kernels, with the tensors of their files ([optional]) and the fields of --desc:\n");
    for kernel in KERNELS {
        let name =
            |input: &Input| if input.required { input.name.to_owned() } else { format!("[{}]", input.name) };
        let inputs = kernel.inputs.iter().map(name).collect::<Vec<_>>().join(" ");
        text += &format!("\n  {}\n", kernel.name);
        let lines = [("in", inputs.as_str()), ("out", kernel.outputs), ("desc", kernel.fields)];
        for (what, value) in lines.into_iter().filter(|(_, value)| !value.is_empty()) {
            text += &format!("    {what:<5}{value}\n");
        }
    }
    text + "\n" + EXAMPLE
}
