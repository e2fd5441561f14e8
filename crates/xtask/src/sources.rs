//! Which Debian mirror this machine uses, read from apt's source lists (one-line and deb822 form).

use std::path::Path;

const DEFAULT_URI: &str = "http://deb.debian.org/debian";
const DEFAULT_KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The suites of Debian's own archive by code name: third parties use `stable` too, and `bookworm-security` is kept
/// elsewhere.
const DEBIAN_SUITES: [&str; 5] = ["bullseye", "bookworm", "trixie", "forky", "sid"];

/// Where Debian packages come from, and the keys that sign them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mirror {
    pub(crate) uri: String,
    pub(crate) keyring: String,
}

impl Default for Mirror {
    fn default() -> Self {
        Self { uri: DEFAULT_URI.to_owned(), keyring: DEFAULT_KEYRING.to_owned() }
    }
}

/// The Debian mirror configured below `folder` (`/etc/apt`), or Debian's own address.
pub(crate) fn debian_mirror(folder: &Path) -> Mirror {
    let mut files = vec![folder.join("sources.list")];
    let parts = std::fs::read_dir(folder.join("sources.list.d")).into_iter().flatten().flatten();
    let mut parts: Vec<_> = parts.map(|entry| entry.path()).collect();
    parts.sort();
    files.extend(parts);
    let mut sources = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => sources.extend(text.lines().filter_map(one_line_source)),
            Some("sources") => sources.extend(deb822_sources(&text)),
            _ => {}
        }
    }
    choose(&sources)
}

/// One configured package source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Source {
    uris: Vec<String>,
    suites: Vec<String>,
    components: Vec<String>,
    keyring: Option<String>,
}

impl Source {
    fn is_debian(&self) -> bool {
        self.suites.iter().any(|suite| DEBIAN_SUITES.contains(&suite.as_str()))
            && self.components.iter().any(|component| component == "main")
    }
}

/// The first of the sources most likely to be Debian's main archive: third parties name their suites after Debian's.
fn choose(sources: &[Source]) -> Mirror {
    let candidates = sources.iter().filter(|source| source.is_debian()).flat_map(|source| {
        source.uris.iter().filter(|uri| !uri.starts_with("cdrom:")).map(move |uri| (uri, &source.keyring))
    });
    let doubt = |uri: &str| match uri {
        _ if uri.trim_end_matches('/').ends_with("/debian") => 0,
        _ if uri.contains("debian") => 1,
        _ => 2,
    };
    candidates.min_by_key(|(uri, _)| doubt(uri)).map_or_else(Mirror::default, |(uri, keyring)| Mirror {
        uri: uri.clone(),
        keyring: keyring.clone().unwrap_or_else(|| DEFAULT_KEYRING.to_owned()),
    })
}

/// Reads `deb [options] URI SUITE COMPONENT...`.
fn one_line_source(line: &str) -> Option<Source> {
    let rest = line.split('#').next()?.trim().strip_prefix("deb")?;
    let rest = rest.strip_prefix([' ', '\t'])?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Source {
        uris: vec![words.next()?],
        suites: vec![words.next()?],
        components: words.collect(),
        keyring: options
            .split_whitespace()
            .find_map(|option| keyring_path(option.strip_prefix("signed-by=")?)),
    })
}

/// Reads the stanzas of a `.sources` file.
fn deb822_sources(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut fields: Vec<(String, String)> = Vec::new();
    // The empty line added at the end closes the last stanza.
    for line in text.lines().filter(|line| !line.starts_with('#')).chain([""]) {
        if line.trim().is_empty() {
            sources.extend(deb822_source(&std::mem::take(&mut fields)));
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    sources
}

fn deb822_source(fields: &[(String, String)]) -> Option<Source> {
    let field =
        |name: &str| fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let words = |name: &str| -> Vec<String> { field(name).split_whitespace().map(str::to_owned).collect() };
    let disabled = ["no", "false", "off", "0"].contains(&field("enabled").to_ascii_lowercase().as_str());
    if disabled || !words("types").iter().any(|kind| kind == "deb") {
        return None;
    }
    Some(Source {
        uris: words("uris"),
        suites: words("suites"),
        components: words("components"),
        keyring: keyring_path(field("signed-by")),
    })
}

/// Only a file can be passed on: a key may also be written into the source itself, or be named by its fingerprint.
fn keyring_path(text: &str) -> Option<String> {
    (text.starts_with('/') && !text.contains([' ', ','])).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::test_folder;

    const UBUNTU: &str = "Types: deb\nURIs: http://archive.ubuntu.com/ubuntu\nSuites: noble noble-updates\n\
                          Components: main universe\nSigned-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n";

    #[test]
    fn deb822_stanzas() {
        let text = "# a comment\nTypes: deb deb-src\nURIs: http://m.example/debian\nSuites: bookworm\n bookworm-updates\n\
                    # between\nComponents: main\nSigned-By: /k.gpg\n\nTypes: deb\nEnabled: no\n\
                    URIs: http://off.example/debian\nSuites: bookworm\nComponents: main\n\n\
                    Types: deb-src\nURIs: http://src.example/debian\nSuites: bookworm\nComponents: main\n";
        let sources = deb822_sources(text);
        assert_eq!(sources.len(), 1);
        assert_eq!(sources[0].suites, ["bookworm", "bookworm-updates"]);
        assert_eq!(
            choose(&sources),
            Mirror { uri: "http://m.example/debian".into(), keyring: "/k.gpg".into() }
        );
    }

    #[test]
    fn a_key_inside_the_stanza_is_not_a_file() {
        let text = "Types: deb\nURIs: http://m.example/debian\nSuites: trixie\nComponents: main\n\
                    Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n";
        assert_eq!(choose(&deb822_sources(text)).keyring, DEFAULT_KEYRING);
    }

    #[test]
    fn one_line_entries() {
        let line = "deb [arch=amd64 signed-by=/k.gpg] https://m.example/debian bookworm main contrib # ours";
        let source = one_line_source(line).unwrap();
        assert_eq!(source.uris, ["https://m.example/debian"]);
        assert_eq!(source.components, ["main", "contrib"]);
        assert_eq!(source.keyring.as_deref(), Some("/k.gpg"));
        assert_eq!(one_line_source("deb-src http://m.example/debian bookworm main"), None);
        assert_eq!(one_line_source("# deb http://m.example/debian bookworm main"), None);
        assert_eq!(one_line_source("deb [arch=amd64 http://m.example/debian"), None);
    }

    #[test]
    fn third_parties_and_ubuntu_are_not_debian() {
        let line = |text| one_line_source(text).unwrap();
        let vendor = line("deb https://apt.vendor.example bookworm main");
        let docker = line("deb https://download.docker.com/linux/debian bookworm stable");
        let security = line("deb http://deb.debian.org/debian-security bookworm-security main");
        let disc = line("deb cdrom:[Debian] bookworm main");
        let prod = line("deb https://packages.vendor.example/debian/12/prod bookworm main");
        let tool = line("deb https://dl.tool.example/debian/ stable main");
        let debian = line("deb http://ftp.example/debian/ bookworm main");
        assert_eq!(choose(&[docker, security, disc, tool]), Mirror::default());
        assert_eq!(choose(&deb822_sources(UBUNTU)), Mirror::default());
        assert_eq!(choose(&[vendor.clone(), prod, debian]).uri, "http://ftp.example/debian/");
        assert_eq!(choose(&[vendor]).uri, "https://apt.vendor.example");
    }

    #[test]
    fn the_folder_is_read_in_apts_order() {
        let folder = test_folder("apt-sources");
        assert_eq!(debian_mirror(&folder), Mirror::default());
        std::fs::create_dir_all(folder.join("sources.list.d")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        write(
            "sources.list.d/a.sources.disabled",
            "Types: deb\nURIs: http://x/debian\nSuites: sid\nComponents: main\n",
        );
        write("sources.list.d/ubuntu.sources", UBUNTU);
        assert_eq!(debian_mirror(&folder), Mirror::default());
        write(
            "sources.list.d/b.sources",
            "Types: deb\nURIs: http://b/debian\nSuites: sid\nComponents: main\n",
        );
        assert_eq!(debian_mirror(&folder).uri, "http://b/debian");
        write("sources.list", "deb http://first/debian bookworm main\n");
        assert_eq!(debian_mirror(&folder).uri, "http://first/debian");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
