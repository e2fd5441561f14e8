//! The developer commands, called as `cargo xtask COMMAND`: they set up a Vulkan driver where there is none, then
//! build, test, check or show the workspace.
#![forbid(unsafe_code)]

mod apt;
mod args;
mod bundle;
mod demo;
mod doctor;
#[cfg(test)]
#[allow(dead_code, reason = "the tests of the program's package use the rest")]
#[path = "../../cli/src/documented.rs"]
mod documented;
mod driver;
mod lint;
mod mesa26;
mod mutate;
mod mutations;
mod process;
#[cfg(test)]
mod public_api;
mod record;
mod sources;
mod swiftshader;
mod test;
mod validate;
mod vulkan;
mod workspace;

use std::process::ExitCode;

use args::{Action, USAGE};
use process::Failure;

fn main() -> ExitCode {
    let action = match args::parse(std::env::args_os().skip(1)) {
        Ok(action) => action,
        Err(failure) => {
            eprintln!("error: {failure}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match perform(action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn perform(action: Action) -> Result<(), Failure> {
    match action {
        Action::Help => {
            println!("{USAGE}");
            Ok(())
        }
        Action::Setup => {
            vulkan::ensure_system_driver().map(|()| println!("A Vulkan loader and driver are installed."))
        }
        Action::SetupMesa26 { mirror } => mesa26::set_up(mirror),
        Action::SetupSwiftshader { mirror } => swiftshader::set_up(mirror),
        Action::Doctor => doctor::run(),
        Action::Test(options) => test::run(&options),
        Action::Lint => lint::run(),
        Action::Validate { cargo_args } => validate::run(&cargo_args),
        Action::Mutate(options) => mutate::run(&options),
        Action::Demo(options) => demo::run(&options),
        Action::Bundle { out } => bundle::run(out.as_deref()),
        Action::Record { file } => record::run(&file),
        Action::Records { write } => record::publish(write),
        Action::Under { driver, program } => test::run_program_under(&driver, &program),
    }
}
