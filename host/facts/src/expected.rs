use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use witgate_identity::KeyName;

use crate::OutcomeKind;

/// What a plugin has to say about a fixture: the content of `<name>.expected.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Where the schema of this file is; for editors.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// How the call ends.
    pub outcome: OutcomeKind,
    /// Why, in the plugin's words; not compared if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `key:value` or `key:name:value`, without the plugin's name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub selectors: BTreeSet<String>,
    /// Keys about which nothing can be said.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unknown: BTreeSet<KeyName>,
    /// The plugin's settings; none is an empty object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<serde_json::Value>,
    /// The keys that are wanted; none is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wants: Option<BTreeSet<KeyName>>,
}

/// What a plugin did say, as far as it can be expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// How the call ended.
    pub outcome: OutcomeKind,
    /// The same with its circumstances, for people.
    pub in_words: String,
    /// Why it ended so, if there is anything to say.
    pub reason: Option<String>,
    /// As in [`Expected`].
    pub selectors: BTreeSet<String>,
    /// As in [`Expected`], and why.
    pub unknown: BTreeMap<KeyName, String>,
}

impl Expected {
    /// What a plugin did say, to be expected from now on. Settings and wishes stay as they are in
    /// `before`, and a reason is kept only if there was one.
    #[must_use]
    pub fn of(said: impl Into<Said>, before: Option<&Self>) -> Self {
        let Said { outcome, reason, selectors, unknown, .. } = said.into();
        Self {
            schema: before.and_then(|before| before.schema.clone()),
            outcome,
            reason: reason.filter(|_| before.is_some_and(|before| before.reason.is_some())),
            selectors,
            unknown: unknown.into_keys().collect(),
            settings: before.and_then(|before| before.settings.clone()),
            wants: before.and_then(|before| before.wants.clone()),
        }
    }

    /// What differs, a line each; nothing if the plugin said what is expected.
    #[must_use]
    pub fn differences(&self, said: impl Into<Said>) -> Vec<String> {
        let said = said.into();
        let mut lines = Vec::new();
        if self.outcome != said.outcome {
            lines.push(format!("expected {}, got {}", self.outcome.as_str(), said.in_words));
        } else if let Some(expected) = &self.reason
            && self.reason != said.reason
        {
            let got = said.reason.unwrap_or_default();
            lines.push(format!("expected the reason {expected:?}, got {got:?}"));
        }
        let missing = self.selectors.difference(&said.selectors);
        lines.extend(missing.map(|selector| format!("- selector {selector}")));
        let extra = said.selectors.difference(&self.selectors);
        lines.extend(extra.map(|selector| format!("+ selector {selector}")));
        let missing = self.unknown.iter().filter(|key| !said.unknown.contains_key(*key));
        lines.extend(missing.map(|key| format!("- unknown key {key}")));
        let extra = said.unknown.iter().filter(|(key, _)| !self.unknown.contains(*key));
        lines.extend(extra.map(|(key, why)| format!("+ unknown key {key}: {why}")));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Expected {
        serde_json::from_str(text).unwrap()
    }

    fn failed(reason: &str) -> Said {
        Said {
            outcome: OutcomeKind::Failed,
            in_words: format!("failed: {reason}"),
            reason: Some(reason.to_owned()),
            selectors: BTreeSet::new(),
            unknown: BTreeMap::new(),
        }
    }

    #[test]
    fn a_file_says_only_what_there_is_and_reads_back() {
        let text = r#"{"$schema":"s","outcome":"not-applicable","settings":{"a":1},"wants":["x"]}"#;
        assert_eq!(serde_json::to_string(&read(text)).unwrap(), text);
        let short = r#"{"outcome":"gone"}"#;
        assert_eq!(serde_json::to_string(&read(short)).unwrap(), short);
        for wrong in [r#"{"outcome":"fine"}"#, r#"{"outcome":"gone","x":1}"#, "{}"] {
            assert!(serde_json::from_str::<Expected>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_difference_is_a_line() {
        let expected = read(r#"{"outcome":"reported","selectors":["x:1","x:2"],"unknown":["y"]}"#);
        let said = Said {
            outcome: OutcomeKind::Reported,
            in_words: "reported".to_owned(),
            reason: None,
            selectors: ["x:2", "x:3"].map(str::to_owned).into(),
            unknown: BTreeMap::from([(KeyName::new("z").unwrap(), "denied".to_owned())]),
        };
        assert_eq!(
            expected.differences(said),
            ["- selector x:1", "+ selector x:3", "- unknown key y", "+ unknown key z: denied"]
        );
        let ended = &expected.differences(failed("no"))[0];
        assert_eq!(ended, "expected reported, got failed: no");
    }

    #[test]
    fn a_reason_is_compared_and_kept_only_if_there_was_one() {
        let (without, with) =
            (read(r#"{"outcome":"failed"}"#), read(r#"{"outcome":"failed","reason":"old"}"#));
        assert_eq!(without.differences(failed("new")), [""; 0]);
        assert_eq!(with.differences(failed("new")), [r#"expected the reason "old", got "new""#]);
        assert_eq!(Expected::of(failed("new"), Some(&without)), without);
        assert_eq!(Expected::of(failed("new"), None).reason, None);
        let updated = Expected::of(failed("new"), Some(&with));
        assert_eq!(updated.differences(failed("new")), [""; 0]);
        assert_eq!(updated.reason.as_deref(), Some("new"));
    }

    #[test]
    fn what_the_call_is_given_stays() {
        let before = read(r#"{"outcome":"gone","settings":{"a":1},"wants":["x"]}"#);
        let now = Expected::of(failed("no"), Some(&before));
        assert_eq!((now.settings, now.wants), (before.settings, before.wants));
    }
}
