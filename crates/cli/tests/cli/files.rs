//! Directories and tensors of the tests.

use safetensors::Dtype;
use safetensors::tensor::{SafeTensors, TensorView};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A directory of one test, removed at its end.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(test: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{test}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names of the files in it, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<_> = fs::read_dir(&self.0).unwrap().map(name).collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn tensor(dtype: Dtype, shape: &[usize], bytes: Vec<u8>) -> Tensor {
    Tensor { dtype, shape: shape.to_vec(), bytes }
}

pub(crate) fn f32s(shape: &[usize], values: &[f32]) -> Tensor {
    tensor(Dtype::F32, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

pub(crate) fn i8s(shape: &[usize], values: &[i8]) -> Tensor {
    tensor(Dtype::I8, shape, values.iter().map(|&value| value as u8).collect())
}

pub(crate) fn i32s(shape: &[usize], values: &[i32]) -> Tensor {
    tensor(Dtype::I32, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

impl Tensor {
    pub(crate) fn to_f32(&self) -> Vec<f32> {
        assert_eq!(self.dtype, Dtype::F32);
        self.bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }
}

pub(crate) fn save(path: &Path, tensors: &[(&str, Tensor)]) {
    let views = tensors.iter().map(|(name, tensor)| {
        (name, TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes).unwrap())
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

pub(crate) fn load(path: &Path, name: &str) -> Tensor {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let view = file.tensor(name).unwrap();
    tensor(view.dtype(), view.shape(), view.data().to_vec())
}
