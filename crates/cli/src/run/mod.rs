//! Runs any kernel on tensors from a file.

mod attention;
mod conv;
mod cpu;
mod glue;
mod grid;
mod kernels;
mod matmul;
mod quantize;
mod shapes;

pub(crate) use kernels::names;

use crate::device::DeviceArgs;
use crate::tensors::{self, Input};
use crate::{CliError, output};
use clap::builder::PossibleValuesParser;
use langevin::reference::TensorSpec;
use langevin::verify::{self, Comparison, Expected, RunOptions, Tensor, Tensors, compare};
use langevin::{DescError, Format, Gpu, Kernel, Pick, PlanOptions, Tier, Variant};
use serde::de::DeserializeOwned;
use std::path::PathBuf;

/// Run a kernel on the tensors of a safetensors file.
///
/// Sizes and formats come from the file's shapes and dtypes; everything else is a field of the descriptor, given as
/// JSON. Outputs go to a second file. Useful for comparing with NumPy, JAX or PyTorch.
#[derive(Debug, clap::Args)]
#[command(after_help = kernels::EXAMPLE, after_long_help = kernels::help())]
pub(crate) struct RunArgs {
    /// The kernel; `langevin run --help` lists their tensors and fields.
    #[arg(value_parser = PossibleValuesParser::new(kernels::names()))]
    kernel: String,
    /// The safetensors file to read.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// The safetensors file to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Fields of the descriptor as JSON; shapes and formats are taken from the tensors.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    desc: String,
    /// Run the variant of this tier instead of the preferred one.
    #[arg(long, value_name = "TIER")]
    tier: Option<Tier>,
    /// Run the variant of this name.
    #[arg(long, value_name = "NAME", conflicts_with = "tier")]
    variant: Option<String>,
    /// Compute the CPU reference instead, rounded into the output's format.
    #[arg(long, conflicts_with_all = ["tier", "variant", "adapter"])]
    cpu: bool,
    /// Compare the result with the CPU reference; exit code 1 when it is out of its bound.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

impl RunArgs {
    fn pick(&self) -> Pick {
        match (self.tier, &self.variant) {
            (Some(tier), _) => Pick::Tier(tier),
            (None, Some(name)) => Pick::Variant(name.clone()),
            (None, None) => Pick::Best,
        }
    }
}

/// A kernel whose descriptor follows from JSON fields and the tensors of a file.
trait FromFile: Kernel + DeserializeOwned {
    /// What a file may hold.
    const INPUTS: &'static [Input];
    /// What it gets back.
    const OUTPUTS: &'static str;
    /// The JSON fields and their values, for the help.
    const FIELDS: &'static str;

    /// Fills in what follows from the tensors, and gives the tensors the shapes that the descriptor asks for.
    fn describe(self, tensors: Tensors) -> Result<Described<Self>, CliError>;
}

/// A descriptor with its tensors.
struct Described<D> {
    desc: D,
    tensors: Tensors,
    /// The shapes that outputs have in the file, where the descriptor's are others.
    output_shapes: Vec<(&'static str, Vec<usize>)>,
}

pub(crate) fn run(args: &RunArgs) -> Result<(), CliError> {
    kernels::run(args)
}

/// The whole command for one kernel.
fn run_kernel<D: FromFile>(args: &RunArgs) -> Result<(), CliError> {
    // Through a map, since serde takes a list as the fields in order.
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&args.desc).map_err(|source| CliError::Desc { op: D::NAME, source })?;
    let nearest = asks_for_nearest(&fields);
    let fields: D = from_fields(fields)?;
    let tensors = tensors::read(&args.input, D::NAME, D::INPUTS)?;
    check_scales(D::NAME, &tensors)?;
    if nearest && tensors.get("seed").is_some() {
        let (field, expected) = ("rounding", "stochastic or absent where a seed is given".to_owned());
        return Err(DescError::Field { op: D::NAME, field, expected, got: "nearest_even".into() }.into());
    }
    let described = fields.describe(tensors)?;
    described.desc.validate()?;
    described.desc.check_inputs(&described.tensors)?;
    output::check_distinct(&[("--input", args.input.as_path()), ("--output", &args.output)])?;
    output::check_writable(&args.output)?;
    if args.cpu || args.check {
        check_memory(&described.desc)?;
    }
    let mut outputs = if args.cpu {
        output::print(&format!("{} by the CPU reference\n", D::NAME))?;
        cpu::outputs(&described.desc, described.desc.evaluate(&described.tensors)?)?
    } else {
        run_on_gpu(&args.device.open()?, &described, args.pick())?
    };
    let mut failed = if args.check { check(&described, &outputs)? } else { Vec::new() };
    for (name, shape) in &described.output_shapes {
        let reshaped = outputs.remove(name).and_then(|tensor| tensor.reshape(shape));
        reshaped.map(|tensor| outputs.insert(*name, tensor));
    }
    // What failed its check is written too: whoever looks for the reason needs it.
    tensors::write(&args.output, &outputs)?;
    report(&outputs, args)?;
    match failed.pop() {
        Some(comparison) => Err(CliError::OutOfBounds { op: D::NAME, comparison: Box::new(comparison) }),
        None => Ok(()),
    }
}

/// The descriptor with these fields; an error names the one that is wrong, and what it holds.
fn from_fields<D: FromFile>(fields: serde_json::Map<String, serde_json::Value>) -> Result<D, CliError> {
    let op = D::NAME;
    let parse = |fields: serde_json::Map<_, _>| serde_json::from_value::<D>(fields.into());
    let alone = |(field, value): (&String, &serde_json::Value)| {
        let source = parse([(field.clone(), value.clone())].into_iter().collect()).err()?;
        let (field, got) = (field.clone(), value.to_string());
        // Of a field that there is not, the message says all.
        let is_known = !source.to_string().starts_with("unknown field");
        is_known.then_some(CliError::DescField { op, field, got, source })
    };
    parse(fields.clone())
        .map_err(|source| fields.iter().find_map(alone).unwrap_or(CliError::Desc { op, source }))
}

/// Whether the fields of a quantizer, or of the codes of a fused one, name the rounding that needs no seed. A seed in the file
/// otherwise says that it is the other one.
fn asks_for_nearest(fields: &serde_json::Map<String, serde_json::Value>) -> bool {
    let of_codes = fields.get("codes").and_then(|codes| codes.get("rounding"));
    [fields.get("rounding"), of_codes].into_iter().flatten().any(|rounding| rounding == "nearest_even")
}

fn run_on_gpu<D: Kernel>(gpu: &Gpu, described: &Described<D>, pick: Pick) -> Result<Tensors, CliError> {
    let plan = PlanOptions { pick: pick.clone(), ..Default::default() };
    let outputs = verify::run(gpu, &described.desc, &described.tensors, &RunOptions { plan })?;
    let variant =
        langevin::choice(&described.desc, gpu.capabilities(), &pick).map_err(verify::VerifyError::from)?;
    let adapter = &gpu.capabilities().adapter;
    output::print(&format!("{} by `{}` (tier {}) on {adapter}\n", D::NAME, variant.name, variant.tier))?;
    for Variant { name, .. } in described.desc.variants(gpu.capabilities()) {
        if let Some(distrusted) = gpu.capabilities().distrusts(D::NAME, name) {
            output::print(&format!("`{name}` was avoided: {}\n", distrusted.finding))?;
        }
    }
    Ok(outputs)
}

/// Prints how each output compares with the reference; returns those that fail.
fn check<D: Kernel>(described: &Described<D>, outputs: &Tensors) -> Result<Vec<Comparison>, CliError> {
    let mut failed = Vec::new();
    for expected in described.desc.evaluate(&described.tensors)? {
        let Some(comparison) = comparison(described, &expected, outputs) else { continue };
        output::print(&format!("{comparison}\n"))?;
        if !comparison.passed() {
            failed.push(comparison);
        }
    }
    Ok(failed)
}

/// The comparison of one output, with the worst element's index in the shape that the file has.
fn comparison<D: Kernel>(
    described: &Described<D>,
    expected: &Expected,
    outputs: &Tensors,
) -> Option<Comparison> {
    let output = outputs.get(expected.name)?;
    let mut comparison = compare(expected, output);
    let shape_in_file = described.output_shapes.iter().find(|(name, _)| *name == expected.name);
    if let (Some(worst), Some((_, shape))) = (&mut comparison.worst, shape_in_file) {
        worst.index = shapes::index_in(&worst.index, output.shape(), shape);
    }
    Some(comparison)
}

/// One line per output: its name, dtype and shape, and the file.
fn report(outputs: &Tensors, args: &RunArgs) -> Result<(), CliError> {
    let rows: Vec<_> = outputs
        .iter()
        .map(|(name, tensor)| {
            let dtype = tensors::dtype_in_file(tensor.dtype()).to_string();
            vec![name.to_owned(), dtype, format!("{:?}", tensor.shape())]
        })
        .collect();
    output::print(&format!("{}written to {}\n", output::table(&rows), args.output.display()))
}

/// Fails where the reference would end the program for want of memory.
fn check_memory<D: Kernel>(desc: &D) -> Result<(), CliError> {
    // In f64: every value once, and with its error bound while it is computed.
    let elements = |spec: &TensorSpec| spec.elements().unwrap_or(usize::MAX);
    let bytes = desc.tensors().iter().map(elements).fold(0, usize::saturating_add).saturating_mul(32);
    Vec::<u8>::new().try_reserve_exact(bytes).map_err(|_| CliError::Memory { op: D::NAME, bytes })
}

/// Scales are finite and not negative.
fn check_scales(op: &'static str, tensors: &Tensors) -> Result<(), DescError> {
    let is_scale =
        |name: &str, tensor: &Tensor| name.contains("scale") && tensor.dtype() == Format::F32.into();
    for (name, tensor) in tensors.iter().filter(|(name, tensor)| is_scale(name, tensor)) {
        let values = tensor.to_f32();
        let Some(position) = values.iter().position(|value| !value.is_finite() || *value < 0.0) else {
            continue;
        };
        return Err(DescError::Value {
            op,
            tensor: name.to_owned(),
            expected: "finite numbers that are not negative",
            got: f64::from(values[position]),
            index: shapes::index_in(&[position], &[values.len()], tensor.shape()),
        });
    }
    Ok(())
}
