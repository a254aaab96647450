use std::collections::BTreeSet;

use crate::{KeyName, PluginName};

/// Which selector keys anybody wants: the live entries, their tests and templates, or a person who
/// asked for everything.
///
/// Facts are collected, and plugins called, only for wanted keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Every key of every plugin: a dry run, a recording, a `why`.
    All,
    /// These keys.
    Keys(BTreeSet<(PluginName, KeyName)>),
}

impl Wanted {
    /// Nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self::Keys(BTreeSet::new())
    }

    /// Whether this key is wanted.
    #[must_use]
    pub fn wants(&self, plugin: &PluginName, key: &KeyName) -> bool {
        match self {
            Self::All => true,
            Self::Keys(keys) => keys.contains(&(plugin.clone(), key.clone())),
        }
    }
}
