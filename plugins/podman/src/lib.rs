//! The attestor `podman`: what Podman says about the container that a process runs in.
//!
//! Which container that is, its control groups say, and never Podman. `README.md` says what each key is
//! worth.

use witgate_engine::{
    Api, Engine, RootfulSettings,
    keys::{self, Worth},
};
use witgate_sdk::{Attestor, Failure, Manifest, Report, containers::Runtime, facts::cache::Scope};

/// The attestor.
struct Podman;

const ENGINE: Engine = Engine { endpoint: "podman", api: Api::Libpod, scope: Scope::Cgroup };

impl Attestor for Podman {
    fn describe() -> Manifest {
        let worth = Worth { facts: &["cgroups.trusted", "http.response"], stable: true };
        keys::manifest(ENGINE.api, worth).config_schema(RootfulSettings::SCHEMA)
    }

    fn validate(settings: &str) -> Result<(), String> {
        RootfulSettings::parse(settings).map(drop)
    }

    fn attest() -> Result<Report, Failure> {
        let settings = RootfulSettings::current().map_err(Failure::Failed)?;
        ENGINE.attest_rootful(Runtime::Podman, &settings)
    }
}

witgate_sdk::export!(Podman, "plugin.toml");

#[cfg(test)]
mod tests {
    use witgate_sdk::testing::{check_fixtures, check_readme};

    use super::*;

    // #39, #43, #44
    #[test]
    fn every_fixture_gives_its_expected_report() {
        check_fixtures::<Podman>("fixtures");
    }

    #[test]
    fn the_readme_says_what_the_manifest_says() {
        check_readme::<Podman>("README.md");
    }
}
