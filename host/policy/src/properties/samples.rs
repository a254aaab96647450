//! Small worlds in which anything can happen: few keys, few values, so that entries and evidence
//! meet often.

use jiff::Timestamp;
use proptest::{collection::vec, prelude::*, sample::select};
use witgate_identity::{Assurance, Attested, KeyName, PluginName, Selector, TrustDomain};

use crate::{
    Evidence, HostLabels, KeySchema, LoadOptions, Policy, PolicyErrors, SourceFile, Unknown,
    Vocabulary,
};

const TOPICS: [(&str, &str, Option<&str>); 8] = [
    ("unix", "uid", None),
    ("unix", "user", None),
    ("unix", "group", None),
    ("unix", "path", None),
    ("docker", "image", None),
    ("docker", "label", Some("x")),
    ("docker", "label", Some("y")),
    ("lsm", "label", None),
];
/// Mostly the same one, so that what is asked for is often there.
const VALUES: [&str; 7] = ["a", "a", "a", "a", "b", "a/b", "e e"];
const GLOBS: [&str; 6] = ["*", "**", "a*", "a/*", "?", "b"];

pub(super) fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

pub(super) fn plugin(name: &str) -> PluginName {
    PluginName::new(name).unwrap()
}

fn vocabulary() -> Vocabulary {
    let mut vocabulary = Vocabulary::new();
    for (plugin_name, key, name) in TOPICS {
        let assurance = match (plugin_name, key) {
            ("unix", "path") => Assurance::Claimed,
            ("docker", _) => Assurance::Runtime,
            _ => Assurance::Kernel,
        };
        let schema = KeySchema {
            meaning: key.to_owned(),
            example: "a".to_owned(),
            named: name.is_some(),
            stable: true,
            single: key != "group",
            secret: false,
            assurance,
            challenged_assurance: assurance.max(Assurance::Image),
        };
        vocabulary.insert(plugin(plugin_name), KeyName::new(key).unwrap(), schema);
    }
    vocabulary
}

/// Every text is a file of its own.
pub(super) fn try_load(texts: &[String]) -> Result<Policy, PolicyErrors> {
    let options = LoadOptions {
        trust_domain: TrustDomain::new("example.org").unwrap(),
        host_labels: HostLabels::default(),
        strict_plugins: false,
    };
    let file = |text: &String| SourceFile { name: "a.toml".to_owned(), text: text.clone() };
    let files: Vec<_> = texts.iter().map(file).collect();
    Policy::load(&files, &vocabulary(), &options, now())
}

pub(super) fn load(entries: &[String]) -> Policy {
    try_load(&[entries.join("\n")])
        .unwrap_or_else(|errors| panic!("{errors}\n{}", entries.join("\n")))
}

fn selector(topic: usize, value: &str) -> Selector {
    let (plugin_name, key, name) = TOPICS[topic];
    Selector::new(plugin(plugin_name), KeyName::new(key).unwrap(), name, value).unwrap()
}

/// Kernel-level evidence from SPIRE's literal form, of keys without names.
pub(super) fn evidence(selectors: &[&str]) -> Evidence {
    let parse = |text: &&str| Attested {
        selector: Selector::parse(text, false).unwrap(),
        assurance: Assurance::Kernel,
    };
    Evidence { selectors: selectors.iter().map(parse).collect(), ..Evidence::default() }
}

fn clause(
    values: &'static [&'static str],
    size: std::ops::Range<usize>,
) -> impl Strategy<Value = String> {
    let topics = proptest::collection::btree_map(0..TOPICS.len(), vec(select(values), 1..3), size);
    topics.prop_map(|topics| {
        let one = |(topic, values): (usize, Vec<&str>)| {
            let (plugin, key, name) = TOPICS[topic];
            let name = name.map(|name| format!(".{name}")).unwrap_or_default();
            format!("{plugin}.{key}{name} = {values:?}")
        };
        format!("{{ {} }}", topics.into_iter().map(one).collect::<Vec<_>>().join(", "))
    })
}

fn any_entry() -> impl Strategy<Value = String> {
    let identities = vec![
        "/one",
        "/two",
        "/u/{unix.user}",
        "/l/{docker.label[x]|encode}",
        "/{unix.uid}/{lsm.label}",
    ];
    let clauses = (clause(&VALUES, 0..4), clause(&GLOBS, 0..2), clause(&VALUES[3..], 0..2));
    let rest = (
        select(identities),
        -1_i64..2,
        any::<bool>(),
        select(vec!["", "", "", "2026-01-01", "2026-12-01"]),
    );
    let action = select(vec!["allow", "allow", "allow", "deny", "deny", "observe"]);
    (action, clauses, rest).prop_map(
        |(action, (literal, like, unless), (identity, priority, challenged, expires))| {
            let mut text = format!(
                "action = \"{action}\"\nweak = true\npriority = {priority}\nunless = {unless}\n"
            );
            if action != "deny" {
                text += &format!("identity = \"{identity}\"\n");
                text += if challenged { "require = [\"challenged\"]\n" } else { "" };
            }
            if !expires.is_empty() {
                text += &format!("expires = {expires}T00:00:00Z\n");
            }
            let literal =
                if literal == "{  }" && like == "{  }" { "{ unix.uid = \"a\" }" } else { &literal };
            text + &format!("match = {literal}\nlike = {like}\n")
        },
    )
}

/// Entries with names of their own.
pub(super) fn any_entries(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<String>> {
    vec(any_entry(), count).prop_map(|entries| {
        let name = |(at, text): (usize, String)| format!("[[entry]]\nname = \"e{at}\"\n{text}");
        entries.into_iter().enumerate().map(name).collect()
    })
}

fn any_level() -> impl Strategy<Value = Assurance> {
    prop_oneof![6 => Just(Assurance::Kernel), 2 => Just(Assurance::Runtime), 1 => Just(Assurance::Claimed)]
}

fn any_unknown() -> impl Strategy<Value = Unknown> {
    let plugins = vec(select(vec!["unix", "docker", "lsm", "other"]), 0..2);
    let keys = vec(0..TOPICS.len(), 0..3);
    (plugins, keys, any::<bool>()).prop_map(|(plugins, keys, any)| {
        let mut unknown = Unknown::new();
        if any {
            plugins.into_iter().for_each(|name| unknown.plugin(plugin(name), "timeout".to_owned()));
            for (plugin_name, key, _) in keys.into_iter().map(|key| TOPICS[key]) {
                unknown.key(
                    plugin(plugin_name),
                    KeyName::new(key).unwrap(),
                    "too large".to_owned(),
                );
            }
        }
        unknown
    })
}

pub(super) fn any_evidence() -> impl Strategy<Value = Evidence> {
    let selectors = vec((0..TOPICS.len(), select(&VALUES[..]), any_level()), 0..16);
    (selectors, any_unknown(), any::<bool>()).prop_map(|(selectors, unknown, challenged)| {
        let attest =
            |(topic, value, assurance)| Attested { selector: selector(topic, value), assurance };
        Evidence { selectors: selectors.into_iter().map(attest).collect(), unknown, challenged }
    })
}

/// A way to know less.
#[derive(Debug, Clone)]
pub(super) struct Loss {
    unknown: Unknown,
    /// Of a lost key, whether each next selector stays.
    stays: Vec<bool>,
    /// What selectors are worth at most.
    level: Assurance,
    unchallenged: bool,
}

pub(super) fn any_loss() -> impl Strategy<Value = Loss> {
    (any_unknown(), vec(any::<bool>(), 10), any_level(), any::<bool>()).prop_map(
        |(unknown, stays, level, unchallenged)| Loss { unknown, stays, level, unchallenged },
    )
}

impl Loss {
    pub(super) fn apply(&self, evidence: &Evidence) -> Evidence {
        let mut less = Evidence {
            challenged: evidence.challenged && !self.unchallenged,
            ..Evidence::default()
        };
        for (plugin, key, reason) in evidence.unknown.iter().chain(self.unknown.iter()) {
            match key {
                Some(key) => less.unknown.key(plugin.clone(), key.clone(), reason.to_owned()),
                None => less.unknown.plugin(plugin.clone(), reason.to_owned()),
            }
        }
        let mut stays = self.stays.iter().cycle();
        let kept = evidence.selectors.iter().filter(|(selector, _)| {
            !self.unknown.is_unknown(selector.plugin(), selector.key())
                || stays.next() == Some(&true)
        });
        less.selectors = kept
            .map(|(selector, level)| Attested {
                selector: selector.clone(),
                assurance: level.min(self.level),
            })
            .collect();
        less
    }
}

pub(super) fn remove_key(value: &mut serde_json::Value, key: &str) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.remove(key);
            fields.values_mut().for_each(|value| remove_key(value, key));
        }
        serde_json::Value::Array(items) => {
            items.iter_mut().for_each(|value| remove_key(value, key));
        }
        _ => {}
    }
}
