//! `cargo xtask record FILE`: figures for a page, from the record and nowhere else.

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
