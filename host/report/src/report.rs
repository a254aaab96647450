//! The rules that a report has to keep.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use witgate_facts::{FactError, FactName, FactSet, FactSource};
use witgate_identity::{Attested, KeyName, PluginName, Selector};

use crate::{
    limits,
    manifest::{KeySpec, Manifest},
    printable::printable,
    said::{SaidReport, SaidSelector},
};

/// A key about which nothing can be said, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownKey {
    /// The key.
    pub key: KeyName,
    /// For the operator: in the plugin's words (escaped and cut) or in ours.
    pub reason: String,
}

/// What a report is checked against.
#[derive(Debug)]
pub struct Check<'a> {
    /// Who says it.
    pub plugin: &'a PluginName,
    /// What it said that it can say.
    pub manifest: &'a Manifest,
    /// The keys that were asked for.
    pub wants: &'a BTreeSet<KeyName>,
    /// The facts that were read successfully in this call,
    pub read: FactSet,
    /// and those that were asked for and not there.
    pub failed: &'a [(FactName, FactError)],
    /// What each of the facts is worth.
    pub facts: &'a dyn FactSource,
}

/// A report that has passed.
#[derive(Debug, PartialEq, Eq)]
pub struct Checked {
    /// What holds.
    pub selectors: Vec<Attested>,
    /// Wanted keys about which nothing can be said.
    pub unknown: Vec<UnknownKey>,
}

impl Check<'_> {
    /// Takes all of a report, stamped and levelled, or nothing of it: a guest that breaks one rule
    /// has a fault that we know nothing about, so the rest of what it says is not evidence either.
    ///
    /// A key that can have several selectors may be reported and called unknown: then these hold,
    /// and of others nothing is known.
    ///
    /// # Errors
    /// The first rule that it breaks, for the author of the plugin.
    pub fn report(&self, said: &SaidReport<'_>) -> Result<Checked, String> {
        self.sizes(said)?;
        let mut seen = BTreeSet::new();
        let (mut single, mut several) = (BTreeSet::new(), BTreeSet::new());
        let mut selectors = Vec::with_capacity(said.selectors.len());
        for selector in &said.selectors {
            let (key, spec) = self.key(selector.key)?;
            let name = selector.name;
            if spec.single && !single.insert((key, name)) {
                return Err(format!("key '{key}' is single, and was reported twice"));
            }
            // A process can be in a group twice; that is no reason to take nothing of the report.
            if !spec.single && !several.insert((key, name, selector.value)) {
                continue;
            }
            selectors.push(self.stamp(key, spec, name, selector.value)?);
            seen.insert(key);
        }
        let (mut unknown, mut unclear) = (Vec::new(), BTreeSet::new());
        for said in &said.unknown {
            let (key, spec) = self.key(said.key)?;
            let reported = seen.contains(key);
            if reported && spec.single && !spec.named {
                return Err(format!("key '{key}' is single, and was reported and called unknown"));
            }
            if self.wants.contains(key) && unclear.insert(key) {
                let reason = printable(said.reason, limits::REASON_BYTES);
                unknown.push(UnknownKey { key: key.clone(), reason });
            }
        }
        unknown.extend(self.left_out(|key| seen.contains(key) || unclear.contains(key)));
        Ok(Checked { selectors, unknown })
    }

    /// The keys of a plugin that says "not applicable". That means *no*, except for keys of which
    /// a fact was asked for and could not be read: whoever can make a fact unreadable must not be
    /// able to make a plugin look away.
    #[must_use]
    pub fn not_applicable(&self) -> Vec<UnknownKey> {
        let failed =
            |spec: &KeySpec| self.failed.iter().any(|(fact, _)| spec.derived_from.contains(*fact));
        let keys = self.manifest.keys();
        keys.filter(|(key, spec)| self.wants.contains(*key) && failed(spec))
            .map(|(key, spec)| UnknownKey { key: key.clone(), reason: self.unread(spec) })
            .collect()
    }

    /// Wanted keys that the report leaves out and of which a fact was not read: *unknown*. Those
    /// of which all facts were read are *no*.
    fn left_out(&self, seen: impl Fn(&KeyName) -> bool) -> impl Iterator<Item = UnknownKey> {
        self.manifest.keys().filter_map(move |(key, spec)| {
            let open = self.wants.contains(key)
                && !seen(key)
                && !self.read.contains_all(spec.derived_from);
            open.then(|| UnknownKey { key: key.clone(), reason: self.unread(spec) })
        })
    }

    fn sizes(&self, said: &SaidReport<'_>) -> Result<(), String> {
        let (selectors, unknown) = (said.selectors.len(), said.unknown.len());
        if selectors > limits::SELECTORS {
            return Err(format!("{selectors} selectors, the limit is {}", limits::SELECTORS));
        }
        if unknown > limits::KEYS {
            return Err(format!("{unknown} unknown keys, the limit is {}", limits::KEYS));
        }
        let len = |s: &SaidSelector<'_>| s.value.len() + s.name.map_or(0, str::len);
        let bytes: usize = said.selectors.iter().map(len).sum();
        if bytes > limits::REPORT_BYTES {
            return Err(format!(
                "{bytes} bytes of selectors, the limit is {}",
                limits::REPORT_BYTES
            ));
        }
        Ok(())
    }

    fn key(&self, said: &str) -> Result<(&KeyName, &KeySpec), String> {
        self.manifest.named(said).ok_or_else(|| {
            let keys: Vec<_> = self.manifest.keys().map(|(key, _)| key.as_str()).collect();
            format!(
                "key '{}' is not in the manifest, which has {}",
                printable(said, limits::SHOWN_BYTES),
                keys.join(", ")
            )
        })
    }

    fn stamp(
        &self,
        key: &KeyName,
        spec: &KeySpec,
        name: Option<&str>,
        value: &str,
    ) -> Result<Attested, String> {
        match (spec.named, name) {
            (true, None) => return Err(format!("key '{key}' needs a name")),
            (false, Some(_)) => return Err(format!("key '{key}' has no names, and was given one")),
            _ => {}
        }
        if !self.read.contains_all(spec.derived_from) {
            return Err(format!("key '{key}' was reported, but {}", self.unread(spec)));
        }
        let selector = Selector::new(self.plugin.clone(), key.clone(), name, value)
            .map_err(|error| format!("key '{key}': {error}"))?;
        let assurance = spec.assurance_in(|fact| self.facts.assurance(fact));
        Ok(Attested { selector, assurance })
    }

    /// Which facts of a key were not read, and why.
    fn unread(&self, spec: &KeySpec) -> String {
        let missing = spec.derived_from.without(self.read);
        let why = missing.iter().map(|fact| {
            let failed = self.failed.iter().find(|(known, _)| *known == fact);
            match failed {
                Some((_, error)) => {
                    let error = printable(&error.to_string(), limits::REASON_BYTES);
                    format!("`{fact}` could not be read: {error}")
                }
                None => format!("`{fact}` was not read"),
            }
        });
        why.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
