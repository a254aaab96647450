//! Finds the entries that can matter for some evidence without looking at the others.
//!
//! An entry is filed under its *most selective* literal condition: the one whose selectors the
//! fewest entries ask for. An entry that matches has a selector of that condition present, so it is
//! found under one of the process's own selectors; nobody else's entry is touched.
//!
//! A key that is *unknown* has no selectors to look under, yet every entry filed under it may
//! matter. So the entries filed under each key are filed a second time, under another condition
//! (of another plugin if they have one, for plugins fail as a whole), and so on until no literal
//! condition is left; the rest stands in a plain list. An entry thus stands once per key it asks
//! for, never more. What is found this way is never *true*, only *unknown*, and for a verdict it
//! is enough to know a few of those: the scan stops early.
//!
//! Entries with nothing literal are filed by the key of their first glob, and are looked at only if
//! that key has a selector or may have one.

use std::collections::{BTreeMap, HashMap};

use crate::{
    Action, Entry,
    lexicon::{Asks, Compiled, CompiledEntry, KeyId, Lexicon, SelectorId, Sight},
};

/// The place of an entry in the policy.
pub(crate) type EntryId = u32;

/// Entries of one policy, filed by what they ask for.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) lexicon: Lexicon,
    compiled: Vec<CompiledEntry>,
    deny: Node,
    allow: Node,
    observe: Node,
}

/// The entries of one action, or those of them that are filed under a certain key.
#[derive(Debug, Default)]
struct Node {
    by_selector: HashMap<SelectorId, Vec<EntryId>>,
    /// The entries of `by_selector` again, by the key that they were filed under, filed by another.
    otherwise: Vec<(KeyId, Self)>,
    /// Without a literal condition of any key but those that led here, by the key of a glob.
    rest: Vec<(Option<KeyId>, Vec<EntryId>)>,
}

/// What the index finds for some evidence.
#[derive(Debug, Default)]
pub(crate) struct Candidates<'a> {
    /// Every entry that may be true is in here; some entries that are not, too.
    pub(crate) likely: Vec<&'a [EntryId]>,
    /// Entries that can at most be unknown.
    pub(crate) unsure: Vec<&'a [EntryId]>,
}

impl Index {
    /// Files those of the entries that `include` admits.
    pub(crate) fn build(entries: &[Entry], include: impl Fn(&Entry) -> bool) -> Self {
        let mut lexicon = Lexicon::default();
        let compiled: Vec<_> =
            entries.iter().map(|entry| CompiledEntry::new(entry, &mut lexicon)).collect();
        let root = |action: Action| {
            let chosen = (0..).zip(entries).filter(|(_, e)| e.action == action && include(e));
            let ids: Vec<EntryId> = chosen.map(|(id, _)| id).collect();
            let builder = Builder::new(&compiled, &lexicon, &ids);
            builder.node(ids, &mut Vec::new())
        };
        let (deny, allow, observe) =
            (root(Action::Deny), root(Action::Allow), root(Action::Observe));
        Self { lexicon, compiled, deny, allow, observe }
    }

    pub(crate) fn compiled(&self, id: EntryId) -> Option<&CompiledEntry> {
        self.compiled.get(id as usize)
    }

    /// What may matter for this evidence among the entries of one action.
    pub(crate) fn candidates(&self, action: Action, sight: &Sight<'_>) -> Candidates<'_> {
        let root = match action {
            Action::Deny => &self.deny,
            Action::Allow => &self.allow,
            Action::Observe => &self.observe,
        };
        let mut found = Candidates::default();
        root.look(sight, &mut found.likely);
        root.look_otherwise(sight, &mut found.unsure);
        found
    }
}

impl Node {
    fn look<'a>(&'a self, sight: &Sight<'_>, found: &mut Vec<&'a [EntryId]>) {
        if !self.by_selector.is_empty() {
            let lists = sight.present.iter().filter_map(|(id, _)| self.by_selector.get(id));
            found.extend(lists.map(Vec::as_slice));
        }
        let asked = self.rest.iter().filter(|(key, _)| key.is_none_or(|key| sight.may_have(key)));
        found.extend(asked.map(|(_, ids)| ids.as_slice()));
    }

    fn look_otherwise<'a>(&'a self, sight: &Sight<'_>, found: &mut Vec<&'a [EntryId]>) {
        for (_, node) in self.otherwise.iter().filter(|(key, _)| sight.is_unknown(*key)) {
            node.look(sight, found);
            node.look_otherwise(sight, found);
        }
    }
}

struct Builder<'a> {
    compiled: &'a [CompiledEntry],
    lexicon: &'a Lexicon,
    /// How many entries ask for each selector.
    asked: Vec<u32>,
}

impl<'a> Builder<'a> {
    fn new(compiled: &'a [CompiledEntry], lexicon: &'a Lexicon, ids: &[EntryId]) -> Self {
        let mut asked = vec![0_u32; lexicon.selectors()];
        let entries = ids.iter().filter_map(|id| compiled.get(*id as usize));
        for selector in entries.flat_map(|e| &e.conditions).flat_map(literals) {
            if let Some(count) = asked.get_mut(*selector as usize) {
                *count = count.saturating_add(1);
            }
        }
        Self { compiled, lexicon, asked }
    }

    /// Files entries by conditions on other keys than `used`.
    fn node(&self, ids: Vec<EntryId>, used: &mut Vec<KeyId>) -> Node {
        let mut node = Node::default();
        let mut by_key: BTreeMap<KeyId, Vec<EntryId>> = BTreeMap::new();
        let mut rest: BTreeMap<Option<KeyId>, Vec<EntryId>> = BTreeMap::new();
        for id in ids {
            match self.most_selective(id, used) {
                Some(condition) => {
                    by_key.entry(condition.key).or_default().push(id);
                    for selector in literals(condition) {
                        node.by_selector.entry(*selector).or_default().push(id);
                    }
                }
                None => rest.entry(self.first_glob(id)).or_default().push(id),
            }
        }
        node.rest = rest.into_iter().collect();
        for (key, ids) in by_key {
            used.push(key);
            node.otherwise.push((key, self.node(ids, used)));
            used.pop();
        }
        node
    }

    fn most_selective(&self, id: EntryId, used: &[KeyId]) -> Option<&'a Compiled> {
        let conditions = &self.compiled.get(id as usize)?.conditions;
        let usable = conditions
            .iter()
            .filter(|c| matches!(c.asks, Asks::Literal(_)) && !used.contains(&c.key));
        usable.min_by_key(|condition| {
            let fails_with = used.iter().any(|key| self.lexicon.same_plugin(*key, condition.key));
            let asked =
                |id: &SelectorId| u64::from(self.asked.get(*id as usize).copied().unwrap_or(0));
            (fails_with, literals(condition).iter().map(asked).sum::<u64>())
        })
    }

    fn first_glob(&self, id: EntryId) -> Option<KeyId> {
        let conditions = &self.compiled.get(id as usize)?.conditions;
        conditions.iter().find(|c| matches!(c.asks, Asks::Like(..))).map(|c| c.key)
    }
}

fn literals(condition: &Compiled) -> &[SelectorId] {
    match &condition.asks {
        Asks::Literal(ids) => ids,
        Asks::Like(..) => &[],
    }
}
