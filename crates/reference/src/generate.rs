//! Inputs for tests and checks: the same numbers on every machine for the same seed.

use crate::{Dtype, Format, Op, Role, Tensor, TensorSpec, Tensors};

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): enough for test data, nothing more.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator; equal seeds give equal numbers.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `[low, high)`.
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        let unit = (self.next_u64() >> 40) as f32 / (1u64 << 24) as f32;
        low + (high - low) * unit
    }

    /// An integer in `low..=high`.
    pub fn integer(&mut self, low: i32, high: i32) -> i32 {
        let span = (i64::from(high) - i64::from(low) + 1).max(1) as u64;
        (i64::from(low) + (self.next_u64() % span) as i64) as i32
    }
}

/// A tensor of ordinary numbers: in [-1, 1] as floats, every code but -128 as I8, half true as booleans, small as I32.
pub fn tensor(random: &mut Random, dtype: impl Into<Dtype>, shape: &[usize]) -> Tensor {
    let dtype = dtype.into();
    let elements = shape.iter().product::<usize>();
    let data = match dtype {
        Dtype::Number(Format::I8) => (0..elements).map(|_| random.integer(-127, 127) as u8).collect(),
        Dtype::Number(format) => {
            let values: Vec<f32> = (0..elements).map(|_| random.uniform(-1.0, 1.0)).collect();
            crate::formats::encode(format, &values, crate::Overflow::Saturate)
        }
        Dtype::Bool => (0..elements).map(|_| random.integer(0, 1) as u8).collect(),
        // Around 1.
        Dtype::E8m0 => (0..elements).map(|_| random.integer(120, 134) as u8).collect(),
        Dtype::I32 => (0..elements).flat_map(|_| random.integer(-9, 9).to_le_bytes()).collect(),
    };
    filled(dtype, shape, data)
}

/// Inputs for an operation; tensors named `*scale*` are positive, as scales are, and shares of a `medium` from 0 to 1.
pub fn inputs<O: Op>(op: &O, seed: u64) -> Tensors {
    let mut random = Random::new(seed);
    let mut tensors = Tensors::new();
    for TensorSpec { name, shape, dtype, role } in op.tensors() {
        if role == Role::Output {
            continue;
        }
        let tensor = if let Some(tensor) = op.typical(name, &mut random) {
            tensor
        } else if name.contains("scale") && dtype == Dtype::Number(Format::F32) {
            let elements = shape.iter().product::<usize>();
            let scales: Vec<f32> = (0..elements).map(|_| random.uniform(0.25, 2.0)).collect();
            filled(dtype, &shape, crate::formats::encode(Format::F32, &scales, crate::Overflow::Saturate))
        } else if let ("medium", Dtype::Number(format)) = (name, dtype) {
            let elements = shape.iter().product::<usize>();
            let shares: Vec<f32> = (0..elements).map(|_| random.uniform(0.0, 1.0)).collect();
            filled(dtype, &shape, crate::formats::encode(format, &shares, crate::Overflow::Saturate))
        } else {
            tensor(&mut random, dtype, &shape)
        };
        tensors.insert(name, tensor);
    }
    tensors
}

/// The data were made for the shape.
fn filled(dtype: Dtype, shape: &[usize], data: Vec<u8>) -> Tensor {
    Tensor::new(dtype, shape, data).unwrap_or_else(|error| unreachable!("{error}"))
}
