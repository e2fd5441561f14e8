//! The `langevin` program: looks at the machine's GPUs, checks and times every kernel on them, and runs kernels on tensors
//! from files.
//!
//! A command is one variant of [`Command`], one arm of [`Command::run`] and one file.
#![forbid(unsafe_code)]

mod bench;
mod device;
mod doctor;
#[cfg(test)]
#[allow(dead_code, reason = "the tests of the program's package use the rest")]
mod documented;
mod error;
mod evaluate;
mod generate;
mod heat;
mod html;
mod info;
mod model;
mod output;
mod plan;
mod precision;
mod progress;
mod quantize;
mod run;
mod stamp;
mod tensors;

use clap::{Parser, Subcommand};
use error::CliError;
use std::process::ExitCode;

/// Portable GPU compute kernels, each verified against a CPU reference on your own adapter.
#[derive(Debug, Parser)]
#[command(name = "langevin", version, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Info(info::InfoArgs),
    Doctor(doctor::DoctorArgs),
    Bench(bench::BenchArgs),
    Run(run::RunArgs),
    Heat(heat::HeatArgs),
    Generate(generate::GenerateArgs),
    Quantize(quantize::QuantizeArgs),
    Plan(plan::PlanArgs),
    Evaluate(evaluate::EvaluateArgs),
}

impl Command {
    fn run(&self) -> Result<(), CliError> {
        match self {
            Self::Info(args) => info::run(args),
            Self::Doctor(args) => doctor::run(args),
            Self::Bench(args) => bench::run(args),
            Self::Run(args) => run::run(args),
            Self::Heat(args) => heat::run(args),
            Self::Generate(args) => generate::run(args),
            Self::Quantize(args) => quantize::run(args),
            Self::Plan(args) => plan::run(args),
            Self::Evaluate(args) => evaluate::run(args),
        }
    }
}

fn main() -> ExitCode {
    error::report_panics_in_one_sentence();
    // Wrong usage ends here, with exit code 2.
    match Cli::parse().command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use documented::Page;

    /// Who runs a command of a page besides the program: a file that CI runs, or `BY_HAND`.
    fn runs_in(words: &[&str]) -> Option<&'static str> {
        Some(match words {
            [".ci/run"] | ["cargo", "xtask", "setup" | "lint" | "test", ..] => ".ci/run",
            ["cargo", "test", ..] | ["rustup", "component", ..] => ".ci/run",
            ["cargo", "xtask", "demo", ..] => "crates/xtask/src/demo.rs",
            ["cargo", "xtask", "bundle", ..] | ["./run-all.sh", ..] => "crates/xtask/src/bundle.rs",
            ["cargo", "xtask", "record", ..] => "crates/cli/src/bench/published.rs",
            ["cargo", "xtask", "doctor" | "mutate" | "validate", ..] => BY_HAND,
            ["cargo", "run", rest @ ..] if rest.contains(&"--manifest-path") => BY_HAND,
            ["cargo", "run", rest @ ..] => {
                let of_diffusion = rest.windows(2).any(|pair| pair == ["--package", "langevin-diffusion"]);
                let name =
                    rest.iter().position(|&word| word == "--example").and_then(|at| rest.get(at + 1))?;
                let folder = if of_diffusion { "crates/diffusion/" } else { "" };
                root()
                    .join(folder)
                    .join("examples")
                    .join(name)
                    .with_extension("rs")
                    .is_file()
                    .then_some(())?;
                if of_diffusion { "crates/diffusion/tests/examples.rs" } else { "tests/examples.rs" }
            }
            ["cargo", "add", "langevin", "--path", _] | ["cargo", "add", "pollster"] => "tests/downstream.rs",
            ["UPDATE_SNAPSHOTS=yes", "cargo", "test", "--package", "xtask", "public_api"] => {
                "crates/xtask/src/public_api.rs"
            }
            ["cargo", "install", "--path", "crates/cli"] | ["cargo", "bench" | "package", ..] => BY_HAND,
            // Tools that are installed apart.
            ["cargo", "deny" | "hack" | "semver-checks", ..] | ["python", ..] | ["cd", _] => BY_HAND,
            _ => return None,
        })
    }

    const BY_HAND: &str = "";

    fn root() -> std::path::PathBuf {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    #[test]
    fn documented_commands_parse() {
        let mut parsed = 0;
        for command in documented::pages().iter().flat_map(Page::commands) {
            let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
            if words[0] != "langevin" {
                let file = runs_in(&words);
                let is_known = file.is_some_and(|file| root().join(file).exists());
                assert!(is_known, "{}: {words:?} runs nowhere: {file:?}", command.place);
                continue;
            }
            parsed += 1;
            match Cli::try_parse_from(&words) {
                Err(error) if error.use_stderr() => panic!("{}: {words:?}: {error}", command.place),
                _ => {}
            }
        }
        assert!(parsed > 20, "{parsed}");
    }

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
