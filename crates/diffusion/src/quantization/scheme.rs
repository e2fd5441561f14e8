use super::QuantizationError;
use langevin::formats::e8m0::ScaleRounding;
use langevin::reference::Op;
use langevin::{DequantizeDesc, Format, Granularity, Overflow, QuantizeDesc, ScaleSource};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// The key, among the metadata of a safetensors header, of the [`Schemes`] of the file as JSON.
pub const METADATA_KEY: &str = "langevin.quantization";

/// The name of the scales of a tensor.
pub fn scale_name(tensor: &str) -> String {
    format!("{tensor}_scale")
}

/// The name of the zero points of a tensor.
pub fn zero_point_name(tensor: &str) -> String {
    format!("{tensor}_zero_point")
}

/// The matrix as which a tensor is quantized: its first axis by all others together. A tensor of one axis is one row, a
/// scalar a row of one.
pub fn matrix(shape: &[usize]) -> [usize; 2] {
    match shape {
        [] => [1, 1],
        [length] => [1, *length],
        [first, rest @ ..] => [*first, rest.iter().product()],
    }
}

/// How the codes of a tensor were made, and so what they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheme {
    /// The format of the codes: E4M3, E5M2 or I8.
    pub format: Format,
    /// What shares one scale, of the [`matrix`] of the tensor.
    pub granularity: Granularity,
    /// I8 codes have zero points.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asymmetric: bool,
    /// The scales are powers of two (MXFP8), rounded so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_rounding: Option<ScaleRounding>,
}

impl Scheme {
    /// What quantizes a matrix of that shape by this scheme, with the scales given or found.
    pub fn quantize(&self, [rows, columns]: [usize; 2], x: Format, scale: ScaleSource) -> QuantizeDesc {
        QuantizeDesc {
            shape: vec![rows, columns],
            x,
            q: self.format,
            granularity: self.granularity,
            scale,
            asymmetric: self.asymmetric,
            scale_rounding: self.scale_rounding,
            overflow: Overflow::Saturate,
            ..Default::default()
        }
    }

    /// What turns the codes of a tensor of that shape back into numbers.
    pub fn dequantize(&self, shape: &[usize], out: Format) -> DequantizeDesc {
        DequantizeDesc {
            shape: matrix(shape).to_vec(),
            q: self.format,
            out,
            granularity: self.granularity,
            power_scales: self.scale_rounding.is_some(),
            zero_point: self.asymmetric,
        }
    }

    /// The shape of the scales, and of the zero points, of a tensor of that shape.
    pub fn scale_shape(&self, shape: &[usize]) -> Vec<usize> {
        self.quantize(matrix(shape), Format::F32, ScaleSource::Dynamic).scale_shape()
    }

    /// Checks that the codes can be made.
    ///
    /// # Errors
    /// [`QuantizationError::Desc`] names what is wrong.
    pub fn validate(&self) -> Result<(), QuantizationError> {
        Ok(self.quantize([1, 1], Format::F32, ScaleSource::Dynamic).validate()?)
    }
}

/// The schemes of a file's quantized tensors, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schemes(BTreeMap<String, Scheme>);

impl Schemes {
    /// Those that a header's metadata tell of; none where they do not.
    ///
    /// # Errors
    /// [`QuantizationError::Json`] for an entry that is not what [`Schemes::to_json`] writes.
    pub fn from_metadata(metadata: Option<&HashMap<String, String>>) -> Result<Self, QuantizationError> {
        let Some(json) = metadata.and_then(|metadata| metadata.get(METADATA_KEY)) else {
            return Ok(Self::default());
        };
        let schemes: Self = serde_json::from_str(json)?;
        schemes.0.values().try_for_each(Scheme::validate)?;
        Ok(schemes)
    }

    /// The entry of the metadata under [`METADATA_KEY`].
    ///
    /// # Errors
    /// [`QuantizationError::Json`], which does not occur.
    pub fn to_json(&self) -> Result<String, QuantizationError> {
        Ok(serde_json::to_string(self)?)
    }

    /// The scheme of a tensor, if it is quantized.
    pub fn get(&self, tensor: &str) -> Option<&Scheme> {
        self.0.get(tensor)
    }

    /// Adds or replaces one.
    pub fn insert(&mut self, tensor: impl Into<String>, scheme: Scheme) {
        self.0.insert(tensor.into(), scheme);
    }

    /// Names and schemes, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Scheme)> {
        self.0.iter().map(|(name, scheme)| (name.as_str(), scheme))
    }

    /// The names of codes, scales and zero points, each with that of the quantized tensor.
    pub(crate) fn parts(&self) -> BTreeMap<String, String> {
        let of = |name: &String, scheme: &Scheme| {
            let zero_point = scheme.asymmetric.then(|| zero_point_name(name));
            let parts = [Some(name.clone()), Some(scale_name(name)), zero_point];
            parts.into_iter().flatten().map(|part| (part, name.clone())).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(|(name, scheme)| of(name, scheme)).collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_matrices() {
        assert_eq!(matrix(&[]), [1, 1]);
        assert_eq!(matrix(&[7]), [1, 7]);
        assert_eq!(matrix(&[7, 5]), [7, 5]);
        assert_eq!(matrix(&[7, 5, 3, 3]), [7, 45]);
        assert_eq!(matrix(&[7, 0, 3]), [7, 0]);
    }

    #[test]
    fn schemes_survive_the_header() {
        let plain = Scheme {
            format: Format::I8,
            granularity: Granularity::PerRow,
            asymmetric: true,
            scale_rounding: None,
        };
        let mx = Scheme {
            format: Format::E4m3,
            granularity: Granularity::PerGroup(32),
            asymmetric: false,
            scale_rounding: Some(ScaleRounding::Rceil),
        };
        let mut schemes = Schemes::default();
        schemes.insert("b", mx);
        schemes.insert("a", plain);
        let json = schemes.to_json().unwrap();
        assert_eq!(
            json,
            r#"{"a":{"format":"i8","granularity":"per_row","asymmetric":true},"b":{"format":"e4m3","granularity":{"per_group":32},"scale_rounding":"rceil"}}"#
        );
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), json)]);
        assert_eq!(Schemes::from_metadata(Some(&metadata)).unwrap(), schemes);
        assert!(Schemes::from_metadata(None).unwrap().is_empty());
        let wrong = r#"{"a":{"format":"f16","granularity":"per_row"}}"#.to_owned();
        let error = Schemes::from_metadata(Some(&HashMap::from([(METADATA_KEY.to_owned(), wrong)])));
        assert_eq!(error.unwrap_err().to_string(), "quantize: `q` must be e4m3, e5m2 or i8, got f16");
    }

    #[test]
    fn scales_have_the_shapes_of_the_matrix() {
        let of = |granularity| {
            let scheme =
                Scheme { format: Format::E4m3, granularity, asymmetric: false, scale_rounding: None };
            scheme.scale_shape(&[6, 2, 9])
        };
        assert!(of(Granularity::PerTensor).is_empty());
        assert_eq!(of(Granularity::PerRow), [6]);
        assert_eq!(of(Granularity::PerColumn), [18]);
        assert_eq!(of(Granularity::PerGroup(8)), [6, 3]);
        assert_eq!(of(Granularity::PerBlock { rows: 4, columns: 8 }), [2, 3]);
    }
}
