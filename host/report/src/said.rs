//! What a plugin says, before anything of it is believed.

/// One key that a plugin claims to have.
#[derive(Debug, Clone, Default)]
pub struct SaidKey {
    /// Its name.
    pub key: String,
    /// What it means.
    pub meaning: String,
    /// A value as an example.
    pub example: String,
    /// The facts that it is derived from.
    pub derived_from: Vec<String>,
    /// Its selectors carry a name.
    pub named: bool,
    /// The value does not change while the process lives.
    pub stable: bool,
    /// At most one selector of this key and name in a report.
    pub single: bool,
    /// The value is a secret.
    pub secret: bool,
}

/// What `describe` said.
#[derive(Debug, Clone, Default)]
pub struct SaidManifest {
    /// The keys.
    pub keys: Vec<SaidKey>,
    /// The JSON schema of its settings; empty if it has none.
    pub config_schema: String,
}

/// One selector of a report.
#[derive(Debug, Clone, Copy)]
pub struct SaidSelector<'a> {
    /// Its key.
    pub key: &'a str,
    /// Its name, if the key has names.
    pub name: Option<&'a str>,
    /// Its value.
    pub value: &'a str,
}

/// A key of which the plugin says that it does not know.
#[derive(Debug, Clone, Copy)]
pub struct SaidUnknown<'a> {
    /// The key.
    pub key: &'a str,
    /// Why.
    pub reason: &'a str,
}

/// What `attest` said. Borrowed, for a report is checked once a decision.
#[derive(Debug, Clone, Default)]
pub struct SaidReport<'a> {
    /// The selectors.
    pub selectors: Vec<SaidSelector<'a>>,
    /// The keys that it knows nothing of.
    pub unknown: Vec<SaidUnknown<'a>>,
}
