//! Reads the answers of outside oracles: `goldens/NAME.safetensors`, written by `goldens/NAME.py`.
#![allow(dead_code, reason = "each test file needs a part of it")]

use langevin_reference::{Format, Tensor};
use ndarray::{Array, ArrayD, Dimension, IxDyn};
use safetensors::{Dtype, SafeTensors};

/// One file of tensors in F32 (what is stored) and F64 (what is computed from it).
pub(crate) struct Golden<'a>(SafeTensors<'a>);

impl<'a> Golden<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(SafeTensors::deserialize(bytes).unwrap())
    }

    /// A tensor's values in f64.
    pub(crate) fn values(&self, name: &str) -> ArrayD<f64> {
        let view = self.0.tensor(name).unwrap();
        let values: Vec<f64> = match view.dtype() {
            Dtype::F32 => view
                .data()
                .chunks_exact(4)
                .map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap())))
                .collect(),
            Dtype::F64 => {
                view.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
            }
            other => panic!("{name} holds {other:?}"),
        };
        ArrayD::from_shape_vec(IxDyn(view.shape()), values).unwrap()
    }

    /// The same with a fixed number of axes.
    pub(crate) fn array<D: Dimension>(&self, name: &str) -> Array<f64, D> {
        self.values(name).into_dimensionality().unwrap()
    }

    /// A tensor as an operation takes it.
    pub(crate) fn tensor(&self, name: &str) -> Tensor {
        let view = self.0.tensor(name).unwrap();
        let dtype = match view.dtype() {
            Dtype::F32 => Format::F32.into(),
            Dtype::F16 => Format::F16.into(),
            Dtype::BF16 => Format::BF16.into(),
            Dtype::F8_E4M3 => Format::E4m3.into(),
            Dtype::F8_E5M2 => Format::E5m2.into(),
            Dtype::I8 => Format::I8.into(),
            Dtype::I32 => langevin_reference::Dtype::I32,
            other => panic!("{name} holds {other:?}"),
        };
        Tensor::new(dtype, view.shape(), view.data().to_vec()).unwrap()
    }
}

/// Two f64 computations of one formula, each of at most `roundings` operations on numbers up to `magnitude`.
pub(crate) fn assert_close<D: Dimension>(
    got: &Array<f64, D>,
    want: &Array<f64, D>,
    roundings: usize,
    magnitude: f64,
) {
    assert_eq!(got.shape(), want.shape());
    let allowed = 2.0 * roundings as f64 * f64::EPSILON * magnitude;
    for ((index, got), want) in got.indexed_iter().zip(want) {
        assert!((got - want).abs() <= allowed, "{got} and {want} at {index:?} differ by more than {allowed}");
    }
}

/// The largest magnitude.
pub(crate) fn largest<D: Dimension>(values: &Array<f64, D>) -> f64 {
    values.iter().fold(0.0, |largest, value| value.abs().max(largest))
}
