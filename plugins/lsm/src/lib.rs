//! The attestor `lsm`: how a security module labels a process, in the parts that its policy is
//! written in.
//!
//! The label is the one that the kernel put on the socket. `README.md` says what it is worth.

mod label;
mod settings;

use witgate_sdk::{Attestor, Failure, Key, Manifest, Report, facts::process};

use crate::{
    label::{Confinement, Context, Label},
    settings::Settings,
};

/// The attestor.
struct Lsm;

impl Attestor for Lsm {
    fn describe() -> Manifest {
        let key = |word, meaning, example| {
            Key::new(word, meaning, example).derived_from(&["process.label"])
        };
        Manifest::new()
            .key(
                key("label", "all of it, as the kernel has it", "docker-default (enforce)")
                    .single(),
            )
            .key(
                key("module", "whose label it is: apparmor, selinux or smack", "apparmor").single(),
            )
            .key(key("mode", "what AppArmor does about a violation", "enforce").single())
            .key(key("profile", "a profile of AppArmor's that is enforced", "docker-default"))
            .key(key(
                "unenforced_profile",
                "a profile of AppArmor's that is not",
                "/usr/sbin/nginx",
            ))
            .key(key("user", "the user of an SELinux context", "system_u").single())
            .key(key("role", "its role", "system_r").single())
            .key(key("type", "its type, the domain of the process", "httpd_t").single())
            .key(key("level", "its sensitivity and categories", "s0:c12,c34").single())
            .config_schema(settings::SCHEMA)
    }

    fn validate(settings: &str) -> Result<(), String> {
        Settings::parse(settings).map(drop)
    }

    fn attest() -> Result<Report, Failure> {
        let settings = Settings::current().map_err(Failure::Failed)?;
        let text = process::label()?;
        // SELinux counts the zero byte at the end.
        let text = text.strip_suffix('\0').unwrap_or(&text);
        let report = Report::new().selector("label", text);
        Ok(match Label::parse(text, settings.module) {
            Ok(label) => parts(report.selector("module", label.module().as_str()), &label),
            Err(reason) => report.unknown_each(&PARTS, reason),
        })
    }
}

/// Everything but the label itself.
const PARTS: [&str; 8] =
    ["module", "mode", "profile", "unenforced_profile", "user", "role", "type", "level"];

fn parts(report: Report, label: &Label<'_>) -> Report {
    match label {
        Label::AppArmor(confinement) => profiles(report, confinement),
        Label::SeLinux(Context { user, role, domain, level }) => report
            .selector("user", user)
            .selector("role", role)
            .selector("type", domain)
            .selector_each("level", level),
        Label::Smack => report,
    }
}

/// A profile that forbids nothing must not look like one that does. Of a stack with several modes
/// nobody can say which profile has which.
fn profiles(report: Report, found: &Confinement<'_>) -> Report {
    let report = report.selector("mode", found.mode);
    match found.mode {
        "enforce" | "kill" => report.selector_each("profile", &found.profiles),
        "mixed" => report
            .unknown_each(&["profile", "unenforced_profile"], "its profiles have several modes"),
        _ => report.selector_each("unenforced_profile", &found.profiles),
    }
}

witgate_sdk::export!(Lsm, "plugin.toml");

#[cfg(test)]
mod tests {
    use witgate_sdk::testing::{check_fixtures, check_readme};

    use super::*;

    #[test]
    fn the_parts_are_all_keys_but_the_label() {
        let manifest = Lsm::describe();
        let keys: Vec<&str> = manifest.keys().iter().map(Key::word).collect();
        assert_eq!(keys[0], "label");
        assert_eq!(keys[1..], PARTS);
    }

    #[test]
    fn every_fixture_gives_its_expected_report() {
        check_fixtures::<Lsm>("fixtures");
    }

    #[test]
    fn the_readme_says_what_the_manifest_says() {
        check_readme::<Lsm>("README.md");
    }
}
