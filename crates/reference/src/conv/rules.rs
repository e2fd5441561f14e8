//! What a convolution's descriptor must obey.

use super::ConvDesc;
use crate::per_axis::{check_axes, check_list};
use crate::{Boundary, DescError, Format, Granularity, Op, Overflow};

/// The most products of two codes of I8 whose sum fits an i32, whatever they are.
const INTEGER_TERMS: usize = (i32::MAX / (128 * 128)) as usize;

pub(super) fn check(desc: &ConvDesc) -> Result<(), DescError> {
    let axes = desc.spatial.len();
    check_axes::<ConvDesc>(axes)?;
    if desc.kernel.len() != axes {
        let expected = format!("the extents of {axes} axes, as `spatial` has");
        return Err(ConvDesc::field_error("kernel", expected, format!("{:?}", desc.kernel)));
    }
    for (field, len) in [
        ("stride", desc.stride.len()),
        ("dilation", desc.dilation.len()),
        ("padding", desc.padding.len()),
        ("boundary", desc.boundary.len()),
        ("upsample", desc.upsample.len()),
        ("output_padding", desc.output_padding.len()),
    ] {
        check_list::<ConvDesc>(field, len, axes)?;
    }
    check_formats(desc)?;
    let divides = |channels: usize| desc.groups > 0 && channels.is_multiple_of(desc.groups);
    if !divides(desc.in_channels) || !divides(desc.out_channels) {
        let expected =
            format!("a divisor of {} input and {} output channels", desc.in_channels, desc.out_channels);
        return Err(ConvDesc::field_error("groups", expected, desc.groups));
    }
    (0..axes).try_for_each(|axis| desc.axis(axis).check())?;
    if desc.is_integer() && desc.terms() > INTEGER_TERMS {
        let expected =
            format!("such that at most {INTEGER_TERMS} products of i8 are summed, which fit an i32");
        return Err(ConvDesc::field_error("kernel", expected, format!("{} products", desc.terms())));
    }
    desc.check_index_range()
}

fn check_formats(desc: &ConvDesc) -> Result<(), DescError> {
    if !matches!(desc.out, Format::F32 | Format::F16 | Format::BF16) {
        return Err(ConvDesc::field_error("out", "f32, f16 or bf16", desc.out));
    }
    if let Some(granularity) = desc.w_scale
        && !matches!(granularity, Granularity::PerTensor | Granularity::PerRow)
    {
        let expected = "per tensor or per row: one for each output channel";
        return Err(ConvDesc::field_error("w_scale", expected, format!("{granularity:?}")));
    }
    desc.boundary.iter().try_for_each(|boundary| match *boundary {
        Boundary::Constant(value) => check_constant(desc.x, value),
        _ => Ok(()),
    })
}

/// What is padded is an element of `x`, so that every tier can hold it where it holds `x`.
fn check_constant(x: Format, value: f32) -> Result<(), DescError> {
    let error = |expected| Err(ConvDesc::field_error("boundary", expected, format!("constant {value}")));
    if !value.is_finite() {
        return error("a constant that is finite".to_owned());
    }
    // I8 has one code more than its quantizer gives.
    if x == Format::I8 && value == -128.0 {
        return Ok(());
    }
    let nearest = x.decode(x.encode(value, Overflow::Saturate));
    if nearest != value {
        return error(format!("a constant that {x} holds (the nearest is {nearest})"));
    }
    Ok(())
}
