//! `cargo xtask mutate`: injects faults one by one into a copy of the repository; a test must notice each of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::args::{DriverChoice, MutateOptions};
use crate::driver::Driver;
use crate::mutations::{MUTATIONS, Mutation};
use crate::process::{Failure, capture, file_failure, remove_folder, write_file};
use crate::test::prepare;
use crate::workspace::{cargo, root, target_folder};

pub(crate) fn run(options: &MutateOptions) -> Result<(), Failure> {
    let driver = match options.driver {
        DriverChoice::Current => Driver::current()?,
        DriverChoice::Stock => Driver::stock()?,
        DriverChoice::Mesa26 => Driver::mesa26()?,
        DriverChoice::Swiftshader => Driver::swiftshader()?,
        DriverChoice::All => return Err(Failure::new("`mutate` takes one driver")),
    };
    let only = options.only.as_deref().unwrap_or_default();
    let chosen: Vec<&Mutation> = MUTATIONS
        .iter()
        .filter(|mutation| (mutation.fault.contains(only)) || mutation.file.contains(only))
        .collect();
    if chosen.is_empty() {
        return Err(Failure::new(format!("no fault and no file contains `{only}`")));
    }
    let copy = Copy::of_repository(driver)?;
    let mut tests: Vec<Test> = chosen.iter().map(|mutation| mutation.test).collect();
    tests.sort_unstable();
    tests.dedup();
    for test in tests {
        println!("without a fault: {}", shown(test));
        match copy.test(test)? {
            Outcome::Passed => {}
            other => return Err(Failure::new(format!("{} without a fault: {}", shown(test), other.text()))),
        }
    }
    let mut survivors = 0;
    for mutation in &chosen {
        let outcome = copy.with(mutation, || copy.test(mutation.test))?;
        let killed = matches!(outcome, Outcome::Failed(_));
        survivors += usize::from(!killed);
        let verdict = if killed { "killed  " } else { "SURVIVED" };
        println!("{verdict}  {}: {} - {}", mutation.file, mutation.fault, outcome.text());
    }
    println!("\n{} faults, {} killed", chosen.len(), chosen.len() - survivors);
    if survivors == 0 { Ok(()) } else { Err(Failure::new(format!("{survivors} faults went unnoticed"))) }
}

/// Cargo's words for the target, and the filter.
type Test = (&'static [&'static str], &'static str);

fn shown((target, filter): Test) -> String {
    format!("cargo test {} {filter}", target.join(" "))
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// By this test, or by a signal.
    Failed(String),
    NothingRan,
    /// It was not built, or ended otherwise.
    Broken(String),
}

impl Outcome {
    fn text(&self) -> String {
        match self {
            Self::Passed => "passed".to_owned(),
            Self::Failed(by) => by.clone(),
            Self::NothingRan => "no test ran".to_owned(),
            Self::Broken(why) => format!("broken: {why}"),
        }
    }

    /// What the output of `cargo test` says.
    fn of(success: bool, output: &str) -> Self {
        let failed = |line: &str| {
            let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
            Some(Self::Failed(format!("{name} failed")))
        };
        let passed: usize = output
            .lines()
            .filter_map(|line| {
                line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse::<usize>().ok()
            })
            .sum();
        match success {
            true if passed > 0 => Self::Passed,
            true => Self::NothingRan,
            false if output.contains("(signal: ") => Self::Failed("the test program was stopped".to_owned()),
            false => output
                .lines()
                .find_map(failed)
                .unwrap_or_else(|| Self::Broken(output.lines().last().unwrap_or("no output").to_owned())),
        }
    }
}

/// The repository as it is, committed or not, in a folder of its own. So is what Cargo builds of it: Cargo would take the
/// libraries of a workspace elsewhere for those of this one, faults and all.
struct Copy {
    folder: PathBuf,
    built: PathBuf,
    driver: Driver,
}

impl Copy {
    fn of_repository(driver: Driver) -> Result<Self, Failure> {
        let place = target_folder()?.join("mutants");
        let (folder, built) = (place.join("repository"), place.join("target"));
        remove_folder(&folder)?;
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let files = capture(Command::new("git").args(list).current_dir(root()))?;
        for file in files.split('\0').filter(|file| root().join(file).is_file()) {
            let to = folder.join(file);
            let parent = to.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(parent).map_err(|error| file_failure("not created", parent, &error))?;
            std::fs::copy(root().join(file), &to).map_err(|error| file_failure("not copied", &to, &error))?;
        }
        Ok(Self { folder, built, driver })
    }

    /// Calls `check` while the fault is there.
    fn with<T>(&self, mutation: &Mutation, check: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        let path = self.folder.join(mutation.file);
        let text = std::fs::read_to_string(&path).map_err(|error| file_failure("not read", &path, &error))?;
        write_file(&path, &mutated(&text, mutation)?)?;
        let result = check();
        write_file(&path, &text)?;
        result
    }

    fn test(&self, (target, filter): Test) -> Result<Outcome, Failure> {
        let mut build = self.cargo(target)?;
        build.arg("--no-run");
        let (built, output) = output_of(&mut build)?;
        if !built {
            let error = output.lines().find(|line| line.starts_with("error"));
            return Ok(Outcome::Broken(error.unwrap_or("not built").to_owned()));
        }
        let mut test = self.cargo(target)?;
        // All of a target's programs: the test may be in the second one.
        test.args(["--no-fail-fast", filter]);
        let (success, output) = output_of(&mut test)?;
        Ok(Outcome::of(success, &output))
    }

    fn cargo(&self, target: &[&str]) -> Result<Command, Failure> {
        let mut command = cargo();
        command.arg("test").args(target).current_dir(&self.folder);
        command.env("CARGO_TARGET_DIR", &self.built).env_remove("CARGO_MANIFEST_DIR");
        // Targets of one package are those that use no GPU.
        if !target.contains(&"--package") {
            prepare(&mut command, &self.driver)?;
        }
        Ok(command)
    }
}

/// The text with the fault.
fn mutated(text: &str, mutation: &Mutation) -> Result<String, Failure> {
    let Mutation { file, find, replace, .. } = mutation;
    match text.matches(find).count() {
        1 => Ok(text.replacen(find, replace, 1)),
        count => Err(Failure::new(format!("{file} has {count} times, where once was expected: {find}"))),
    }
}

/// Whether a command succeeded, and all that it wrote.
fn output_of(command: &mut Command) -> Result<(bool, String), Failure> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::new(format!("cargo did not start: {error}")))?;
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok((output.status.success(), text.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_can_be_injected() {
        for mutation in MUTATIONS {
            let text = std::fs::read_to_string(root().join(mutation.file)).unwrap();
            let changed = mutated(&text, mutation).unwrap_or_else(|failure| panic!("{failure}"));
            assert_ne!(changed, text, "{}", mutation.fault);
        }
    }

    #[test]
    fn what_stands_there_twice_is_no_place() {
        let mutation = Mutation { find: "a", ..MUTATIONS[0] };
        assert!(mutated("abba", &mutation).unwrap_err().to_string().contains("has 2 times"));
    }

    #[test]
    fn outcomes_are_read_from_the_output() {
        let passed = "test shapes ... ok\ntest result: ok. 1 passed; 0 failed\n";
        let none = "test result: ok. 0 passed; 0 failed; 3 filtered out\n";
        assert_eq!(Outcome::of(true, passed), Outcome::Passed);
        assert_eq!(Outcome::of(true, &format!("{none}{passed}")), Outcome::Passed);
        assert_eq!(Outcome::of(true, none), Outcome::NothingRan);
        let failed = "test shapes ... FAILED\ntest result: FAILED. 0 passed; 1 failed\n";
        assert_eq!(Outcome::of(false, failed), Outcome::Failed("shapes failed".to_owned()));
        assert!(matches!(Outcome::of(false, "x (signal: 11, SIGSEGV)"), Outcome::Failed(_)));
        assert!(matches!(Outcome::of(false, "no such test target"), Outcome::Broken(_)));
    }
}
