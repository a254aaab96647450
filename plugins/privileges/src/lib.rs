//! The attestor `privileges`: what a process may still do, as the kernel has it.
//!
//! Each key stands for itself: a fact that cannot be read costs the keys derived from it and no
//! other. `README.md` says what each is worth.

mod capabilities;
mod keys;
mod report;

use witgate_sdk::{
    Attestor, Failure, Manifest, Report,
    facts::{namespaces, process},
    wants,
};

use crate::report::Facts;

/// The attestor.
struct Privileges;

impl Attestor for Privileges {
    fn describe() -> Manifest {
        keys::manifest()
    }

    fn attest() -> Result<Report, Failure> {
        let any = |keys: &[&str]| keys.iter().any(|key| wants(key));
        let sets = any(keys::SETS.as_flattened());
        let facts = Facts {
            privileges: (sets || any(&keys::LIMITS)).then(process::privileges),
            namespaces: (sets || wants(keys::NAMESPACE)).then(namespaces::all),
        };
        Ok(facts.report())
    }
}

witgate_sdk::export!(Privileges, "plugin.toml");

#[cfg(test)]
mod tests {
    use witgate_sdk::testing::{check_fixtures, check_readme};

    use super::*;

    #[test]
    fn every_fixture_gives_its_expected_report() {
        check_fixtures::<Privileges>("fixtures");
    }

    #[test]
    fn the_readme_says_what_the_manifest_says() {
        check_readme::<Privileges>("README.md");
    }
}
