//! `[plugins.<name>]`.

use std::collections::BTreeSet;

use witgate_facts::Interface;
use witgate_identity::{Assurance, PluginName};

use super::table::Table;

/// One plugin as the operator configured it.
#[derive(Debug, Clone)]
pub struct PluginConfig {
    /// The name that is stamped in front of its selectors.
    pub name: PluginName,
    /// `builtin:<name>`, or a path to a component.
    pub source: String,
    /// The interfaces it gets besides those that every plugin has; none: what a built-in one asks
    /// for, nothing for any other.
    pub grants: Option<BTreeSet<Interface>>,
    /// Its own settings, checked by itself.
    pub settings: serde_json::Value,
    /// A decision is unavailable if it fails.
    pub required: bool,
    /// The best that any of its selectors can be worth.
    pub max_assurance: Option<Assurance>,
}

impl PluginConfig {
    /// A first-party attestor with its defaults.
    ///
    /// # Errors
    /// If the name is not one.
    pub(super) fn builtin(name: &str) -> Result<Self, witgate_identity::NameError> {
        Ok(Self {
            name: PluginName::new(name)?,
            source: format!("builtin:{name}"),
            grants: None,
            settings: serde_json::json!({}),
            required: false,
            max_assurance: None,
        })
    }

    pub(super) fn read(name: &str, table: &mut Table<'_>) -> Option<Self> {
        let source = table.take("source");
        let grants = table.convert("grants", |words: Vec<String>| {
            words
                .iter()
                .map(|word| word.parse().map_err(|_| format!("there is no interface {word:?}")))
                .collect::<Result<BTreeSet<Interface>, _>>()
        });
        let settings = table.take("settings").unwrap_or_else(|| serde_json::json!({}));
        let required = table.take("required").unwrap_or(false);
        let max_assurance = table.convert("max_assurance", |word: String| word.parse());
        let name =
            PluginName::new(name).map_err(|error| table.complain("", error.to_string())).ok()?;
        let Some(source) = source else {
            table.complain("source", "missing; builtin:<name> or the path of a component");
            return None;
        };
        Some(Self { name, source, grants, settings, required, max_assurance })
    }
}
