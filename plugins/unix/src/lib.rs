//! The attestor `unix`: who a process is to the kernel, in SPIRE's words.
//!
//! Each key stands for itself: a fact that cannot be read costs the keys derived from it and no
//! other. `README.md` says what each is worth.

mod answer;
mod keys;
mod on_host;
mod report;
mod settings;

use witgate_sdk::{
    Attestor, Failure, Manifest, Report,
    facts::{FactError, cgroups, executable, namespaces, process},
    wants,
};

use crate::{
    answer::Answer,
    keys::{Keys, Wanted},
    report::Facts,
    settings::Settings,
};

/// The attestor.
struct Unix;

impl Attestor for Unix {
    fn describe() -> Manifest {
        keys::manifest()
    }

    fn validate(settings: &str) -> Result<(), String> {
        Settings::parse(settings).map(drop)
    }

    fn attest() -> Result<Report, Failure> {
        let wanted = Wanted::new(wants);
        let facts = Facts {
            credentials: ask(&wanted, keys::CREDENTIALS, process::credentials),
            names: ask(&wanted, keys::NAMES, process::names),
            namespaces: ask(&wanted, keys::HOST, namespaces::all),
            cgroups: ask(&wanted, keys::HOST, cgroups::trusted),
            doubts: None,
            program: None,
            sha256: None,
        };
        if !keys::EXECUTABLE.iter().any(|keys| wanted.has_any(keys)) {
            return Ok(facts.answer(&wanted).report());
        }
        if !Settings::current().map_err(Failure::Failed)?.discover_workload_path {
            let answer = keys::EXECUTABLE.into_iter().fold(facts.answer(&wanted), switched_off);
            return Ok(answer.report());
        }
        let doubts = ask(&wanted, keys::DOUBTS, executable::doubts);
        let program = ask(&wanted, keys::PROGRAM, executable::info);
        let sha256 = ask(&wanted, keys::SHA256, executable::sha256);
        Ok(Facts { doubts, program, sha256, ..facts }.answer(&wanted).report())
    }
}

fn switched_off<'a>(answer: Answer<'a>, keys: Keys) -> Answer<'a> {
    answer.unknown_each(keys, OFF)
}

const OFF: &str = "switched off by the setting discover_workload_path";

/// A fact, if anybody wants a key that is derived from it. Nobody's fact is not read.
fn ask<T>(
    wanted: &Wanted,
    keys: Keys,
    fact: fn() -> Result<T, FactError>,
) -> Option<Result<T, FactError>> {
    wanted.has_any(keys).then(fact)
}

witgate_sdk::export!(Unix, "plugin.toml");

#[cfg(test)]
mod tests {
    use witgate_sdk::testing::{check_fixtures, check_readme};

    use super::*;

    #[test]
    fn every_fixture_gives_its_expected_report() {
        check_fixtures::<Unix>("fixtures");
    }

    #[test]
    fn the_readme_says_what_the_manifest_says() {
        check_readme::<Unix>("README.md");
    }
}
