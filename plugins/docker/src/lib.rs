//! The attestor `docker`: what Docker says about the container that a process runs in.
//!
//! Which container that is, its control groups say, and never Docker. `README.md` says what each key is
//! worth.

use witgate_engine::{
    Api, Engine, RootfulSettings,
    keys::{self, Worth},
};
use witgate_sdk::{Attestor, Failure, Manifest, Report, containers::Runtime, facts::cache::Scope};

/// The attestor.
struct Docker;

const ENGINE: Engine = Engine { endpoint: "docker", api: Api::Docker, scope: Scope::Cgroup };

impl Attestor for Docker {
    fn describe() -> Manifest {
        let worth = Worth { facts: &["cgroups.trusted", "http.response"], stable: true };
        keys::manifest(ENGINE.api, worth).config_schema(RootfulSettings::SCHEMA)
    }

    fn validate(settings: &str) -> Result<(), String> {
        RootfulSettings::parse(settings).map(drop)
    }

    fn attest() -> Result<Report, Failure> {
        let settings = RootfulSettings::current().map_err(Failure::Failed)?;
        ENGINE.attest_rootful(Runtime::Docker, &settings)
    }
}

witgate_sdk::export!(Docker, "plugin.toml");

#[cfg(test)]
mod tests {
    use witgate_sdk::testing::{check_fixtures, check_readme};

    use super::*;

    // #39, #43, #44
    #[test]
    fn every_fixture_gives_its_expected_report() {
        check_fixtures::<Docker>("fixtures");
    }

    #[test]
    fn the_readme_says_what_the_manifest_says() {
        check_readme::<Docker>("README.md");
    }
}
