//! Child processes and files, and the one sentence that says why a command failed.

use std::fmt;
use std::path::Path;
use std::process::{Command, ExitStatus, Output};

/// Why a command failed: one sentence for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Runs a command with our own standard streams after printing it.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    eprintln!("$ {}", shown(command));
    let status = command.status().map_err(|error| not_started(command, &error))?;
    judge(command, status)
}

/// Runs a command and returns what it wrote to standard output; standard error passes through.
pub(crate) fn capture(command: &mut Command) -> Result<String, Failure> {
    let Output { status, stdout, .. } = command
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| not_started(command, &error))?;
    judge(command, status)?;
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

/// Whether the command runs and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdin(std::process::Stdio::null()).output().is_ok_and(|output| output.status.success())
}

fn judge(command: &Command, status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("`{}` {}", shown(command), ending(status))))
    }
}

fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    Failure::new(format!("`{}` did not start: {error}", shown(command)))
}

fn ending(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let meaning = match signal {
            2 => ", interrupted",
            6 => ", aborted",
            9 => ", killed, perhaps for want of memory",
            11 => ", segmentation fault",
            15 => ", terminated",
            _ => "",
        };
        return format!("was stopped by signal {signal}{meaning}");
    }
    match status.code() {
        Some(code) => format!("failed with exit code {code}"),
        None => "failed without an exit code".to_owned(),
    }
}

/// The command as a person would type it.
fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    if let Some(name) = Path::new(&words[0]).file_stem().filter(|name| *name == "cargo") {
        words[0] = name.to_string_lossy().into_owned();
    }
    words.join(" ")
}

/// Writes a file, or says which could not be written.
pub(crate) fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| file_failure("not written", path, &error))
}

/// Removes a folder and all that is in it; one that is not there is fine.
pub(crate) fn remove_folder(folder: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(file_failure("not removed", folder, &error))
        }
        _ => Ok(()),
    }
}

/// `PATH was WHAT: the system's reason`.
pub(crate) fn file_failure(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{} was {what}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_cargo_without_its_folder() {
        let mut command = Command::new("/opt/rust/bin/cargo");
        command.args(["test", "--workspace"]);
        assert_eq!(shown(&command), "cargo test --workspace");
    }

    #[test]
    fn a_missing_program_is_a_sentence() {
        let failure = run(&mut Command::new("langevin-no-such-program")).unwrap_err();
        assert!(failure.to_string().starts_with("`langevin-no-such-program` did not start: "), "{failure}");
    }

    #[cfg(unix)]
    #[test]
    fn failures_name_the_command_and_its_end() {
        let failed = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(failed.to_string(), "`sh -c exit 3` failed with exit code 3");
        // Not SIGINT, which a program that was started in the background ignores, and its children.
        let stopped = run(Command::new("sh").args(["-c", "kill -s TERM $$"])).unwrap_err();
        assert_eq!(stopped.to_string(), "`sh -c kill -s TERM $$` was stopped by signal 15, terminated");
        assert_eq!(capture(Command::new("sh").args(["-c", "echo seen"])), Ok("seen\n".to_owned()));
        assert!(capture(Command::new("sh").args(["-c", "echo seen; exit 1"])).is_err());
    }
}
