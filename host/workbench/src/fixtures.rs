use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use witgate_facts::{Expected, fixture::Recorded};

/// Where a project keeps them.
const FOLDER: &str = "fixtures";

/// What follows the name of the file with the expected report.
const EXPECTED: &str = ".expected.json";

/// Longest file, in bytes; a recording of one process is a few KiB.
const FILE_BYTES: u64 = 4 << 20;

/// A recorded process, and what the plugin is to report about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FixtureFile {
    /// `debian` for `fixtures/debian.json`.
    pub name: String,
    /// The file as it is written.
    pub facts_text: String,
    /// What it says.
    pub facts: Recorded,
    /// What `fixtures/debian.expected.json` says, if there is that file.
    pub expected: Option<Expected>,
}

/// A fixture that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FixtureError {
    /// A file or the folder.
    #[error("reading {}: {source}", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// What is in a file is not what it should be.
    #[error("{}:{line}:{column}: {message}", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },

    /// A file is over the limit.
    #[error("{} has over {FILE_BYTES} bytes, the limit of a fixture", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },

    /// An expected report of a process that is not there.
    #[error("{} belongs to no fixture: {} does not exist", .path.display(), .facts.display())]
    Orphan {
        /// The file.
        path: PathBuf,
        /// The file that it would belong to.
        facts: PathBuf,
    },
}

/// The fixtures of a project, by name; none, if it has no folder `fixtures`.
///
/// # Errors
/// The first that is not in order, with file, line and column.
pub fn fixtures(dir: &Path) -> Result<Vec<FixtureFile>, FixtureError> {
    let folder = dir.join(FOLDER);
    if folder.exists() { fixtures_in(&folder) } else { Ok(Vec::new()) }
}

/// The fixtures in a folder, by name.
///
/// # Errors
/// As [`fixtures`], and if there is no such folder.
pub fn fixtures_in(folder: &Path) -> Result<Vec<FixtureFile>, FixtureError> {
    let names = names(folder)
        .map_err(|source| FixtureError::Unreadable { path: folder.to_owned(), source })?;
    let read = |name: &String| {
        let (facts_text, facts) = parse::<Recorded>(&folder.join(format!("{name}.json")))?;
        let path = folder.join(format!("{name}{EXPECTED}"));
        let expected = if path.exists() { Some(parse::<Expected>(&path)?.1) } else { None };
        Ok(FixtureFile { name: name.clone(), facts_text, facts, expected })
    };
    for name in names.iter().filter_map(|name| name.strip_suffix(EXPECTED)) {
        let facts = folder.join(format!("{name}.json"));
        if !facts.exists() {
            return Err(FixtureError::Orphan {
                path: folder.join(format!("{name}{EXPECTED}")),
                facts,
            });
        }
    }
    let facts = names.iter().filter(|name| !name.ends_with(EXPECTED));
    facts.filter_map(|name| name.strip_suffix(".json")).map(|name| read(&name.to_owned())).collect()
}

/// The names of the files in a folder, in order.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let mut names: Vec<_> =
        entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

fn parse<T: DeserializeOwned>(path: &Path) -> Result<(String, T), FixtureError> {
    let unreadable = |source| FixtureError::Unreadable { path: path.to_owned(), source };
    if fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES {
        return Err(FixtureError::TooLarge { path: path.to_owned() });
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let read = serde_json::from_str(&text).map_err(|error| {
        let message = error.to_string();
        let message =
            message.rsplit_once(" at line ").map_or(&*message, |(what, _)| what).to_owned();
        let (line, column) = (error.line(), error.column());
        FixtureError::Invalid { path: path.to_owned(), line, column, message }
    })?;
    Ok((text, read))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(FOLDER)).unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(FOLDER).join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn a_fixture_has_facts_and_perhaps_an_expected_report() {
        let dir = folder(&[
            ("b.json", "{}"),
            ("a.json", r#"{"process.state":{"ok":"S"}}"#),
            (
                "a.expected.json",
                r#"{"$schema":"s","outcome":"reported","selectors":["x:1"],"wants":["x"]}"#,
            ),
            ("notes.md", "not a fixture"),
        ]);
        let found = fixtures(dir.path()).unwrap();
        assert_eq!(found.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert!(found[0].expected.as_ref().unwrap().selectors.contains("x:1"));
        assert_eq!(found[1].expected, None);
        assert_eq!(fixtures(Path::new("/none")).unwrap(), []);
        assert_eq!(fixtures_in(&dir.path().join(FOLDER)).unwrap(), found);
        let none = fixtures_in(Path::new("/none")).unwrap_err().to_string();
        assert!(none.starts_with("reading /none: "), "{none}");
    }

    #[test]
    fn a_mistake_is_found_by_file_and_line() {
        let message =
            |files: &[(&str, &str)]| fixtures(folder(files).path()).unwrap_err().to_string();
        let unknown = message(&[("a.json", "{\n  \"process.pid\": 1\n}")]);
        assert!(
            unknown.contains("/fixtures/a.json:2:") && unknown.contains("process.pid"),
            "{unknown}"
        );
        let extra =
            message(&[("a.json", "{}"), ("a.expected.json", "{\"outcome\":\"gone\",\n\"x\":1}")]);
        assert!(extra.contains("/fixtures/a.expected.json:2:"), "{extra}");
        let end = message(&[("a.json", "{}"), ("a.expected.json", "{\"outcome\":\n\"fine\"}")]);
        assert!(end.contains("/fixtures/a.expected.json:2:") && end.contains("`fine`"), "{end}");
        let orphan = message(&[("a.expected.json", "{}")]);
        assert!(orphan.contains("belongs to no fixture"), "{orphan}");
        let large = " ".repeat(usize::try_from(FILE_BYTES).unwrap() + 1);
        assert!(message(&[("a.json", &large)]).contains("over 4194304 bytes"));
    }
}
