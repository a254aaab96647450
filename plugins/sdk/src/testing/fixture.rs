use std::{
    any::Any,
    error::Error,
    fmt, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

use super::{
    Attested, fakes,
    outcome::Expected,
    recorded::{Call, Recorded},
};
use crate::Attestor;

/// A fixture that cannot be used, with file and line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixtureError(String);

impl fmt::Display for FixtureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for FixtureError {}

/// A process as it was recorded, and what a call about it is given.
#[derive(Debug, Clone)]
pub struct Process {
    recorded: Recorded,
    settings: String,
    wanted: Option<Vec<String>>,
}

impl Process {
    /// A process as the text of a fixture says.
    ///
    /// # Errors
    /// If it is none, with line and column.
    pub fn from_json(text: &str) -> Result<Self, FixtureError> {
        Ok(Self { recorded: parse("the fixture", text)?, settings: "{}".to_owned(), wanted: None })
    }

    /// A process as a file says.
    ///
    /// # Errors
    /// If it cannot be read or is no fixture, with line and column.
    pub fn read(file: impl AsRef<Path>) -> Result<Self, FixtureError> {
        let recorded = read(file.as_ref())?;
        Ok(Self { recorded, settings: "{}".to_owned(), wanted: None })
    }

    /// The settings of the call, a JSON object, in place of none.
    #[must_use]
    pub fn settings(mut self, json: impl Into<String>) -> Self {
        self.settings = json.into();
        self
    }

    /// Only these keys are wanted in the call, in place of all.
    #[must_use]
    pub fn wants(mut self, keys: &[&str]) -> Self {
        self.wanted = Some(keys.iter().map(|&key| key.to_owned()).collect());
        self
    }

    /// Calls `attest` about it.
    #[must_use]
    pub fn attest<A: Attestor>(self) -> Attested {
        // What panics here traps in the daemon; the message has been printed by then.
        match catch_unwind(AssertUnwindSafe(|| fakes::during(self.call(), A::attest))) {
            Ok((result, call)) => Attested::new(result, call.gone.get(), call.log.take()),
            Err(panic) => Attested::trapped(said(&*panic)),
        }
    }

    /// Runs something for which the facts are those of this process, and gives back its result.
    pub fn during<R>(self, run: impl FnOnce() -> R) -> R {
        fakes::during(self.call(), run).0
    }

    fn call(self) -> Call {
        let Self { recorded, settings, wanted } = self;
        Call { recorded, settings, wanted, ..Call::default() }
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}

/// Calls `attest` about every fixture of a folder, relative to the package, and compares what comes
/// out with the expected report beside it: `debian.json` with `debian.expected.json`.
///
/// # Panics
/// If any differs, with all the differences; if a file cannot be read; if there is no fixture.
#[track_caller]
pub fn check_fixtures<A: Attestor>(folder: impl AsRef<Path>) {
    let folder = folder.as_ref();
    let files = fixture_files(folder);
    let differences: String = match &files {
        Ok(files) => files.iter().map(|file| check::<A>(file)).collect(),
        Err(error) => error.to_string(),
    };
    assert!(differences.is_empty(), "not as expected\n\n{differences}");
}

/// The recorded processes in a folder, in order.
fn fixture_files(folder: &Path) -> Result<Vec<PathBuf>, FixtureError> {
    let failed = |error| FixtureError(format!("{}: {error}", folder.display()));
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let is_fixture = |file: &PathBuf| {
        let name = file.to_string_lossy();
        name.ends_with(".json") && !name.ends_with(".expected.json")
    };
    let entries = entries.map_err(failed)?;
    let mut files: Vec<_> = entries.iter().map(fs::DirEntry::path).filter(is_fixture).collect();
    files.sort();
    if files.is_empty() {
        return Err(FixtureError(format!("there is no fixture in {}", folder.display())));
    }
    Ok(files)
}

/// What differs, below the name of the file; nothing if all is as expected.
fn check<A: Attestor>(file: &Path) -> String {
    let differences = run::<A>(file).unwrap_or_else(|error| format!("  {error}\n"));
    if differences.is_empty() {
        return differences;
    }
    format!("{}\n{differences}\n", file.display())
}

fn run<A: Attestor>(file: &Path) -> Result<String, FixtureError> {
    let mut process = Process::read(file)?;
    let mut expected: Expected = read(&file.with_extension("expected.json"))?;
    let settings = serde_json::Value::from(std::mem::take(&mut expected.settings)).to_string();
    if let Err(reason) = A::validate(&settings) {
        return Ok(format!("  `validate` refuses the settings: {reason}\n"));
    }
    process = process.settings(settings);
    process.wanted = expected.wants.take();
    let found = process.attest::<A>();
    Ok(expected.differences(&found) + &undeclared::<A>(&found))
}

/// Keys that are reported and not described, which the daemon refuses.
fn undeclared<A: Attestor>(found: &Attested) -> String {
    let manifest = A::describe();
    let reported = found.selectors.iter().filter_map(|selector| selector.split(':').next());
    let all = reported.chain(found.unknown.iter().map(String::as_str));
    let silent = all.filter(|key| !manifest.keys().iter().any(|known| known.word() == *key));
    silent.map(|key| format!("  the key {key:?} is not among those of `describe`\n")).collect()
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<T, FixtureError> {
    let text = fs::read_to_string(file)
        .map_err(|error| FixtureError(format!("{}: {error}", file.display())))?;
    parse(&file.display().to_string(), &text)
}

fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, FixtureError> {
    serde_json::from_str(text).map_err(|error| FixtureError(format!("{file}: {error}")))
}
