//! The repository's folders, its Cargo, and the program it builds.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::driver::Driver;
use crate::process::{Failure, capture};
use crate::vulkan::add_software_driver;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable when it runs us; the value built in is for a program started by hand.
    let own_folder = std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .filter(|folder| folder.ends_with("crates/xtask"))
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    own_folder.ancestors().nth(2).map_or(own_folder.clone(), Path::to_path_buf)
}

/// Cargo, in the repository's root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// The `langevin` program as Cargo leaves it in the folder of a profile (`debug`, `release`).
pub(crate) fn langevin(profile_folder: &str) -> Result<PathBuf, Failure> {
    let program =
        target_folder()?.join(profile_folder).join(format!("langevin{}", std::env::consts::EXE_SUFFIX));
    if program.is_file() {
        return Ok(program);
    }
    Err(Failure::new(format!("Cargo built no program at {}", program.display())))
}

/// Where Cargo builds.
pub(crate) fn target_folder() -> Result<PathBuf, Failure> {
    // We run from TARGET/debug/xtask, which respects every way of moving the target folder.
    let this = std::env::current_exe()
        .map_err(|error| Failure::new(format!("where xtask runs is unknown: {error}")))?;
    Ok(this.ancestors().nth(2).unwrap_or(Path::new("target")).to_path_buf())
}

/// The triple of this machine, as in `CARGO_TARGET_<TRIPLE>_RUNNER`.
pub(crate) fn host_triple() -> Result<String, Failure> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = capture(Command::new(rustc).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Failure::new("`rustc -vV` names no host"))
}

/// One line of `langevin info --brief`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Adapter {
    pub(crate) name: String,
    pub(crate) driver: String,
    line: String,
}

impl Adapter {
    /// The first number of Mesa's version in the driver's description.
    pub(crate) fn mesa_major(&self) -> Option<u32> {
        let (_, version) = self.driver.split_once("Mesa ")?;
        version.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
    }
}

/// Asks the program which adapter it uses with a driver, and prints it. Where the machine's drivers have no adapter
/// to offer, a software driver is added.
pub(crate) fn show_adapter(program: &Path, driver: &Driver) -> Result<Adapter, Failure> {
    let ask = || capture(driver.command(program).args(["info", "--brief"]));
    let brief = match ask() {
        Err(_) if driver.is_any() && add_software_driver()? => ask()?,
        answer => answer?,
    };
    let adapter = first_adapter(&brief)?;
    println!("adapter: {}", adapter.line);
    Ok(adapter)
}

fn first_adapter(brief: &str) -> Result<Adapter, Failure> {
    let line = brief.lines().find(|line| !line.trim().is_empty());
    let line = line.ok_or_else(|| Failure::new("`langevin info --brief` listed no adapter"))?;
    let fields: Vec<&str> = line.split('|').map(str::trim).collect();
    let [name, _backend, driver, ..] = fields[..] else {
        return Err(Failure::new(format!(
            "`langevin info --brief` printed `{line}`; expected NAME | BACKEND | DRIVER | TYPE | TIERS"
        )));
    };
    Ok(Adapter { name: name.to_owned(), driver: driver.to_owned(), line: line.trim().to_owned() })
}

/// An empty folder for one test.
#[cfg(test)]
pub(crate) fn test_folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("langevin-xtask-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace() {
        let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }

    #[test]
    fn the_host_triple_names_the_architecture() {
        assert!(host_triple().unwrap().starts_with(std::env::consts::ARCH));
    }

    #[test]
    fn adapters_are_read_from_the_brief_lines() {
        let brief = "llvmpipe (LLVM 19.1.7, 256 bits) | Vulkan | llvmpipe Mesa 26.1.6-1 (LLVM 19.1.7) | Cpu | T0 T1\n";
        let adapter = first_adapter(brief).unwrap();
        assert_eq!(adapter.name, "llvmpipe (LLVM 19.1.7, 256 bits)");
        assert_eq!(adapter.driver, "llvmpipe Mesa 26.1.6-1 (LLVM 19.1.7)");
        assert_eq!(adapter.mesa_major(), Some(26));
        let other =
            first_adapter("Card | Vulkan | vendor 570.1 | DiscreteGpu | T0\nSecond | Vulkan | x").unwrap();
        assert_eq!((other.name.as_str(), other.mesa_major()), ("Card", None));
        assert!(first_adapter("\n").is_err());
        assert!(first_adapter("no bars").unwrap_err().to_string().contains("printed `no bars`"));
    }
}
