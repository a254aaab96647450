//! From evidence to a verdict.

use std::time::Duration;

use jiff::Timestamp;
use witgate_identity::{SpiffeId, TrustDomain};

use crate::{
    Action, Blocked, Denial, DenyReason, Entry, EntryRef, Evaluation, Evidence, Granted,
    HostLabels, Observed, Truth, Undecided, Verdict,
    index::{Candidates, EntryId, Index},
    lexicon::Sight,
    limits::MAX_UNDECIDED,
    template::{Filling, Rendered},
};

/// When and where entries are evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    pub(crate) trust_domain: &'a TrustDomain,
    /// Entries that have expired by then do not match; none expires if there is no time.
    pub(crate) now: Option<Timestamp>,
    /// Entries for other hosts do not match; `None` where the index has only this host's.
    pub(crate) host: Option<&'a HostLabels>,
}

/// Entries of one action that are not false, by name.
#[derive(Debug, Default)]
pub(crate) struct Standings {
    pub(crate) matching: Vec<EntryId>,
    /// Those that depend on what could not be said; the first few only.
    pub(crate) unsure: Vec<EntryId>,
}

/// One evaluation under way.
struct Evaluating<'a> {
    entries: &'a [Entry],
    index: &'a Index,
    sight: Sight<'a>,
    circumstances: Circumstances<'a>,
}

/// What the entries of `index` say.
pub(crate) fn evaluate(
    entries: &[Entry],
    index: &Index,
    evidence: &Evidence,
    circumstances: Circumstances<'_>,
) -> Evaluation {
    let sight = index.lexicon.look(evidence);
    let evaluating = Evaluating { entries, index, sight, circumstances };
    conclude(entries, evidence, circumstances, |action| evaluating.standings(action))
}

/// Puts the standings of all entries together. `standings` is asked for an action at most once.
pub(crate) fn conclude(
    entries: &[Entry],
    evidence: &Evidence,
    circumstances: Circumstances<'_>,
    standings: impl Fn(Action) -> Standings,
) -> Evaluation {
    let concluding = Concluding { entries, evidence, circumstances };
    Evaluation {
        observed: concluding.observed(&standings(Action::Observe).matching),
        verdict: concluding.verdict(&standings(Action::Deny), || standings(Action::Allow)),
    }
}

/// Higher priority first, then more conditions, then by name.
pub(crate) fn order(a: &Entry, b: &Entry) -> std::cmp::Ordering {
    b.priority.cmp(&a.priority).then(b.weight().cmp(&a.weight())).then_with(|| a.name.cmp(&b.name))
}

/// By name, without repetitions, and no more than are shown.
pub(crate) fn first_few(ids: &mut Vec<EntryId>) {
    ids.sort_unstable();
    ids.dedup();
    ids.truncate(MAX_UNDECIDED);
}

impl Evaluating<'_> {
    fn standings(&self, action: Action) -> Standings {
        let Candidates { likely, unsure } = self.index.candidates(action, &self.sight);
        let mut standings = Standings::default();
        for id in likely.into_iter().flatten() {
            match self.truth(*id) {
                Truth::True => standings.matching.push(*id),
                Truth::Unknown => standings.unsure.push(*id),
                Truth::False => {}
            }
        }
        standings.matching.sort_unstable();
        standings.matching.dedup();
        for ids in unsure {
            // By name, so the first few of each list hold the first few of all.
            let ids = ids.iter().filter(|id| self.truth(**id) == Truth::Unknown);
            standings.unsure.extend(ids.take(MAX_UNDECIDED));
        }
        first_few(&mut standings.unsure);
        standings
    }

    fn truth(&self, id: EntryId) -> Truth {
        let Some((entry, compiled)) = self.entries.get(id as usize).zip(self.index.compiled(id))
        else {
            return Truth::False;
        };
        if self.circumstances.exclude(entry) { Truth::False } else { compiled.truth(&self.sight) }
    }
}

impl Circumstances<'_> {
    /// Whether an entry is out of its time or place.
    pub(crate) fn exclude(&self, entry: &Entry) -> bool {
        self.now.is_some_and(|now| entry.has_expired(now))
            || self.host.is_some_and(|labels| !entry.is_on(labels))
    }
}

/// Standings on their way to a verdict.
struct Concluding<'a> {
    entries: &'a [Entry],
    evidence: &'a Evidence,
    circumstances: Circumstances<'a>,
}

/// What the matching `allow` entries give.
#[derive(Default)]
struct Given {
    granted: Vec<Granted>,
    /// Entries of which a value of the identity could not be said.
    unsure: Vec<EntryId>,
    /// The first entry whose identity lacks a value, and which.
    incomplete: Option<(EntryRef, String)>,
}

impl Concluding<'_> {
    fn verdict(&self, deny: &Standings, allow: impl FnOnce() -> Standings) -> Verdict {
        if let Some((_, entry)) = self.ranked(&deny.matching).first() {
            return denied(DenyReason::DeniedByRule, Some(entry.at()), None);
        }
        let allow = allow();
        let Given { granted, mut unsure, incomplete } = self.give(&allow.matching);
        if !granted.is_empty() {
            let entries = self.undecided(&deny.unsure);
            let none = entries.is_empty();
            return if none {
                Verdict::Allow(granted)
            } else {
                Verdict::Unavailable(Blocked { entries })
            };
        }
        unsure.extend(&allow.unsure);
        first_few(&mut unsure);
        match (unsure.is_empty(), incomplete) {
            (false, _) => Verdict::Unavailable(Blocked { entries: self.undecided(&unsure) }),
            (true, Some((at, why))) => denied(DenyReason::TemplateIncomplete, Some(at), Some(why)),
            (true, None) => denied(DenyReason::NoMatchingEntry, None, None),
        }
    }

    fn give(&self, matching: &[EntryId]) -> Given {
        let mut given = Given::default();
        for (id, entry) in self.ranked(matching) {
            match self.rendered(entry) {
                Rendered::Id(known) if given.granted.iter().any(|grant| grant.id == known) => {}
                Rendered::Id(new) => given.granted.push(grant(entry, new, self.circumstances.now)),
                Rendered::Unknown => given.unsure.push(id),
                Rendered::Incomplete(why) => {
                    given.incomplete.get_or_insert_with(|| (entry.at(), why));
                }
            }
        }
        given
    }

    fn observed(&self, matching: &[EntryId]) -> Vec<Observed> {
        let observe = |(_, entry): (EntryId, &Entry)| {
            let id = match self.rendered(entry) {
                Rendered::Id(id) => Some(id),
                Rendered::Incomplete(_) | Rendered::Unknown => None,
            };
            Observed { entry: entry.at(), id }
        };
        self.ranked(matching).into_iter().map(observe).collect()
    }

    /// Entries in the order in which they count.
    fn ranked(&self, ids: &[EntryId]) -> Vec<(EntryId, &Entry)> {
        let found = ids.iter().filter_map(|id| Some((*id, self.entries.get(*id as usize)?)));
        let mut ranked: Vec<_> = found.collect();
        ranked.sort_by(|(_, a), (_, b)| order(a, b));
        ranked
    }

    fn rendered(&self, entry: &Entry) -> Rendered {
        match &entry.identity {
            Some(template) => template.render(self.circumstances.trust_domain, self.evidence),
            None => Rendered::Incomplete("the entry has no identity".to_owned()),
        }
    }

    fn undecided(&self, ids: &[EntryId]) -> Vec<Undecided> {
        let entries = ids.iter().filter_map(|id| self.entries.get(*id as usize));
        entries.map(|e| Undecided { entry: e.at(), reasons: unknowns(e, self.evidence) }).collect()
    }
}

fn denied(reason: DenyReason, entry: Option<EntryRef>, detail: Option<String>) -> Verdict {
    Verdict::Deny(Denial { reason, entry, detail })
}

fn grant(entry: &Entry, id: SpiffeId, now: Option<Timestamp>) -> Granted {
    let left = now
        .zip(entry.expires)
        .and_then(|(now, expires)| Duration::try_from(expires.duration_since(now)).ok());
    Granted {
        id,
        entry: entry.name.to_string(),
        file: entry.file.to_string(),
        line: entry.line,
        ttl: left.map_or(entry.ttl, |left| left.min(entry.ttl)),
        expires: entry.expires,
        hint: entry.hint.clone(),
        weak: entry.weak,
    }
}

/// What an entry needs and nobody could say, in order, each once.
fn unknowns(entry: &Entry, evidence: &Evidence) -> Vec<String> {
    let conditions = entry.conditions.iter().chain(&entry.unless);
    let unsure = conditions.filter(|c| c.truth(evidence) == Truth::Unknown).map(|condition| {
        condition.unknown_because(evidence).unwrap_or_else(|| condition.topic.to_string())
    });
    let mut reasons: Vec<String> = unsure.collect();
    for slot in entry.slots() {
        if let Filling::Unknown(why) = slot.filling(evidence) {
            reasons.push(why);
        }
    }
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}
