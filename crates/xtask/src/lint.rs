//! `cargo xtask lint`: formatting, clippy and documentation. A warning is an error.

use crate::process::{Failure, run as run_command, succeeds};
use crate::workspace::cargo;

pub(crate) fn run() -> Result<(), Failure> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !succeeds(cargo().args([subcommand, "--version"])) {
            return Err(Failure::new(format!(
                "`cargo {subcommand}` is missing; run `rustup component add {component}`"
            )));
        }
    }
    run_command(cargo().args(["fmt", "--all", "--check"]))?;
    run_command(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]))?;
    run_command(cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    println!("Formatting, clippy and documentation are clean.");
    Ok(())
}
