use crate::trusted;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

/// A file's bytes as memory: the system reads what is looked at, when it is looked at.
///
/// Another program that cuts the file short meanwhile ends this one with a bus error; one that writes to it changes the
/// bytes. So map files that are finished.
#[derive(Debug)]
pub struct MappedFile(memmap2::Mmap);

impl MappedFile {
    /// Maps a file for reading.
    ///
    /// # Errors
    /// Those of opening and of mapping it.
    pub fn open(path: &Path) -> io::Result<Self> {
        trusted::map(&File::open(path)?).map(Self)
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_its_bytes_and_a_missing_one_an_error() {
        let path = std::env::temp_dir().join(format!("langevin-mapped-{}", std::process::id()));
        std::fs::write(&path, b"bytes").unwrap();
        assert_eq!(&MappedFile::open(&path).unwrap()[..], b"bytes");
        std::fs::write(&path, b"").unwrap();
        assert!(MappedFile::open(&path).unwrap().is_empty());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(MappedFile::open(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
