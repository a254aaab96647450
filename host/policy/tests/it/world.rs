//! A host with a few plugins, shared by all tests.

use jiff::Timestamp;
use witgate_identity::{
    Assurance::{self, Claimed, Image, Kernel, Runtime},
    Attested, KeyName, PluginName, Selector, TrustDomain,
};
use witgate_policy::{
    Evaluation, Evidence, KeySchema, LoadOptions, Policy, PolicyErrors, SourceFile, Verdict,
    Vocabulary,
};

pub(crate) struct Key {
    pub(crate) plugin: &'static str,
    pub(crate) key: &'static str,
    level: Assurance,
    challenged: Assurance,
    /// Any of n(amed), v(olatile), m(any), s(ecret).
    flags: &'static str,
}

const fn key(
    plugin: &'static str,
    key: &'static str,
    level: Assurance,
    flags: &'static str,
) -> Key {
    Key { plugin, key, level, challenged: level, flags }
}

pub(crate) const KEYS: [Key; 18] = [
    key("unix", "uid", Kernel, ""),
    key("unix", "user", Kernel, ""),
    key("unix", "gid", Kernel, ""),
    key("unix", "group", Kernel, ""),
    key("unix", "supplementary_group", Kernel, "m"),
    key("unix", "host", Kernel, ""),
    Key { plugin: "unix", key: "path", level: Claimed, challenged: Image, flags: "" },
    Key { plugin: "unix", key: "sha256", level: Claimed, challenged: Image, flags: "" },
    key("unix", "comm", Claimed, "v"),
    key("systemd", "unit", Kernel, ""),
    key("systemd", "template", Kernel, ""),
    key("systemd", "instance", Kernel, ""),
    key("docker", "label", Runtime, "n"),
    key("docker", "image", Runtime, ""),
    key("docker", "id", Runtime, ""),
    key("docker", "env", Claimed, "n"),
    key("docker", "network", Runtime, "m"),
    key("docker", "token", Runtime, "s"),
];

pub(crate) fn vocabulary() -> Vocabulary {
    vocabulary_of(&["unix", "systemd", "docker"])
}

pub(crate) fn vocabulary_of(plugins: &[&str]) -> Vocabulary {
    let mut vocabulary = Vocabulary::new();
    for key in KEYS.iter().filter(|key| plugins.contains(&key.plugin)) {
        let schema = KeySchema {
            meaning: format!("the {}", key.key),
            example: "example".to_owned(),
            named: key.flags.contains('n'),
            stable: !key.flags.contains('v'),
            single: !key.flags.contains('m'),
            secret: key.flags.contains('s'),
            assurance: key.level,
            challenged_assurance: key.challenged,
        };
        vocabulary.insert(plugin(key.plugin), KeyName::new(key.key).unwrap(), schema);
    }
    vocabulary
}

pub(crate) fn plugin(name: &str) -> PluginName {
    PluginName::new(name).unwrap()
}

pub(crate) fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

/// An edge host of example.org.
pub(crate) fn options() -> LoadOptions {
    LoadOptions {
        trust_domain: TrustDomain::new("example.org").unwrap(),
        host_labels: [("role", "edge"), ("site", "b")].into_iter().collect(),
        strict_plugins: false,
    }
}

pub(crate) fn file(text: &str) -> SourceFile {
    SourceFile { name: "entries.toml".to_owned(), text: text.to_owned() }
}

pub(crate) fn try_load(text: &str) -> Result<Policy, PolicyErrors> {
    Policy::load(&[file(text)], &vocabulary(), &options(), now())
}

#[track_caller]
pub(crate) fn load(text: &str) -> Policy {
    try_load(text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// What is wrong with a file, as it is shown.
#[track_caller]
pub(crate) fn refused(text: &str) -> String {
    try_load(text).expect_err("it loads").to_string()
}

/// Evidence from SPIRE's literal form, at the levels of an unchallenged request.
pub(crate) fn evidence(selectors: &[&str]) -> Evidence {
    let vocabulary = vocabulary();
    let attest = |text: &&str| {
        let plain = Selector::parse(text, false).unwrap();
        let schema = vocabulary.key(plain.plugin(), plain.key()).unwrap();
        Attested {
            selector: Selector::parse(text, schema.named).unwrap(),
            assurance: schema.assurance,
        }
    };
    Evidence { selectors: selectors.iter().map(attest).collect(), ..Evidence::default() }
}

/// The same, with plugins and `plugin.key`s of which nothing could be said.
pub(crate) fn evidence_without(selectors: &[&str], unknown: &[&str]) -> Evidence {
    let mut evidence = evidence(selectors);
    for name in unknown {
        match name.split_once('.') {
            Some((of, key)) => {
                evidence.unknown.key(
                    plugin(of),
                    KeyName::new(key).unwrap(),
                    "too large".to_owned(),
                );
            }
            None => evidence.unknown.plugin(plugin(name), "timeout".to_owned()),
        }
    }
    evidence
}

/// A verdict in a line: `allow /a /b`, `deny no_matching_entry`, `unavailable: reasons`.
pub(crate) fn word(evaluation: &Evaluation) -> String {
    match &evaluation.verdict {
        Verdict::Allow(granted) => {
            granted.iter().fold("allow".to_owned(), |line, granted| line + " " + granted.id.path())
        }
        Verdict::Deny(denial) => match &denial.entry {
            Some(at) => format!("deny {} {}", denial.reason, at.entry),
            None => format!("deny {}", denial.reason),
        },
        Verdict::Unavailable(blocked) => {
            let one = |u: &witgate_policy::Undecided| {
                format!("{} ({})", u.entry.entry, u.reasons.join("; "))
            };
            format!(
                "unavailable: {}",
                blocked.entries.iter().map(one).collect::<Vec<_>>().join(", ")
            )
        }
    }
}

pub(crate) fn verdict(policy: &Policy, selectors: &[&str]) -> String {
    word(&policy.evaluate(&evidence(selectors), now()))
}

pub(crate) fn verdict_without(policy: &Policy, selectors: &[&str], unknown: &[&str]) -> String {
    word(&policy.evaluate(&evidence_without(selectors, unknown), now()))
}
