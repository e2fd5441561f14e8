//! Finds out, without linking to Vulkan, whether the machine has a Vulkan loader and a driver, and installs a
//! software driver where both are missing and apt may be used.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt;
use crate::process::{Failure, capture};

const LOADER_LIBRARY: &str = "libvulkan.so.1";

/// The variables that replace the loader's own search for drivers, newest first.
/// Loaders before 1.3.207 (Ubuntu 22.04) know the second only.
pub(crate) const DRIVER_VARIABLES: [&str; 2] = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];

const INSTALL_BY_HAND: &str = "\
Install a software driver with the line for your system, then repeat the command:
  Debian, Ubuntu  sudo apt-get update && sudo apt-get install mesa-vulkan-drivers libvulkan1
  Fedora          sudo dnf install mesa-vulkan-drivers vulkan-loader
  Arch            sudo pacman -S vulkan-swrast vulkan-icd-loader";

/// Makes sure that a Vulkan loader and at least one driver are installed. Elsewhere than on Linux the system brings
/// its own graphics interface, and nothing is done.
pub(crate) fn ensure_system_driver() -> Result<(), Failure> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let Some(missing) = missing_part()? else { return Ok(()) };
    install_software_driver(&missing)?;
    match missing_part()? {
        None => Ok(()),
        Some(missing) => Err(Failure::new(format!("{missing}, although mesa-vulkan-drivers was installed"))),
    }
}

/// The manifest of the system's software driver, which is installed where it is missing and apt may be used.
pub(crate) fn ensure_software_driver() -> Result<PathBuf, Failure> {
    if !cfg!(target_os = "linux") {
        return Err(Failure::new(
            "software drivers are chosen by name on Linux only; use `--driver current`",
        ));
    }
    let found = || software_manifest(&manifests_in(&standard_folders())).filter(|_| loader_is_installed());
    if let Some(manifest) = found() {
        return Ok(manifest);
    }
    install_software_driver("no software Vulkan driver (lvp_icd*.json) is installed")?;
    found().ok_or_else(|| Failure::new("mesa-vulkan-drivers was installed but brought no lvp_icd*.json"))
}

/// Installs the software driver where none is and the user chose no driver: a driver for hardware that the machine
/// lacks is no help. Says whether it did.
pub(crate) fn add_software_driver() -> Result<bool, Failure> {
    let chosen = DRIVER_VARIABLES.iter().any(|variable| std::env::var_os(variable).is_some());
    if !cfg!(target_os = "linux") || chosen || software_manifest(&manifests_in(&standard_folders())).is_some()
    {
        return Ok(false);
    }
    install_software_driver("the installed Vulkan drivers offer no adapter").map(|()| true)
}

fn install_software_driver(missing: &str) -> Result<(), Failure> {
    let Some(installer) = apt::Installer::find() else {
        return Err(Failure::new(format!(
            "{missing}, and this user may not install one.\n{INSTALL_BY_HAND}"
        )));
    };
    eprintln!("{missing}: installing Mesa's software driver");
    installer.install(&["mesa-vulkan-drivers", "libvulkan1"])
}

/// What is missing before a Vulkan program can run, in words.
fn missing_part() -> Result<Option<String>, Failure> {
    for variable in DRIVER_VARIABLES {
        let Some(list) = std::env::var_os(variable).filter(|list| !list.is_empty()) else { continue };
        if manifests_listed(&list).is_empty() {
            let list = list.to_string_lossy();
            return Err(Failure::new(format!(
                "{variable} is set to {list}, where there is no driver manifest"
            )));
        }
        return Ok(loader_missing());
    }
    if manifests_in(&standard_folders()).is_empty() {
        return Ok(Some("no Vulkan driver is installed (no manifest in any vulkan/icd.d folder)".to_owned()));
    }
    Ok(loader_missing())
}

fn loader_missing() -> Option<String> {
    (!loader_is_installed()).then(|| format!("the Vulkan loader {LOADER_LIBRARY} is not installed"))
}

fn loader_is_installed() -> bool {
    // A normal user's PATH on Debian lacks /sbin.
    let listed = ["ldconfig", "/sbin/ldconfig", "/usr/sbin/ldconfig"]
        .iter()
        .any(|program| capture_quietly(program).is_some_and(|cache| cache_has_loader(&cache)));
    listed || find_loader().is_some()
}

/// The loader's file.
pub(crate) fn find_loader() -> Option<PathBuf> {
    library_folders().into_iter().map(|folder| folder.join(LOADER_LIBRARY)).find(|path| path.exists())
}

fn capture_quietly(ldconfig: &str) -> Option<String> {
    capture(Command::new(ldconfig).arg("-p")).ok()
}

fn cache_has_loader(cache: &str) -> bool {
    cache.lines().any(|line| line.split_whitespace().next() == Some(LOADER_LIBRARY))
}

fn library_folders() -> Vec<PathBuf> {
    let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let mut folders: Vec<PathBuf> =
        [multiarch.as_str(), "/usr/lib64", "/usr/lib", "/usr/local/lib", "/lib64", "/lib"]
            .map(PathBuf::from)
            .into();
    if let Some(list) = std::env::var_os("LD_LIBRARY_PATH") {
        folders.extend(std::env::split_paths(&list).filter(|folder| !folder.as_os_str().is_empty()));
    }
    folders
}

/// The folders a Vulkan loader searches, in its order.
fn standard_folders() -> Vec<PathBuf> {
    search_folders(|name| std::env::var_os(name))
}

fn search_folders(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let home = variable("HOME").map(PathBuf::from);
    let own = |name: &str, below_home: &str| {
        variable(name).map(PathBuf::from).or_else(|| home.as_ref().map(|home| home.join(below_home)))
    };
    let shared = |name: &str, default: &str| -> Vec<PathBuf> {
        let list = variable(name).filter(|list| !list.is_empty()).unwrap_or_else(|| default.into());
        std::env::split_paths(&list).collect()
    };
    let mut bases: Vec<PathBuf> = own("XDG_CONFIG_HOME", ".config").into_iter().collect();
    bases.extend(shared("XDG_CONFIG_DIRS", "/etc/xdg"));
    bases.extend(["/usr/local/etc", "/etc"].map(PathBuf::from));
    bases.extend(own("XDG_DATA_HOME", ".local/share"));
    bases.extend(shared("XDG_DATA_DIRS", "/usr/local/share:/usr/share"));
    bases.into_iter().map(|base| base.join("vulkan/icd.d")).collect()
}

/// The manifests of a colon-separated list of files and folders, as in `VK_DRIVER_FILES`.
fn manifests_listed(list: &OsStr) -> Vec<PathBuf> {
    let (folders, files): (Vec<_>, Vec<_>) = std::env::split_paths(list).partition(|path| path.is_dir());
    let mut manifests: Vec<PathBuf> = files.into_iter().filter(|file| file.is_file()).collect();
    manifests.extend(manifests_in(&folders));
    manifests
}

/// The manifests in these folders, sorted within each.
pub(crate) fn manifests_in(folders: &[PathBuf]) -> Vec<PathBuf> {
    folders.iter().flat_map(|folder| manifests_in_folder(folder)).collect()
}

fn manifests_in_folder(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut manifests: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension() == Some(OsStr::new("json")))
        .collect();
    manifests.sort();
    manifests
}

/// Mesa's software driver among the manifests: `lvp_icd.json`, or with this machine's architecture in its name.
pub(crate) fn software_manifest(manifests: &[PathBuf]) -> Option<PathBuf> {
    let own = format!("lvp_icd.{}.json", std::env::consts::ARCH);
    let named = |name: &str| manifests.iter().find(|path| path.file_name() == Some(OsStr::new(name)));
    named(&own).or_else(|| named("lvp_icd.json")).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::test_folder;

    #[cfg(unix)]
    #[test]
    fn the_search_order_is_the_loaders() {
        let folders = search_folders(|name| match name {
            "HOME" => Some("/home/u".into()),
            "XDG_DATA_DIRS" => Some("/a:/b".into()),
            _ => None,
        });
        let expected =
            ["/home/u/.config", "/etc/xdg", "/usr/local/etc", "/etc", "/home/u/.local/share", "/a", "/b"];
        assert_eq!(folders, expected.map(|base| Path::new(base).join("vulkan/icd.d")));
    }

    #[test]
    fn manifests_are_json_files_in_order() {
        let folder = test_folder("icd-search");
        let (near, far) = (folder.join("near"), folder.join("far"));
        for path in
            [near.join("z.json"), near.join("a.json"), near.join("notes.txt"), far.join("lvp_icd.json")]
        {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
        let found = manifests_in(&[near.clone(), folder.join("absent"), far.clone()]);
        assert_eq!(found, [near.join("a.json"), near.join("z.json"), far.join("lvp_icd.json")]);
        assert_eq!(software_manifest(&found), Some(far.join("lvp_icd.json")));
        assert_eq!(software_manifest(&found[..2]), None);

        let list =
            std::env::join_paths([near.join("a.json"), far.clone(), folder.join("gone.json")]).unwrap();
        assert_eq!(manifests_listed(&list), [near.join("a.json"), far.join("lvp_icd.json")]);
        assert_eq!(manifests_listed(folder.join("gone.json").as_os_str()), Vec::<PathBuf>::new());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn another_architecture_is_not_ours() {
        let own = PathBuf::from(format!("/d/lvp_icd.{}.json", std::env::consts::ARCH));
        let other = PathBuf::from("/d/lvp_icd.s390x.json");
        assert_eq!(software_manifest(&[other.clone(), own.clone()]), Some(own));
        assert_eq!(software_manifest(&[other]), None);
    }

    #[test]
    fn the_loader_is_found_in_the_librarys_cache() {
        let cache = "2 libs\n\tlibvulkan.so.1 (libc6,x86-64) => /lib/libvulkan.so.1\n\tlibz.so (libc6) => /lib/libz.so";
        assert!(cache_has_loader(cache));
        assert!(!cache_has_loader("\tlibvulkan.so.10 (libc6)\n\tlibvulkan_lvp.so (libc6)"));
    }
}
