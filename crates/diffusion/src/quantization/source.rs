//! Safetensors files that are read and written piece by piece.

use super::QuantizationError;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, SafeTensorError, TensorInfo};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek, SeekFrom, Write};

/// What a header may take, as in the safetensors library.
const MAX_HEADER_BYTES: u64 = 100_000_000;
/// The header's length stands before it, in that many bytes.
const LENGTH_BYTES: u64 = 8;

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    /// Where its bytes are, counted from the end of the header.
    pub(crate) start: u64,
    pub(crate) bytes: u64,
}

/// A safetensors file of which only the header is in memory.
#[derive(Debug)]
pub struct Source<R> {
    reader: R,
    data_start: u64,
    entries: Vec<Entry>,
    metadata: Option<HashMap<String, String>>,
}

impl<R: Read + Seek> Source<R> {
    /// Reads the header and checks that the file is as long as it says.
    ///
    /// # Errors
    /// [`QuantizationError::Safetensors`] and [`QuantizationError::Length`] for what is no whole file,
    /// [`QuantizationError::Io`].
    pub fn new(mut reader: R) -> Result<Self, QuantizationError> {
        let got = reader.seek(SeekFrom::End(0))?;
        reader.seek(SeekFrom::Start(0))?;
        if got < LENGTH_BYTES {
            return Err(SafeTensorError::HeaderTooSmall.into());
        }
        let mut length = [0; LENGTH_BYTES as usize];
        reader.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER_BYTES {
            return Err(SafeTensorError::HeaderTooLarge.into());
        }
        if length > got - LENGTH_BYTES {
            return Err(SafeTensorError::InvalidHeaderLength.into());
        }
        let mut header = vec![0; length as usize];
        reader.read_exact(&mut header)?;
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(SafeTensorError::InvalidHeaderDeserialization)?;
        let data_start = LENGTH_BYTES + length;
        let expected = data_start + metadata.data_len() as u64;
        if got != expected {
            return Err(QuantizationError::Length { expected, got });
        }
        Ok(Self { reader, data_start, entries: entries(&metadata), metadata: metadata.metadata().clone() })
    }

    /// The names of the tensors, in the order of their bytes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// The bytes of all tensors.
    pub fn data_bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }

    /// The header's metadata.
    pub fn metadata(&self) -> Option<&HashMap<String, String>> {
        self.metadata.as_ref()
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Some bytes of a tensor.
    pub(crate) fn read(
        &mut self,
        entry: &Entry,
        offset: u64,
        bytes: usize,
    ) -> Result<Vec<u8>, QuantizationError> {
        let mut buffer = vec![0; bytes];
        self.reader.seek(SeekFrom::Start(self.data_start + entry.start + offset))?;
        self.reader.read_exact(&mut buffer)?;
        Ok(buffer)
    }
}

fn entries(metadata: &Metadata) -> Vec<Entry> {
    let entry = |name: String| {
        let info = metadata.info(&name)?;
        let (start, end) = info.data_offsets;
        let (start, bytes) = (start as u64, (end - start) as u64);
        Some(Entry { dtype: info.dtype, shape: info.shape.clone(), name, start, bytes })
    };
    let mut entries: Vec<Entry> = metadata.offset_keys().into_iter().filter_map(entry).collect();
    // Tensors without bytes begin where others do, and come in any order.
    entries.sort_by(|a, b| (a.start, a.bytes, &a.name).cmp(&(b.start, b.bytes, &b.name)));
    entries
}

/// A header to be written, in an order that does not change from run to run.
struct Header<'a> {
    metadata: Option<BTreeMap<String, String>>,
    tensors: &'a [(String, TensorInfo)],
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(metadata) = &self.metadata {
            map.serialize_entry("__metadata__", metadata)?;
        }
        for (name, info) in self.tensors {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}

/// A safetensors file to be written: its header first, then pieces of tensors in any order.
#[derive(Debug)]
pub(crate) struct Sink<W> {
    writer: W,
    data_start: u64,
    places: HashMap<String, (u64, u64)>,
}

impl<W: Write + Seek> Sink<W> {
    /// Writes the header of these tensors, ordered as the safetensors library orders them: large elements first, so that
    /// all are aligned, then by name.
    pub(crate) fn new(
        mut writer: W,
        mut tensors: Vec<(String, Dtype, Vec<usize>)>,
        metadata: Option<HashMap<String, String>>,
    ) -> Result<Self, QuantizationError> {
        tensors.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let (mut end, mut infos, mut places) = (0, Vec::new(), HashMap::new());
        for (name, dtype, shape) in tensors {
            let bits = shape.iter().try_fold(dtype.bitsize(), |bits, &extent| bits.checked_mul(extent));
            let bytes = bits.ok_or(SafeTensorError::ValidationOverflow)? / 8;
            if places.insert(name.clone(), (end as u64, bytes as u64)).is_some() {
                return Err(QuantizationError::NameTaken { name });
            }
            infos.push((name, TensorInfo { dtype, shape, data_offsets: (end, end + bytes) }));
            end += bytes;
        }
        let by_key = |metadata: HashMap<String, String>| metadata.into_iter().collect();
        let header = Header { metadata: metadata.map(by_key), tensors: &infos };
        let mut header = serde_json::to_vec(&header)?;
        Metadata::new(None, infos)?;
        header.resize(header.len().next_multiple_of(LENGTH_BYTES as usize), b' ');
        writer.seek(SeekFrom::Start(0))?;
        writer.write_all(&(header.len() as u64).to_le_bytes())?;
        writer.write_all(&header)?;
        Ok(Self { writer, data_start: LENGTH_BYTES + header.len() as u64, places })
    }

    /// Writes a piece of a tensor of the header.
    pub(crate) fn write(&mut self, tensor: &str, offset: u64, bytes: &[u8]) -> Result<(), QuantizationError> {
        let (start, length) = self.places.get(tensor).copied().unwrap_or_default();
        debug_assert!(offset + bytes.len() as u64 <= length, "{tensor}: past its end");
        self.writer.seek(SeekFrom::Start(self.data_start + start + offset))?;
        Ok(self.writer.write_all(bytes)?)
    }

    /// Ends the file where its last tensor does, also where that has no bytes.
    pub(crate) fn finish(mut self) -> Result<(), QuantizationError> {
        Ok(self.writer.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::SafeTensors;
    use std::io::Cursor;

    fn file() -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let tensors = vec![
            ("b".to_owned(), Dtype::I8, vec![3]),
            ("a".to_owned(), Dtype::F32, vec![1, 2]),
            ("empty".to_owned(), Dtype::F32, vec![0, 2]),
        ];
        let metadata = Some(HashMap::from([("format".to_owned(), "pt".to_owned())]));
        let mut sink = Sink::new(&mut bytes, tensors, metadata).unwrap();
        sink.write("b", 1, &[2, 3]).unwrap();
        sink.write("b", 0, &[1]).unwrap();
        sink.write("a", 0, &[0; 8]).unwrap();
        sink.finish().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn what_is_written_is_a_safetensors_file() {
        let bytes = file();
        let read = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(read.tensor("b").unwrap().data(), [1, 2, 3]);
        assert_eq!(read.tensor("a").unwrap().shape(), [1, 2]);
        let mut source = Source::new(Cursor::new(&bytes)).unwrap();
        assert_eq!(source.names().collect::<Vec<_>>(), ["a", "empty", "b"]);
        assert_eq!((source.data_bytes(), source.metadata().unwrap()["format"].as_str()), (11, "pt"));
        let b = source.entries()[2].clone();
        assert_eq!(source.read(&b, 1, 2).unwrap(), [2, 3]);
    }

    /// Maps of the header have another order each time they are made.
    #[test]
    fn the_same_bytes_are_written_and_read_in_the_same_order_each_time() {
        let file = || {
            let names = |kind: &str| (0..20).map(|i| format!("{kind}{i}")).collect::<Vec<_>>();
            let tensors = names("empty").into_iter().map(|name| (name, Dtype::F32, vec![0, 3])).collect();
            let metadata = names("key").into_iter().map(|key| (key, String::new())).collect();
            let mut bytes = Cursor::new(Vec::new());
            Sink::new(&mut bytes, tensors, Some(metadata)).unwrap().finish().unwrap();
            bytes.into_inner()
        };
        let bytes = file();
        let names =
            || Source::new(Cursor::new(&bytes)).unwrap().names().map(str::to_owned).collect::<Vec<_>>();
        for _ in 0..5 {
            assert_eq!(file(), bytes);
            assert_eq!(names(), names());
        }
    }

    #[test]
    fn what_is_no_whole_file_is_refused() {
        let bytes = file();
        let error = |bytes: &[u8]| Source::new(Cursor::new(bytes)).unwrap_err().to_string();
        for length in 0..bytes.len() {
            assert!(error(&bytes[..length]).starts_with("not a whole safetensors file"), "{length}");
        }
        let longer = [&bytes[..], &[0]].concat();
        let sentence = format!("tells of {} bytes, the file has {}", bytes.len(), longer.len());
        assert!(error(&longer).contains(&sentence), "{}", error(&longer));
        assert!(error(&[255; 64]).contains("header"), "{}", error(&[255; 64]));
    }

    #[test]
    fn a_name_cannot_be_taken_twice() {
        let tensors = vec![("a".to_owned(), Dtype::I8, vec![]), ("a".to_owned(), Dtype::F32, vec![])];
        let error = Sink::new(Cursor::new(Vec::new()), tensors, None).unwrap_err().to_string();
        assert_eq!(error, "tensor `a` would be written, but the file has a tensor of that name");
    }
}
