//! Reads a golden file: tensors computed by an outside library, in `goldens/NAME.safetensors` beside `NAME.py`.

use langevin_reference::{Format, Tensor};
use ndarray::ArrayD;
use safetensors::{Dtype, SafeTensors};

/// The bytes of `goldens/NAME.safetensors`.
pub(crate) fn read(name: &str) -> Vec<u8> {
    let path = format!("{}/goldens/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// An input, with its shape after `leading` axes of one element.
pub(crate) fn input(file: &SafeTensors<'_>, name: &str, leading: usize) -> Tensor {
    let view = file.tensor(name).unwrap();
    assert_eq!(view.dtype(), Dtype::F32, "{name}");
    let shape = [vec![1; leading], view.shape().to_vec()].concat();
    Tensor::new(Format::F32, &shape, view.data().to_vec()).unwrap()
}

/// An answer in f64, likewise.
pub(crate) fn answer(file: &SafeTensors<'_>, name: &str, leading: usize) -> ArrayD<f64> {
    let view = file.tensor(name).unwrap();
    assert_eq!(view.dtype(), Dtype::F64, "{name}");
    let shape = [vec![1; leading], view.shape().to_vec()].concat();
    let values = view.data().chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()));
    ArrayD::from_shape_vec(shape, values.collect()).unwrap()
}

/// Both are f64 sums of at most `terms` products whose magnitudes add up to at most `size`, in some order.
pub(crate) fn assert_same(name: &str, got: &ArrayD<f64>, expected: &ArrayD<f64>, terms: usize, size: f64) {
    assert_eq!(got.shape(), expected.shape(), "{name}");
    assert!(expected.iter().any(|value| value.abs() > 0.1), "{name}: the golden values are all small");
    let bound = 2.0 * (terms as f64 + 1.0) * f64::EPSILON * size;
    for ((index, got), expected) in got.indexed_iter().zip(expected) {
        let error = (got - expected).abs();
        assert!(error <= bound, "{name} at {index:?}: {got} and {expected}, {error} > {bound}");
    }
}
