//! Runs the program.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The program with these arguments, behind the runner if there is one.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let runner = std::env::var("LANGEVIN_RUNNER").unwrap_or_default();
    let mut line: Vec<&str> = runner.split_whitespace().collect();
    line.push(env!("CARGO_BIN_EXE_langevin"));
    line.extend(arguments);
    let mut command = Command::new(line[0]);
    // Mesa's layer that chooses between GPUs asks Wayland and complains on standard error where there is none.
    command.args(&line[1..]).env("NODEVICE_SELECT", "1").env_remove("RUST_BACKTRACE");
    command
}

/// What a finished program left.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn langevin(arguments: &[&str]) -> Finished {
    finished(command(arguments).output().expect("the program starts"))
}

pub(crate) fn finished(output: Output) -> Finished {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let finished =
        Finished { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
    assert!(!finished.stderr.contains("panicked"), "{finished:?}");
    assert!(!finished.stderr.contains("internal error"), "{finished:?}");
    finished
}

impl Finished {
    /// Exit code 0; the standard output.
    #[track_caller]
    pub(crate) fn succeeds(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// Exit code 1 and one sentence on standard error; the sentence.
    #[track_caller]
    pub(crate) fn fails(self) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        let sentence = self.stderr.strip_prefix("langevin: ").unwrap_or_else(|| panic!("{self:?}"));
        assert_eq!(sentence.matches('\n').count(), 1, "{self:?}");
        sentence.trim_end().to_owned()
    }

    /// Exit code 2, for wrong usage; the explanation.
    #[track_caller]
    pub(crate) fn fails_as_usage(self) -> String {
        assert_eq!(self.code, Some(2), "{self:?}");
        self.stderr
    }
}

/// Whether there is an adapter; says that the test is skipped where not.
pub(crate) fn has_gpu() -> bool {
    static HAS_GPU: OnceLock<bool> = OnceLock::new();
    let has_gpu = *HAS_GPU.get_or_init(|| langevin(&["info", "--brief"]).code == Some(0));
    let required = std::env::var("REQUIRE_GPU").is_ok_and(|value| !value.is_empty() && value != "0");
    assert!(has_gpu || !required, "no adapter, and REQUIRE_GPU is set");
    if !has_gpu {
        println!("skipped: no adapter");
    }
    has_gpu
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
