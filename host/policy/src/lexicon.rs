use std::collections::HashMap;

use witgate_identity::{KeyName, PluginName, Selector};

use crate::{
    Entry, Evidence, Truth,
    condition::{Accepted, Condition, Topic},
    glob::Glob,
};

/// A selector that some entry asks for, as a number.
pub(crate) type SelectorId = u32;
/// A plugin's key that some entry asks for, as a number.
pub(crate) type KeyId = u32;

/// Numbers for all selectors and keys that the entries mention, so that evidence is looked up once
/// and conditions compare numbers.
#[derive(Debug, Default)]
pub(crate) struct Lexicon {
    selectors: HashMap<Selector, SelectorId>,
    keys: HashMap<PluginName, HashMap<KeyName, KeyId>>,
    /// The plugin of each key, as a number of its own.
    plugin_of: Vec<u32>,
}

/// A condition in numbers.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) key: KeyId,
    pub(crate) asks: Asks,
    relied_on: bool,
}

#[derive(Debug)]
pub(crate) enum Asks {
    /// In order.
    Literal(Box<[SelectorId]>),
    Like(Topic, Box<[Glob]>),
}

/// Evidence in the numbers of one lexicon.
#[derive(Debug)]
pub(crate) struct Sight<'a> {
    pub(crate) evidence: &'a Evidence,
    /// Selectors that some entry asks for, in order, and whether their level guards.
    pub(crate) present: Vec<(SelectorId, bool)>,
    /// Keys that have any selector, in order.
    touched: Vec<KeyId>,
    /// Keys of which nothing can be said, in order.
    unknown: Vec<KeyId>,
}

fn count(len: usize) -> u32 {
    // `limits` keep entries and conditions far below.
    u32::try_from(len).unwrap_or(u32::MAX)
}

impl Lexicon {
    /// Gives numbers to what an entry mentions.
    pub(crate) fn compile(&mut self, condition: &Condition) -> Compiled {
        let key = self.add_key(&condition.topic);
        let asks = match &condition.accepted {
            Accepted::Literal(selectors) => {
                let mut ids: Vec<_> = selectors.iter().map(|s| self.add_selector(s)).collect();
                ids.sort_unstable();
                Asks::Literal(ids.into())
            }
            Accepted::Like(globs) => Asks::Like(condition.topic.clone(), globs.as_slice().into()),
        };
        Compiled { key, asks, relied_on: condition.relied_on }
    }

    pub(crate) fn compile_all(&mut self, conditions: &[Condition]) -> Box<[Compiled]> {
        conditions.iter().map(|condition| self.compile(condition)).collect()
    }

    fn add_selector(&mut self, selector: &Selector) -> SelectorId {
        let next = count(self.selectors.len());
        *self.selectors.entry(selector.clone()).or_insert(next)
    }

    fn add_key(&mut self, topic: &Topic) -> KeyId {
        let plugins = count(self.keys.len());
        let keys = self.keys.entry(topic.plugin.clone()).or_default();
        // The number of the plugin is that of any of its keys, else a new one.
        let plugin =
            keys.values().next().and_then(|key| self.plugin_of.get(*key as usize)).copied();
        let next = count(self.plugin_of.len());
        let key = *keys.entry(topic.key.clone()).or_insert(next);
        if key == next {
            self.plugin_of.push(plugin.unwrap_or(plugins));
        }
        key
    }

    /// Whether two keys belong to one plugin.
    pub(crate) fn same_plugin(&self, a: KeyId, b: KeyId) -> bool {
        self.plugin_of.get(a as usize) == self.plugin_of.get(b as usize)
    }

    /// How many selectors have a number.
    pub(crate) fn selectors(&self) -> usize {
        self.selectors.len()
    }

    /// Looks evidence up.
    pub(crate) fn look<'a>(&self, evidence: &'a Evidence) -> Sight<'a> {
        let mut present = Vec::with_capacity(evidence.selectors.len());
        let mut touched: Vec<KeyId> = Vec::new();
        let mut last: Option<(&PluginName, &KeyName)> = None;
        let mut asked_for = false;
        for (selector, level) in evidence.selectors.iter() {
            let topic = (selector.plugin(), selector.key());
            if last != Some(topic) {
                last = Some(topic);
                let key = self.key(topic.0, topic.1);
                asked_for = key.is_some();
                touched.extend(key);
            }
            // Hashing a selector that nobody asks for would be most of the work.
            if let Some(id) = asked_for.then(|| self.selectors.get(selector)).flatten() {
                present.push((*id, level.guards()));
            }
        }
        present.sort_unstable();
        touched.sort_unstable();
        Sight { evidence, present, touched, unknown: self.unknown_keys(evidence) }
    }

    fn key(&self, plugin: &PluginName, key: &KeyName) -> Option<KeyId> {
        self.keys.get(plugin)?.get(key).copied()
    }

    fn unknown_keys(&self, evidence: &Evidence) -> Vec<KeyId> {
        let mut unknown = Vec::new();
        for (plugin, key, _) in evidence.unknown.iter() {
            match key {
                Some(key) => unknown.extend(self.key(plugin, key)),
                None => {
                    unknown.extend(self.keys.get(plugin).into_iter().flat_map(HashMap::values));
                }
            }
        }
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }
}

impl Sight<'_> {
    pub(crate) fn is_unknown(&self, key: KeyId) -> bool {
        self.unknown.binary_search(&key).is_ok()
    }

    /// Whether a key has a selector or might have one.
    pub(crate) fn may_have(&self, key: KeyId) -> bool {
        self.touched.binary_search(&key).is_ok() || self.is_unknown(key)
    }

    fn level_guards(&self, id: SelectorId) -> Option<bool> {
        let at = self.present.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.present.get(at).map(|(_, guards)| *guards)
    }
}

impl Compiled {
    /// Whether it holds; the same as [`Condition::truth`], in numbers.
    pub(crate) fn truth(&self, sight: &Sight<'_>) -> Truth {
        let floor = if sight.is_unknown(self.key) { Truth::Unknown } else { Truth::False };
        let worth =
            |guards: bool| if self.relied_on && !guards { Truth::Unknown } else { Truth::True };
        let found = match &self.asks {
            Asks::Literal(ids) if ids.len() <= sight.present.len() => {
                ids.iter().filter_map(|id| sight.level_guards(*id)).map(worth).max()
            }
            Asks::Literal(ids) => {
                let wanted = sight.present.iter().filter(|(id, _)| ids.binary_search(id).is_ok());
                wanted.map(|(_, guards)| worth(*guards)).max()
            }
            Asks::Like(_, _) if !sight.may_have(self.key) => None,
            Asks::Like(topic, globs) => sight
                .evidence
                .selectors
                .of(&topic.plugin, &topic.key, topic.name.as_deref())
                .filter(|(selector, _)| globs.iter().any(|glob| glob.matches(selector.value())))
                .map(|(_, level)| worth(level.guards()))
                .max(),
        };
        found.map_or(floor, |found| found.max(floor))
    }
}

/// An entry in numbers: what evaluation needs of it.
#[derive(Debug)]
pub(crate) struct CompiledEntry {
    pub(crate) conditions: Box<[Compiled]>,
    unless: Box<[Compiled]>,
    challenged: bool,
}

impl CompiledEntry {
    pub(crate) fn new(entry: &Entry, lexicon: &mut Lexicon) -> Self {
        Self {
            conditions: lexicon.compile_all(&entry.conditions),
            unless: lexicon.compile_all(&entry.unless),
            challenged: entry.challenged,
        }
    }

    /// Whether its conditions hold. Time and host are not looked at.
    pub(crate) fn truth(&self, sight: &Sight<'_>) -> Truth {
        if self.challenged && !sight.evidence.challenged {
            return Truth::False;
        }
        let mut all = Truth::True;
        for condition in &self.conditions {
            all = all.min(condition.truth(sight));
            if all == Truth::False {
                return all;
            }
        }
        for refused in &self.unless {
            all = all.min(!refused.truth(sight));
            if all == Truth::False {
                return all;
            }
        }
        all
    }
}
