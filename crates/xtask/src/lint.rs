//! `cargo xtask lint`: formatting, clippy, documentation, features, licences and packages. A warning is an error.

use std::collections::BTreeSet;

use crate::process::{Failure, capture, run as run_command, succeeds};
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
    check_features()?;
    check_licences()?;
    check_packages()?;
    println!("Formatting, clippy, documentation, features, licences and packages are clean.");
    Ok(())
}

/// Each package that has features without them; the workspace as a whole turns all of them on. One at a time: Cargo would join
/// the features of several.
fn check_features() -> Result<(), Failure> {
    let packages = ["langevin-formats", "langevin-reference"];
    packages
        .iter()
        .try_for_each(|package| run_command(cargo().args(["check", "--quiet", "--package", package])))
}

/// What may be built into what is MIT or Apache-2.0: the list of deny.toml, which `cargo deny check` reads.
fn check_licences() -> Result<(), Failure> {
    let tree = ["tree", "--workspace", "--all-features", "--target", "all", "--edges", "normal,build"];
    let crates = capture(cargo().args(tree).args(["--prefix", "none", "--format", "{p}\t{l}"]))?;
    let allowed = allowed(include_str!("../../../deny.toml"));
    let wrong: BTreeSet<&str> = crates
        .lines()
        // A crate that was listed before has a mark behind its licence.
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| line.split_once('\t').is_some_and(|(_, licence)| !is_allowed(licence, &allowed)))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let list: Vec<&str> = wrong.into_iter().collect();
    Err(Failure::new(format!("licences that deny.toml does not allow:\n{}", list.join("\n"))))
}

/// The words in quotes of the line `allow = [..]`.
fn allowed(deny: &str) -> Vec<&str> {
    let line = deny.lines().find(|line| line.starts_with("allow = ")).unwrap_or_default();
    line.split('"').skip(1).step_by(2).collect()
}

/// Of an SPDX expression whose ANDs bind before its ORs, one alternative must be allowed as a whole.
fn is_allowed(licence: &str, allowed: &[&str]) -> bool {
    if let Some((all_of, rest)) = licence.strip_prefix('(').and_then(|rest| rest.split_once(") AND ")) {
        return is_allowed(all_of, allowed) && is_allowed(rest, allowed);
    }
    // Before SPDX, a slash meant a choice.
    let alternatives = licence.split(" OR ").flat_map(|part| part.split('/'));
    let one = |name: &str| allowed.contains(&name.trim().trim_end_matches(" WITH LLVM-exception"));
    alternatives.into_iter().any(|alternative| alternative.split(" AND ").all(one))
}

/// What would be published: every file that is named is there, and every dependency has a version. Nothing is compiled.
fn check_packages() -> Result<(), Failure> {
    let package = ["package", "--workspace", "--exclude", "xtask", "--exclude", "langevin-testkit"];
    run_command(cargo().args(package).args(["--no-verify", "--allow-dirty", "--quiet", "--offline"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_are_expressions() {
        let list = allowed("# allow = [\"GPL\"]\nallow = [\"MIT\", \"Apache-2.0\", \"Unicode-3.0\"]\n");
        assert_eq!(list, ["MIT", "Apache-2.0", "Unicode-3.0"]);
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Unlicense/MIT",
            "MIT AND Apache-2.0",
        ] {
            assert!(is_allowed(good, &list), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND GPL-3.0"] {
            assert!(!is_allowed(bad, &list), "{bad}");
        }
    }
}
