//! The attestor `container`: in which container a process runs, as its control groups tell.
//!
//! Only directories that nobody but root could have made count, and of those the container
//! nearest to the root: see `README.md` for what that is worth.

mod settings;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod spire;

use witgate_sdk::{
    Attestor, Failure, Key, Manifest, Report,
    containers::{Located, locate},
    facts::cgroups,
};

use crate::settings::Settings;

/// The attestor.
struct Container;

impl Attestor for Container {
    fn describe() -> Manifest {
        let key = |word, meaning, example| {
            let key = Key::new(word, meaning, example);
            key.derived_from(&["cgroups.trusted"]).stable().single()
        };
        Manifest::new()
            .key(key("id", "id of the container", EXAMPLE_ID))
            .key(key("pod_uid", "uid of the Kubernetes pod around the container", EXAMPLE_POD))
            .key(key("runtime", "containerd, cri-o, docker or podman", "docker"))
            .config_schema(settings::SCHEMA)
    }

    fn validate(settings: &str) -> Result<(), String> {
        Settings::parse(settings).map(drop)
    }

    fn attest() -> Result<Report, Failure> {
        let settings = Settings::current().map_err(Failure::Failed)?;
        let hierarchies = cgroups::trusted()?;
        let located = locate(&hierarchies, settings.nested_below.as_ref())?;
        located.map(report).ok_or(Failure::NotApplicable)
    }
}

const EXAMPLE_ID: &str = "3f5a1c9be7d2408886c1f0a97b3e52d4a1b6c8d0e2f4967835241706fedcba98";
const EXAMPLE_POD: &str = "0c5e8f2a-7b41-4d9c-a6e3-91d20f8b7c64";

fn report(located: Located<'_>) -> Report {
    let report = Report::new().selector("id", located.id);
    let report = report.selector_each("pod_uid", located.pod_uid);
    match located.runtime {
        Some(runtime) => report.selector("runtime", runtime.as_str()),
        None => report.unknown("runtime", "several runtimes spell a control group like this"),
    }
}

witgate_sdk::export!(Container, "plugin.toml");

#[cfg(test)]
mod tests {
    use witgate_sdk::{
        containers::Runtime,
        testing::{check_fixtures, check_readme},
    };

    use super::*;

    #[test]
    fn what_the_path_does_not_tell_is_unknown_and_what_is_not_there_is_left_out() {
        let located =
            Located { id: EXAMPLE_ID, runtime: Some(Runtime::CriO), pod_uid: Some("u".to_owned()) };
        let full = report(located);
        let keys: Vec<&str> = full.selectors().iter().map(|s| s.key.as_str()).collect();
        assert_eq!(keys, ["id", "pod_uid", "runtime"]);
        assert_eq!(full.selectors()[2].value, "cri-o");

        let bare = report(Located { id: EXAMPLE_ID, runtime: None, pod_uid: None });
        assert_eq!(bare.selectors().len(), 1);
        assert_eq!(bare.unknown_keys()[0].key, "runtime");
    }

    #[test]
    fn the_manifest_declares_every_key_that_is_reported() {
        let manifest = Container::describe();
        let words: Vec<&str> = manifest.keys().iter().map(Key::word).collect();
        assert_eq!(words, ["id", "pod_uid", "runtime"]);
    }

    // #38, #39
    #[test]
    fn every_fixture_gives_its_expected_report() {
        check_fixtures::<Container>("fixtures");
    }

    #[test]
    fn the_readme_says_what_the_manifest_says() {
        check_readme::<Container>("README.md");
    }
}
