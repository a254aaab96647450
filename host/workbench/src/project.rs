use std::{
    env,
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
};

use witgate_facts::PluginToml;

use crate::Language;

/// The file that makes a folder a project.
pub(crate) const PLUGIN_TOML: &str = "plugin.toml";

/// A plugin's sources.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Project {
    /// Its folder, absolute.
    pub dir: PathBuf,
    /// Its `plugin.toml`.
    pub toml: PluginToml,
    /// The same as it is written, which is how it is embedded.
    pub toml_text: String,
    /// What it is written in.
    pub language: Language,
}

/// Why a folder is not a project that can be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// There is no `plugin.toml`.
    #[error(
        "{} has no plugin.toml, so it is no plugin; make one with: witgate plugin new", .dir.display()
    )]
    NoPlugin {
        /// The folder.
        dir: PathBuf,
    },

    /// `plugin.toml`, or the folder, cannot be read.
    #[error("reading {}: {source}", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// `plugin.toml` is not what it should be.
    #[error("{}: {message}", at(.path, *.line))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1, if one line is to blame.
        line: Option<usize>,
        /// What is wrong.
        message: String,
    },

    /// `plugin.toml` does not say what the plugin is written in.
    #[error("{} does not say what the plugin is written in; add: language = \"{}\"",
        .path.display(), Language::words("\" or \""))]
    NoLanguage {
        /// The file.
        path: PathBuf,
    },
}

fn at(path: &Path, line: Option<usize>) -> String {
    line.map_or_else(|| path.display().to_string(), |line| format!("{}:{line}", path.display()))
}

impl Project {
    /// Reads the project in a folder.
    ///
    /// # Errors
    /// If there is none, or its `plugin.toml` is not valid, with file and line.
    pub fn open(dir: &Path) -> Result<Self, ProjectError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            |source| ProjectError::Unreadable { path, source }
        };
        let dir = dir.canonicalize().map_err(unreadable(dir))?;
        let path = dir.join(PLUGIN_TOML);
        let toml_text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ProjectError::NoPlugin { dir });
            }
            read => read.map_err(unreadable(&path))?,
        };
        let toml = PluginToml::parse(&toml_text).map_err(|message| {
            let line = line_in(&message);
            ProjectError::Invalid { path: path.clone(), line, message }
        })?;
        let invalid = |field: &str, message: String| {
            let line = toml_text.lines().position(|line| line.starts_with(field));
            ProjectError::Invalid { path: path.clone(), line: line.map(|line| line + 1), message }
        };
        // A daemon loads any version; adding, pushing and pinning a plugin take no other than this.
        semver::Version::parse(&toml.version).map_err(|error| {
            let version = &toml.version;
            let message = format!("{version:?} is not a semantic version, such as 0.1.0: {error}");
            invalid("version", message)
        })?;
        let word = toml.language.as_deref();
        let word = word.ok_or_else(|| ProjectError::NoLanguage { path: path.clone() })?;
        let unknown = |error: crate::UnknownLanguage| invalid("language", error.to_string());
        let language = word.parse().map_err(unknown)?;
        Ok(Self { dir, toml, toml_text, language })
    }

    /// Where its build searches for programs: where it may have installed some for itself alone,
    /// which is how Python and tools that come as Python packages are installed, and then in `path`.
    pub(crate) fn search_path(&self, path: &OsStr) -> OsString {
        let own = self.dir.join(".venv/bin");
        let others = env::split_paths(path).filter(|dir| dir.is_absolute());
        // A folder with a colon in its name cannot be in a search path.
        env::join_paths([own].into_iter().chain(others)).unwrap_or_else(|_| path.to_owned())
    }

    /// Its `plugin.toml`.
    pub(crate) fn toml_path(&self) -> PathBuf {
        self.dir.join(PLUGIN_TOML)
    }

    /// Its name as the plugin's author chose it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.toml.name.as_str()
    }
}

/// The line that a message about a TOML file names.
fn line_in(message: &str) -> Option<usize> {
    let (_, rest) = message.split_once(" at line ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> Result<Project, ProjectError> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(PLUGIN_TOML), text).unwrap();
        Project::open(dir.path())
    }

    fn message(text: &str) -> String {
        open(text).unwrap_err().to_string()
    }

    #[test]
    fn a_project_says_what_it_is() {
        let text = "name = 'a'\nversion = '0.1.0'\ndescription = ''\nlanguage = 'ts'\n";
        let project = open(text).unwrap();
        assert_eq!((project.name(), project.language), ("a", Language::TypeScript));
        assert_eq!(project.toml_text, text);
    }

    #[test]
    fn a_mistake_is_found_by_file_and_line() {
        let broken = message("name = 'a'\nversion = 1\n");
        assert!(broken.contains("/plugin.toml:2: "), "{broken}");
        let start = "name = 'a'\nversion = '1.0.0-rc.1'\ndescription = ''\n";
        let word = message(&format!("{start}requests = ['files']\n"));
        assert!(word.contains("/plugin.toml:4: ") && word.contains("files.workload:/"), "{word}");
        let language = message(&format!("{start}language = 'cobol'\n"));
        assert!(language.contains("/plugin.toml:4: "), "{language}");
        assert!(message(start).contains("language = \"rust\" or \"go\""), "{}", message(start));
        for version in ["1", "banana", "1.2", ""] {
            let text = start.replace("1.0.0-rc.1", version) + "language = 'ts'\n";
            let version = message(&text);
            assert!(version.contains("/plugin.toml:2: ") && version.contains("0.1.0"), "{version}");
        }
        assert!(message("#\0").contains("/plugin.toml:1: "));
    }

    #[test]
    fn a_folder_without_plugin_toml_is_no_plugin() {
        let dir = tempfile::tempdir().unwrap();
        let error = Project::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("no plugin.toml") && error.contains("plugin new"), "{error}");
        assert!(Project::open(&dir.path().join("none")).is_err());
    }
}
