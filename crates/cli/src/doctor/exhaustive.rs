//! Every number of F32 through every cast and through quantize, on the GPU and on the CPU, bit by bit.

use super::report::Report;
use crate::progress;
use langevin::reference::{Expected, Role};
use langevin::verify::{Answer, Comparison, Tensor, Tensors, VerifyError, compare};
use langevin::{
    Call, CastDesc, Format, Gpu, Kernel, Overflow, Plan, PlanOptions, QuantizeDesc, ScaleSource, wgpu,
};

/// The numbers come in this many parts of 2^24: 64 MiB, half of what the smallest devices bind.
const PARTS: u32 = 256;
const NUMBERS: usize = 1 << 24;

/// A scale whose inverse is no power of two, so that products round.
const SCALE: f32 = 0.37;
/// A zero point.
const ZERO: i32 = 11;

/// One encoder on the numbers of a part.
trait Encoder {
    fn name(&self) -> String;
    /// Compares the codes of a part of which the device has the bits; does nothing once a part was wrong.
    fn check(&mut self, gpu: &Gpu, x: &Tensor);
    fn report(self: Box<Self>, report: &mut Report);
}

/// The i-th part to be checked: first that around 1, then others all over the range, each once.
const fn part(i: u32) -> u32 {
    (0x3f + 159 * i) % PARTS
}

/// Runs some of the parts and adds a row for each kernel.
pub(super) fn check(gpu: &Gpu, parts: u32, report: &mut Report) {
    let words = vec![0; NUMBERS];
    let x = match gpu.upload("x", &words) {
        Ok(x) => x,
        Err(error) => {
            return report.add(&casts()[0], casts()[0].variants(gpu.capabilities())[0], Err(error.into()));
        }
    };
    let mut encoders: Vec<Box<dyn Encoder + '_>> = Vec::new();
    for desc in casts() {
        encoders.push(Box::new(Running::new(gpu, &x, desc, Tensors::new())));
    }
    for desc in quantizers() {
        encoders.push(Box::new(Running::new(gpu, &x, desc.clone(), scales(&desc))));
    }
    let bar = progress::bar(u64::from(parts) * encoders.len() as u64, "every f32");
    for first in (0..parts).map(|i| part(i) << 24) {
        let words: Vec<u32> = (first..=first | 0xff_ffff).collect();
        let numbers = Tensor::from_words(Format::F32, &[NUMBERS], &words);
        let (Ok(()), Ok(numbers)) = (gpu.write(&x, &words), numbers) else { break };
        for encoder in &mut encoders {
            bar.set_message(encoder.name());
            encoder.check(gpu, &numbers);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    encoders.into_iter().for_each(|encoder| encoder.report(report));
}

/// Every format that numbers are encoded in, both ways to overflow where they differ.
fn casts() -> Vec<CastDesc> {
    let mut casts = Vec::new();
    for out in [Format::E4m3, Format::E5m2, Format::F16, Format::BF16, Format::I8] {
        for overflow in [Overflow::Saturate, Overflow::NonSaturating] {
            let overflow = Some(overflow);
            casts.push(CastDesc { shape: vec![NUMBERS], x: Format::F32, out, overflow });
        }
    }
    // There is no infinity of I8.
    casts.pop();
    casts
}

/// The same by a scale that is given, in formats of 8 bits. Fused quantizers and fake_quantize are not here: their answers have
/// bounds, which f64 computes too slowly for so many numbers.
fn quantizers() -> Vec<QuantizeDesc> {
    let desc = QuantizeDesc { shape: vec![NUMBERS], scale: ScaleSource::Static, ..Default::default() };
    let integers = QuantizeDesc { q: Format::I8, ..desc.clone() };
    let mut quantizers = vec![QuantizeDesc { asymmetric: true, ..integers.clone() }, integers];
    for q in [Format::E5m2, Format::E4m3] {
        for overflow in [Overflow::NonSaturating, Overflow::Saturate] {
            quantizers.push(QuantizeDesc { q, overflow, ..desc.clone() });
        }
    }
    quantizers
}

fn scales(desc: &QuantizeDesc) -> Tensors {
    let mut inputs = Tensors::new();
    let scale = Tensor::from_f32(Format::F32, &[], &[SCALE]);
    let zero = Tensor::from_i32(&[], &[ZERO]);
    scale.into_iter().for_each(|scale| drop(inputs.insert("scale", scale)));
    if desc.asymmetric {
        zero.into_iter().for_each(|zero| drop(inputs.insert("zero_point", zero)));
    }
    inputs
}

/// An encoder that is planned and bound, or the reason why it is not.
struct Running<D: Kernel> {
    desc: D,
    /// All inputs but the numbers.
    inputs: Tensors,
    bound: Result<(Call, wgpu::Buffer), VerifyError>,
    checked: usize,
    /// The first part that is wrong.
    wrong: Option<Comparison>,
}

impl<D: Kernel> Running<D> {
    fn new(gpu: &Gpu, x: &wgpu::Buffer, desc: D, inputs: Tensors) -> Self {
        let bound = bind(gpu, x, &desc, &inputs);
        Self { desc, inputs, bound, checked: 0, wrong: None }
    }

    /// The comparison of a part, if it is wrong.
    fn compare(&self, gpu: &Gpu, x: &Tensor) -> Result<Option<Comparison>, VerifyError> {
        let Ok((call, out)) = &self.bound else { return Ok(None) };
        gpu.run(|encoder| call.encode(encoder))?;
        let got = gpu.download(out)?;
        let mut inputs = self.inputs.clone();
        inputs.insert("x", x.clone());
        let expected: Vec<Expected> = self.desc.answer(&inputs);
        let Some(Expected { answer: Answer::Exact(codes), .. }) = expected.first() else { return Ok(None) };
        if got == codes.to_words(0) {
            return Ok(None);
        }
        let got = Tensor::from_words(codes.dtype(), codes.shape(), &got)?;
        Ok(Some(compare(&expected[0], &got)))
    }
}

fn bind<D: Kernel>(
    gpu: &Gpu,
    x: &wgpu::Buffer,
    desc: &D,
    inputs: &Tensors,
) -> Result<(Call, wgpu::Buffer), VerifyError> {
    let capabilities = Some(gpu.capabilities().clone());
    let plan = Plan::with_options(gpu.device(), desc, &PlanOptions { capabilities, ..Default::default() })?;
    let mut buffers = Vec::new();
    let mut out = None;
    for spec in plan.tensors() {
        match (inputs.get(spec.name), spec.role) {
            (Some(tensor), _) => buffers.push((spec.name, gpu.upload(spec.name, &tensor.to_words(0))?)),
            (None, Role::Input) => buffers.push((spec.name, x.clone())),
            _ => {
                let buffer = gpu.empty(spec.name, spec.gpu_bytes().unwrap_or(u64::MAX))?;
                buffers.push((spec.name, buffer.clone()));
                out = out.or(Some(buffer));
            }
        }
    }
    let bindings: Vec<_> =
        buffers.iter().map(|(name, buffer)| (*name, buffer.as_entire_buffer_binding())).collect();
    let call = plan.bind_named(gpu.device(), &bindings)?;
    Ok((call, out.unwrap_or_else(|| x.clone())))
}

impl<D: Kernel> Encoder for Running<D> {
    fn name(&self) -> String {
        let outputs = self.desc.tensors();
        let out = outputs.iter().find(|spec| spec.role == Role::Output).map(|spec| spec.dtype.to_string());
        format!("{} to {}", D::NAME, out.unwrap_or_default())
    }

    fn check(&mut self, gpu: &Gpu, x: &Tensor) {
        if self.wrong.is_some() || self.bound.is_err() {
            return;
        }
        match self.compare(gpu, x) {
            Ok(wrong) => {
                self.wrong = wrong;
                self.checked += NUMBERS;
            }
            Err(error) => self.bound = Err(error),
        }
    }

    fn report(self: Box<Self>, report: &mut Report) {
        let Some(variant) = self.desc.variants(report.capabilities()).first().copied() else { return };
        let right = Comparison {
            name: self.name(),
            elements: self.checked,
            failures: 0,
            unbounded: 0,
            rejects_zeros: true,
            worst: None,
            mismatch: None,
        };
        let Self { desc, bound, wrong, .. } = *self;
        report.add(&desc, variant, bound.map(|_| vec![wrong.unwrap_or(right)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use langevin::verify::Op;

    #[test]
    fn every_part_is_checked_once() {
        let mut parts: Vec<u32> = (0..PARTS).map(part).collect();
        parts.sort();
        assert_eq!(parts, (0..PARTS).collect::<Vec<_>>());
    }

    #[test]
    fn every_encoder_is_there_and_valid() {
        assert_eq!((casts().len(), quantizers().len()), (9, 6));
        for desc in casts() {
            assert_eq!(desc.validate(), Ok(()));
        }
        for desc in quantizers() {
            assert_eq!(desc.validate(), Ok(()));
            let mut inputs = scales(&desc);
            inputs.insert("x", Tensor::from_f32(Format::F32, &[1], &[1.0]).unwrap());
            assert_eq!(QuantizeDesc { shape: vec![1], ..desc }.check_inputs(&inputs), Ok(()));
        }
    }
}
