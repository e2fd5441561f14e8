//! Named tensors that stay on disk until they are looked at.

use crate::DiffusionError;
use langevin::Format;
use langevin::gpu::MappedFile;
use langevin::reference::formats;
use langevin::reference::generate::Random;
use safetensors::{Dtype, SafeTensors};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The tensors of one or more safetensors files, by name. Opening reads the headers alone; files are mapped into memory, so
/// a tensor's bytes are read when they are used. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Checkpoint(Arc<BTreeMap<String, Stored>>);

#[derive(Clone, Debug)]
struct Stored {
    shape: Vec<usize>,
    /// As the file names it.
    dtype: Dtype,
    data: Data,
}

#[derive(Clone, Debug)]
enum Data {
    File(Arc<File>, Range<usize>),
    /// Random numbers from a seed, uniform up to that magnitude.
    Random(u64, f32),
}

#[derive(Debug)]
enum File {
    Mapped(MappedFile),
    Memory(Cow<'static, [u8]>),
}

impl Deref for File {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(file) => file,
            Self::Memory(bytes) => bytes,
        }
    }
}

/// The names that models are saved under.
const FILE_NAMES: [&str; 4] = [
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "model.safetensors",
    "model.safetensors.index.json",
];

/// The part of an index that matters: which file holds which tensor.
#[derive(serde::Deserialize)]
struct Index {
    weight_map: BTreeMap<String, PathBuf>,
}

impl Checkpoint {
    /// Opens a `.safetensors` file, an index `.safetensors.index.json` with the files it names beside it, or a directory that
    /// holds either under diffusers' name.
    ///
    /// # Errors
    /// [`DiffusionError::File`] for a file that cannot be read, or an index that names one in another place,
    /// [`DiffusionError::Truncated`] for one that is no whole safetensors file, [`DiffusionError::MissingTensor`] for a tensor that the index promises and its file lacks.
    pub fn open(path: &Path) -> Result<Self, DiffusionError> {
        if path.is_dir() {
            let found = FILE_NAMES.iter().map(|name| path.join(name)).find(|path| path.is_file());
            let missing = || {
                DiffusionError::file(path, std::io::Error::other(format!("it has none of {FILE_NAMES:?}")))
            };
            return Self::open(&found.ok_or_else(missing)?);
        }
        let mut tensors = BTreeMap::new();
        if path.extension().is_none_or(|extension| extension != "json") {
            read_headers(path, &mut tensors)?;
            return Ok(Self(Arc::new(tensors)));
        }
        let text = std::fs::read_to_string(path).map_err(|source| DiffusionError::file(path, source))?;
        let Index { weight_map } = serde_json::from_str(&text)
            .map_err(|source| DiffusionError::Index { path: path.to_owned(), source })?;
        let mut files: Vec<&PathBuf> = weight_map.values().collect();
        files.sort();
        files.dedup();
        for file in files {
            if file.file_name() != Some(file.as_os_str()) {
                let what = format!("it names `{}`, which is not a file beside it", file.display());
                return Err(DiffusionError::file(path, std::io::Error::other(what)));
            }
            read_headers(&path.with_file_name(file), &mut tensors)?;
        }
        match weight_map.iter().find(|(name, _)| !tensors.contains_key(*name)) {
            Some((name, file)) => Err(DiffusionError::NotInShard { name: name.clone(), file: file.clone() }),
            None => Ok(Self(Arc::new(tensors))),
        }
    }

    /// The tensors of a safetensors file that is in memory.
    ///
    /// # Errors
    /// [`DiffusionError::Safetensors`] for bytes that are no whole file.
    pub fn from_bytes(bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, DiffusionError> {
        let mut tensors = BTreeMap::new();
        add(File::Memory(bytes.into()), &mut tensors)?;
        Ok(Self(Arc::new(tensors)))
    }

    /// Random tensors of the given names and shapes: matrices of about unit gain, small vectors. They take no memory; the
    /// numbers are made when they are used, the same ones each time.
    pub(crate) fn random(shapes: impl IntoIterator<Item = (String, Vec<usize>)>, seed: u64) -> Self {
        let stored = |(i, (name, shape)): (usize, (String, Vec<usize>))| {
            let inputs: usize = shape.iter().skip(1).product();
            // Uniform numbers up to sqrt(3 / n) have the variance 1 / n.
            let magnitude = if shape.len() > 1 { (3.0 / inputs.max(1) as f32).sqrt() } else { 0.1 };
            let data = Data::Random(seed.wrapping_add(i as u64 * 0x9e37_79b9), magnitude);
            (name, Stored { shape, dtype: Dtype::F32, data })
        };
        Self(Arc::new(shapes.into_iter().enumerate().map(stored).collect()))
    }

    /// Every name, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A tensor's shape.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        Some(&self.0.get(name)?.shape)
    }

    /// Checks that a tensor is there, of that shape and of a type that weights come in.
    ///
    /// # Errors
    /// [`DiffusionError`] names the tensor, what was expected and what is there.
    pub fn check(&self, name: &str, shape: &[usize]) -> Result<(), DiffusionError> {
        let Some(stored) = self.0.get(name) else {
            return Err(DiffusionError::MissingTensor { name: name.to_owned(), expected: shape.to_vec() });
        };
        if stored.shape != shape {
            return Err(DiffusionError::TensorShape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                got: stored.shape.clone(),
            });
        }
        stored.format(name).map(|_| ())
    }

    /// Some rows of a tensor as f32, all axes but the first flattened; exact. Reads no more than those.
    ///
    /// # Errors
    /// [`DiffusionError::MissingTensor`], [`DiffusionError::TensorType`], and [`DiffusionError::TensorShape`] for rows that it
    /// does not have.
    pub fn rows(&self, name: &str, rows: Range<usize>) -> Result<Vec<f32>, DiffusionError> {
        let Some(stored) = self.0.get(name) else {
            return Err(DiffusionError::MissingTensor { name: name.to_owned(), expected: Vec::new() });
        };
        let row: usize = stored.shape.iter().skip(1).product();
        let outside = || DiffusionError::TensorShape {
            name: name.to_owned(),
            expected: vec![rows.end, row],
            got: stored.shape.clone(),
        };
        // Behind a tensor's last row stands the next tensor.
        if rows.start > rows.end || rows.end > stored.shape.first().copied().unwrap_or(1) {
            return Err(outside());
        }
        let elements = rows.start * row..rows.end * row;
        let format = stored.format(name)?;
        match &stored.data {
            Data::Random(seed, magnitude) => {
                // Each row from a seed of its own, so that any rows can be made alone.
                let numbers = |i: usize| {
                    let mut random = Random::new(seed.wrapping_add(i as u64 * 0x5851_f42d));
                    (0..row).map(move |_| random.uniform(-magnitude, *magnitude))
                };
                Ok(rows.flat_map(numbers).collect())
            }
            Data::File(file, range) => {
                let bytes = format.bytes();
                let part = range.start + elements.start * bytes..range.start + elements.end * bytes;
                let part = file.get(part).ok_or_else(outside)?;
                Ok(formats::decode(format, part).unwrap_or_default())
            }
        }
    }

    /// Whether two tensors have the same bytes.
    pub(crate) fn same(&self, one: &str, other: &str) -> bool {
        match (self.0.get(one).map(|stored| &stored.data), self.0.get(other).map(|stored| &stored.data)) {
            (Some(Data::File(a, of_a)), Some(Data::File(b, of_b))) => {
                a.get(of_a.clone()) == b.get(of_b.clone())
            }
            // Random ones are declared the same where that is asked.
            (Some(_), Some(_)) => true,
            _ => false,
        }
    }
}

impl Stored {
    fn format(&self, name: &str) -> Result<Format, DiffusionError> {
        match self.dtype {
            Dtype::F32 => Ok(Format::F32),
            Dtype::F16 => Ok(Format::F16),
            Dtype::BF16 => Ok(Format::BF16),
            other => Err(DiffusionError::TensorType { name: name.to_owned(), got: format!("{other:?}") }),
        }
    }
}

fn read_headers(path: &Path, tensors: &mut BTreeMap<String, Stored>) -> Result<(), DiffusionError> {
    let file = MappedFile::open(path).map_err(|source| DiffusionError::file(path, source))?;
    add(File::Mapped(file), tensors).map_err(|error| match error {
        DiffusionError::Safetensors(source) => DiffusionError::Truncated { path: path.to_owned(), source },
        error => error,
    })
}

fn add(file: File, tensors: &mut BTreeMap<String, Stored>) -> Result<(), DiffusionError> {
    let file = Arc::new(file);
    // This checks as well that the offsets are in order and fill the file.
    let (header, metadata) = SafeTensors::read_metadata(&file)?;
    for (name, info) in metadata.tensors() {
        // Eight bytes with the header's length stand before it.
        let (start, end) = info.data_offsets;
        let range = 8 + header + start..8 + header + end;
        let data = Data::File(Arc::clone(&file), range);
        let stored = Stored { shape: info.shape.clone(), dtype: info.dtype, data };
        if tensors.insert(name.clone(), stored).is_some() {
            return Err(DiffusionError::TensorTwice { name });
        }
    }
    Ok(())
}
