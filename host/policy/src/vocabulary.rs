use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use witgate_identity::{Assurance, KeyName, PluginName};

/// What a plugin says about one of its selector keys, and what a selector of it is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySchema {
    /// What it means, in a sentence.
    pub meaning: String,
    /// A value as an example.
    pub example: String,
    /// Its selectors carry a name: `docker:label:tier:web` has the name `tier`.
    pub named: bool,
    /// The value does not change while the process lives.
    pub stable: bool,
    /// There is at most one selector of this key (and name).
    pub single: bool,
    /// The value is a secret and must not be shown.
    pub secret: bool,
    /// The best level on a request that was not challenged.
    pub assurance: Assurance,
    /// The best level on a request that passed the challenge.
    pub challenged_assurance: Assurance,
}

impl KeySchema {
    /// The best level on a request that was, or was not, challenged.
    #[must_use]
    pub const fn level(&self, challenged: bool) -> Assurance {
        if challenged { self.challenged_assurance } else { self.assurance }
    }
}

/// What the loaded plugins can say: the words that entries are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vocabulary(BTreeMap<PluginName, BTreeMap<KeyName, KeySchema>>);

impl Vocabulary {
    /// No plugin at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a plugin, with no keys yet. A loaded plugin without keys is not an absent one.
    pub fn insert_plugin(&mut self, plugin: PluginName) {
        self.0.entry(plugin).or_default();
    }

    /// Adds a key, and its plugin.
    pub fn insert(&mut self, plugin: PluginName, key: KeyName, schema: KeySchema) {
        self.0.entry(plugin).or_default().insert(key, schema);
    }

    /// The loaded plugins, by name.
    pub fn plugins(&self) -> impl Iterator<Item = &PluginName> {
        self.0.keys()
    }

    /// Whether a plugin of this name is loaded.
    #[must_use]
    pub fn has_plugin(&self, plugin: &str) -> bool {
        self.0.contains_key(plugin)
    }

    /// What is known of a key; `None` if no loaded plugin has it.
    #[must_use]
    pub fn key(&self, plugin: &PluginName, key: &KeyName) -> Option<&KeySchema> {
        self.0.get(plugin)?.get(key)
    }

    /// All keys, by plugin and name.
    pub fn keys(&self) -> impl Iterator<Item = (&PluginName, &KeyName, &KeySchema)> {
        self.0
            .iter()
            .flat_map(|(plugin, keys)| keys.iter().map(move |(key, schema)| (plugin, key, schema)))
    }
}

/// The labels of this machine, `[host] labels`, which `on` of an entry asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLabels(pub BTreeMap<String, String>);

impl HostLabels {
    /// The value of a label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All labels, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for HostLabels {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(labels: I) -> Self {
        Self(labels.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
