//! `cargo xtask bundle`: one folder that checks and times langevin on a Linux machine with neither Rust nor network.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Failure, capture, file_failure, remove_folder, run as run_command, write_file};
use crate::vulkan::find_loader;
use crate::workspace::{cargo, langevin, root};

/// It has to travel over slow lines.
const MOST_BYTES: u64 = 60 << 20;

/// Files of the repository, and where they go.
const FILES: [(&str, &str); 8] = [
    ("benches/bundle/run-all.sh", "run-all.sh"),
    ("benches/bundle/README.md", "README.md"),
    ("benches/peers/baseline.py", "baselines/baseline.py"),
    ("benches/peers/torch_baseline.py", "baselines/torch_baseline.py"),
    ("benches/peers/jax_baseline.py", "baselines/jax_baseline.py"),
    ("benches/peers/cases.json", "baselines/cases.json"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
];

pub(crate) fn run(out: Option<&Path>) -> Result<(), Failure> {
    if !cfg!(target_os = "linux") {
        return Err(Failure::new("a bundle is made on Linux, for Linux"));
    }
    let folder = match out {
        Some(out) => std::path::absolute(out).map_err(|error| file_failure("not found", out, &error))?,
        None => root().join("target/bundle/langevin"),
    };
    run_command(cargo().args(["build", "--release", "--package", "langevin-cli"]))?;
    let program = langevin("release")?;
    prepare(&folder)?;
    // The debugging information of the standard library and the symbols are two thirds of the file.
    run_command(Command::new("strip").arg("-o").arg(folder.join("langevin")).arg(&program))?;
    copy_files(&folder)?;
    copy_loader(&folder)?;
    write_file(&folder.join("COMMIT"), &format!("{}\n", commit()))?;
    let bytes = size(&folder)?;
    if bytes > MOST_BYTES {
        return Err(Failure::new(format!("the bundle has {bytes} bytes, more than the {MOST_BYTES} it may")));
    }
    println!(
        "{} ({:.1} MiB); on the other machine: ./run-all.sh",
        folder.display(),
        bytes as f64 / 1048576.0
    );
    Ok(())
}

/// An empty folder. Nothing is removed but an older bundle.
fn prepare(folder: &Path) -> Result<(), Failure> {
    let is_empty = std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty && !folder.join("run-all.sh").is_file() {
        return Err(Failure::new(format!("{} holds something else than a bundle", folder.display())));
    }
    remove_folder(folder)?;
    create_folder(folder)
}

fn create_folder(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| file_failure("not created", folder, &error))
}

fn copy_files(folder: &Path) -> Result<(), Failure> {
    create_folder(&folder.join("baselines"))?;
    FILES.iter().try_for_each(|(from, to)| copy(&root().join(from), &folder.join(to)))
}

/// Containers with a GPU often lack the loader. Without one here, the bundle has none.
fn copy_loader(folder: &Path) -> Result<(), Failure> {
    let Some(loader) = find_loader() else {
        println!("no Vulkan loader here: the other machine needs its own");
        return Ok(());
    };
    let library = folder.join("lib");
    create_folder(&library)?;
    copy(&loader, &library.join("libvulkan.so.1"))?;
    let copyright = Path::new("/usr/share/doc/libvulkan1/copyright");
    if copyright.is_file() { copy(copyright, &library.join("copyright")) } else { Ok(()) }
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::copy(from, to).map(drop).map_err(|error| file_failure("not copied", from, &error))
}

/// The commit that is checked out, with a plus behind it where the tree differs; "unknown" outside of a repository.
fn commit() -> String {
    let git = |arguments: &[&str]| capture(Command::new("git").args(arguments).current_dir(root()));
    let Ok(commit) = git(&["rev-parse", "--short", "HEAD"]) else { return "unknown".to_owned() };
    let is_clean =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_ok_and(|changes| changes.is_empty());
    format!("{}{}", commit.trim(), if is_clean { "" } else { "+" })
}

/// Bytes of all files of a folder.
fn size(folder: &Path) -> Result<u64, Failure> {
    let failed = |error| file_failure("not read", folder, &error);
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path: PathBuf = entry.map_err(failed)?.path();
        bytes += if path.is_dir() { size(&path)? } else { path.metadata().map_err(failed)?.len() };
    }
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::workspace::test_folder;

    /// The bundle's files, and a program that stands for ours and writes what its options ask for.
    fn bundle(name: &str, program: &str) -> PathBuf {
        let folder = test_folder(name);
        copy_files(&folder).unwrap();
        write_file(&folder.join("langevin"), program).unwrap();
        write_file(&folder.join("COMMIT"), "abc1234\n").unwrap();
        assert!(Command::new("chmod").arg("+x").arg(folder.join("langevin")).status().unwrap().success());
        folder
    }

    const PROGRAM: &str = r#"#!/bin/sh
case $1 in
    info) printf 'A "card" \\ 1\tX | Cpu |\n' ;;
    doctor | bench) while [ $# -gt 1 ]; do [ "$1" = --json ] && echo '{"ok": true}' >"$2"; shift; done ;;
esac
"#;

    fn run_all(folder: &Path, environment: &[(&str, &str)]) -> (std::process::Output, String) {
        let mut command = Command::new("sh");
        command.arg(folder.join("run-all.sh")).args(["--quick", "--out"]).arg(folder.join("a folder"));
        command.current_dir("/").env("PYTHON", "no-such-python").envs(environment.iter().copied());
        let output = command.output().unwrap();
        let result = std::fs::read_to_string(folder.join("a folder/result.json")).unwrap();
        (output, result)
    }

    #[test]
    fn the_script_joins_what_the_steps_wrote() {
        let folder = bundle("bundle", PROGRAM);
        let (output, result) = run_all(&folder, &[]);
        assert!(output.status.success(), "{output:?}");
        assert!(result.starts_with("{\"schema\": 1,\n\"commit\": \"abc1234\",\n"), "{result}");
        assert!(result.contains("\"info\": [\"A \\\"card\\\" \\\\ 1 X | Cpu |\"\n]"), "{result}");
        assert!(result.contains("\"doctor\": {\"exit_code\": 0, \"seconds\": "), "{result}");
        let parts = "\"doctor\": {\"ok\": true}\n,\n\"bench\": {\"ok\": true}\n,\n\"torch\": null\n,\n\"jax\": null\n}\n";
        assert!(result.ends_with(parts), "{result}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_step_that_fails_does_not_keep_the_others() {
        let program =
            PROGRAM.replace("esac", "esac\n[ \"$first\" != doctor ]").replace("case", "first=$1\ncase");
        let folder = bundle("bundle-fails", &program);
        let (output, result) = run_all(&folder, &[]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(
            String::from_utf8_lossy(&output.stderr).ends_with("These steps failed: doctor\n"),
            "{output:?}"
        );
        assert!(result.contains("\"doctor\": {\"exit_code\": 1, "), "{result}");
        assert!(result.contains("\"bench\": {\"ok\": true}"), "{result}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn only_an_older_bundle_is_replaced() {
        let folder = test_folder("bundle-other");
        write_file(&folder.join("thesis.tex"), "").unwrap();
        assert!(prepare(&folder).unwrap_err().to_string().ends_with("holds something else than a bundle"));
        write_file(&folder.join("run-all.sh"), "").unwrap();
        prepare(&folder).unwrap();
        assert_eq!(size(&folder), Ok(0));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
