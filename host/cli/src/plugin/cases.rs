//! Fixtures, wherever they are: in a project, in a folder, in a component.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use wasmparser::{Parser, Payload};
use witgate_attestor::{Expected, Fixture};
use witgate_facts::fixture::Recorded;
use witgate_workbench::{FIXTURES_SECTION, FixtureFile, fixtures};

use super::source::Source;
use crate::exit::{Exit, Failure};

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
        (Some(folder), _) => of_folder(folder),
        (None, Some(project)) => of_project(project, &project.join("fixtures")),
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

/// A folder of any name, looked at as the folder of a project.
fn of_folder(folder: &Path) -> Result<Vec<Case>, Failure> {
    let absolute = folder.canonicalize().map_err(|error| {
        Failure::new(Exit::Usage, format!("--fixtures {}: {error}", folder.display()))
    })?;
    let project = tempfile::tempdir().map_err(Failure::internal)?;
    let link = project.path().join("fixtures");
    symlink(&absolute, &link).map_err(Failure::internal)?;
    of_project(project.path(), &absolute).map_err(|failure| {
        let seen =
            failure.to_string().replace(&*link.to_string_lossy(), &absolute.to_string_lossy());
        Failure::new(failure.exit, seen)
    })
}

fn of_project(project: &Path, folder: &Path) -> Result<Vec<Case>, Failure> {
    let found = fixtures(project).map_err(|error| Failure::config(error.to_string()))?;
    found.into_iter().map(|fixture| of_file(fixture, folder)).collect()
}

fn of_file(fixture: FixtureFile, folder: &Path) -> Result<Case, Failure> {
    let FixtureFile { name, facts, expected, .. } = fixture;
    let file = folder.join(format!("{name}.expected.json"));
    let wrong = |error| Failure::config(format!("{}: {error}", file.display()));
    let expected = expected.map(|text| serde_json::to_value(text).and_then(serde_json::from_value));
    Ok(Case { expected: expected.transpose().map_err(wrong)?, name, facts, file: Some(file) })
}

fn embedded(source: &Source) -> Result<Vec<Case>, Failure> {
    let wrong = |error: String| {
        Failure::config(format!("{}: its fixtures: {error}", source.path.display()))
    };
    let mut cases = Vec::new();
    for payload in Parser::new(0).parse_all(source.component.bytes()) {
        let payload = payload.map_err(|error| wrong(error.to_string()))?;
        let Payload::CustomSection(section) = payload else { continue };
        if section.name() != FIXTURES_SECTION {
            continue;
        }
        let fixtures: Vec<Fixture> =
            serde_json::from_slice(section.data()).map_err(|error| wrong(error.to_string()))?;
        cases.extend(fixtures.into_iter().map(|Fixture { name, facts, expected }| Case {
            name,
            facts,
            expected: Some(expected),
            file: None,
        }));
    }
    Ok(cases)
}
