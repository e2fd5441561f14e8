use crate::files::Directory;
use crate::process::{has_gpu, langevin, text};
use image::{GrayImage, Luma, Rgba, RgbaImage};
use std::fs;
use std::path::Path;

const PHOTOGRAPH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/camera.png");

/// A small picture with sharp edges; two of its borders are bright, so that every kind of border shows.
fn picture(directory: &Directory) -> std::path::PathBuf {
    let path = directory.path("in.png");
    let bright = |x: u32, y: u32| if (x / 5 + y / 7).is_multiple_of(2) { 240 } else { 15 };
    GrayImage::from_fn(40, 33, |x, y| Luma([bright(x, y)])).save(&path).unwrap();
    path
}

fn gray(path: &Path) -> GrayImage {
    image::open(path).unwrap().into_luma8()
}

#[test]
fn the_photograph_spreads_and_passes_every_check() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("heat-photograph");
    let out = directory.path("out.png");
    let report = langevin(&["heat", PHOTOGRAPH, "--time", "2", "--out", text(&out)]).succeeds();
    for line in [
        "adapter",
        "512 x 512, gray of 8 bits, neumann",
        "mass     ok",
        "range    ok",
        "blur     ok",
        "9 steps",
    ] {
        assert!(report.contains(line), "no {line} in {report}");
    }
    let (before, after) = (gray(Path::new(PHOTOGRAPH)), gray(&out));
    assert_eq!(after.dimensions(), (512, 512));
    let roughness = |image: &GrayImage| -> u64 {
        image
            .rows()
            .map(|row| {
                let row: Vec<u8> = row.map(|pixel| pixel.0[0]).collect();
                row.windows(2).map(|pair| u64::from(pair[0].abs_diff(pair[1]))).sum::<u64>()
            })
            .sum()
    };
    assert!(2 * roughness(&after) < roughness(&before));
}

#[test]
fn the_reference_and_the_kernel_make_the_same_picture() {
    if !has_gpu() {
        return;
    }
    let directory = Directory::new("heat-twin");
    let photo = picture(&directory);
    for border in ["periodic", "dirichlet", "neumann"] {
        let run = |name: &str, options: &[&str]| {
            let out = directory.path(name);
            let mut arguments = vec![
                "heat",
                text(&photo),
                "--time",
                "5",
                "--boundary",
                border,
                "--quiet",
                "--out",
                text(&out),
            ];
            arguments.extend(options);
            assert_eq!(langevin(&arguments).succeeds(), "", "--quiet says nothing");
            gray(&out)
        };
        let (gpu, cpu) = (run("gpu.png", &[]), run("cpu.png", &["--cpu"]));
        // A value beside a rounding boundary of 8 bits may fall on either side.
        assert!(gpu.pixels().zip(cpu.pixels()).all(|(a, b)| a.0[0].abs_diff(b.0[0]) <= 1), "{border}");
        let corner = u32::from(gpu.get_pixel(0, 0).0[0]);
        assert_eq!(corner < 60, border == "dirichlet", "{border}: {corner}");
    }
}

#[test]
fn colours_spread_apart_and_alpha_stays() {
    let directory = Directory::new("heat-colours");
    let (photo, out) = (directory.path("in.png"), directory.path("out.png"));
    let image = RgbaImage::from_fn(9, 8, |x, y| {
        Rgba([if x == 4 && y == 4 { 250 } else { 0 }, 100, 0, (x * y) as u8])
    });
    image.save(&photo).unwrap();
    let report = langevin(&["heat", text(&photo), "--time", "1", "--cpu", "--out", text(&out)]).succeeds();
    assert!(report.contains("9 x 8, RGB with alpha of 8 bits"), "{report}");
    let got = image::open(&out).unwrap().into_rgba8();
    for (x, y, pixel) in got.enumerate_pixels() {
        assert_eq!((pixel.0[1], pixel.0[2], pixel.0[3]), (100, 0, (x * y) as u8));
    }
    let red = |x, y| got.get_pixel(x, y).0[0];
    assert!(red(4, 4) < 120 && red(4, 3) > 10 && red(4, 3) == red(3, 4) && red(5, 4) == red(4, 5));
}

#[test]
fn no_time_changes_nothing() {
    let directory = Directory::new("heat-no-time");
    let (photo, out) = (picture(&directory), directory.path("out.png"));
    langevin(&["heat", text(&photo), "--time", "0", "--cpu", "--out", text(&out)]).succeeds();
    assert_eq!(gray(&out), gray(&photo));
}

#[test]
fn bad_input_is_one_sentence_and_leaves_nothing() {
    let directory = Directory::new("heat-bad");
    let (photo, out) = (picture(&directory), directory.path("out.png"));
    let (photo, out) = (text(&photo), text(&out));
    let fails = |arguments: &[&str]| langevin(&[&["heat"], arguments].concat()).fails();

    let unstable = fails(&[photo, "--time", "1", "--dt", "0.3", "--cpu", "--out", out]);
    assert!(
        unstable.contains("at most 0.25, the stability limit") && unstable.ends_with("got 0.3"),
        "{unstable}"
    );
    let endless = fails(&[photo, "--time", "1e30", "--cpu", "--out", out]);
    assert!(endless.contains("steps of 0.225, at most 1000000000 are allowed"), "{endless}");
    let absent = fails(&["absent.png", "--time", "1", "--cpu", "--out", out]);
    assert!(absent.starts_with("cannot read absent.png"), "{absent}");
    let nowhere = fails(&[photo, "--time", "1", "--cpu", "--out", "absent/out.png"]);
    assert!(nowhere.starts_with("cannot write absent/out.png"), "{nowhere}");

    let cut = directory.path("cut.png");
    let bytes = fs::read(photo).unwrap();
    for broken in [&bytes[..bytes.len() / 2], b"not a picture", b""] {
        fs::write(&cut, broken).unwrap();
        let sentence = fails(&[text(&cut), "--time", "1", "--cpu", "--out", out]);
        assert!(sentence.contains("cut.png is no picture that can be used"), "{sentence}");
    }
    assert_eq!(directory.files(), ["cut.png", "in.png"]);

    for wrong in [&["--time", "-1"][..], &["--time", "x"], &["--time", "1", "--boundary", "open"], &[]] {
        langevin(&[&["heat", photo, "--out", out], wrong].concat()).fails_as_usage();
    }
}
