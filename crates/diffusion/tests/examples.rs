//! The examples, as a reader runs them, with less to do.

use std::path::Path;

#[test]
fn the_examples_run() {
    if langevin_testkit::gpu().is_none() {
        return;
    }
    let run = |name: &str, arguments: &[&str]| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).with_extension("rs");
        langevin_testkit::run_example(name, arguments, &source, env!("CARGO_TARGET_TMPDIR"))
    };
    let digits = run("generate_digits", &["2"]);
    assert!(digits.lines().count() == 9 && digits.contains('@'));
    let report = run("quantize_file", &[]);
    assert!(report.contains("model.layer.weight: F32 to F8_E4M3"));
    assert!(
        report.contains("model.layer.bias: F32 to F32") && report.contains("model.head.weight: F32 to BF16")
    );
}
