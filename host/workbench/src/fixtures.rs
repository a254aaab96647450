use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use witgate_facts::fixture::Recorded;

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

/// How a call of `attest` is to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Where the schema of this file is; for editors.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// `reported`, or the word for another end: `not-applicable`, `failed`, `gone`.
    pub outcome: String,
    /// Each as `key:value` or `key:name:value`, without the plugin's name; in any order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selectors: Vec<String>,
    /// The keys about which nothing could be said; in any order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// What the plugin says about a failure; compared only if it stands here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The settings of the call.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// The keys that are wanted; all, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wants: Option<Vec<String>>,
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
    let names = match names(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(|source| FixtureError::Unreadable { path: folder.clone(), source })?,
    };
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
        assert_eq!(found[0].expected.as_ref().unwrap().selectors, ["x:1"]);
        assert_eq!(found[1].expected, None);
        assert_eq!(fixtures(Path::new("/none")).unwrap(), []);
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
        let orphan = message(&[("a.expected.json", "{}")]);
        assert!(orphan.contains("belongs to no fixture"), "{orphan}");
        let large = " ".repeat(usize::try_from(FILE_BYTES).unwrap() + 1);
        assert!(message(&[("a.json", &large)]).contains("over 4194304 bytes"));
    }
}
