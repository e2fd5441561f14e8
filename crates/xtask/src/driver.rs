//! The drivers a command can be run on.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Failure;
use crate::vulkan::{DRIVER_VARIABLES, ensure_software_driver, ensure_system_driver};
use crate::{mesa26, swiftshader, workspace};

/// The command line that test programs put before any program they start.
const RUNNER_VARIABLE: &str = "LANGEVIN_RUNNER";

/// What a program needs from its surroundings to use one driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Driver {
    pub(crate) name: &'static str,
    /// The only manifest the Vulkan loader may read; without one it searches by itself.
    manifest: Option<PathBuf>,
    /// The command line before the program's own; empty to start the program directly.
    runner: Vec<String>,
}

impl Driver {
    /// Whatever a program finds by itself. A software driver is installed if there is none.
    pub(crate) fn current() -> Result<Self, Failure> {
        ensure_system_driver().map(|()| Self::any())
    }

    pub(crate) fn any() -> Self {
        Self { name: "current", manifest: None, runner: Vec::new() }
    }

    /// The software driver of the system's own packages.
    pub(crate) fn stock() -> Result<Self, Failure> {
        Ok(Self { name: "stock", manifest: Some(ensure_software_driver()?), runner: Vec::new() })
    }

    /// The driver that `setup --mesa26` unpacked.
    pub(crate) fn mesa26() -> Result<Self, Failure> {
        let tree = mesa26::Tree::find(&workspace::root().join(mesa26::FOLDER)).ok_or_else(|| {
            Failure::new(
                "the driver mesa26 is missing; run `cargo xtask setup --mesa26`, then repeat the command",
            )
        })?;
        let runner = tree.runner();
        if let Some(word) = runner.iter().find(|word| word.contains(char::is_whitespace)) {
            // Cargo and the tests split a runner at spaces.
            return Err(Failure::new(format!(
                "the driver mesa26 needs a path without spaces, and this has one: {word}"
            )));
        }
        Ok(Self { name: "mesa26", manifest: Some(tree.manifest()), runner })
    }

    /// The driver that `setup --swiftshader` unpacked.
    pub(crate) fn swiftshader() -> Result<Self, Failure> {
        let manifest = swiftshader::manifest(&workspace::root().join(swiftshader::FOLDER)).ok_or_else(|| {
            Failure::new(
                "the driver swiftshader is missing; run `cargo xtask setup --swiftshader`, then repeat the command",
            )
        })?;
        Ok(Self { name: "swiftshader", manifest: Some(manifest), runner: Vec::new() })
    }

    /// A program under this driver.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = match self.runner.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        self.select(&mut command);
        command
    }

    /// Makes a command, and what it starts, find this driver only.
    pub(crate) fn select(&self, command: &mut Command) {
        // Mesa's device-selection layer complains about desktop variables that a server does not have.
        command.env("NODEVICE_SELECT", "1");
        if let Some(manifest) = &self.manifest {
            command.env_remove("VK_ADD_DRIVER_FILES");
            for variable in DRIVER_VARIABLES {
                command.env(variable, manifest);
            }
        }
        if self.runner.is_empty() {
            command.env_remove(RUNNER_VARIABLE);
        } else {
            command.env(RUNNER_VARIABLE, self.runner.join(" "));
        }
    }

    /// Whether it is left to programs to find a driver.
    pub(crate) fn is_any(&self) -> bool {
        self.manifest.is_none()
    }

    /// Whether programs cannot be started directly.
    pub(crate) fn needs_runner(&self) -> bool {
        !self.runner.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    fn variable(command: &Command, name: &str) -> Option<Option<String>> {
        let mut pairs = command.get_envs();
        pairs
            .find(|(key, _)| *key == OsStr::new(name))
            .map(|(_, value)| value.map(|v| v.to_string_lossy().into()))
    }

    #[test]
    fn a_driver_with_a_runner_prefixes_programs_and_tells_tests() {
        let runner = ["/d/ld.so", "--library-path", "/d/lib"].map(str::to_owned).to_vec();
        let driver = Driver { name: "mesa26", manifest: Some("/d/lvp_icd.json".into()), runner };
        let command = driver.command(Path::new("/t/langevin"));
        assert_eq!(command.get_program(), "/d/ld.so");
        assert_eq!(command.get_args().collect::<Vec<_>>(), ["--library-path", "/d/lib", "/t/langevin"]);
        assert_eq!(variable(&command, "VK_DRIVER_FILES"), Some(Some("/d/lvp_icd.json".to_owned())));
        assert_eq!(variable(&command, "VK_ICD_FILENAMES"), Some(Some("/d/lvp_icd.json".to_owned())));
        assert_eq!(
            variable(&command, "LANGEVIN_RUNNER"),
            Some(Some("/d/ld.so --library-path /d/lib".to_owned()))
        );
    }

    #[test]
    fn the_current_driver_leaves_the_search_alone() {
        let command = Driver::any().command(Path::new("/t/langevin"));
        assert_eq!(command.get_program(), "/t/langevin");
        assert_eq!(variable(&command, "VK_DRIVER_FILES"), None);
        assert_eq!(variable(&command, "LANGEVIN_RUNNER"), Some(None));
    }
}
