//! The guest languages: how each builds, and with which programs.

mod c;
mod go;
mod javascript;
mod python;
mod rust;

use std::{env, fmt, str::FromStr};

use crate::{
    BuildError, Progress, Project,
    tool::{Tool, ToolStatus},
    workspace::Workspace,
};

/// What a plugin is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Language {
    /// Rust.
    Rust,
    /// Go.
    Go,
    /// C.
    C,
    /// Python.
    Python,
    /// JavaScript.
    JavaScript,
    /// TypeScript.
    TypeScript,
}

/// A language for which there is no template and no build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a language that can be built; it is one of {}", Language::words(", "))]
pub struct UnknownLanguage {
    /// The word we saw, cut.
    pub word: String,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Rust, Self::Go, Self::C, Self::Python, Self::JavaScript, Self::TypeScript];

    /// Its word in `plugin.toml` and on the command line, and the name of its example.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Go => "go",
            Self::C => "c",
            Self::Python => "python",
            Self::JavaScript => "js",
            Self::TypeScript => "ts",
        }
    }

    /// The folder of its SDK below `plugins/`.
    pub(crate) const fn sdk(self) -> &'static str {
        match self {
            Self::Rust => "sdk",
            Self::Go => "sdk-go",
            Self::C => "sdk-c",
            Self::Python => "sdk-python",
            Self::JavaScript | Self::TypeScript => "sdk-js",
        }
    }

    /// The words of all languages.
    pub(crate) fn words(between: &str) -> String {
        Self::ALL.map(Self::as_str).join(between)
    }

    /// Builds the component, without manifest and fixtures.
    pub(crate) fn build(
        self,
        project: &Project,
        work: &Workspace,
        progress: &mut dyn Progress,
    ) -> Result<Vec<u8>, BuildError> {
        let build = match self {
            Self::Rust => rust::build,
            Self::Go => go::build,
            Self::C => c::build,
            Self::Python => python::build,
            Self::JavaScript | Self::TypeScript => javascript::build,
        };
        build(project, work, progress)
    }

    /// The programs that its build starts.
    #[must_use]
    pub fn toolchain(self) -> &'static [Tool] {
        match self {
            Self::Rust => rust::toolchain(),
            Self::Go => go::toolchain(),
            Self::C => c::toolchain(),
            Self::Python => python::toolchain(),
            Self::JavaScript | Self::TypeScript => javascript::toolchain(),
        }
    }

    /// Which of the packages that its build takes from a project are there.
    fn packages(self, project: &Project) -> Vec<ToolStatus> {
        match self {
            Self::JavaScript | Self::TypeScript => javascript::packages(project),
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|language| language.as_str() == word);
        found.ok_or_else(|| UnknownLanguage { word: word.chars().take(32).collect() })
    }
}

/// Which of the programs and packages that a project's build needs are there, looked for where the
/// build does. Of several that do the same, those that are missing are left out if there is one.
#[must_use]
pub fn check_toolchain(project: &Project) -> Vec<ToolStatus> {
    let path = project.search_path(&env::var_os("PATH").unwrap_or_default());
    let programs = project.language.toolchain().iter().map(|tool| tool.status(&path));
    let all: Vec<_> = programs.chain(project.language.packages(project)).collect();
    let found =
        |purpose| all.iter().any(|one| one.version.is_some() && one.tool.needed_for == purpose);
    let counts = |one: &&ToolStatus| one.version.is_some() || !found(one.tool.needed_for);
    all.iter().filter(counts).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_and_others_are_told_which_there_are() {
        for language in Language::ALL {
            assert_eq!(language.as_str().parse(), Ok(language));
        }
        let error = "cobol".parse::<Language>().unwrap_err().to_string();
        assert!(error.contains("rust, go, c, python, js, ts"), "{error}");
    }

    #[test]
    fn every_program_says_how_to_install_it() {
        for language in Language::ALL {
            assert!(!language.toolchain().is_empty(), "{language}");
            for tool in language.toolchain() {
                assert!(!tool.needed_for.is_empty() && !tool.install.is_empty(), "{tool:?}");
            }
        }
    }
}
