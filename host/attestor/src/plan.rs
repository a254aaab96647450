use std::{collections::BTreeSet, sync::Arc};

use witgate_facts::FactSet;
use witgate_identity::{KeyName, PluginName, Wanted};

use crate::Plugin;

/// Which plugins are called for a request, for which keys, and which facts they need for them.
/// Made once for a set of entries and a catalogue, used for every request.
///
/// What is not in the plan is not looked at: a key outside it is neither in a report nor unknown.
/// So a policy must be evaluated only over attestations of a plan that [`Plan::covers`] all that
/// the policy wants.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub(crate) calls: Vec<PlannedCall>,
    facts: FactSet,
}

/// One plugin of a plan.
#[derive(Debug, Clone)]
pub(crate) struct PlannedCall {
    pub(crate) plugin: Plugin,
    pub(crate) wants: Arc<Wants>,
}

/// The keys that are wanted of one plugin; never empty.
#[derive(Debug)]
pub(crate) struct Wants(BTreeSet<KeyName>);

impl Wants {
    pub(crate) const fn new(keys: BTreeSet<KeyName>) -> Self {
        Self(keys)
    }

    pub(crate) const fn keys(&self) -> &BTreeSet<KeyName> {
        &self.0
    }

    pub(crate) fn wants(&self, key: &str) -> bool {
        self.0.contains(key)
    }
}

impl Plan {
    pub(crate) fn new(plugins: &[Plugin], wanted: &Wanted) -> Self {
        let mut plan = Self::default();
        for plugin in plugins {
            let mut keys = BTreeSet::new();
            for (key, spec) in plugin.manifest().keys() {
                if wanted.wants(plugin.name(), key) {
                    keys.insert(key.clone());
                    plan.facts = plan.facts.union(spec.derived_from);
                }
            }
            if !keys.is_empty() {
                let wants = Arc::new(Wants::new(keys));
                plan.calls.push(PlannedCall { plugin: plugin.clone(), wants });
            }
        }
        plan
    }

    /// The facts to collect: all that the wanted keys are derived from.
    #[must_use]
    pub const fn facts(&self) -> FactSet {
        self.facts
    }

    /// The plugins that are called.
    pub fn plugins(&self) -> impl Iterator<Item = &Plugin> {
        self.calls.iter().map(|call| &call.plugin)
    }

    /// Whether a plugin is called for this key.
    #[must_use]
    pub fn wants(&self, plugin: &PluginName, key: &KeyName) -> bool {
        let called = self.calls.iter().find(|call| call.plugin.name() == plugin);
        called.is_some_and(|call| call.wants.wants(key.as_str()))
    }

    /// Whether everything that is wanted of these plugins is in the plan.
    #[must_use]
    pub fn covers(&self, plugins: &[Plugin], wanted: &Wanted) -> bool {
        plugins.iter().all(|plugin| {
            let mut keys = plugin.manifest().keys().map(|(key, _)| key);
            keys.all(|key| !wanted.wants(plugin.name(), key) || self.wants(plugin.name(), key))
        })
    }
}
