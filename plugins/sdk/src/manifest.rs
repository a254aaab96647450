use crate::bindings::exports::witgate::attestor::attestor as wit;

/// What a plugin says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    keys: Vec<Key>,
    config_schema: String,
}

impl Manifest {
    /// No key, no settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key that the plugin may report.
    #[must_use]
    pub fn key(mut self, key: Key) -> Self {
        self.keys.push(key);
        self
    }

    /// JSON schema (draft 2020-12) of the settings.
    #[must_use]
    pub fn config_schema(mut self, schema: impl Into<String>) -> Self {
        self.config_schema = schema.into();
        self
    }

    /// The keys, in the order they were added.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The rows of the table *Selectors* in the plugin's README, each as what stands before the
    /// column *assurance* and what stands after it, for a test that the two say the same.
    #[must_use]
    pub fn readme_rows(&self) -> Vec<(String, String)> {
        self.keys.iter().map(Key::readme_row).collect()
    }
}

/// One selector key that a plugin may report: a lower-case word, and what it is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(wit::SelectorKey);

impl Key {
    /// A key with its meaning, in a sentence, and a value as an example.
    #[must_use]
    pub fn new(key: &str, meaning: &str, example: &str) -> Self {
        Self(wit::SelectorKey {
            key: key.to_owned(),
            meaning: meaning.to_owned(),
            example: example.to_owned(),
            derived_from: Vec::new(),
            named: false,
            stable: false,
            single: false,
            secret: false,
        })
    }

    /// The facts it is derived from, such as `process.credentials`. The key is worth as much as
    /// the least of them.
    #[must_use]
    pub fn derived_from(mut self, facts: &[&str]) -> Self {
        self.0.derived_from = facts.iter().map(|&fact| fact.to_owned()).collect();
        self
    }

    /// Its selectors carry a name.
    #[must_use]
    pub fn named(mut self) -> Self {
        self.0.named = true;
        self
    }

    /// The value does not change while the process lives.
    #[must_use]
    pub fn stable(mut self) -> Self {
        self.0.stable = true;
        self
    }

    /// There is at most one selector of this key (and name).
    #[must_use]
    pub fn single(mut self) -> Self {
        self.0.single = true;
        self
    }

    /// The value is never shown.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.0.secret = true;
        self
    }

    /// The word itself.
    #[must_use]
    pub fn word(&self) -> &str {
        &self.0.key
    }

    fn readme_row(&self) -> (String, String) {
        let wit::SelectorKey { key, meaning, example, derived_from, stable, single, .. } = &self.0;
        let yes = |holds: &bool| if *holds { "yes" } else { "no" };
        let facts: Vec<String> = derived_from.iter().map(|fact| format!("`{fact}`")).collect();
        let before = format!("| `{key}` | {meaning} | `{example}` |");
        let after = format!("| {} | {} | {} |", facts.join(", "), yes(stable), yes(single));
        (before, after)
    }
}

impl From<Manifest> for wit::Manifest {
    fn from(manifest: Manifest) -> Self {
        Self {
            keys: manifest.keys.into_iter().map(|key| key.0).collect(),
            config_schema: manifest.config_schema,
        }
    }
}
