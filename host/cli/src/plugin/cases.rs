//! Fixtures, wherever they are: in a project, in a folder, in a component.

use std::path::{Path, PathBuf};

use witgate_attestor::{Fixture, read_fixtures};
use witgate_facts::{Expected, fixture::Recorded};
use witgate_workbench::{FixtureError, FixtureFile, fixtures, fixtures_in};

use super::source::Source;
use crate::exit::{Exit, Failure, with_causes};

/// A recorded process, and what is expected of a plugin about it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) facts: Recorded,
    pub(crate) expected: Option<Expected>,
    /// Where the expected report is, or will be; none if it is part of a component.
    pub(crate) file: Option<PathBuf>,
}

/// The fixtures of a folder if one is named, else of the project, else of the component.
pub(crate) fn cases(source: &Source, folder: Option<&Path>) -> Result<Vec<Case>, Failure> {
    match (folder, &source.project) {
        (Some(folder), _) if !folder.is_dir() => {
            let message = format!("--fixtures {} is not a folder", folder.display());
            Err(Failure::new(Exit::Usage, message))
        }
        (Some(folder), _) => of_files(fixtures_in(folder), folder),
        (None, Some(project)) => of_files(fixtures(project), &project.join("fixtures")),
        (None, None) => embedded(source),
    }
}

/// The one of this name, or the first.
pub(crate) fn one(cases: Vec<Case>, name: Option<&str>) -> Result<Case, Failure> {
    let known: Vec<_> = cases.iter().map(|case| case.name.clone()).collect();
    let mut wanted = cases.into_iter().filter(|case| name.is_none_or(|name| name == case.name));
    wanted.next().ok_or_else(|| match name {
        Some(name) if !known.is_empty() => {
            let known = known.join(", ");
            Failure::new(Exit::Usage, format!("there is no fixture {name:?}; there are {known}"))
        }
        _ => none(),
    })
}

/// What to do where there is no fixture.
pub(crate) fn none() -> Failure {
    Failure::new(
        Exit::Deny,
        "there is no fixture; record one: \
         witgate fixture record --pid N --plugin . -o fixtures/NAME.json",
    )
}

fn of_files(
    found: Result<Vec<FixtureFile>, FixtureError>,
    folder: &Path,
) -> Result<Vec<Case>, Failure> {
    let found = found.map_err(|error| Failure::config(error.to_string()))?;
    let case = |FixtureFile { name, facts, expected, .. }| {
        let file = Some(folder.join(format!("{name}.expected.json")));
        Case { name, facts, expected, file }
    };
    Ok(found.into_iter().map(case).collect())
}

fn embedded(source: &Source) -> Result<Vec<Case>, Failure> {
    let found = read_fixtures(source.component.bytes()).map_err(|error| {
        Failure::config(format!("{}: {}", source.path.display(), with_causes(&error)))
    })?;
    let case = |Fixture { name, facts, expected }| Case {
        name,
        facts,
        expected: Some(expected),
        file: None,
    };
    Ok(found.into_iter().map(case).collect())
}
