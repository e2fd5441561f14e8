//! The public API of every published library, as the files of `docs/api` have it: a change of it is seen in a review.
//!
//! `UPDATE_SNAPSHOTS=yes cargo test --package xtask public_api` writes the files anew.
//!
//! These are tests of the program's own: for one beside it Cargo would build the program again, in place of the one that runs
//! the tests.

use std::path::PathBuf;
use std::process::Command;

use crate::workspace::root;

/// The libraries, by their packages.
const LIBRARIES: [&str; 5] =
    ["langevin", "langevin-diffusion", "langevin-formats", "langevin-gpu", "langevin-reference"];

/// The form of rustdoc's JSON changes from version to version; this is the one that the package `public-api` reads.
const READABLE: &str = "rustc 1.95.";

/// Cargo's target folder: a test lies one folder deeper than the program.
fn target_folder() -> PathBuf {
    crate::workspace::target_folder().unwrap().parent().unwrap().to_path_buf()
}

/// Rustdoc with its JSON, which is no stable option, and only rustdoc: the environment of the compiler stays as it is, so
/// that what is built is used.
fn rustdoc() -> PathBuf {
    let folder = target_folder().join("tmp");
    std::fs::create_dir_all(&folder).unwrap();
    let script = folder.join("rustdoc.sh");
    std::fs::write(&script, "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n").unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    script
}

/// Documents all libraries as JSON, with the features that the workspace turns on, all of them, so that what `cargo doc` and `cargo
/// clippy` of the workspace have built is used.
fn document() {
    let mut command = Command::new(env!("CARGO"));
    command.args(["doc", "--quiet", "--workspace", "--no-deps", "--lib"]);
    command.env("RUSTDOCFLAGS", "-Z unstable-options --output-format json --cap-lints allow");
    let status = command.env("RUSTDOC", rustdoc()).current_dir(root()).status().unwrap();
    assert!(status.success(), "cargo doc");
}

/// A line for each item, impl and field that a user can name.
fn public_api(package: &str) -> String {
    let json = target_folder().join("doc").join(package.replace('-', "_")).with_extension("json");
    public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .unwrap()
        .to_string()
}

#[test]
fn the_public_api_is_the_one_on_record() {
    let version = Command::new("rustc").arg("--version").output().unwrap().stdout;
    let version = String::from_utf8_lossy(&version).into_owned();
    if !cfg!(unix) || !version.starts_with(READABLE) {
        println!("skipped: this reads the JSON of {READABLE}x, and there is {}", version.trim());
        return;
    }
    document();
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some();
    let mut differences = String::new();
    for package in LIBRARIES {
        let file = root().join("docs/api").join(format!("{package}.txt"));
        let now = public_api(package);
        if update {
            std::fs::write(&file, &now).unwrap();
            continue;
        }
        let before = std::fs::read_to_string(&file).unwrap_or_default();
        let only = |one: &str, other: &str, mark: &str| -> String {
            let known: std::collections::HashSet<&str> = other.lines().collect();
            one.lines().filter(|line| !known.contains(line)).map(|line| format!("{mark} {line}\n")).collect()
        };
        differences += &only(&before, &now, "-");
        differences += &only(&now, &before, "+");
    }
    assert!(
        differences.is_empty(),
        "docs/api says otherwise; if this is meant, run again with UPDATE_SNAPSHOTS=yes:\n{differences}"
    );
}
