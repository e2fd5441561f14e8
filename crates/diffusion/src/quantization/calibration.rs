use super::source::Sink;
use super::{
    Histogram, METADATA_KEY, Policy, QuantizationError, Scheme, Schemes, scale_name, zero_point_name,
};
use safetensors::tensor::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;

/// What was seen of many tensors, by name: to be saved, loaded, added to, and turned into scales.
///
/// As a safetensors file it holds, for a tensor `NAME` of which something was seen,
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `NAME.bins` | `[n]` | U16: the upper halves of f32 that occurred |
/// | `NAME.counts` | `[n]` | U64: how often |
/// | `NAME.range` | `[2]` | F32: the least and the largest number, 0 included |
///
/// and among the metadata `NAME.exact`, `true` where each bin has one number only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibration(BTreeMap<String, Histogram>);

impl Calibration {
    /// What was seen of a tensor; nothing at first.
    pub fn histogram(&mut self, tensor: &str) -> &mut Histogram {
        self.0.entry(tensor.to_owned()).or_default()
    }

    /// Names and histograms, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Histogram)> {
        self.0.iter().map(|(name, histogram)| (name.as_str(), histogram))
    }

    /// Sees all that another has seen.
    pub fn merge(&mut self, other: &Self) {
        for (name, histogram) in &other.0 {
            self.histogram(name).merge(histogram);
        }
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// [`QuantizationError::Safetensors`], which does not occur.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, QuantizationError> {
        let mut tensors = Vec::new();
        let mut metadata = HashMap::new();
        for (name, histogram) in &self.0 {
            let (bins, counts, (low, high)) = (histogram.occupied(), histogram.counts(), histogram.range());
            let of_bins = |width: usize, bytes: fn(u64) -> Vec<u8>, value: &dyn Fn(u16) -> u64| {
                let data: Vec<u8> = bins.iter().flat_map(|&bin| bytes(value(bin))).collect();
                debug_assert_eq!(data.len(), width * bins.len());
                data
            };
            let codes = of_bins(2, |bin| (bin as u16).to_le_bytes().to_vec(), &|bin| u64::from(bin));
            let often = of_bins(8, |count| count.to_le_bytes().to_vec(), &|bin| counts[usize::from(bin)]);
            let range = [low, high].iter().flat_map(|end| end.to_le_bytes()).collect();
            tensors.push((format!("{name}.bins"), Dtype::U16, vec![bins.len()], codes));
            tensors.push((format!("{name}.counts"), Dtype::U64, vec![bins.len()], often));
            tensors.push((format!("{name}.range"), Dtype::F32, vec![2], range));
            metadata.insert(format!("{name}.exact"), histogram.is_exact().to_string());
        }
        serialize(&tensors, metadata)
    }

    /// What [`Calibration::to_safetensors`] wrote.
    ///
    /// # Errors
    /// [`QuantizationError::Safetensors`]; [`QuantizationError::Calibration`] names a tensor that is missing or not what it
    /// must be.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, QuantizationError> {
        let file = SafeTensors::deserialize(bytes)?;
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let mut all = Self::default();
        for full in file.names() {
            let Some(name) = full.strip_suffix(".bins") else { continue };
            let wrong = |what| QuantizationError::Calibration { tensor: name.to_owned(), what };
            let part = |suffix: &str, dtype| {
                let view = file.tensor(&format!("{name}.{suffix}"));
                view.ok().filter(|view| view.dtype() == dtype && view.shape().len() == 1)
            };
            let bins = part("bins", Dtype::U16).ok_or_else(|| wrong("`bins` in U16"))?;
            let counts = part("counts", Dtype::U64).ok_or_else(|| wrong("`counts` in U64"))?;
            let range = part("range", Dtype::F32).ok_or_else(|| wrong("`range` in F32"))?;
            if counts.shape() != bins.shape() || range.shape() != [2] {
                return Err(wrong("as many counts as bins, and a range of 2"));
            }
            let exact =
                header.metadata().as_ref().and_then(|metadata| metadata.get(&format!("{name}.exact")));
            let bins = words::<2>(bins.data()).map(u16::from_le_bytes);
            let counts = words::<8>(counts.data()).map(u64::from_le_bytes);
            let ends: Vec<f32> = words::<4>(range.data()).map(f32::from_le_bytes).collect();
            let ordered = ends[0] <= 0.0 && ends[1] >= 0.0 && ends.iter().all(|end| end.is_finite());
            if !ordered {
                return Err(wrong("a range that contains 0"));
            }
            let histogram = Histogram::from_bins(
                bins.zip(counts),
                (ends[0], ends[1]),
                exact.is_some_and(|e| e == "true"),
            );
            all.0.insert(name.to_owned(), histogram);
        }
        Ok(all)
    }

    /// The scales and zero points of those tensors for which a policy has a rule, of one scale for the tensor each.
    ///
    /// The shapes are not known here: a rule applies by its patterns, whatever its `min_axes`.
    ///
    /// # Errors
    /// [`QuantizationError::Calibration`] for a rule of other than one scale for the tensor.
    pub fn scales(&self, policy: &Policy) -> Result<StaticScales, QuantizationError> {
        let mut scales = StaticScales::default();
        for (name, histogram) in &self.0 {
            let Some(rule) = policy.rule_for(name, &[1; 8]) else { continue };
            let Some(scheme) = rule.scheme() else { continue };
            if scheme.granularity != langevin::Granularity::PerTensor || scheme.scale_rounding.is_some() {
                let what = "a rule with one scale for the tensor";
                return Err(QuantizationError::Calibration { tensor: name.clone(), what });
            }
            let (scale, zero_point) = histogram.scale(&scheme, rule.scale)?;
            scales.0.insert(name.clone(), StaticScale { scheme, scale, zero_point });
        }
        Ok(scales)
    }
}

/// A scale that is given to a quantizer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StaticScale {
    /// How the codes are made; one scale for the tensor.
    pub scheme: Scheme,
    /// The scale.
    pub scale: f32,
    /// The zero point; 0 where the scheme has none.
    pub zero_point: i32,
}

/// Scales by the names of their tensors: `NAME_scale` in F32, `NAME_zero_point` in I32, scalars, and the schemes among the
/// metadata, as in a quantized model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StaticScales(BTreeMap<String, StaticScale>);

impl StaticScales {
    /// That of a tensor.
    pub fn get(&self, tensor: &str) -> Option<&StaticScale> {
        self.0.get(tensor)
    }

    /// Names and scales, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &StaticScale)> {
        self.0.iter().map(|(name, scale)| (name.as_str(), scale))
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// [`QuantizationError::Safetensors`], which does not occur.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, QuantizationError> {
        let (mut tensors, mut schemes) = (Vec::new(), Schemes::default());
        for (name, StaticScale { scheme, scale, zero_point }) in &self.0 {
            tensors.push((scale_name(name), Dtype::F32, vec![], scale.to_le_bytes().to_vec()));
            if scheme.asymmetric {
                tensors.push((zero_point_name(name), Dtype::I32, vec![], zero_point.to_le_bytes().to_vec()));
            }
            schemes.insert(name.clone(), *scheme);
        }
        serialize(&tensors, HashMap::from([(METADATA_KEY.to_owned(), schemes.to_json()?)]))
    }

    /// What [`StaticScales::to_safetensors`] wrote.
    ///
    /// # Errors
    /// [`QuantizationError::Safetensors`]; [`QuantizationError::Calibration`] names a tensor whose scale is missing or not what
    /// it must be.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, QuantizationError> {
        let file = SafeTensors::deserialize(bytes)?;
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let mut all = Self::default();
        for (name, scheme) in Schemes::from_metadata(header.metadata().as_ref())?.iter() {
            let wrong = |what| QuantizationError::Calibration { tensor: name.to_owned(), what };
            let scalar = |full: &str, dtype| {
                let view = file.tensor(full).ok().filter(|view| view.dtype() == dtype)?;
                view.data().try_into().ok()
            };
            let scale = scalar(&scale_name(name), Dtype::F32).map(f32::from_le_bytes);
            let scale =
                scale.filter(|scale| scale.is_finite()).ok_or_else(|| wrong("one finite scale in F32"))?;
            let zero_point = match scheme.asymmetric {
                true => scalar(&zero_point_name(name), Dtype::I32)
                    .map(i32::from_le_bytes)
                    .filter(|zero| (-128..=127).contains(zero))
                    .ok_or_else(|| wrong("one zero point from -128 to 127 in I32"))?,
                false => 0,
            };
            all.0.insert(name.to_owned(), StaticScale { scheme: *scheme, scale, zero_point });
        }
        Ok(all)
    }
}

type Part = (String, Dtype, Vec<usize>, Vec<u8>);

fn serialize(parts: &[Part], metadata: HashMap<String, String>) -> Result<Vec<u8>, QuantizationError> {
    let header = parts.iter().map(|(name, dtype, shape, _)| (name.clone(), *dtype, shape.clone())).collect();
    let mut bytes = Cursor::new(Vec::new());
    let mut sink = Sink::new(&mut bytes, header, Some(metadata))?;
    for (name, _, _, data) in parts {
        sink.write(name, 0, data)?;
    }
    sink.finish()?;
    Ok(bytes.into_inner())
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.chunks_exact(N).map(|bytes| std::array::from_fn(|i| bytes[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration() -> Calibration {
        let mut calibration = Calibration::default();
        calibration.histogram("a.input").observe(&[1.0, -3.0, 100.1, 0.5, f32::NAN]);
        calibration.histogram("b.input").observe(&[0.5, 0.25]);
        calibration.histogram("seen nothing");
        calibration
    }

    #[test]
    fn what_is_saved_is_loaded_and_can_be_added_to() {
        let saved = calibration();
        let mut loaded = Calibration::from_safetensors(&saved.to_safetensors().unwrap()).unwrap();
        assert_eq!(loaded, saved);
        loaded.merge(&saved);
        assert_eq!(loaded.histogram("a.input").elements(), 8);
        loaded.histogram("c").observe(&[1.0]);
        assert_eq!(loaded.iter().count(), 4);
    }

    #[test]
    fn scales_follow_a_policy_and_survive_a_file() {
        let policy = Policy::from_json(
            r#"{"rule": [{"tensors": "a.*", "format": "i8", "granularity": "per_tensor", "asymmetric": true},
                         {"tensors": "b.*", "format": "e4m3", "granularity": "per_tensor"}]}"#,
        );
        let scales = calibration().scales(&policy.unwrap()).unwrap();
        let a = scales.get("a.input").unwrap();
        assert_eq!((a.scale, a.zero_point), langevin::formats::scale::asymmetric(-3.0, 100.1));
        assert_eq!(scales.get("b.input").unwrap().scale, 0.5 / 448.0);
        assert_eq!(scales.iter().count(), 2);
        assert_eq!(StaticScales::from_safetensors(&scales.to_safetensors().unwrap()).unwrap(), scales);
        let rows = Policy::from_json(r#"{"rule": [{"tensors": "**", "format": "i8"}]}"#).unwrap();
        let error = calibration().scales(&rows).unwrap_err().to_string();
        assert_eq!(error, "calibration of `a.input`: expected a rule with one scale for the tensor");
    }

    #[test]
    fn damaged_files_are_refused() {
        let parts = |range: [f32; 2], counts: usize| {
            let range = range.iter().flat_map(|end| end.to_le_bytes()).collect();
            let parts = [
                ("a.bins".to_owned(), Dtype::U16, vec![1], vec![0; 2]),
                ("a.counts".to_owned(), Dtype::U64, vec![counts], vec![0; 8 * counts]),
                ("a.range".to_owned(), Dtype::F32, vec![2], range),
            ];
            Calibration::from_safetensors(&serialize(&parts, HashMap::new()).unwrap())
        };
        assert!(parts([-1.0, 1.0], 1).is_ok());
        for (range, counts) in [([1.0, -1.0], 1), ([f32::NAN, 1.0], 1), ([-1.0, 1.0], 2)] {
            let error = parts(range, counts).unwrap_err().to_string();
            assert!(error.starts_with("calibration of `a`: expected"), "{error}");
        }
        let whole = calibration().to_safetensors().unwrap();
        assert!(Calibration::from_safetensors(&whole[..whole.len() - 1]).is_err());
    }
}
