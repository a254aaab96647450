//! The attestor `unix`: who a process is to the kernel, in SPIRE's words.
//!
//! Each key stands for itself: a fact that cannot be read costs the keys derived from it and no
//! other. `README.md` says what each is worth.

mod keys;
mod on_host;
mod report;
mod settings;

use witgate_sdk::{
    Attestor, Failure, Manifest, Report,
    facts::{FactError, cgroups, executable, namespaces, process},
    wants,
};

use crate::{keys::Keys, report::Facts, settings::Settings};

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
        let facts = Facts {
            credentials: ask(keys::CREDENTIALS, process::credentials),
            names: ask(keys::NAMES, process::names),
            namespaces: ask(keys::HOST, namespaces::all),
            cgroups: ask(keys::HOST, cgroups::trusted),
            program: None,
            sha256: None,
        };
        let image = keys::PROGRAM.iter().chain(keys::SHA256).any(|key| wants(key));
        if !image {
            return Ok(facts.report());
        }
        if !Settings::current().map_err(Failure::Failed)?.discover_workload_path {
            return Ok(facts
                .report()
                .unknown_each(keys::PROGRAM, OFF)
                .unknown_each(keys::SHA256, OFF));
        }
        let program = ask(keys::PROGRAM, executable::info);
        let sha256 = ask(keys::SHA256, executable::sha256);
        Ok(Facts { program, sha256, ..facts }.report())
    }
}

const OFF: &str = "switched off by the setting discover_workload_path";

/// A fact, if anybody wants a key that is derived from it. Nobody's fact is not read.
fn ask<T>(keys: Keys, fact: fn() -> Result<T, FactError>) -> Option<Result<T, FactError>> {
    keys.iter().any(|key| wants(key)).then(fact)
}

witgate_sdk::export!(Unix, "plugin.toml");
