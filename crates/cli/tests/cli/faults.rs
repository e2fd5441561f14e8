//! A disk that is full and a program that is killed while it writes: files are whole or absent.
#![cfg(unix)]

use crate::files::{Directory, f32s, load, save};
use crate::process::{Finished, command, finished, text};
use std::process::Command;

/// The program where no file may grow beyond 4 KiB: a write then fails, or, unless that is `noticed`, kills it.
fn on_a_small_disk(arguments: &[&str], noticed: bool) -> Finished {
    let program = command(arguments);
    let ignore = if noticed { "trap '' XFSZ; " } else { "" };
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("ulimit -c 0; ulimit -f 8; {ignore}exec \"$@\"")).arg("sh");
    shell.arg(program.get_program()).args(program.get_args()).env("NODEVICE_SELECT", "1");
    finished(shell.output().expect("a shell"))
}

/// A cast whose result takes 16 KiB.
fn cast(directory: &Directory) -> [String; 2] {
    let [from, to] = ["in.safetensors", "out.safetensors"].map(|name| directory.path(name));
    save(&from, &[("x", f32s(&[4096], &[1.5; 4096]))]);
    [from, to].map(|path| text(&path).to_owned())
}

#[test]
fn a_full_disk_is_one_sentence_and_leaves_nothing() {
    let directory = Directory::new("full-disk");
    let [from, to] = cast(&directory);
    let arguments =
        ["run", "cast", "--input", &from, "--output", &to, "--cpu", "--desc", r#"{"out": "f32"}"#];
    let sentence = on_a_small_disk(&arguments, true).fails();
    assert!(sentence.contains("out.safetensors") && sentence.contains("File too large"), "{sentence}");
    assert_eq!(directory.files(), ["in.safetensors"]);
}

#[test]
fn what_was_there_before_a_kill_stays_whole() {
    let directory = Directory::new("killed");
    let [from, to] = cast(&directory);
    let before = f32s(&[2], &[3.0, 4.0]);
    save(to.as_ref(), &[("out", before.clone())]);
    let arguments =
        ["run", "cast", "--input", &from, "--output", &to, "--cpu", "--desc", r#"{"out": "f32"}"#];
    let killed = on_a_small_disk(&arguments, false);
    assert_eq!(killed.code, None, "{killed:?}");
    assert_eq!(load(to.as_ref(), "out"), before);
    let others: Vec<String> =
        directory.files().into_iter().filter(|name| !name.ends_with(".safetensors")).collect();
    assert!(others.iter().all(|name| name.ends_with(".tmp")), "{others:?}");
}
