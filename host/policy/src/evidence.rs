use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use witgate_identity::{KeyName, PluginName, SelectorSet};

/// What the attestors found out about one process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What holds. A key without a selector here does not hold, unless it is unknown.
    pub selectors: SelectorSet,
    /// What nothing can be said about.
    pub unknown: Unknown,
    /// Whether the request passed the challenge.
    pub challenged: bool,
}

/// Plugins and keys about which nothing can be said, each with the reason, for the operator.
///
/// A key may be unknown and have selectors at the same time: those hold, and there may be more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown(BTreeMap<PluginName, UnknownPlugin>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct UnknownPlugin {
    /// Why the whole plugin said nothing, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    keys: BTreeMap<KeyName, String>,
}

impl Unknown {
    /// Nothing is unknown.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every key of a plugin is unknown.
    pub fn plugin(&mut self, plugin: PluginName, reason: String) {
        self.0.entry(plugin).or_default().reason = Some(reason);
    }

    /// One key is unknown.
    pub fn key(&mut self, plugin: PluginName, key: KeyName, reason: String) {
        self.0.entry(plugin).or_default().keys.insert(key, reason);
    }

    /// Whether a key is unknown, by itself or because its whole plugin is.
    #[must_use]
    pub fn is_unknown(&self, plugin: &PluginName, key: &KeyName) -> bool {
        self.reason(plugin, key).is_some()
    }

    /// Why a key is unknown; `None` if it is known. The key's own reason goes before its plugin's.
    #[must_use]
    pub fn reason(&self, plugin: &PluginName, key: &KeyName) -> Option<&str> {
        let unknown = self.0.get(plugin)?;
        unknown.keys.get(key).or(unknown.reason.as_ref()).map(String::as_str)
    }

    /// Everything unknown, by plugin, then key; a whole plugin comes without a key.
    pub fn iter(&self) -> impl Iterator<Item = (&PluginName, Option<&KeyName>, &str)> {
        self.0.iter().flat_map(|(plugin, unknown)| {
            let whole = unknown.reason.iter().map(move |reason| (plugin, None, reason.as_str()));
            let keys = unknown.keys.iter();
            whole.chain(keys.map(move |(key, reason)| (plugin, Some(key), reason.as_str())))
        })
    }

    /// Whether everything is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_plugin_covers_its_keys_and_json_keeps_both() {
        let (docker, label) = (PluginName::new("docker").unwrap(), KeyName::new("label").unwrap());
        let image = KeyName::new("image").unwrap();
        let mut unknown = Unknown::new();
        assert!(unknown.is_empty());
        unknown.key(docker.clone(), label.clone(), "too large".to_owned());
        assert!(unknown.is_unknown(&docker, &label) && !unknown.is_unknown(&docker, &image));
        unknown.plugin(docker.clone(), "timeout".to_owned());
        assert_eq!(unknown.reason(&docker, &label), Some("too large"));
        assert_eq!(unknown.reason(&docker, &image), Some("timeout"));
        assert_eq!(unknown.iter().count(), 2);
        let text = serde_json::to_string(&unknown).unwrap();
        assert_eq!(serde_json::from_str::<Unknown>(&text).unwrap(), unknown);
    }
}
