//! The attestor `podman-rootless`: what a user's own Podman says about the container that a process runs
//! in.
//!
//! Which container that is stands in control groups that the user made, and what is in it is told by an
//! engine of his. All of it is his word, and `README.md` says so.

mod below;

use witgate_engine::{
    Api, Engine, RootlessSettings,
    keys::{self, Worth},
};
use witgate_sdk::{Attestor, Failure, Manifest, Report, facts::cache::Scope, facts::cgroups};

/// The attestor.
struct PodmanRootless;

const ENGINE: Engine =
    Engine { endpoint: "podman-rootless", api: Api::Libpod, scope: Scope::Process };

impl Attestor for PodmanRootless {
    fn describe() -> Manifest {
        let facts = &["cgroups.trusted", "cgroups.claimed", "http.response"];
        // Nothing is stable: whoever runs the engine may have it say something else tomorrow.
        let worth = Worth { facts, stable: false };
        keys::manifest(ENGINE.api, worth).config_schema(RootlessSettings::SCHEMA)
    }

    fn validate(settings: &str) -> Result<(), String> {
        RootlessSettings::parse(settings).map(drop)
    }

    fn attest() -> Result<Report, Failure> {
        let settings = RootlessSettings::current().map_err(Failure::Failed)?;
        let trusted = cgroups::trusted()?;
        if !below::may_be_anybodys(&trusted)? {
            return Err(Failure::NotApplicable);
        }
        let claimed = cgroups::claimed()?;
        let id = below::container(&trusted, &claimed)?.ok_or(Failure::NotApplicable)?;
        ENGINE.attest(&id, &settings.environment())
    }
}

witgate_sdk::export!(PodmanRootless, "plugin.toml");

#[cfg(test)]
mod tests {
    use witgate_sdk::testing::{check_fixtures, check_readme};

    use super::*;

    // #38, #43
    #[test]
    fn every_fixture_gives_its_expected_report() {
        check_fixtures::<PodmanRootless>("fixtures");
    }

    #[test]
    fn the_readme_says_what_the_manifest_says() {
        check_readme::<PodmanRootless>("README.md");
    }
}
