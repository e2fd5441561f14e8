//! Damaged files: every one is read or refused with one sentence, and nothing is left behind.
//!
//! `LANGEVIN_FUZZ_SECONDS` makes each test last so long.

use crate::files::{Directory, f32s, save};
use crate::process::{has_gpu, langevin, text};
use langevin::reference::random::Draw;
use std::fs;
use std::time::{Duration, Instant};

/// One to four things wrong with a file, mostly near its start, where its header is.
fn damaged(file: &[u8], seed: u64) -> Vec<u8> {
    let (mut bytes, mut draw) = (file.to_vec(), Draw::new(seed, 0));
    for _ in 0..=draw.below(4) {
        let kind = draw.below(6);
        let end = if draw.rarely(3) { bytes.len() } else { bytes.len().min(64) };
        let at = draw.below(end);
        let any = draw.bits() as u8;
        let value = draw.one(&[0, 1, b'{', b'"', b'9', 0x7f, 0xff, any]);
        match kind {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), value),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if at < bytes.len() => bytes[at] ^= 1 << draw.below(8),
            4 => {
                let piece = bytes[at.min(bytes.len())..].to_vec();
                bytes.extend(piece);
            }
            _ if at < bytes.len() => bytes[at] = value,
            _ => {}
        }
    }
    bytes
}

/// Runs the program on damaged copies of `file`; the other files stay as they are.
fn every_damage(directory: &Directory, name: &str, file: &[u8], out: &str, arguments: &[&str]) {
    let seconds = std::env::var("LANGEVIN_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let time = seconds.map(Duration::from_secs);
    let (started, path) = (Instant::now(), directory.path(name));
    let (mut seed, mut refused) = (0, 0);
    while time.map_or(seed < 24, |time| started.elapsed() < time) {
        let bytes = damaged(file, seed);
        fs::write(&path, &bytes).unwrap();
        let before = directory.files();
        let finished = langevin(arguments);
        if finished.code == Some(0) {
            fs::remove_file(directory.path(out)).unwrap();
        } else {
            let sentence = finished.fails();
            assert!(sentence.len() < 1000, "seed {seed}: {sentence}");
            refused += 1;
        }
        assert_eq!(directory.files(), before, "seed {seed}");
        seed += 1;
    }
    println!("{name}: {seed} damaged, {refused} refused");
    assert!(refused > 0, "no damage was noticed");
}

#[test]
fn tensors() {
    let directory = Directory::new("damaged-tensors");
    let [path, out] = ["in.safetensors", "out.safetensors"].map(|name| directory.path(name));
    save(&path, &[("a", f32s(&[2, 3], &[1.0; 6])), ("b", f32s(&[3, 2], &[2.0; 6]))]);
    let file = fs::read(&path).unwrap();
    let arguments = ["run", "matmul", "--input", text(&path), "--output", text(&out), "--cpu"];
    every_damage(&directory, "in.safetensors", &file, "out.safetensors", &arguments);
}

#[test]
fn policies() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("damaged-policies");
    let [path, policy, out] =
        ["model.safetensors", "policy.toml", "q.safetensors"].map(|name| directory.path(name));
    save(&path, &[("a.weight", f32s(&[2, 3], &[1.0; 6]))]);
    let file = "[[rule]]\ntensors = \"*.weight\"\nformat = \"e4m3\"\ngranularity = { per_group = 2 }\n";
    let arguments = ["quantize", text(&path), "--policy", text(&policy), "--out", text(&out)];
    every_damage(&directory, "policy.toml", file.as_bytes(), "q.safetensors", &arguments);
}

#[test]
fn pictures() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("damaged-pictures");
    let [path, out] = ["in.png", "out.png"].map(|name| directory.path(name));
    image::GrayImage::from_fn(9, 7, |x, y| image::Luma([(x * y * 4) as u8])).save(&path).unwrap();
    let file = fs::read(&path).unwrap();
    let arguments = ["heat", text(&path), "--time", "0.5", "--out", text(&out)];
    every_damage(&directory, "in.png", &file, "out.png", &arguments);
}

/// Well-formed numbers that no clock gives.
#[test]
fn records_of_impossible_numbers_are_refused() {
    let directory = Directory::new("impossible");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/records");
    let record = fs::read_to_string(root.join("h200-580.159.04-2026-11-27.json")).unwrap();
    let path = directory.path("record.json");
    for (pointer, value) in [("/ceilings/copy_bytes", 0.0), ("/rows/0/timing/gpu_seconds/median", -1e-3)] {
        let mut json: serde_json::Value = serde_json::from_str(&record).unwrap();
        *json.pointer_mut(pointer).unwrap() = value.into();
        fs::write(&path, json.to_string()).unwrap();
        for command in [&["bench", "--from"][..], &["plan", "--ceilings"]] {
            let error = langevin(&[command, &[text(&path)]].concat()).fails();
            assert!(error.contains("must be from"), "{error}");
        }
    }
}

/// What a program reads is not what it overwrites.
#[test]
fn an_input_is_no_output() {
    let directory = Directory::new("overwrite");
    let path = directory.path("in.safetensors");
    save(&path, &[("a", f32s(&[1, 1], &[2.0])), ("b", f32s(&[1, 1], &[3.0]))]);
    let before = fs::read(&path).unwrap();
    let same = text(&path);
    for arguments in [
        &["run", "matmul", "--input", same, "--output", same][..],
        &["heat", same, "--time", "1", "--out", same],
    ] {
        let error = langevin(arguments).fails();
        assert!(error.contains("must be two files") || error.contains("PNG"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    if has_gpu() {
        let report = directory.path("report");
        let error = langevin(&["doctor", "--json", text(&report), "--html", text(&report)]).fails();
        assert!(error.contains("must be two files"), "{error}");
    }
}
