//! Another crate, outside the workspace, with its own device and queue, records matmul and attention into its own encoder.

use std::path::Path;
use std::process::Command;

#[test]
fn another_crate_records_into_its_own_encoder() {
    if langevin_testkit::gpu().is_none() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let downstream = root.join("tests/downstream");
    // The workspace's versions, so that nothing has to be fetched; Cargo drops what this crate does not use.
    std::fs::copy(root.join("Cargo.lock"), downstream.join("Cargo.lock")).unwrap();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    let output = Command::new(env!("CARGO"))
        .args(["run", "--offline", "--quiet", "--manifest-path"])
        .arg(downstream.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{stdout}");
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(stdout.contains("matmul out: ok") && stdout.contains("attention out: ok"), "{stdout}");
}
