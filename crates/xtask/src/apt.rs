//! apt: installing packages into the system where this user may, and fetching some without installing them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process::{Failure, capture, file_failure, run, succeeds, write_file};

/// A way to install packages without a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Installer {
    Root,
    Sudo,
}

impl Installer {
    /// `None` where there is no apt, or where neither root nor sudo without a password is at hand.
    pub(crate) fn find() -> Option<Self> {
        if !succeeds(Command::new("apt-get").arg("--version")) {
            return None;
        }
        if capture(Command::new("id").arg("-u")).is_ok_and(|user| user.trim() == "0") {
            return Some(Self::Root);
        }
        succeeds(Command::new("sudo").args(["-n", "true"])).then_some(Self::Sudo)
    }

    /// Refreshes the package lists and installs these packages.
    pub(crate) fn install(self, packages: &[&str]) -> Result<(), Failure> {
        // One unreachable third-party source fails the update, and does not matter if the install succeeds.
        if let Err(failure) = run(self.apt_get().args(["-q", "update"])) {
            eprintln!("warning: {failure}");
        }
        run(self.apt_get().args(["-q", "-y", "--no-install-recommends", "install"]).args(packages))
    }

    fn apt_get(self) -> Command {
        let mut command = match self {
            Self::Root => Command::new("env"),
            Self::Sudo => {
                let mut command = Command::new("sudo");
                command.args(["-n", "env"]);
                command
            }
        };
        // Another program may be installing: wait for its lock instead of failing. Without a terminal of its own,
        // dpkg draws no progress into logs.
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        command.args(["-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Use-Pty=0"]);
        command.stdin(Stdio::null());
        command
    }
}

/// apt with sources, lists and archives in a folder of its own, which believes that nothing is installed.
/// It needs no rights.
#[derive(Debug)]
pub(crate) struct PrivateApt {
    folder: PathBuf,
}

impl PrivateApt {
    pub(crate) fn new(folder: PathBuf, sources: &str) -> Result<Self, Failure> {
        for part in ["state/lists/partial", "cache/archives/partial"] {
            let part = folder.join(part);
            std::fs::create_dir_all(&part).map_err(|error| file_failure("not created", &part, &error))?;
        }
        write_file(&folder.join("status"), "")?;
        write_file(&folder.join("sources.list"), sources)?;
        write_file(&folder.join("apt.conf"), &own_configuration(&folder))?;
        Ok(Self { folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Downloads packages and all that they need, of this suite where it has them.
    pub(crate) fn download(&self, packages: &[&str], suite: &str) -> Result<Vec<PathBuf>, Failure> {
        run(self.apt_get().arg("update"))?;
        let options = ["--yes", "--download-only", "--no-install-recommends", "--target-release", suite];
        run(self.apt_get().arg("install").args(options).args(packages))?;
        self.archives()
    }

    /// Downloads a package without what it needs.
    pub(crate) fn download_one(&self, package: &str) -> Result<PathBuf, Failure> {
        run(self.apt_get().arg("update"))?;
        let folder = self.folder.join("cache/archives");
        run(self.apt_get().args(["download", package]).current_dir(&folder))?;
        let archive = self.archives()?.pop();
        archive.ok_or_else(|| Failure::new(format!("apt downloaded no {package}")))
    }

    fn archives(&self) -> Result<Vec<PathBuf>, Failure> {
        let folder = self.folder.join("cache/archives");
        let entries =
            std::fs::read_dir(&folder).map_err(|error| file_failure("not read", &folder, &error))?;
        let files = entries.flatten().map(|entry| entry.path());
        Ok(files.filter(|path| path.extension().is_some_and(|extension| extension == "deb")).collect())
    }

    /// The file named here is read after the machine's configuration, of which the rest applies: proxies,
    /// certificates and the like.
    fn apt_get(&self) -> Command {
        let mut command = Command::new("apt-get");
        command.arg("-qq").arg("--config-file").arg(self.folder.join("apt.conf")).stdin(Stdio::null());
        command
    }
}

fn own_configuration(folder: &Path) -> String {
    let own = |name: &str| folder.join(name).display().to_string();
    let settings = [
        ("Dir::State", own("state")),
        ("Dir::State::status", own("status")),
        ("Dir::Cache", own("cache")),
        ("Dir::Etc::sourcelist", own("sources.list")),
        ("Dir::Etc::sourceparts", "/dev/null".to_owned()),
        ("Dir::Etc::preferences", "/dev/null".to_owned()),
        ("Dir::Etc::preferencesparts", "/dev/null".to_owned()),
        ("Acquire::Languages", "none".to_owned()),
        // As root, apt would read as another user, who may not enter this folder.
        ("APT::Sandbox::User", "root".to_owned()),
    ];
    settings.map(|(option, value)| format!("{option} \"{value}\";\n")).concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::test_folder;

    #[test]
    fn a_private_apt_keeps_to_its_folder() {
        let folder = test_folder("private-apt");
        let apt = PrivateApt::new(folder.join("apt"), "deb http://m/debian trixie main\n").unwrap();
        let configuration = std::fs::read_to_string(apt.folder().join("apt.conf")).unwrap();
        for line in configuration.lines().filter(|line| line.starts_with("Dir::")) {
            let inside = line.contains(&apt.folder().display().to_string());
            assert!(inside || line.ends_with("\"/dev/null\";"), "{line}");
        }
        assert!(apt.folder().join("cache/archives/partial").is_dir());
        let sources = std::fs::read_to_string(apt.folder().join("sources.list")).unwrap();
        assert_eq!(sources, "deb http://m/debian trixie main\n");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
