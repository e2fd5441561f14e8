//! The commands of the README and the guide, as a reader runs them.

use crate::documented::{Page, pages};
use crate::files::{Directory, f32s, save};
use crate::process::{command, finished, has_gpu};
use std::collections::HashSet;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The files that a reader has: those of the repository, those that the page shows, and tensors.
fn prepare(directory: &Directory, page: &Page) {
    std::fs::create_dir(directory.path("examples")).unwrap();
    let photograph = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/camera.png");
    std::fs::copy(photograph, directory.path("examples/camera.png")).unwrap();
    let policy = "[[rule]]\ntensors = \"*.*.weight\"\nformat = \"e4m3\"\n";
    std::fs::write(directory.path("policy.toml"), policy).unwrap();
    for (name, text) in page.files() {
        std::fs::write(directory.path(&name), text).unwrap();
    }
    let numbers = |count: usize| (0..count).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>();
    let matrix = |rows: usize, columns: usize| f32s(&[rows, columns], &numbers(rows * columns));
    save(&directory.path("in.safetensors"), &[("a", matrix(2, 3)), ("b", matrix(3, 2))]);
    let model = [("blocks.0.weight", matrix(16, 24)), ("blocks.0.bias", f32s(&[16], &numbers(16)))];
    save(&directory.path("model.safetensors"), &model);
}

#[test]
fn commands_of_the_documentation_run() {
    if !has_gpu() {
        return;
    }
    let mut run = 0;
    for page in pages() {
        let directory = Directory::new("documented");
        prepare(&directory, &page);
        let is_ours = |words: &[String]| words[0] == "langevin";
        for step in page.commands().into_iter().filter(|step| !step.slow && is_ours(&step.words)) {
            let words: Vec<&str> = step.words.iter().skip(1).map(String::as_str).collect();
            let started = Instant::now();
            let output = command(&words).current_dir(directory.path("")).output().unwrap();
            let end = finished(output);
            println!("{}: {words:?}: {:.1} s", step.place, started.elapsed().as_secs_f64());
            assert_eq!(end.code, Some(0), "{}: {words:?}: {end:?}", step.place);
            run += 1;
        }
    }
    assert!(run > 15, "{run}");
}

/// What a slow command gets before it is stopped, unless `LANGEVIN_DOCS=whole` asks for all of it.
const BEGINNING: Duration = Duration::from_secs(6);

/// Runs a slow command to its end, or for the beginning of it: then `None`. It must not fail either way.
fn begin(words: &[&str], directory: &Directory) -> Option<i32> {
    let whole = std::env::var("LANGEVIN_DOCS").is_ok_and(|value| value == "whole");
    let file = |name: &str| std::fs::File::create(directory.path(name)).unwrap();
    let mut command = command(words);
    command
        .current_dir(directory.path(""))
        .stdin(Stdio::null())
        .stdout(file("stdout"))
        .stderr(file("stderr"));
    let mut child = command.spawn().unwrap();
    let started = Instant::now();
    loop {
        match child.try_wait().unwrap() {
            Some(status) => return Some(status.code().unwrap_or(-1)),
            None if whole || started.elapsed() < BEGINNING => std::thread::sleep(Duration::from_millis(50)),
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                return None;
            }
        }
    }
}

/// The slow commands of a page, in their order; how many there were.
fn begin_page(page: &Page) -> usize {
    let directory = Directory::new("documented-slow");
    prepare(&directory, page);
    let ours = page.commands().into_iter().filter(|step| step.slow && step.words[0] == "langevin");
    let (mut begun, mut missing) = (0, HashSet::new());
    for step in ours {
        let words: Vec<&str> = step.words.iter().skip(1).map(String::as_str).collect();
        let files = || step.words.iter().filter(|word| word.contains('.') && !word.starts_with('-'));
        // It reads what a command would have written that was stopped.
        if files().any(|file| missing.contains(file)) {
            continue;
        }
        let code = begin(&words, &directory);
        let read = |name: &str| std::fs::read_to_string(directory.path(name)).unwrap();
        let (stdout, stderr) = (read("stdout"), read("stderr"));
        assert!(matches!(code, None | Some(0)), "{}: {words:?}: {code:?}\n{stdout}\n{stderr}", step.place);
        assert!(!stderr.contains("panicked"), "{}: {stderr}", step.place);
        if code.is_none() {
            missing.extend(files().cloned());
        }
        begun += 1;
    }
    begun
}

#[test]
fn slow_commands_of_the_documentation_begin() {
    if !has_gpu() {
        return;
    }
    let pages = pages();
    let begun: usize = std::thread::scope(|scope| {
        let running: Vec<_> = pages.iter().map(|page| scope.spawn(move || begin_page(page))).collect();
        running.into_iter().map(|page| page.join().unwrap()).sum()
    });
    assert!(begun > 15, "{begun}");
}
