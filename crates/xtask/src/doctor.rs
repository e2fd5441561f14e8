//! `cargo xtask doctor`: every kernel's full check on every software driver, and through Dawn, a WebGPU implementation that
//! shares no code with wgpu.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::driver::Driver;
use crate::process::{Failure, capture, file_failure, remove_folder, run as run_command};
use crate::test::is_the_driver;
use crate::workspace::{cargo, langevin, root, show_adapter, target_folder};

/// How the cases of a kernel are divided among processes where one would take too much memory.
const SHARES: [&str; 4] = ["1/4", "2/4", "3/4", "4/4"];

/// Dawn's bindings for Node.js and the script that uses them.
const DAWN: &str = "tests/dawn";

pub(crate) fn run() -> Result<(), Failure> {
    // All are looked for before anything is built, so that a missing one is known at once.
    let mesa26 = Driver::mesa26()?;
    let drivers = [Driver::stock()?, mesa26.clone(), Driver::swiftshader()?];
    let dawn = Dawn::install(mesa26)?;
    // As for the tests, of which most is built already.
    run_command(cargo().args(["test", "--workspace", "--no-run"]))?;
    let program = langevin("debug")?;
    for driver in &drivers {
        println!("\n== driver {} ==", driver.name);
        show_adapter(&program, driver).and_then(|adapter| is_the_driver(driver, adapter))?;
        if driver.name == "swiftshader" {
            // It keeps what it compiled: all kernels in one process take more than 24 GB, matmul alone 16.
            for kernel in kernels()? {
                for share in SHARES {
                    let what = ["doctor", "--full", "--kernel", &kernel, "--share", share];
                    run_command(driver.command(&program).args(what))?;
                }
            }
        } else {
            run_command(driver.command(&program).args(["doctor", "--full"]))?;
        }
    }
    println!("\n== Dawn ==");
    dawn.compile_every_shader()?;
    dawn.run_the_cases(&program)
}

/// Dawn under a driver that has all it asks for, which the system's may not.
struct Dawn {
    driver: Driver,
    node: PathBuf,
}

impl Dawn {
    fn install(driver: Driver) -> Result<Self, Failure> {
        let print_path = ["--print", "process.execPath"];
        let node = capture(Command::new("node").args(print_path)).map_err(|failure| {
            Failure::new(format!("{failure}; Dawn runs in Node.js 18 or newer, with npm beside it"))
        })?;
        let quietly = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"];
        run_command(Command::new("npm").args(quietly).current_dir(root().join(DAWN)))?;
        Ok(Self { driver, node: node.trim().into() })
    }

    fn script(&self, command: &str, folder: &Path) -> Result<(), Failure> {
        let script = root().join(DAWN).join("run.mjs");
        run_command(self.driver.command(&self.node).arg(script).arg(command).arg(folder))
    }

    /// Every shader that the tests compose, through Tint, which also knows where a barrier may stand.
    fn compile_every_shader(&self) -> Result<(), Failure> {
        let folder = empty_folder("wgsl")?;
        run_command(
            cargo()
                .args(["test", "--quiet", "--workspace", "--test", "shaders"])
                .env("LANGEVIN_WGSL_DIR", &folder),
        )?;
        self.script("compile", &folder)
    }

    fn run_the_cases(&self, program: &Path) -> Result<(), Failure> {
        let folder = empty_folder("dawn")?;
        let doctor = |option| run_command(self.driver.command(program).args(["doctor", option]).arg(&folder));
        doctor("--export")?;
        self.script("jobs", &folder)?;
        doctor("--judge")
    }
}

/// Every kernel: the files of `kernels` that name a plan.
fn kernels() -> Result<Vec<String>, Failure> {
    let folder = root().join("kernels");
    let files = std::fs::read_dir(&folder).map_err(|error| file_failure("not read", &folder, &error))?;
    let is_kernel = |path: &PathBuf| {
        std::fs::read_to_string(path)
            .is_ok_and(|text| text.contains("pub type ") && text.contains(" = Plan<"))
    };
    let paths = files.filter_map(|file| Some(file.ok()?.path())).filter(is_kernel);
    let mut names: Vec<String> =
        paths.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort_unstable();
    Ok(names)
}

/// An empty folder in Cargo's target folder.
fn empty_folder(name: &str) -> Result<PathBuf, Failure> {
    let folder = target_folder()?.join(name);
    remove_folder(&folder)?;
    std::fs::create_dir_all(&folder).map_err(|error| file_failure("not created", &folder, &error))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_found_by_their_plans() {
        let names = kernels().unwrap();
        for name in ["attention", "heat", "matmul", "unpatchify"] {
            assert!(names.iter().any(|other| other == name), "{names:?}");
        }
        for name in ["lib", "plan", "recipe", "kernel", "guide"] {
            assert!(names.iter().all(|other| other != name), "{names:?}");
        }
    }
}
