//! The commands of the README and the guide, as a reader runs them.

use crate::documented::{Page, pages};
use crate::files::{Directory, f32s, save};
use crate::process::{command, finished, has_gpu};
use std::path::Path;
use std::time::Instant;

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
