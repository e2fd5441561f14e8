//! `cargo xtask record`: figures for a page, from the record and nowhere else.

use std::path::Path;

use crate::process::{Failure, run as run_command};
use crate::workspace::cargo;

/// The program that wrote the record reads it: what a field means stands in one place.
pub(crate) fn run(file: &Path) -> Result<(), Failure> {
    let file = std::path::absolute(file)
        .map_err(|error| Failure::new(format!("the record {}: {error}", file.display())))?;
    let program =
        ["run", "--quiet", "--release", "--package", "langevin-cli", "--", "bench", "--markdown", "--from"];
    run_command(cargo().args(program).arg(file))
}

/// The README's figures and the page of all records: a test of the program compares them with the records, or writes them.
pub(crate) fn publish(write: bool) -> Result<(), Failure> {
    let mut command = cargo();
    command.args(["test", "--quiet", "--package", "langevin-cli", "--bin", "langevin", "published"]);
    if write {
        command.env("LANGEVIN_WRITE_RECORDS", "1");
    }
    run_command(&mut command)
}
