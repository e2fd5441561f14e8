use super::chunk::{Chunk, chunks, flat, has_own_scales};
use super::engine::Engine;
use super::scales::{Scales, widen};
use super::search;
use super::source::{Entry, Sink, Source};
use super::{
    Calibrator, METADATA_KEY, Measure, Policy, QuantizationError, Rule, ScaleChoice, Scheme, Schemes, Target,
    matrix, scale_name, zero_point_name,
};
use langevin::gpu::Gpu;
use langevin::reference::{Dtype, Tensor, Tensors};
use langevin::{Format, ScaleSource};
use safetensors::Dtype as FileDtype;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{Read, Seek, Write};

/// What became of a tensor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorReport {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// How it was stored, in the words of safetensors.
    pub from: String,
    /// How it is stored now.
    pub to: String,
    /// How its codes were made; absent where none were.
    pub scheme: Option<Scheme>,
    /// The quantized tensor that it belongs to, as codes, scales or zero points, where the file had been quantized before; it
    /// was then left alone.
    pub part_of: Option<String>,
    /// Its bytes before.
    pub bytes_before: u64,
    /// Its bytes now, with scales and zero points.
    pub bytes_after: u64,
    /// What that did to its numbers; absent where it was left alone.
    pub measure: Option<Measure>,
}

/// Rewrites a safetensors file by a policy: the tensors that the policy names become codes and scales, made by the kernels
/// of `gpu`, the others are copied. The [module](super) says what is written.
///
/// At most 32 MiB of a tensor (or one row of it) are in memory at once, as they were stored, with some copies of them; a scale
/// that needs the whole tensor is found by reading it twice. `progress` is called with the bytes of the source that are done.
///
/// Copied whatever the policy says are tensors without elements, and the codes, scales and zero points of a file that was
/// quantized before: the header's metadata name them. The same source and policy give the same bytes.
///
/// # Errors
/// [`QuantizationError`]; `out` then holds a part of a file.
pub fn quantize_file<R: Read + Seek, W: Write + Seek>(
    gpu: &Gpu,
    policy: &Policy,
    source: &mut Source<R>,
    out: W,
    mut progress: impl FnMut(u64),
) -> Result<Vec<TensorReport>, QuantizationError> {
    policy.validate()?;
    let entries = source.entries().to_vec();
    let parts = Schemes::from_metadata(source.metadata())?.parts();
    let sink = sink(policy, source, &entries, &parts, out)?;
    let mut job = Job { engine: Engine::new(gpu), source, sink };
    let (mut done, mut reports) = (0, Vec::new());
    for entry in &entries {
        let mut read = |bytes: usize| progress(done + bytes as u64);
        let mut report = match rule_of(policy, entry, &parts) {
            None => job.copy(entry, &mut read)?,
            Some((rule, format)) => match rule.scheme() {
                Some(scheme) => job.quantize(entry, format, &scheme, rule.scale, &mut read)?,
                None => job.cast(entry, format, rule, &mut read)?,
            },
        };
        report.part_of = parts.get(&entry.name).cloned();
        reports.push(report);
        done += entry.bytes;
        progress(done);
    }
    job.sink.finish()?;
    Ok(reports)
}

/// The rule that changes a tensor, and the format of its numbers.
fn rule_of<'a>(
    policy: &'a Policy,
    entry: &Entry,
    parts: &BTreeMap<String, String>,
) -> Option<(&'a Rule, Format)> {
    if entry.bytes == 0 || parts.contains_key(&entry.name) {
        return None;
    }
    let format = match entry.dtype {
        FileDtype::F32 => Format::F32,
        FileDtype::F16 => Format::F16,
        FileDtype::BF16 => Format::BF16,
        _ => return None,
    };
    let rule = policy.rule_for(&entry.name, &entry.shape)?;
    (rule.format != Target::Stored(format)).then_some((rule, format))
}

/// The header: every tensor's new type, scales beside codes, and how the codes were made.
fn sink<R: Read + Seek, W: Write + Seek>(
    policy: &Policy,
    source: &Source<R>,
    entries: &[Entry],
    parts: &BTreeMap<String, String>,
    out: W,
) -> Result<Sink<W>, QuantizationError> {
    let mut schemes = Schemes::from_metadata(source.metadata())?;
    let mut tensors = Vec::new();
    for entry in entries {
        let Entry { name, dtype, shape, .. } = entry;
        let Some((rule, Target::Stored(format))) =
            rule_of(policy, entry, parts).map(|(rule, _)| (rule, rule.format))
        else {
            tensors.push((name.clone(), *dtype, shape.clone()));
            continue;
        };
        tensors.push((name.clone(), dtype_in_file(format.into()), shape.clone()));
        if let Some(scheme) = rule.scheme() {
            let scales = scheme.scale_shape(shape);
            let dtype = if scheme.scale_rounding.is_some() { Dtype::E8m0 } else { Format::F32.into() };
            tensors.push((scale_name(name), dtype_in_file(dtype), scales.clone()));
            if scheme.asymmetric {
                tensors.push((zero_point_name(name), FileDtype::I32, scales));
            }
            schemes.insert(name.clone(), scheme);
        }
    }
    let mut metadata = source.metadata().cloned().unwrap_or_default();
    if !schemes.is_empty() {
        metadata.insert(METADATA_KEY.to_owned(), schemes.to_json()?);
    }
    Sink::new(out, tensors, (!metadata.is_empty()).then_some(metadata))
}

/// The name of an element type in a file.
fn dtype_in_file(dtype: Dtype) -> FileDtype {
    match dtype {
        Dtype::Number(Format::F16) => FileDtype::F16,
        Dtype::Number(Format::BF16) => FileDtype::BF16,
        Dtype::Number(Format::E4m3) => FileDtype::F8_E4M3,
        Dtype::Number(Format::E5m2) => FileDtype::F8_E5M2,
        Dtype::Number(Format::I8) => FileDtype::I8,
        Dtype::E8m0 => FileDtype::F8_E8M0,
        Dtype::I32 => FileDtype::I32,
        _ => FileDtype::F32,
    }
}

struct Job<'a, R, W> {
    engine: Engine<'a>,
    source: &'a mut Source<R>,
    sink: Sink<W>,
}

impl<R: Read + Seek, W: Write + Seek> Job<'_, R, W> {
    fn copy(
        &mut self,
        entry: &Entry,
        read: &mut dyn FnMut(usize),
    ) -> Result<TensorReport, QuantizationError> {
        const PIECE: u64 = 4 << 20;
        for start in (0..entry.bytes).step_by(PIECE as usize) {
            let bytes = self.source.read(entry, start, PIECE.min(entry.bytes - start) as usize)?;
            self.sink.write(&entry.name, start, &bytes)?;
            read(start as usize);
        }
        Ok(report(entry, entry.dtype, None, entry.bytes, None))
    }

    /// To another format of numbers, by the codecs of the CPU.
    fn cast(
        &mut self,
        entry: &Entry,
        format: Format,
        rule: &Rule,
        read: &mut dyn FnMut(usize),
    ) -> Result<TensorReport, QuantizationError> {
        let Target::Stored(target) = rule.format else { return self.copy(entry, read) };
        let mut measure = Measure::NOTHING;
        for chunk in flat(entry.shape.iter().product(), format.bytes()) {
            let values = self.read(entry, format, &chunk)?.to_f32();
            let cast = Tensor::from_f32(target, &chunk.shape, &values)?;
            measure = measure.and(Measure::of_cast(&values, &cast));
            let start = chunk.elements.start * target.bytes();
            self.sink.write(&entry.name, start as u64, cast.bytes())?;
            read(chunk.elements.end * format.bytes());
        }
        let bytes = entry.bytes / format.bytes() as u64 * target.bytes() as u64;
        Ok(report(entry, dtype_in_file(target.into()), None, bytes, Some(measure)))
    }

    fn quantize(
        &mut self,
        entry: &Entry,
        format: Format,
        scheme: &Scheme,
        choice: ScaleChoice,
        read: &mut dyn FnMut(usize),
    ) -> Result<TensorReport, QuantizationError> {
        let chunks = chunks(scheme, matrix(&entry.shape), format.bytes());
        let shared = match has_own_scales(scheme.granularity) {
            true => None,
            false => Some(self.shared_scales(entry, format, scheme, choice, &chunks)?),
        };
        let mut measure = Measure::NOTHING;
        for chunk in &chunks {
            let x = self.read(entry, format, chunk)?;
            let values = x.to_f32();
            let given = match (&shared, choice) {
                (Some(scales), _) => Some(scales.clone()),
                (None, ScaleChoice::Max) => None,
                (None, choice) => Some(Scales::of_rows(&values, scheme, choice, &chunk.shape)?),
            };
            let (codes, scales) = self.codes(scheme, chunk, x, given)?;
            measure = measure.and(scales.measure(&values, codes.bytes(), scheme, &chunk.shape));
            self.sink.write(&entry.name, chunk.elements.start as u64, codes.bytes())?;
            self.write_scales(entry, chunk.scales.start, &scales)?;
            read(chunk.elements.end * format.bytes());
        }
        let bytes = entry.bytes / format.bytes() as u64 + scale_bytes(scheme, &entry.shape);
        let dtype = dtype_in_file(scheme.format.into());
        Ok(report(entry, dtype, Some(*scheme), bytes, Some(measure)))
    }

    fn read(&mut self, entry: &Entry, format: Format, chunk: &Chunk) -> Result<Tensor, QuantizationError> {
        let start = chunk.elements.start * format.bytes();
        let bytes = self.source.read(entry, start as u64, chunk.elements.len() * format.bytes())?;
        Ok(Tensor::new(format, &chunk.shape, bytes)?)
    }

    /// The scales that all chunks of a tensor share.
    fn shared_scales(
        &mut self,
        entry: &Entry,
        format: Format,
        scheme: &Scheme,
        choice: ScaleChoice,
        chunks: &[Chunk],
    ) -> Result<Scales, QuantizationError> {
        let shape = scheme.scale_shape(&entry.shape);
        let mut calibrator = Calibrator::new(self.engine.gpu())?;
        let mut ranges = vec![(0.0_f32, 0.0_f32); shape.iter().product()];
        for chunk in chunks {
            let x = self.read(entry, format, chunk)?;
            match choice {
                ScaleChoice::Max => widen(&mut ranges, &x.to_f32()),
                _ => calibrator.observe_by(&mut self.engine, &x)?,
            }
        }
        let affines = match choice {
            ScaleChoice::Max => {
                ranges.into_iter().map(|range| search::affine(&[], range, scheme, choice)).collect()
            }
            _ => vec![calibrator.read(self.engine.gpu())?.scale(scheme, choice)?],
        };
        Scales::new(affines, scheme, &shape)
    }

    /// Codes, and the scales that were given or found.
    fn codes(
        &mut self,
        scheme: &Scheme,
        chunk: &Chunk,
        x: Tensor,
        given: Option<Scales>,
    ) -> Result<(Tensor, Scales), QuantizationError> {
        let source = if given.is_some() { ScaleSource::Static } else { ScaleSource::Dynamic };
        let Dtype::Number(format) = x.dtype() else { unreachable!("{x:?} was made of numbers") };
        let mut desc = scheme.quantize([1, 1], format, source);
        desc.shape.clone_from(&chunk.shape);
        let mut inputs = Tensors::new();
        inputs.insert("x", x);
        if let Some(scales) = given {
            inputs.insert("scale", scales.scale);
            scales.zero.map(|zero| inputs.insert("zero_point", zero));
        }
        let mut outputs = self.engine.quantize(&desc, &inputs)?;
        let mut take = |name| outputs.remove(name).or_else(|| inputs.remove(name));
        let (codes, scale, zero) = (take("q"), take("scale"), take("zero_point"));
        match (codes, scale) {
            (Some(codes), Some(scale)) => Ok((codes, Scales { scale, zero })),
            _ => unreachable!("a quantizer has codes and scales"),
        }
    }

    /// Writes scales and zero points from a position among those of the tensor on.
    fn write_scales(
        &mut self,
        entry: &Entry,
        start: usize,
        scales: &Scales,
    ) -> Result<(), QuantizationError> {
        let start = start as u64;
        let width = scales.scale.dtype().bytes() as u64;
        self.sink.write(&scale_name(&entry.name), start * width, scales.scale.bytes())?;
        if let Some(zero) = &scales.zero {
            self.sink.write(&zero_point_name(&entry.name), start * 4, zero.bytes())?;
        }
        Ok(())
    }
}

/// Bytes of scales and zero points.
fn scale_bytes(scheme: &Scheme, shape: &[usize]) -> u64 {
    let scales: usize = scheme.scale_shape(shape).iter().product();
    let scale = if scheme.scale_rounding.is_some() { 1 } else { 4 };
    let zero = if scheme.asymmetric { 4 } else { 0 };
    (scales * (scale + zero)) as u64
}

fn report(
    entry: &Entry,
    to: FileDtype,
    scheme: Option<Scheme>,
    bytes_after: u64,
    measure: Option<Measure>,
) -> TensorReport {
    TensorReport {
        name: entry.name.clone(),
        shape: entry.shape.clone(),
        from: entry.dtype.to_string(),
        to: to.to_string(),
        scheme,
        bytes_before: entry.bytes,
        bytes_after,
        part_of: None,
        measure,
    }
}
