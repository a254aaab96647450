//! What decisions are made by: one set of plugins with one set of entries.
//!
//! A request holds one generation from beginning to end, so no decision mixes two.

use std::sync::Arc;

use jiff::Timestamp;
use witgate_attestor::{Catalogue, Plan};
use witgate_identity::{KeyName, PluginName, Wanted};
use witgate_policy::{KeySchema, Policy, Vocabulary};

/// Plugins and entries that belong together.
#[derive(Debug)]
pub struct Generation {
    /// 1 for the first, growing by one with each reload that took effect.
    pub number: u64,
    /// When it took effect.
    pub loaded_at: Timestamp,
    /// The plugins.
    pub catalogue: Catalogue,
    /// The entries.
    pub policy: Arc<Policy>,
    /// What the entries want of the plugins.
    pub(crate) plan: Plan,
}

impl Generation {
    /// Joins plugins and entries.
    #[must_use]
    pub fn new(number: u64, catalogue: Catalogue, policy: Policy) -> Self {
        let plan = catalogue.plan(&wanted(&policy));
        Self { number, loaded_at: crate::time::now(), catalogue, policy: Arc::new(policy), plan }
    }

    /// A plan that asks every plugin for everything, for dry runs.
    #[must_use]
    pub fn plan_for_all(&self) -> Plan {
        self.catalogue.plan(&Wanted::All)
    }

    /// What the plugins of a catalogue can say, in the words of `witgate-policy`.
    #[must_use]
    pub fn vocabulary(catalogue: &Catalogue) -> Vocabulary {
        let mut vocabulary = Vocabulary::new();
        for plugin in catalogue.plugins() {
            vocabulary.insert_plugin(plugin.name().clone());
            for (key, spec) in plugin.manifest().keys() {
                let schema = KeySchema {
                    meaning: spec.meaning.clone(),
                    example: spec.example.clone(),
                    named: spec.named,
                    stable: spec.stable,
                    single: spec.single,
                    secret: spec.secret,
                    assurance: spec.assurance(false),
                    challenged_assurance: spec.assurance(true),
                };
                vocabulary.insert(plugin.name().clone(), key.clone(), schema);
            }
        }
        vocabulary
    }
}

/// What the entries want, and what every explanation and every suggested entry begins with, so that
/// the first refusal on a host without entries says enough to write one.
fn wanted(policy: &Policy) -> Wanted {
    let Wanted::Keys(mut keys) = policy.wanted() else { return Wanted::All };
    let plugin = PluginName::new("unix");
    for key in ["uid", "user", "host"] {
        if let (Ok(plugin), Ok(key)) = (&plugin, KeyName::new(key)) {
            keys.insert((plugin.clone(), key));
        }
    }
    Wanted::Keys(keys)
}
