//! The command line. Parsed by hand, so that this crate builds in seconds on a machine that has nothing yet.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::process::Failure;

pub(crate) const USAGE: &str = "\
Usage: cargo xtask COMMAND

  demo [--out DIR]          build the program, blur the photograph, generate the digits (pictures in target/demo)
  test [--driver WHICH] [--quick] [-- ARGS FOR CARGO TEST]
                            run the tests; WHICH is one of
                              current  the driver programs find by themselves (default)
                              stock    the system's software driver
                              mesa26   the newer software driver of `setup --mesa26`, for the tests that use a GPU
                              swiftshader  the driver of `setup --swiftshader`: slow, for chosen tests
                              all      stock, then mesa26
                            --quick runs fewer random cases and no documentation examples
  doctor                    every kernel's full check on the software drivers that are set up, and through Dawn, a second
                            implementation of WebGPU (needs node and npm)
  mutate [--driver WHICH] [--only TEXT]
                            inject faults one by one into a copy of the repository; a test must notice each. TEXT is a
                            part of a fault's description or file
  validate [-- ARGS FOR CARGO TEST]
                            the tests on the system's software driver under Khronos' validation layers, which must be
                            installed; a message without a known reason is a failure
  bundle [--out DIR]        make a folder that checks and times everything on a Linux machine without Rust and network
                            (in target/bundle)
  record FILE               print a record of `langevin bench --json` as Markdown
  record --check | --write  compare the README's figures and the page of all records with the records, or make them anew
  lint                      formatting, clippy, documentation, licences and packages, warnings being errors
  setup                     install a software Vulkan driver if the machine has no driver at all
  setup --mesa26 [--mirror URL]
                            unpack Mesa 26 or newer into .software-drivers, leaving the system as it is
  setup --swiftshader [--mirror URL]
                            the same with SwiftShader, a software driver without f16";

/// What the user asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Help,
    Setup,
    SetupMesa26 {
        mirror: Option<String>,
    },
    SetupSwiftshader {
        mirror: Option<String>,
    },
    Doctor,
    Test(TestOptions),
    Lint,
    Mutate(MutateOptions),
    Validate {
        cargo_args: Vec<OsString>,
    },
    Record {
        file: PathBuf,
    },
    Records {
        write: bool,
    },
    Demo(DemoOptions),
    Bundle {
        out: Option<PathBuf>,
    },
    /// Used by `test` itself: Cargo's runner for a driver.
    Under {
        driver: OsString,
        program: Vec<OsString>,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TestOptions {
    pub(crate) driver: DriverChoice,
    pub(crate) quick: bool,
    pub(crate) cargo_args: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum DriverChoice {
    #[default]
    Current,
    Stock,
    Mesa26,
    Swiftshader,
    All,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MutateOptions {
    pub(crate) driver: DriverChoice,
    pub(crate) only: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DemoOptions {
    pub(crate) out: Option<PathBuf>,
}

pub(crate) fn parse(words: impl Iterator<Item = OsString>) -> Result<Action, Failure> {
    let mut words = words;
    let Some(command) = words.next() else { return Ok(Action::Help) };
    match command.to_str() {
        Some("help" | "--help" | "-h") => Ok(Action::Help),
        Some("setup") => parse_setup(words),
        Some("test") => parse_test(words),
        Some("doctor") => nothing_more(words, "doctor").map(|()| Action::Doctor),
        Some("lint") => nothing_more(words, "lint").map(|()| Action::Lint),
        Some("validate") => parse_validate(words),
        Some("mutate") => parse_mutate(words),
        Some("demo") => parse_out(words, "demo").map(|out| Action::Demo(DemoOptions { out })),
        Some("bundle") => parse_out(words, "bundle").map(|out| Action::Bundle { out }),
        Some("record") => parse_record(words),
        Some("under") => {
            let driver = words.next().unwrap_or_default();
            Ok(Action::Under { driver, program: words.collect() })
        }
        _ => Err(Failure::new(format!(
            "no such command: {}; expected demo, test, doctor, mutate, validate, bundle, record, lint or setup",
            command.to_string_lossy()
        ))),
    }
}

fn parse_setup(mut words: impl Iterator<Item = OsString>) -> Result<Action, Failure> {
    let (mut mesa26, mut swiftshader, mut mirror) = (false, false, None);
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--mesa26") => mesa26 = true,
            Some("--swiftshader") => swiftshader = true,
            Some("--mirror") => mirror = Some(value(&mut words, "--mirror", "a URL")?),
            _ => return Err(unknown(&word, "setup")),
        }
    }
    match (mesa26, swiftshader, mirror) {
        (true, false, mirror) => Ok(Action::SetupMesa26 { mirror }),
        (false, true, mirror) => Ok(Action::SetupSwiftshader { mirror }),
        (false, false, None) => Ok(Action::Setup),
        (true, true, _) => Err(Failure::new("one driver at a time: `--mesa26` or `--swiftshader`")),
        (false, false, Some(_)) => {
            Err(Failure::new("`--mirror` belongs to `setup --mesa26` or `setup --swiftshader`"))
        }
    }
}

fn parse_test(mut words: impl Iterator<Item = OsString>) -> Result<Action, Failure> {
    let mut options = TestOptions::default();
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--driver") => {
                options.driver = driver_choice(&value(&mut words, "--driver", DRIVER_CHOICES)?)?
            }
            Some("--quick") => options.quick = true,
            Some("--") => options.cargo_args = words.by_ref().collect(),
            _ => return Err(unknown(&word, "test")),
        }
    }
    Ok(Action::Test(options))
}

fn parse_validate(mut words: impl Iterator<Item = OsString>) -> Result<Action, Failure> {
    match words.next() {
        None => Ok(Action::Validate { cargo_args: Vec::new() }),
        Some(word) if word == "--" => Ok(Action::Validate { cargo_args: words.collect() }),
        Some(word) => Err(unknown(&word, "validate")),
    }
}

fn parse_mutate(mut words: impl Iterator<Item = OsString>) -> Result<Action, Failure> {
    let mut options = MutateOptions::default();
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--driver") => {
                options.driver = driver_choice(&value(&mut words, "--driver", DRIVER_CHOICES)?)?
            }
            Some("--only") => options.only = Some(value(&mut words, "--only", "a part of a fault")?),
            _ => return Err(unknown(&word, "mutate")),
        }
    }
    Ok(Action::Mutate(options))
}

/// The folder for what a command makes.
fn parse_out(mut words: impl Iterator<Item = OsString>, command: &str) -> Result<Option<PathBuf>, Failure> {
    let mut out = None;
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--out") => {
                let folder = words.next().ok_or_else(|| Failure::new("`--out` needs a value: a folder"))?;
                out = Some(PathBuf::from(folder));
            }
            _ => return Err(unknown(&word, command)),
        }
    }
    Ok(out)
}

fn parse_record(mut words: impl Iterator<Item = OsString>) -> Result<Action, Failure> {
    let file = words
        .next()
        .ok_or_else(|| Failure::new("`record` needs the path of a JSON file, --check or --write"))?;
    nothing_more(words, "record").map(|()| match file.to_str() {
        Some("--check") => Action::Records { write: false },
        Some("--write") => Action::Records { write: true },
        _ => Action::Record { file: file.into() },
    })
}

const DRIVER_CHOICES: &str = "current, stock, mesa26, swiftshader or all";

fn driver_choice(name: &str) -> Result<DriverChoice, Failure> {
    match name {
        "current" => Ok(DriverChoice::Current),
        "stock" => Ok(DriverChoice::Stock),
        "mesa26" => Ok(DriverChoice::Mesa26),
        "swiftshader" => Ok(DriverChoice::Swiftshader),
        "all" => Ok(DriverChoice::All),
        _ => Err(Failure::new(format!("no such driver: {name}; expected {DRIVER_CHOICES}"))),
    }
}

fn value(
    words: &mut impl Iterator<Item = OsString>,
    option: &str,
    expected: &str,
) -> Result<String, Failure> {
    words
        .next()
        .and_then(|word| word.into_string().ok())
        .ok_or_else(|| Failure::new(format!("`{option}` needs a value: {expected}")))
}

fn nothing_more(mut words: impl Iterator<Item = OsString>, command: &str) -> Result<(), Failure> {
    words.next().map_or(Ok(()), |word| Err(unknown(&word, command)))
}

fn unknown(word: &OsString, command: &str) -> Failure {
    Failure::new(format!("`{command}` does not take `{}`", word.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Action, String> {
        parse(line.split_whitespace().map(OsString::from)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn commands_and_their_options() {
        assert_eq!(parsed(""), Ok(Action::Help));
        assert_eq!(parsed("setup"), Ok(Action::Setup));
        assert_eq!(parsed("setup --mesa26"), Ok(Action::SetupMesa26 { mirror: None }));
        assert_eq!(
            parsed("setup --mirror http://m/debian --mesa26"),
            Ok(Action::SetupMesa26 { mirror: Some("http://m/debian".to_owned()) })
        );
        assert_eq!(parsed("test"), Ok(Action::Test(TestOptions::default())));
        assert_eq!(
            parsed("test --driver all --quick -- --test matmul -- --nocapture"),
            Ok(Action::Test(TestOptions {
                driver: DriverChoice::All,
                quick: true,
                cargo_args: ["--test", "matmul", "--", "--nocapture"].map(OsString::from).to_vec(),
            }))
        );
        assert_eq!(parsed("lint"), Ok(Action::Lint));
        let cargo_args = ["--test", "heat"].map(OsString::from).to_vec();
        assert_eq!(parsed("validate -- --test heat"), Ok(Action::Validate { cargo_args }));
        assert_eq!(parsed("validate"), Ok(Action::Validate { cargo_args: Vec::new() }));
        let options = MutateOptions { driver: DriverChoice::Mesa26, only: Some("mask".to_owned()) };
        assert_eq!(parsed("mutate --driver mesa26 --only mask"), Ok(Action::Mutate(options)));
        assert_eq!(parsed("record a.json"), Ok(Action::Record { file: "a.json".into() }));
        assert_eq!(parsed("record --check"), Ok(Action::Records { write: false }));
        assert_eq!(parsed("record --write"), Ok(Action::Records { write: true }));
        assert_eq!(parsed("demo --out d"), Ok(Action::Demo(DemoOptions { out: Some("d".into()) })));
        assert_eq!(parsed("bundle"), Ok(Action::Bundle { out: None }));
        assert_eq!(parsed("bundle --out d"), Ok(Action::Bundle { out: Some("d".into()) }));
    }

    #[test]
    fn documented_commands_parse() {
        let mut count = 0;
        for command in crate::documented::pages().iter().flat_map(|page| page.commands()) {
            if let Some(words) = command.words.strip_prefix(&["cargo".to_owned(), "xtask".to_owned()]) {
                let action = parse(words.iter().map(OsString::from));
                assert!(action.is_ok(), "{}: {words:?}: {action:?}", command.place);
                count += 1;
            }
        }
        assert!(count > 5, "{count}");
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            parsed("tset"),
            Err("no such command: tset; expected demo, test, doctor, mutate, validate, bundle, record, lint or setup".to_owned())
        );
        assert_eq!(
            parsed("test --driver mesa"),
            Err("no such driver: mesa; expected current, stock, mesa26, swiftshader or all".to_owned())
        );
        assert_eq!(
            parsed("test --driver"),
            Err("`--driver` needs a value: current, stock, mesa26, swiftshader or all".to_owned())
        );
        assert_eq!(parsed("test --nocapture"), Err("`test` does not take `--nocapture`".to_owned()));
        assert_eq!(
            parsed("record"),
            Err("`record` needs the path of a JSON file, --check or --write".to_owned())
        );
        assert_eq!(parsed("record a b"), Err("`record` does not take `b`".to_owned()));
        assert_eq!(parsed("lint --fix"), Err("`lint` does not take `--fix`".to_owned()));
        assert_eq!(parsed("bundle d"), Err("`bundle` does not take `d`".to_owned()));
        assert_eq!(parsed("demo --out"), Err("`--out` needs a value: a folder".to_owned()));
        assert_eq!(
            parsed("setup --mirror x"),
            Err("`--mirror` belongs to `setup --mesa26` or `setup --swiftshader`".to_owned())
        );
    }
}
