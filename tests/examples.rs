//! The examples, as a reader runs them. Those that take long get less to do.

use std::path::Path;

/// An example, what it is given, and what it must print.
struct Example {
    name: &'static str,
    arguments: &'static [&'static str],
    prints: &'static str,
}

const fn example(name: &'static str, arguments: &'static [&'static str], prints: &'static str) -> Example {
    Example { name, arguments, prints }
}

/// Those of this package. FOLDER stands for an empty folder.
const EXAMPLES: [Example; 13] = [
    example("attention", &[], "\nout: ok"),
    example("conv", &[], "out: ok"),
    example("heat", &[], "worst error"),
    example("heat_equation", &["FOLDER", "2"], "mass"),
    example("laplacian", &[], "Fourth, 32 cells"),
    example("matmul", &[], "ok"),
    example("merge", &[], "two halves merged"),
    example("norm", &[], "rotary"),
    example("own_device", &[], "[0.5, 4.0, 1.5, 8.0]"),
    example("own_kernel", &[], "found: "),
    example("quantize", &[], "e5m2: scales"),
    example("reaction_diffusion", &["FOLDER/reaction.png", "20"], "after 20 steps"),
    example("whole_step", &[], "attention: "),
];

#[test]
fn every_example_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in std::fs::read_dir(root.join("examples")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let is_rust = file.extension().is_some_and(|extension| extension == "rs");
        assert!(!is_rust || EXAMPLES.iter().any(|example| example.name == name), "{name} is run by no test");
    }
    if langevin_testkit::gpu().is_none() {
        return;
    }
    for Example { name, arguments, prints } in EXAMPLES {
        let source = root.join("examples").join(name).with_extension("rs");
        let stdout = langevin_testkit::run_example(name, arguments, &source, env!("CARGO_TARGET_TMPDIR"));
        assert!(stdout.contains(prints), "{name} does not print \"{prints}\"");
    }
}

/// The guide shows the example of a program with a device of its own, which fits on a page.
#[test]
fn the_guide_shows_the_example() {
    let read =
        |path: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (example, chapter) = (read("examples/own_device.rs"), read("docs/guide/own-device.md"));
    let main = example[example.find("fn main").unwrap()..].trim_end();
    assert!(chapter.contains(main), "docs/guide/own-device.md differs from examples/own_device.rs");
    assert!(main.lines().count() < 30);
}
