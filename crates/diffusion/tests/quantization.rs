//! Models quantized by a policy: every code against the reference, scales by calibration, reports against the files.

use langevin::formats::scale;
use langevin::reference::generate::Random;
use langevin::verify::{Answer, Dtype, Op, Tensor, Tensors};
use langevin::{Format, Granularity, ScaleSource};
use langevin_diffusion::quantization::{
    Calibrator, Histogram, METADATA_KEY, Measure, Policy, ScaleChoice, Scheme, Schemes, Source, TensorReport,
    matrix, quantize_file, scale_name, zero_point_name,
};
use langevin_testkit::gpu;
use safetensors::tensor::{Dtype as FileDtype, SafeTensors, TensorView};
use std::io::Cursor;

fn numbers(format: Format, shape: &[usize], seed: u64) -> Tensor {
    let mut random = Random::new(seed);
    let elements = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..elements).map(|_| random.uniform(-1.0, 1.2).powi(5)).collect();
    Tensor::from_f32(format, shape, &values).unwrap()
}

fn in_file(dtype: Dtype) -> FileDtype {
    match dtype {
        Dtype::Number(Format::F16) => FileDtype::F16,
        Dtype::Number(Format::BF16) => FileDtype::BF16,
        _ => FileDtype::F32,
    }
}

fn file(tensors: &[(&str, Tensor)]) -> Vec<u8> {
    let view =
        |tensor| TensorView::new(in_file(Tensor::dtype(tensor)), tensor.shape().to_vec(), tensor.bytes());
    let views = tensors.iter().map(|(name, tensor)| (*name, view(tensor).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

/// The file that a policy makes, and the reports.
fn quantized(gpu: &langevin::Gpu, bytes: &[u8], rules: &str) -> (Vec<u8>, Vec<TensorReport>) {
    let policy = Policy::from_json(&format!(r#"{{"rule": [{rules}]}}"#)).unwrap();
    let mut source = Source::new(Cursor::new(bytes)).unwrap();
    let (mut out, mut progress) = (Cursor::new(Vec::new()), vec![0]);
    let reports = quantize_file(gpu, &policy, &mut source, &mut out, |done| progress.push(done)).unwrap();
    assert!(progress.is_sorted() && progress.last() == Some(&source.data_bytes()), "{progress:?}");
    (out.into_inner(), reports)
}

/// What a file says of one of its tensors.
fn stored(file: &SafeTensors<'_>, name: &str, dtype: impl Into<Dtype>) -> Tensor {
    let view = file.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    Tensor::new(dtype, view.shape(), view.data().to_vec()).unwrap()
}

fn exact(answer: &Answer) -> &Tensor {
    let Answer::Exact(tensor) = answer else { panic!("a quantizer is exact") };
    tensor
}

/// Each way to share scales, on tensors of one to four axes and every format.
#[test]
fn files_hold_the_codes_of_the_reference() {
    let Some(gpu) = gpu() else { return };
    let tensors = [
        ("rows", numbers(Format::F32, &[7, 33], 1)),
        ("tensor", numbers(Format::BF16, &[5, 3, 9], 2)),
        ("columns", numbers(Format::F16, &[9, 21], 3)),
        ("groups", numbers(Format::F32, &[3, 5, 3, 3], 4)),
        ("blocks", numbers(Format::BF16, &[19, 40], 5)),
        ("mx", numbers(Format::F32, &[4, 70], 6)),
        ("vector", numbers(Format::F32, &[35], 7)),
        ("empty", numbers(Format::F32, &[3, 0], 8)),
    ];
    let rules = r#"
        {"tensors": "rows", "format": "e4m3"},
        {"tensors": "tensor", "format": "e5m2", "granularity": "per_tensor"},
        {"tensors": "columns", "format": "i8", "granularity": "per_column", "asymmetric": true},
        {"tensors": "groups", "format": "i8", "granularity": {"per_group": 8}},
        {"tensors": "blocks", "format": "e4m3", "granularity": {"per_block": {"rows": 8, "columns": 16}}},
        {"tensors": "mx", "format": "e5m2", "granularity": {"per_group": 32}, "scale_rounding": "even"},
        {"tensors": ["vector", "empty"], "format": "i8", "asymmetric": true, "min_axes": 1}"#;
    let (bytes, reports) = quantized(&gpu, &file(&tensors), rules);
    let read = SafeTensors::deserialize(&bytes).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    assert!(header.metadata().as_ref().unwrap().contains_key(METADATA_KEY));
    let schemes = Schemes::from_metadata(header.metadata().as_ref()).unwrap();
    assert_eq!(schemes.iter().count(), tensors.len() - 1);
    // A tensor without elements is copied as it is.
    assert!(read.tensor("empty").unwrap().dtype() == FileDtype::F32 && read.tensor("empty_scale").is_err());
    for (name, x) in &tensors[..tensors.len() - 1] {
        let scheme = schemes.get(name).unwrap();
        let Dtype::Number(format) = x.dtype() else { panic!("numbers") };
        let desc = scheme.quantize(matrix(x.shape()), format, ScaleSource::Dynamic);
        let mut inputs = Tensors::new();
        inputs.insert("x", x.clone().reshape(&desc.shape).unwrap());
        let answers = desc.evaluate(&inputs).unwrap();
        let codes = stored(&read, name, scheme.format);
        assert_eq!((codes.shape(), codes.bytes()), (x.shape(), exact(&answers[0].answer).bytes()), "{name}");
        let scale_dtype = exact(&answers[1].answer).dtype();
        assert_eq!(&stored(&read, &scale_name(name), scale_dtype), exact(&answers[1].answer), "{name}");
        if scheme.asymmetric {
            let zeros = stored(&read, &zero_point_name(name), Dtype::I32);
            assert_eq!(&zeros, exact(&answers[2].answer), "{name}");
        }
        let report = reports.iter().find(|report| report.name == *name).unwrap();
        assert_eq!(report.measure.unwrap(), measured(scheme, x, &read, name), "{name}");
        let bytes = |name: &str| read.tensor(name).map_or(0, |view| view.data().len() as u64);
        let after = bytes(name) + bytes(&scale_name(name)) + bytes(&zero_point_name(name));
        assert_eq!((report.bytes_before, report.bytes_after), (x.bytes().len() as u64, after), "{name}");
    }
}

/// A few bytes that tell of rows without elements must not become as many scales.
#[test]
fn tensors_without_elements_are_copied() {
    let Some(gpu) = gpu() else { return };
    let empty = Tensor::from_f32(Format::F32, &[1 << 26, 0], &[]).unwrap();
    for granularity in ["per_row", "per_tensor"] {
        let rule = format!(r#"{{"tensors": "w", "format": "i8", "granularity": "{granularity}"}}"#);
        let (bytes, reports) = quantized(&gpu, &file(&[("w", empty.clone())]), &rule);
        assert!(bytes.len() < 200, "{}", bytes.len());
        assert_eq!((reports[0].to.as_str(), reports[0].bytes_after, reports[0].measure), ("F32", 0, None));
    }
}

/// A second policy leaves what the first has made, and says so; the same run gives the same bytes.
#[test]
fn what_is_quantized_is_not_quantized_again() {
    let Some(gpu) = gpu() else { return };
    let tensors = [
        ("w", numbers(Format::F32, &[6, 8], 1)),
        ("v", numbers(Format::F32, &[6, 8], 2)),
        ("bias_scale", numbers(Format::F32, &[6], 3)),
    ];
    let source = file(&tensors);
    let first = r#"{"tensors": "w", "format": "i8", "asymmetric": true}"#;
    let (once, reports) = quantized(&gpu, &source, first);
    assert_eq!(quantized(&gpu, &source, first).0, once);
    assert!(reports.iter().all(|report| report.part_of.is_none()));
    let all = r#"{"tensors": "**", "format": "i8", "min_axes": 1}"#;
    let (twice, reports) = quantized(&gpu, &once, all);
    let [once, twice] = [&once, &twice].map(|bytes| SafeTensors::deserialize(bytes).unwrap());
    for name in ["w", "w_scale", "w_zero_point"] {
        assert_eq!(once.tensor(name).unwrap(), twice.tensor(name).unwrap(), "{name}");
        let report = reports.iter().find(|report| report.name == name).unwrap();
        assert_eq!((report.part_of.as_deref(), report.measure), (Some("w"), None));
    }
    for name in ["v", "bias_scale"] {
        assert_eq!(twice.tensor(name).unwrap().dtype(), FileDtype::I8);
        assert!(twice.tensor(&scale_name(name)).is_ok());
    }
}

/// What the file's codes, dequantized by the reference, lost of the numbers.
fn measured(scheme: &Scheme, x: &Tensor, file: &SafeTensors<'_>, name: &str) -> Measure {
    let desc = scheme.dequantize(x.shape(), Format::F32);
    let mut inputs = Tensors::new();
    inputs.insert("q", stored(file, name, scheme.format).reshape(&desc.shape).unwrap());
    for spec in desc.tensors() {
        match spec.name {
            "scale" => drop(inputs.insert("scale", stored(file, &scale_name(name), spec.dtype))),
            "zero_point" => {
                drop(inputs.insert("zero_point", stored(file, &zero_point_name(name), spec.dtype)))
            }
            _ => {}
        }
    }
    let back = desc.evaluate(&inputs).unwrap()[0].values();
    let mut measure = Measure::NOTHING;
    for (&x, &back) in x.to_f32().iter().zip(&back) {
        let (wide, first) = (f64::from(x), measure.elements == 0);
        measure.elements += 1;
        measure.min = if first { x } else { measure.min.min(x) };
        measure.max = if first { x } else { measure.max.max(x) };
        measure.signal += wide * wide;
        measure.noise += (back - wide).powi(2);
        if x != 0.0 {
            measure.worst_relative = measure.worst_relative.max(((back - wide) / wide).abs());
        }
    }
    measure
}

/// Tensors of more than a piece's 32 MiB, with scales that need them whole.
#[test]
fn large_tensors_are_read_in_pieces() {
    let Some(gpu) = gpu() else { return };
    let x = numbers(Format::F32, &[3001, 3003], 9);
    let rules = r#"{"tensors": "tensor", "format": "e4m3", "granularity": "per_tensor"},
                   {"tensors": "columns", "format": "i8", "granularity": "per_column"}"#;
    for name in ["tensor", "columns"] {
        let (bytes, _) = quantized(&gpu, &file(&[(name, x.clone())]), rules);
        let read = SafeTensors::deserialize(&bytes).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let scheme = *Schemes::from_metadata(header.metadata().as_ref()).unwrap().get(name).unwrap();
        let desc = scheme.quantize([3001, 3003], Format::F32, ScaleSource::Dynamic);
        let mut inputs = Tensors::new();
        inputs.insert("x", x.clone());
        let answers = desc.evaluate(&inputs).unwrap();
        assert_eq!(stored(&read, &scale_name(name), Format::F32), *exact(&answers[1].answer));
        assert!(stored(&read, name, scheme.format) == *exact(&answers[0].answer), "{name}: codes differ");
    }
}

/// One outlier in a tensor, and in a row: choices that clip it, the scale they take, and what it costs.
#[test]
fn scales_may_clip() {
    let Some(gpu) = gpu() else { return };
    let mut values = numbers(Format::BF16, &[6, 400], 10).to_f32();
    values.iter_mut().for_each(|value| *value = value.clamp(-0.5, 0.5));
    values[7] = 64.0;
    let x = Tensor::from_f32(Format::BF16, &[6, 400], &values).unwrap();
    let plain =
        |granularity| Scheme { format: Format::I8, granularity, asymmetric: false, scale_rounding: None };
    let mut histogram = Histogram::default();
    histogram.observe(&values);
    let mut signal_to_noise = Vec::new();
    for (choice, json) in [
        (ScaleChoice::Max, r#""max""#),
        (ScaleChoice::Percentile(99.9), r#"{"percentile": 99.9}"#),
        (ScaleChoice::Mse, r#""mse""#),
    ] {
        for granularity in ["per_tensor", "per_row"] {
            let rule = format!(
                r#"{{"tensors": "w", "format": "i8", "granularity": "{granularity}", "scale": {json}}}"#
            );
            let (bytes, reports) = quantized(&gpu, &file(&[("w", x.clone())]), &rule);
            let read = SafeTensors::deserialize(&bytes).unwrap();
            let scales = stored(&read, "w_scale", Format::F32).to_f32();
            let measure = reports[0].measure.unwrap();
            if granularity == "per_tensor" {
                let (expected, _) = histogram.scale(&plain(Granularity::PerTensor), choice).unwrap();
                assert_eq!(scales, [expected], "{json}");
                signal_to_noise.push(measure.snr_db());
            } else {
                // Rows without an outlier lose nothing by the choice of the whole range.
                let amax = scale::amax(&values[400..800]);
                assert!(choice != ScaleChoice::Max || scales[1] == scale::symmetric(amax, Format::I8));
                assert_eq!(scales.len(), 6);
            }
            let clips = matches!(choice, ScaleChoice::Percentile(_)) && granularity == "per_tensor";
            assert_eq!(
                measure.clipped > 0,
                clips || scales[0] < 64.0 / 127.5,
                "{json} {granularity}: {measure:?}"
            );
        }
    }
    // The error of a row is the least of those tried, the range among them.
    assert!(
        signal_to_noise[2] >= signal_to_noise[0] && signal_to_noise[2] >= signal_to_noise[1],
        "{signal_to_noise:?}"
    );
}

/// Batches on a device, in every format, and a call that is recorded by the caller.
#[test]
fn calibrators_see_what_histograms_see() {
    let Some(gpu) = gpu() else { return };
    for formats in [vec![Format::BF16; 2], vec![Format::BF16, Format::F32, Format::F16]] {
        let mut calibrator = Calibrator::new(&gpu).unwrap();
        let mut histogram = Histogram::default();
        for (i, &format) in formats.iter().enumerate() {
            let batch = numbers(format, &[3 + i, 301], i as u64);
            calibrator.observe(&gpu, &batch).unwrap();
            histogram.observe(&batch.to_f32());
            // Reading between batches loses nothing.
            if i == 0 {
                calibrator.read(&gpu).unwrap();
            }
        }
        assert_eq!(calibrator.read(&gpu).unwrap(), &histogram);
        assert_eq!(calibrator.read(&gpu).unwrap(), &histogram);
    }
}
