//! What the program leaves behind: text on the terminal, and files that are whole or absent.

use crate::CliError;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Writes to standard output. A reader that has gone away (`langevin info | head -1`) is no error.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CliError::Stdout(error)),
        _ => Ok(()),
    }
}

/// Writes one sentence to standard error.
pub(crate) fn complain(sentence: &str) {
    // When standard error is gone there is nowhere left to say so.
    let _ = writeln!(io::stderr(), "langevin: {sentence}");
}

/// Makes a file hold `bytes`, replacing what was there: afterwards it is whole, or as it was before.
///
/// The bytes go to a temporary file beside it, which then takes its name. All of them are there before that file is
/// made, so an interruption can leave it behind only during this one write.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    let path = target(path).map_err(failed)?;
    let mut temporary = Temporary::beside(&path).map_err(failed)?;
    temporary.file.write_all(bytes).map_err(failed)?;
    temporary.rename_to(&path).map_err(failed)
}

/// Makes a file hold what `write` puts into an empty one, replacing what was there: afterwards it is whole, or as it was
/// before.
///
/// The temporary file lives as long as `write` works; an interruption leaves it behind, under a name that begins with a dot
/// and ends in `.tmp`.
pub(crate) fn write_by<T>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    let path = target(path).map_err(failed)?;
    let mut temporary = Temporary::beside(&path).map_err(failed)?;
    let result = write(&mut temporary.file)?;
    temporary.rename_to(&path).map_err(failed)?;
    Ok(result)
}

/// The file behind a path: symbolic links are followed, and what exists must be an ordinary file, since it is replaced.
fn target(path: &Path) -> io::Result<PathBuf> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => fs::canonicalize(path),
        Ok(metadata) if metadata.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(_) => Err(io::Error::other("it is no ordinary file")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(error),
    }
}

/// Fails early where [`write_file`] would fail late: call it before a long computation.
pub(crate) fn check_writable(path: &Path) -> Result<(), CliError> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    let path = target(path).map_err(failed)?;
    Temporary::beside(&path).map(drop).map_err(failed)
}

/// Fails where two of these files, each with what it is called, are one, however their paths are spelled.
pub(crate) fn check_distinct(files: &[(&'static str, &Path)]) -> Result<(), CliError> {
    for (i, &(second, path)) in files.iter().enumerate() {
        let same = |(_, other): &&(&str, &Path)| place(other) == place(path);
        if let Some(&(first, _)) = files[..i].iter().find(same) {
            return Err(CliError::SameFile { first, second, path: path.to_owned() });
        }
    }
    Ok(())
}

/// Where a file is, or would be if there were one.
fn place(path: &Path) -> PathBuf {
    let of_parent = || {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = fs::canonicalize(parent.unwrap_or(Path::new("."))).ok()?;
        Some(parent.join(path.file_name()?))
    };
    fs::canonicalize(path).ok().or_else(of_parent).unwrap_or_else(|| path.to_owned())
}

/// A file that is removed unless it is renamed.
struct Temporary {
    file: File,
    path: PathBuf,
}

impl Temporary {
    /// A new file in the directory of `path`, so that renaming it moves no bytes.
    fn beside(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(ErrorKind::InvalidFilename)?;
        for attempt in 0..100 {
            let mut temporary_name = OsString::from(".");
            temporary_name.push(name);
            temporary_name.push(format!(".{}-{attempt}.tmp", std::process::id()));
            let temporary = path.with_file_name(temporary_name);
            match File::create_new(&temporary) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(file) => return Ok(Self { file, path: temporary }),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }

    fn rename_to(self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing to remove.
        let _ = fs::remove_file(&self.path);
    }
}

/// A record or a report as the bytes of a file.
pub(crate) fn json(report: &impl serde::Serialize) -> Result<Vec<u8>, CliError> {
    let mut json = serde_json::to_vec_pretty(report).map_err(CliError::Json)?;
    json.push(b'\n');
    Ok(json)
}

/// Rows of text as aligned columns, two spaces apart.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("langevin-output-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let directory = directory("replace");
        let path = directory.join("out");
        check_writable(&path).unwrap();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        for bytes in [&b"first"[..], b"second"] {
            write_file(&path, bytes).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
            assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        }
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn one_file_is_one_whatever_its_spelling() {
        let directory = directory("distinct");
        let sentence = |paths: &[&Path]| {
            let names = ["first", "second", "third"];
            let files: Vec<_> = names.into_iter().zip(paths.iter().copied()).collect();
            check_distinct(&files).map_err(|error| error.to_string())
        };
        let (a, b) = (directory.join("a"), directory.join("b"));
        let other = directory.join(".").join("..").join(directory.file_name().unwrap()).join("a");
        for exists in [false, true] {
            assert_eq!(sentence(&[&a, &b]), Ok(()));
            let expected = format!("first and third must be two files, got {} for both", other.display());
            assert_eq!(sentence(&[&a, &b, &other]), Err(expected));
            if !exists {
                write_file(&a, b"").unwrap();
            }
        }
        assert!(sentence(&[Path::new("absent-a"), Path::new("./absent-a")]).is_err());
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn what_fails_halfway_changes_nothing() {
        let directory = directory("halfway");
        let path = directory.join("out");
        write_file(&path, b"old").unwrap();
        let failed = write_by(&path, |file| {
            file.write_all(b"half").unwrap();
            Err::<(), _>(CliError::NoCase { what: "half".into() })
        });
        assert!(failed.is_err());
        assert_eq!(
            (fs::read(&path).unwrap(), fs::read_dir(&directory).unwrap().count()),
            (b"old".to_vec(), 1)
        );
        assert!(write_by(&path, |file| Ok(file.write_all(b"new").is_ok())).unwrap());
        assert_eq!(
            (fs::read(&path).unwrap(), fs::read_dir(&directory).unwrap().count()),
            (b"new".to_vec(), 1)
        );
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing() {
        let directory = directory("fail");
        assert!(write_file(&directory, b"x").is_err());
        assert!(check_writable(&directory).is_err());
        assert!(write_file(&directory.join("absent/out"), b"x").is_err());
        #[cfg(unix)]
        assert!(
            write_file(Path::new("/dev/null"), b"x").unwrap_err().to_string().contains("no ordinary file")
        );
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        fs::remove_dir_all(directory).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed() {
        let directory = directory("link");
        let (file, link) = (directory.join("file"), directory.join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_file(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["a".into(), "b".into()], vec!["long".into(), "c".into()]];
        assert_eq!(table(&rows), "a     b\nlong  c\n");
    }
}
