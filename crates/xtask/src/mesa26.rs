//! A newer Mesa beside the system's, in a folder of the repository.
//!
//! Debian's packages of Mesa and of every library below it, the C library included, are unpacked there and not
//! installed: nothing of the system changes, and no rights are needed. A program uses them when it is started
//! through the dynamic loader of that folder. apt does the work with package lists of its own, under the machine's
//! configuration, so that proxies and certificates apply.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt::{Installer, PrivateApt};
use crate::process::{Failure, capture, file_failure, remove_folder, succeeds, write_file};
use crate::sources::{Mirror, debian_mirror};
use crate::vulkan::{manifests_in, software_manifest};
use crate::workspace;

/// Below the repository's root.
pub(crate) const FOLDER: &str = ".software-drivers/mesa26";

const SUITE: &str = "trixie";
const NEWER_SUITE: &str = "trixie-backports";
const PACKAGES: [&str; 2] = ["mesa-vulkan-drivers", "libvulkan1"];
const VERSION_FILE: &str = "mesa-version";
/// The first version whose software driver has cooperative matrices.
const OLDEST_MAJOR: u32 = 26;

/// Unpacks the driver unless it is there already.
pub(crate) fn set_up(mirror_uri: Option<String>) -> Result<(), Failure> {
    let folder = workspace::root().join(FOLDER);
    if let Some(tree) = Tree::find(&folder) {
        println!("Mesa {} is in {}", tree.version, folder.display());
        return Ok(());
    }
    require_tools()?;
    let mut mirror = debian_mirror(Path::new("/etc/apt"));
    if let Some(uri) = mirror_uri {
        mirror.uri = uri;
    }
    require_keyring(&mirror)?;
    eprintln!("Downloading Mesa and its libraries from {}, about 65 MB", mirror.uri);
    let tree = build(&folder, &mirror)?;
    println!("Mesa {} is in {}", tree.version, folder.display());
    Ok(())
}

fn require_tools() -> Result<(), Failure> {
    for (program, package) in [("apt-get", "apt"), ("dpkg-deb", "dpkg")] {
        if !succeeds(Command::new(program).arg("--version")) {
            return Err(Failure::new(format!(
                "`setup --mesa26` unpacks Debian packages and needs {program} (package {package}): use Debian or Ubuntu"
            )));
        }
    }
    Ok(())
}

/// Ubuntu does not come with the keys that sign Debian's packages, but packages them.
fn require_keyring(mirror: &Mirror) -> Result<(), Failure> {
    if Path::new(&mirror.keyring).is_file() {
        return Ok(());
    }
    let installer = Installer::find().ok_or_else(|| {
        Failure::new(format!(
            "{} is missing, which proves that packages are Debian's; run `sudo apt-get install debian-archive-keyring`",
            mirror.keyring
        ))
    })?;
    installer.install(&["debian-archive-keyring"])?;
    if Path::new(&mirror.keyring).is_file() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "debian-archive-keyring was installed, but {} is still missing",
        mirror.keyring
    )))
}

/// Builds the tree under another name and renames it, so that a tree with the right name is complete.
fn build(folder: &Path, mirror: &Mirror) -> Result<Tree, Failure> {
    remove_leftovers(folder)?;
    let unfinished = Unfinished(folder.with_extension(format!("{}.tmp", std::process::id())));
    let apt = PrivateApt::new(unfinished.0.join("apt"), &source_lines(mirror))?;
    let archives = apt.download(&PACKAGES, NEWER_SUITE).map_err(|failure| {
        Failure::new(format!(
            "{failure}; is {NEWER_SUITE} at {}? Another mirror is chosen with `setup --mesa26 --mirror URL`",
            mirror.uri
        ))
    })?;
    for archive in &archives {
        capture(Command::new("dpkg-deb").arg("--extract").arg(archive).arg(&unfinished.0))?;
    }
    let version = mesa_version(&archives)?;
    write_file(&unfinished.0.join(VERSION_FILE), &version)?;
    remove_folder(apt.folder())?;
    let tree = Tree::find(&unfinished.0).ok_or_else(|| {
        Failure::new(format!("Debian's Mesa {version} has no lvp_icd.json or no dynamic loader"))
    })?;
    tree.check_libraries()?;
    // A folder with the right name but without its parts is a leftover.
    remove_folder(folder)?;
    std::fs::rename(&unfinished.0, folder)
        .map_err(|error| file_failure("not renamed", &unfinished.0, &error))?;
    Tree::find(folder).ok_or_else(|| Failure::new(format!("{} was changed meanwhile", folder.display())))
}

/// Removes what runs that were stopped left behind: `mesa26.PROCESS.tmp` of a process that is no more.
fn remove_leftovers(folder: &Path) -> Result<(), Failure> {
    let entries = folder.parent().and_then(|parent| std::fs::read_dir(parent).ok());
    for path in entries.into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let process = name.strip_prefix("mesa26.").and_then(|rest| rest.strip_suffix(".tmp"));
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            remove_folder(&path)?;
        }
    }
    Ok(())
}

fn mesa_version(archives: &[PathBuf]) -> Result<String, Failure> {
    let is_mesa = |path: &&PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("mesa-vulkan-drivers_"))
    };
    let archive =
        archives.iter().find(is_mesa).ok_or_else(|| Failure::new("apt downloaded no mesa-vulkan-drivers"))?;
    let version =
        capture(Command::new("dpkg-deb").arg("--field").arg(archive).arg("Version"))?.trim().to_owned();
    match major(&version) {
        Some(number) if number >= OLDEST_MAJOR => Ok(version),
        _ => Err(Failure::new(format!("the mirror has Mesa {version}; expected {OLDEST_MAJOR} or newer"))),
    }
}

/// The first number of a Debian version, after the epoch.
fn major(version: &str) -> Option<u32> {
    let upstream = version.split_once(':').map_or(version, |(_, rest)| rest);
    upstream.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

/// The unpacked driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    libraries: PathBuf,
    loader: PathBuf,
    manifest: PathBuf,
    version: String,
}

impl Tree {
    /// The tree in this folder, if it has all its parts.
    pub(crate) fn find(folder: &Path) -> Option<Self> {
        let version = std::fs::read_to_string(folder.join(VERSION_FILE)).ok()?;
        let libraries = folder.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
        let loader =
            std::fs::read_dir(&libraries).ok()?.flatten().map(|entry| entry.path()).find(|path| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux-"))
            })?;
        let manifest = software_manifest(&manifests_in(&[folder.join("usr/share/vulkan/icd.d")]))?;
        Some(Self { libraries, loader, manifest, version })
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.manifest.clone()
    }

    /// The command line that starts a program with these libraries.
    pub(crate) fn runner(&self) -> Vec<String> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        vec![path(&self.loader), "--library-path".to_owned(), path(&self.libraries)]
    }

    /// Resolves the driver's libraries the way a program would, since `dpkg-deb` checks no dependencies.
    fn check_libraries(&self) -> Result<(), Failure> {
        let driver = self.libraries.join("libvulkan_lvp.so");
        let list = capture(
            Command::new(&self.loader).arg("--library-path").arg(&self.libraries).arg("--list").arg(driver),
        )?;
        match list.lines().find(|line| line.contains("not found")) {
            None => Ok(()),
            Some(line) => Err(Failure::new(format!("the unpacked driver lacks a library: {}", line.trim()))),
        }
    }
}

/// Removes a half-made tree, whatever went wrong.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn source_lines(mirror: &Mirror) -> String {
    let line = |suite: &str| format!("deb [signed-by={}] {} {suite} main\n", mirror.keyring, mirror.uri);
    line(SUITE) + &line(NEWER_SUITE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::test_folder;

    #[test]
    fn versions() {
        assert_eq!(major("26.1.6-1~bpo13+1"), Some(26));
        assert_eq!(major("1:27.0~rc1"), Some(27));
        assert_eq!(major("unknown"), None);
    }

    #[test]
    fn both_suites_come_from_the_mirror() {
        let mirror = Mirror { uri: "http://m/debian".to_owned(), keyring: "/k.gpg".to_owned() };
        assert_eq!(
            source_lines(&mirror),
            "deb [signed-by=/k.gpg] http://m/debian trixie main\n\
             deb [signed-by=/k.gpg] http://m/debian trixie-backports main\n"
        );
    }

    #[test]
    fn a_tree_is_found_only_with_all_its_parts() {
        let folder = test_folder("mesa26");
        let libraries = folder.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
        let parts =
            [libraries.join("ld-linux-test.so.2"), folder.join("usr/share/vulkan/icd.d/lvp_icd.json")];
        for part in &parts {
            assert_eq!(Tree::find(&folder), None);
            std::fs::create_dir_all(part.parent().unwrap()).unwrap();
            std::fs::write(part, "").unwrap();
        }
        assert_eq!(Tree::find(&folder), None);
        std::fs::write(folder.join(VERSION_FILE), "26.1.6").unwrap();
        let tree = Tree::find(&folder).unwrap();
        assert_eq!(tree.manifest(), parts[1]);
        let text = |path: &Path| path.display().to_string();
        assert_eq!(tree.runner(), [text(&parts[0]), "--library-path".to_owned(), text(&libraries)]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn leftovers_of_ended_runs_are_removed() {
        let folder = test_folder("leftovers");
        let ended = folder.join("mesa26.none.tmp");
        let running = folder.join(format!("mesa26.{}.tmp", std::process::id()));
        let done = folder.join("mesa26");
        for tree in [&ended, &running, &done] {
            std::fs::create_dir(tree).unwrap();
        }
        remove_leftovers(&done).unwrap();
        assert_eq!(
            [ended, running, done].map(|tree| tree.exists()),
            [false, cfg!(target_os = "linux"), true]
        );
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_unfinished_tree_disappears() {
        let folder = test_folder("unfinished");
        drop(Unfinished(folder.clone()));
        assert!(!folder.exists());
    }
}
