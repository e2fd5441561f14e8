//! `cargo xtask doctor`: every kernel's check on every software driver, and through Dawn, a WebGPU implementation that
//! shares no code with wgpu.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::driver::Driver;
use crate::process::{Failure, capture, file_failure, remove_folder, run as run_command};
use crate::test::is_the_driver;
use crate::workspace::{cargo, langevin, root, show_adapter};

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
        run_command(driver.command(&program).arg("doctor"))?;
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

/// An empty folder in `target`.
fn empty_folder(name: &str) -> Result<PathBuf, Failure> {
    let folder = root().join("target").join(name);
    remove_folder(&folder)?;
    std::fs::create_dir_all(&folder).map_err(|error| file_failure("not created", &folder, &error))?;
    Ok(folder)
}
