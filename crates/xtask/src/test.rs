//! `cargo xtask test`: the whole workspace's tests on the drivers asked for.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::args::{DriverChoice, TestOptions};
use crate::driver::Driver;
use crate::process::{Failure, file_failure, run as run_command};
use crate::workspace::{Adapter, cargo, host_triple, langevin, show_adapter, target_folder};

/// Packages whose tests use no GPU: they run on `stock`, or on whatever is there, only.
const CPU_PACKAGES: [&str; 3] = ["langevin-formats", "langevin-reference", "xtask"];

/// Test programs for which one of the drivers that run side by side is enough: package, how the program's name begins, driver.
/// Suites that judge generated pictures take minutes on the faster driver.
const ON_ONE_DRIVER: [(&str, &str, &str); 4] = [
    ("langevin-cli", "", "stock"),
    ("langevin-diffusion", "caching-", "mesa26"),
    ("langevin-diffusion", "digits-", "mesa26"),
    ("langevin-diffusion", "precision-", "mesa26"),
];

/// Set while the suites run on several drivers side by side.
const SIDE_BY_SIDE: &str = "LANGEVIN_SIDE_BY_SIDE";

/// Random cases of each property with `--quick`.
const QUICK_CASES: &str = "16";

/// The oldest Mesa that the driver `mesa26` may turn out to be.
const MESA26: u32 = 26;

pub(crate) fn run(options: &TestOptions) -> Result<(), Failure> {
    let drivers = match options.driver {
        DriverChoice::Current => vec![Driver::current()?],
        DriverChoice::Stock => vec![Driver::stock()?],
        DriverChoice::Mesa26 => vec![Driver::mesa26()?],
        DriverChoice::Swiftshader => vec![Driver::swiftshader()?],
        // Both are looked for before anything is built, so that a missing one is known at once.
        DriverChoice::All => vec![Driver::stock()?, Driver::mesa26()?],
    };
    let (for_cargo, _) = split_at_dashes(&options.cargo_args);
    run_command(cargo().args(["test", "--workspace", "--no-run"]).args(for_cargo))?;
    let (program, logs) = (langevin("debug")?, target_folder()?);
    // A suite keeps one core busy, since a software driver compiles shaders on one: two suites run side by side.
    let rows: Vec<Row> = std::thread::scope(|scope| {
        let (logs, program) = ((drivers.len() > 1).then_some(logs.as_path()), program.as_path());
        let test = |driver| scope.spawn(move || test_on(driver, logs, program, options));
        let running: Vec<_> = drivers.iter().map(test).collect();
        running.into_iter().filter_map(|row| row.join().ok()).collect()
    });
    for row in rows.iter().filter(|_| drivers.len() > 1) {
        let log = log_file(&logs, row.driver);
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        println!("\n== driver {} ({}) ==\n{text}", row.driver, log.display());
    }
    print!("\n{}", table(&rows));
    if rows.len() < drivers.len() {
        return Err(Failure::new("a driver's tests did not come to an end"));
    }
    let failed: Vec<&str> =
        rows.iter().filter_map(|row| row.outcome.as_ref().err()).map(String::as_str).collect();
    if failed.is_empty() { Ok(()) } else { Err(Failure::new(failed.join("; "))) }
}

/// What happened on one driver.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    driver: &'static str,
    version: String,
    adapter: String,
    scope: &'static str,
    outcome: Result<Duration, String>,
}

/// Where a driver's output goes while another driver's tests run.
fn log_file(folder: &Path, driver: &str) -> PathBuf {
    folder.join(format!("test-{driver}.log"))
}

fn test_on(driver: &Driver, logs: Option<&Path>, program: &Path, options: &TestOptions) -> Row {
    println!("\n== driver {} ==", driver.name);
    let scope = scope(driver, options);
    let missing = |sentence: String| Row {
        driver: driver.name,
        version: "missing".to_owned(),
        adapter: "none".to_owned(),
        scope,
        outcome: Err(format!("driver {}: {sentence}", driver.name)),
    };
    let adapter = match show_adapter(program, driver).and_then(|adapter| is_the_driver(driver, adapter)) {
        Ok(adapter) => adapter,
        Err(failure) => return missing(failure.to_string()),
    };
    let started = Instant::now();
    let redirected = |mut command: Command| -> Result<Command, Failure> {
        if let Some(folder) = logs {
            let path = log_file(folder, driver.name);
            let failed = |error| file_failure("not created", &path, &error);
            let file = std::fs::File::create(&path).map_err(failed)?;
            command.stdout(file.try_clone().map_err(failed)?).stderr(file);
        }
        Ok(command)
    };
    let outcome = test_command(driver, options)
        .and_then(redirected)
        .and_then(|mut command| run_command(&mut command))
        .map(|()| started.elapsed())
        .map_err(|failure| format!("driver {}: {failure}", driver.name));
    Row { driver: driver.name, version: adapter.driver, adapter: adapter.name, scope, outcome }
}

fn scope(driver: &Driver, options: &TestOptions) -> &'static str {
    match options {
        _ if !options.cargo_args.is_empty() => "as chosen",
        _ if driver.needs_runner() => "GPU suites",
        _ if options.driver == DriverChoice::All => "all suites but pictures, examples",
        _ if options.quick => "all suites, quick",
        _ => "all suites, examples",
    }
}

/// A driver that was asked for by name must be the one that answers.
pub(crate) fn is_the_driver(driver: &Driver, adapter: Adapter) -> Result<Adapter, Failure> {
    let right = match driver.name {
        "stock" => adapter.mesa_major().is_some(),
        "mesa26" => adapter.mesa_major().is_some_and(|major| major >= MESA26),
        "swiftshader" => adapter.name.contains("SwiftShader"),
        _ => true,
    };
    let expected = match driver.name {
        "mesa26" => "Mesa 26 or newer",
        "swiftshader" => "SwiftShader",
        _ => "Mesa's software driver",
    };
    if right {
        return Ok(adapter);
    }
    Err(Failure::new(format!("expected {expected}, got {} with {}", adapter.name, adapter.driver)))
}

fn test_command(driver: &Driver, options: &TestOptions) -> Result<Command, Failure> {
    let mut command = cargo();
    command.args(["test", "--workspace"]);
    if options.driver == DriverChoice::All {
        // Nobody watches: one run reports everything that fails.
        command.arg("--no-fail-fast");
    }
    command.args(target_args(driver, options)).args(&options.cargo_args);
    if options.quick {
        command.env("PROPTEST_CASES", QUICK_CASES);
    }
    prepare(&mut command, driver)?;
    if options.driver == DriverChoice::All {
        command.env(SIDE_BY_SIDE, "1");
        run_under(&mut command, driver)?;
    }
    Ok(command)
}

/// Makes a `cargo test` run on a driver, which must be there.
pub(crate) fn prepare(command: &mut Command, driver: &Driver) -> Result<(), Failure> {
    command.env("REQUIRE_GPU", "1");
    driver.select(command);
    if driver.needs_runner() { run_under(command, driver) } else { Ok(()) }
}

/// Makes Cargo start the test programs by this one, which knows what to pass over. It is no part of Cargo's fingerprints:
/// nothing is built again.
fn run_under(command: &mut Command, driver: &Driver) -> Result<(), Failure> {
    let this = std::env::current_exe().map_err(|error| Failure::new(format!("where xtask runs: {error}")))?;
    let variable = format!("CARGO_TARGET_{}_RUNNER", host_triple()?.replace('-', "_").to_uppercase());
    command.env(variable, format!("{} under {}", this.display(), driver.name));
    Ok(())
}

/// Leaves the documentation examples out where they cost more than they tell, unless the user chooses targets.
fn target_args(driver: &Driver, options: &TestOptions) -> &'static [&'static str] {
    let suites_only = options.quick || driver.needs_runner();
    if suites_only && options.cargo_args.is_empty() { &["--tests"] } else { &[] }
}

/// Separates what is meant for Cargo from what it hands to the test programs.
fn split_at_dashes(words: &[OsString]) -> (&[OsString], &[OsString]) {
    words.split_at(words.iter().position(|word| word == "--").unwrap_or(words.len()))
}

/// What Cargo calls as its runner: starts a test program on a driver, or passes over one that need not run on it.
pub(crate) fn run_program_under(driver: &OsStr, words: &[OsString]) -> Result<(), Failure> {
    let driver = match driver.to_str() {
        Some("stock") => Driver::stock()?,
        Some("mesa26") => Driver::mesa26()?,
        _ => return Err(Failure::new(format!("`under` is Cargo's runner: no driver {}", driver.display()))),
    };
    let (program, arguments) =
        words.split_first().ok_or_else(|| Failure::new("`under` is Cargo's runner and needs a program"))?;
    let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
    let side_by_side = std::env::var_os(SIDE_BY_SIDE).is_some();
    if let Some(reason) = passed_over(driver.name, &package, Path::new(program), side_by_side) {
        println!("skipped on this driver: {reason}");
        return Ok(());
    }
    let mut command = driver.command(program.as_ref());
    command.args(arguments);
    replace_this_process(&mut command)
}

/// Why a test program need not run on this driver.
fn passed_over(driver: &str, package: &str, program: &Path, side_by_side: bool) -> Option<String> {
    if CPU_PACKAGES.contains(&package) {
        return (driver != "stock").then(|| format!("{package} uses no GPU"));
    }
    let name = program.file_stem()?.to_str()?;
    let is_it = |(of, begins, _): &&(&str, &str, &str)| *of == package && name.starts_with(begins);
    let (.., enough) = ON_ONE_DRIVER.iter().find(is_it).filter(|_| side_by_side)?;
    (*enough != driver).then(|| format!("{package} {name} runs on {enough} beside it"))
}

/// Signals and the exit code then are the program's own.
#[cfg(unix)]
fn replace_this_process(command: &mut Command) -> Result<(), Failure> {
    let error = std::os::unix::process::CommandExt::exec(command);
    Err(Failure::new(format!("the test program did not start: {error}")))
}

#[cfg(not(unix))]
fn replace_this_process(command: &mut Command) -> Result<(), Failure> {
    run_command(command)
}

fn table(rows: &[Row]) -> String {
    let mut lines = vec![["driver", "version", "adapter", "tests", "result"].map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        let result = match &row.outcome {
            Ok(duration) => format!("passed in {} s", duration.as_secs()),
            Err(_) => "FAILED".to_owned(),
        };
        [row.driver.to_owned(), row.version.clone(), row.adapter.clone(), row.scope.to_owned(), result]
    }));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..5).map(width).collect();
    let padded = |line: &[String; 5]| {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    lines.iter().map(padded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn test_program_arguments_do_not_reach_the_build() {
        let all = words("--test matmul -- --nocapture");
        assert_eq!(split_at_dashes(&all).0, words("--test matmul"));
        assert_eq!(split_at_dashes(&all[..2]).0, words("--test matmul"));
    }

    #[test]
    fn chosen_targets_are_left_alone() {
        let driver = Driver::any();
        let mut options = TestOptions::default();
        assert_eq!(target_args(&driver, &options), [""; 0]);
        options.quick = true;
        assert_eq!(target_args(&driver, &options), ["--tests"]);
        options.cargo_args = words("--test matmul");
        assert_eq!(target_args(&driver, &options), [""; 0]);
    }

    #[test]
    fn one_driver_is_enough_for_some_programs() {
        let passed = |driver, package, name, side_by_side| {
            passed_over(driver, package, Path::new(name), side_by_side).is_some()
        };
        // Beside another driver it leaves the pictures to that; alone it runs everything.
        assert!(passed("stock", "langevin-diffusion", "deps/digits-0123", true));
        assert!(!passed("stock", "langevin-diffusion", "deps/digits-0123", false));
        for (package, name) in [
            ("langevin-diffusion", "heat-0"),
            ("langevin", "digits-0"),
            ("langevin-cli", "cli-0"),
            ("xtask", "x-0"),
        ] {
            assert!(!passed("stock", package, name, true), "{package} {name}");
        }
        assert!(
            passed("mesa26", "langevin-cli", "cli-0", true)
                && !passed("mesa26", "langevin-cli", "cli-0", false)
        );
        assert!(!passed("mesa26", "langevin-diffusion", "digits-0", true));
        // Every name is that of a test program.
        for (package, begins, _) in ON_ONE_DRIVER.iter().filter(|(_, begins, _)| !begins.is_empty()) {
            let file = format!("crates/{}/tests/{}.rs", &package[9..], begins.trim_end_matches('-'));
            assert!(crate::workspace::root().join(&file).is_file(), "{file}");
        }
    }

    #[test]
    fn a_table_shows_every_driver() {
        let row = |driver, version: &str, outcome| Row {
            driver,
            version: version.to_owned(),
            adapter: "llvmpipe".to_owned(),
            scope: "all packages",
            outcome,
        };
        let rows = [
            row("stock", "Mesa 22.3.6", Ok(Duration::from_secs(75))),
            row("mesa26", "Mesa 26.1.6-1", Err("driver mesa26: failed".to_owned())),
        ];
        let expected = "driver  version        adapter   tests         result\n\
                        stock   Mesa 22.3.6    llvmpipe  all packages  passed in 75 s\n\
                        mesa26  Mesa 26.1.6-1  llvmpipe  all packages  FAILED\n";
        assert_eq!(table(&rows), expected);
    }
}
