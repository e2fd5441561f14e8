//! The commands that stand in the documentation: found here, parsed by the program's own tests and run by those in `tests/cli`.
//!
//! A block of commands begins with ` ```sh `. Those of ` ```sh slow ` take too long for a test: the program's own are begun and
//! stopped after some seconds, or run to their end with `LANGEVIN_DOCS=whole`; of others the program's tests say where they run.

use std::path::{Path, PathBuf};

/// A command with the place where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Documented {
    /// FILE:LINE.
    pub(crate) place: String,
    pub(crate) words: Vec<String>,
    pub(crate) slow: bool,
}

/// A documentation file by its name, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The pages whose commands are checked, in a fixed order.
pub(crate) fn pages() -> Vec<Page> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "benches/peers/README.md", "benches/records/README.md"]
            .map(PathBuf::from)
            .into();
    let guide = std::fs::read_dir(root.join("docs/guide")).unwrap();
    let mut chapters: Vec<PathBuf> =
        guide.map(|entry| Path::new("docs/guide").join(entry.unwrap().file_name())).collect();
    chapters.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    chapters.sort();
    paths.extend(chapters);
    let page = |path: PathBuf| {
        let text = std::fs::read_to_string(root.join(&path))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Page { name: path.display().to_string(), text }
    };
    paths.into_iter().map(page).collect()
}

impl Page {
    /// Its blocks: what follows the fence, the number of the first line, and the lines.
    fn blocks(&self) -> Vec<(String, usize, Vec<&str>)> {
        let mut blocks = Vec::new();
        let mut open: Option<(String, usize, Vec<&str>)> = None;
        for (number, line) in self.text.lines().enumerate() {
            match (open.as_mut(), line.strip_prefix("```")) {
                (None, Some(info)) => open = Some((info.trim().to_owned(), number + 2, Vec::new())),
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some((_, _, lines)), None) => lines.push(line),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block has no end", self.name);
        blocks
    }

    /// Its commands, in their order.
    pub(crate) fn commands(&self) -> Vec<Documented> {
        let is_shell = |info: &str| info.split_whitespace().next() == Some("sh");
        let mut commands = Vec::new();
        for (info, first, lines) in self.blocks().into_iter().filter(|(info, ..)| is_shell(info)) {
            let slow = info.split_whitespace().any(|word| word == "slow");
            for (number, line) in lines.into_iter().enumerate() {
                let place = format!("{}:{}", self.name, first + number);
                let words = words(line).unwrap_or_else(|sentence| panic!("{place}: {sentence}: {line}"));
                if !words.is_empty() {
                    commands.push(Documented { place, words, slow });
                }
            }
        }
        commands
    }

    /// The files that it shows: blocks whose fence names a file after the language (` ```toml policy.toml `).
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        let named =
            |info: &str| info.split_whitespace().nth(1).filter(|name| name.contains('.')).map(str::to_owned);
        let blocks = self.blocks().into_iter();
        blocks.filter_map(|(info, _, lines)| Some((named(&info)?, lines.join("\n") + "\n"))).collect()
    }
}

/// The words of a line as a shell splits them, without its comment. Only quotes are known: what else a shell would do with a
/// line is an error, so that every line can be run without one.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut quote): (Option<String>, Option<char>) = (None, None);
    for character in line.chars() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(character),
            (None, '#') if word.is_none() => break,
            (None, '"' | '\'') => {
                word.get_or_insert_default();
                quote = Some(character);
            }
            (None, ' ') => words.extend(word.take()),
            (None, '|' | '&' | ';' | '<' | '>' | '$' | '`' | '\\' | '*') => {
                return Err(format!("`{character}` is for a shell, and none runs this"));
            }
            (None, _) => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    if quote.is_some() { Err("a quote is open".into()) } else { Ok(words) }
}

#[test]
fn lines_are_split_as_a_shell_would() {
    let split = |line: &str| words(line).unwrap();
    assert_eq!(
        split("langevin run x --desc '{\"a\": 1}'  # why"),
        ["langevin", "run", "x", "--desc", "{\"a\": 1}"]
    );
    assert_eq!(split("  # nothing"), [""; 0]);
    assert_eq!(split("a#b ''"), ["a#b", ""]);
    assert!(words("langevin info | head").is_err() && words("langevin 'info").is_err());
}

#[test]
fn blocks_and_files_are_found() {
    let text = "# Title\n```sh\nlangevin info\n\n```\ntext\n```sh slow\ncargo xtask test # all\n```\n```toml a.toml\nx = 1\n```\n";
    let page = Page { name: "p.md".into(), text: text.into() };
    let commands = page.commands();
    assert_eq!((commands[0].place.as_str(), commands[0].slow), ("p.md:3", false));
    assert_eq!((commands[1].words.join(" ").as_str(), commands[1].slow), ("cargo xtask test", true));
    assert_eq!(commands.len(), 2);
    assert_eq!(page.files(), [("a.toml".to_owned(), "x = 1\n".to_owned())]);
}
