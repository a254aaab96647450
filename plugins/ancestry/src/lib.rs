//! The attestor `ancestry`: from whom a process descends.
//!
//! All of it is claimed: parents come and go, and the program of one can be forged like that of the
//! process. `README.md` says what it is good for.

mod lineage;
mod report;

use witgate_sdk::{Attestor, Failure, Key, Manifest, Report, facts::ancestry};

/// The attestor.
struct Ancestry;

impl Attestor for Ancestry {
    fn describe() -> Manifest {
        let key = |word, meaning, example| {
            Key::new(word, meaning, example).derived_from(&["ancestry.parents"])
        };
        Manifest::new()
            .key(key("parent", "executable of the parent", "/usr/bin/bash").single())
            .key(key("parent_name", "name that the parent gives itself", "bash").single())
            .key(key("parent_uid", "effective user id of the parent", "1000").single())
            .key(key("ancestor", "executable of a parent, at any distance", "/usr/sbin/cron"))
            .key(key("ancestor_name", "name that a parent gives itself", "cron"))
            .key(key("ancestor_uid", "effective user id of a parent", "0"))
            .key(key("ssh", "a parent is root's part of an SSH server", "true").single())
            .key(key("runtime_child", "what a container runtime started", "/usr/bin/tini").single())
    }

    fn attest() -> Result<Report, Failure> {
        Ok(report::report(&ancestry::parents()?))
    }
}

witgate_sdk::export!(Ancestry, "plugin.toml");

#[cfg(test)]
mod tests {
    use witgate_sdk::testing::{check_fixtures, check_readme};

    use super::*;

    #[test]
    fn every_fixture_gives_its_expected_report() {
        check_fixtures::<Ancestry>("fixtures");
    }

    #[test]
    fn the_readme_says_what_the_manifest_says() {
        check_readme::<Ancestry>("README.md");
    }
}
