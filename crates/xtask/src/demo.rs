//! `cargo xtask demo`: both diffusions on whatever driver the machine has.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::args::DemoOptions;
use crate::driver::Driver;
use crate::process::{Failure, run as run_command};
use crate::workspace::{cargo, langevin, root, show_adapter};

/// Long enough to blur fine detail, short enough to leave the picture recognisable: a Gaussian of 4 pixels, as
/// the variance is 2 D T with D = 1.
const HEAT_TIME: &str = "8";

const PHOTOGRAPH: &str = "examples/camera.png";

pub(crate) fn run(options: &DemoOptions) -> Result<(), Failure> {
    let started = Instant::now();
    let driver = Driver::current()?;
    run_command(cargo().args(["build", "--release", "--package", "langevin-cli"]))?;
    let program = langevin("release")?;
    show_adapter(&program, &driver)?;
    let folder = prepare(options)?;
    let mut pictures = Vec::new();
    for (name, arguments) in commands() {
        let picture = folder.join(name);
        let mut command = driver.command(&program);
        run_command(command.current_dir(root()).args(arguments).arg("--out").arg(&picture))?;
        check_picture(&picture)?;
        pictures.push(picture);
    }
    println!(
        "\nEvery command passed its checks, in {} s with the build. The pictures:",
        started.elapsed().as_secs()
    );
    println!("  {} (the photograph)", root().join(PHOTOGRAPH).display());
    for picture in pictures {
        println!("  {}", picture.display());
    }
    Ok(())
}

/// The pictures and the arguments that make them.
fn commands() -> Vec<(&'static str, Vec<&'static str>)> {
    let generate = |weights| {
        let fixed = [
            "generate",
            "--check",
            "--digits",
            "0123456789",
            "--steps",
            "30",
            "--guidance",
            "2",
            "--seed",
            "7",
        ];
        fixed.into_iter().chain(["--weights", weights]).collect()
    };
    vec![
        ("heat.png", vec!["heat", PHOTOGRAPH, "--time", HEAT_TIME]),
        ("digits-f32.png", generate("f32")),
        ("digits-e4m3.png", generate("e4m3")),
    ]
}

/// The folder for the pictures, without those of an earlier run.
fn prepare(options: &DemoOptions) -> Result<PathBuf, Failure> {
    let folder = match &options.out {
        Some(folder) => std::path::absolute(folder),
        None => Ok(root().join("target/demo")),
    };
    let folder = folder.map_err(|error| Failure::new(format!("the folder given with --out: {error}")))?;
    std::fs::create_dir_all(&folder)
        .map_err(|error| Failure::new(format!("the folder {} was not created: {error}", folder.display())))?;
    for (name, _) in commands() {
        let _ = std::fs::remove_file(folder.join(name));
    }
    Ok(folder)
}

/// The program promises a whole picture or none.
fn check_picture(path: &Path) -> Result<(), Failure> {
    const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::new(format!("the picture {} was not written: {error}", path.display())))?;
    if bytes.starts_with(PNG_SIGNATURE) {
        return Ok(());
    }
    Err(Failure::new(format!("{} is no PNG picture", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::test_folder;

    #[test]
    fn the_digits_are_made_in_both_formats() {
        let lines: Vec<String> =
            commands().iter().map(|(name, words)| format!("{name}: {}", words.join(" "))).collect();
        assert_eq!(lines[0], "heat.png: heat examples/camera.png --time 8");
        assert!(lines[1].starts_with("digits-f32.png: generate ") && lines[1].ends_with(" --weights f32"));
        assert!(lines[2].starts_with("digits-e4m3.png: generate ") && lines[2].ends_with(" --weights e4m3"));
    }

    #[test]
    fn pictures_of_an_earlier_run_do_not_count() {
        let folder = test_folder("demo");
        let picture = folder.join("heat.png");
        std::fs::write(&picture, b"\x89PNG\r\n\x1a\n...").unwrap();
        assert_eq!(check_picture(&picture), Ok(()));
        prepare(&DemoOptions { out: Some(folder.clone()) }).unwrap();
        assert!(check_picture(&picture).unwrap_err().to_string().contains("was not written"));
        std::fs::write(&picture, b"GIF89a").unwrap();
        assert!(check_picture(&picture).unwrap_err().to_string().ends_with("is no PNG picture"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
