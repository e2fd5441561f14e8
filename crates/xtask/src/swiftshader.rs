//! SwiftShader, a second and independent software driver, in a folder of the repository: subgroups of four and no f16, as
//! on weak hardware.
//!
//! Debian ships it inside the package `chromium-common`, of which two files are kept. It needs the C library alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt::PrivateApt;
use crate::process::{Failure, capture, file_failure, remove_folder};
use crate::sources::{Mirror, debian_mirror};
use crate::workspace;

/// Below the repository's root.
pub(crate) const FOLDER: &str = ".software-drivers/swiftshader";

/// The oldest suite that is still supported: its programs run with the C libraries of every newer one.
const SUITE: &str = "bookworm";
const PACKAGE: &str = "chromium-common";
const MANIFEST: &str = "vk_swiftshader_icd.json";
const FILES: [&str; 2] = ["libvk_swiftshader.so", MANIFEST];

/// Unpacks the driver unless it is there already.
pub(crate) fn set_up(mirror_uri: Option<String>) -> Result<(), Failure> {
    let folder = workspace::root().join(FOLDER);
    if manifest(&folder).is_none() {
        let mut mirror = debian_mirror(Path::new("/etc/apt"));
        if let Some(uri) = mirror_uri {
            mirror.uri = uri;
        }
        eprintln!("Downloading SwiftShader from {}, about 30 MB", mirror.uri);
        let unfinished = folder.with_extension("tmp");
        let outcome = unpack(&folder, &unfinished, &mirror);
        remove_folder(&unfinished)?;
        outcome?;
    }
    println!("SwiftShader is in {}", folder.display());
    Ok(())
}

/// The manifest in a folder that has all files.
pub(crate) fn manifest(folder: &Path) -> Option<PathBuf> {
    FILES.iter().all(|file| folder.join(file).is_file()).then(|| folder.join(MANIFEST))
}

fn unpack(folder: &Path, unfinished: &Path, mirror: &Mirror) -> Result<(), Failure> {
    let source = format!("deb [signed-by={}] {} {SUITE} main\n", mirror.keyring, mirror.uri);
    let apt = PrivateApt::new(unfinished.join("apt"), &source)?;
    let archive = apt.download_one(PACKAGE)?;
    let tree = unfinished.join("tree");
    capture(Command::new("dpkg-deb").arg("--extract").arg(&archive).arg(&tree))?;
    // A folder with the right name but without its files is a leftover.
    remove_folder(folder)?;
    std::fs::create_dir_all(folder).map_err(|error| file_failure("not created", folder, &error))?;
    for file in FILES {
        let from = tree.join("usr/lib/chromium").join(file);
        let moved = std::fs::rename(&from, folder.join(file));
        moved.map_err(|error| file_failure("not in Debian's package", &from, &error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::test_folder;

    #[test]
    fn a_driver_is_found_only_with_both_files() {
        let folder = test_folder("swiftshader");
        for file in FILES {
            assert_eq!(manifest(&folder), None);
            std::fs::write(folder.join(file), "").unwrap();
        }
        assert_eq!(manifest(&folder), Some(folder.join(MANIFEST)));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
