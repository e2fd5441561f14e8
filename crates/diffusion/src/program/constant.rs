//! Tensors that never change.

use crate::DiffusionError;
use langevin::reference::{Dtype, Tensor, TensorSpec};
use std::sync::Arc;

/// Receives bytes of a tensor as the GPU holds it, each piece at an offset that is a multiple of four.
pub(crate) type Emit<'a> = dyn FnMut(usize, &[u8]) -> Result<(), DiffusionError> + 'a;

type Fill = dyn Fn(&mut Emit<'_>) -> Result<(), DiffusionError> + Send + Sync;

/// A tensor that never changes. Its numbers are made when they are needed, piece by piece.
#[derive(Clone)]
pub(crate) struct Constant {
    pub(super) spec: TensorSpec,
    pub(super) fill: Arc<Fill>,
}

impl std::fmt::Debug for Constant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Constant({} {:?})", self.spec.dtype, self.spec.shape)
    }
}

impl Constant {
    pub(crate) fn new(dtype: impl Into<Dtype>, shape: &[usize], fill: Arc<Fill>) -> Self {
        Self { spec: TensorSpec::input("constant", dtype, shape), fill }
    }

    /// The whole of it in host memory.
    pub(crate) fn tensor(&self) -> Result<Tensor, DiffusionError> {
        let mut bytes = vec![0u8; self.bytes() as usize];
        (self.fill)(&mut |start, piece| {
            bytes[start..start + piece.len()].copy_from_slice(piece);
            Ok(())
        })?;
        let words: Vec<u32> =
            bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        Ok(Tensor::from_words(self.spec.dtype, &self.spec.shape, &words)?)
    }

    /// Bytes on the GPU.
    pub(crate) fn bytes(&self) -> u64 {
        self.spec.gpu_bytes().unwrap_or(u64::MAX)
    }
}

impl From<Tensor> for Constant {
    fn from(tensor: Tensor) -> Self {
        let (dtype, shape) = (tensor.dtype(), tensor.shape().to_vec());
        let fill = move |emit: &mut Emit<'_>| {
            let bytes: Vec<u8> = tensor.to_words(0).into_iter().flat_map(u32::to_le_bytes).collect();
            emit(0, &bytes)
        };
        Self::new(dtype, &shape, Arc::new(fill))
    }
}
