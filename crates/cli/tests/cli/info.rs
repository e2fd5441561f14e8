use crate::process::{command, finished, has_gpu, langevin};
use std::process::Stdio;

#[test]
fn help_names_every_command_and_usage_errors_exit_with_2() {
    let help = langevin(&["--help"]).succeeds();
    for command in ["info", "doctor", "bench", "run", "heat", "generate"] {
        assert!(help.contains(command), "{help}");
        assert!(langevin(&[command, "--help"]).succeeds().contains("Example:"));
    }
    langevin(&[]).fails_as_usage();
    langevin(&["infoo"]).fails_as_usage();
    langevin(&["info", "--bref"]).fails_as_usage();
}

#[test]
fn info_describes_every_adapter() {
    if !has_gpu() {
        return;
    }
    let brief = langevin(&["info", "--brief"]).succeeds();
    let full = langevin(&["info"]).succeeds();
    for line in brief.lines() {
        let columns: Vec<_> = line.split(" | ").collect();
        assert_eq!(columns.len(), 5, "{line}");
        assert!(columns[4].contains("portable"), "{line}");
        assert!(full.lines().any(|line| line == columns[0]), "{full}");
    }
    for name in ["backend", "driver", "tiers", "features", "cooperative matrix", "largest binding"] {
        assert!(full.contains(name), "{full}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = command(&["run", "--help"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let help = finished(child.wait_with_output().unwrap());
    assert_eq!(help.stderr, "");
    let mut child =
        command(&["info"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    drop(child.stdout.take());
    let info = finished(child.wait_with_output().unwrap());
    if has_gpu() {
        assert_eq!((info.code, info.stderr.as_str()), (Some(0), ""));
    }
}

#[test]
fn without_a_driver_the_error_says_what_to_install() {
    let mut command = command(&["info"]);
    // No driver's manifest: the loader finds no Vulkan device. On other systems the adapter stays.
    let output =
        command.env("VK_DRIVER_FILES", "/absent.json").env("VK_ICD_FILENAMES", "/absent.json").output();
    let info = finished(output.unwrap());
    if info.code != Some(0) {
        assert!(info.fails().starts_with("no GPU adapter found; install a driver"));
    }
}
