//! The operating system of the workload's own root, from os-release(5).

mod os_release;

use witgate_sdk::{
    Attestor, Failure, Key, Manifest, Report,
    facts::{
        FactError,
        files::{self, Root},
    },
};

use os_release::OsRelease;

struct Os;

witgate_sdk::export!(Os, "plugin.toml");

/// The administrator's file, and the vendor's, which is there if the first is not.
const PATHS: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];

impl Attestor for Os {
    fn describe() -> Manifest {
        let key = |key: &str, meaning: &str, example: &str| {
            Key::new(key, meaning, example).derived_from(&["files.workload"]).single()
        };
        Manifest::new()
            .key(key("id", "the operating system, as os-release(5) names it", "debian"))
            .key(key("version", "its version", "12"))
            .key(key("variant", "its variant", "server"))
    }

    fn attest() -> Result<Report, Failure> {
        let content = read()?.ok_or(Failure::NotApplicable)?;
        let release = OsRelease::parse(&content);
        let report = Report::new()
            .selector("id", release.id)
            .selector_each("version", release.version)
            .selector_each("variant", release.variant);
        Ok(report)
    }
}

/// The first of the files that is there. One that cannot be read is an error, and never a reason to
/// look at the next.
fn read() -> Result<Option<Vec<u8>>, FactError> {
    for path in PATHS {
        if let Some(content) = files::read(Root::Workload, path)? {
            return Ok(Some(content));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use witgate_sdk::testing::check_fixtures;

    use super::*;

    #[test]
    fn every_fixture_gives_its_expected_report() {
        check_fixtures::<Os>("fixtures");
    }

    #[test]
    fn there_are_no_settings() {
        assert_eq!(Os::validate("{}"), Ok(()));
        assert!(Os::validate(r#"{"strict":true}"#).is_err());
    }
}
