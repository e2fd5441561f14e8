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
