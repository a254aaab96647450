//! The most recent decisions, bounded in bytes.
//!
//! Repeated refusals of one cause are counted on the first of them instead of filling the ring, so
//! that a crash loop cannot push out the decision that somebody came to look at.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use jiff::Timestamp;
use witgate_identity::DecisionId;
use witgate_policy::Policy;
use witgate_protocol::{You, frame::printable};

use crate::why::{Verdict, Why};

/// A decision as it is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its place: grows by one with each decision kept, and never repeats while the daemon runs.
    pub sequence: u64,
    /// The decision and everything it rests on.
    pub why: Arc<Why>,
    /// How many more times the same was refused for the same cause.
    pub repeats: u64,
    /// When that happened last.
    pub last: Timestamp,
    /// The entries that decided, while anybody still has them.
    pub policy: Weak<Policy>,
}

/// What to list; an absent condition holds for all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those decided so.
    pub verdict: Option<Verdict>,
    /// Only those that gave nothing, whatever the reason: everything but an allow.
    pub refused: bool,
    /// Only those refused with this reason word.
    pub reason: Option<String>,
    /// Only those of this uid.
    pub uid: Option<u32>,
    /// Only those of this process number.
    pub pid: Option<u32>,
    /// Only those of this systemd unit: its whole name, as systemd writes it or as it is shown.
    pub unit: Option<String>,
    /// Only those of this container: its whole id.
    pub container: Option<String>,
    /// Only those that a text occurs in: program, unit, container, identity or entry.
    pub text: Option<String>,
    /// Only those before this place, for the next page.
    pub before: Option<u64>,
    /// Only those at or after this moment.
    pub since: Option<Timestamp>,
}

/// Which refusals count as the same: who, running what, where, refused why; and asked about by whom.
type Cause = (u32, Option<String>, Option<String>, String, Option<(u32, Option<String>)>);

/// The ring.
#[derive(Debug)]
pub struct Ring {
    max_bytes: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    kept: VecDeque<(Kept, usize)>,
    by_id: HashMap<DecisionId, u64>,
    by_cause: HashMap<Cause, u64>,
    bytes: usize,
    next: u64,
    dropped: u64,
}

impl Ring {
    /// An empty ring of at most so many bytes.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self { max_bytes, inner: Mutex::default() }
    }

    /// Keeps a decision; `bytes` is about what it takes. Says whether it is a new one, and not one
    /// more of the same.
    pub fn push(&self, why: Arc<Why>, policy: Weak<Policy>, bytes: usize) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cause) = cause(&why) {
            if inner.count_again(&cause, &why) {
                return false;
            }
            let sequence = inner.next;
            inner.by_cause.insert(cause, sequence);
        }
        let sequence = inner.next;
        inner.next += 1;
        inner.bytes += bytes;
        inner.by_id.insert(why.id.clone(), sequence);
        let last = why.time;
        inner.kept.push_back((Kept { sequence, why, repeats: 0, last, policy }, bytes));
        while inner.bytes > self.max_bytes && inner.kept.len() > 1 {
            inner.drop_oldest();
        }
        true
    }

    /// The decision that was made last, be it one more of the same.
    #[must_use]
    pub fn latest(&self) -> Option<Kept> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .kept
            .iter()
            .map(|(kept, _)| kept)
            .max_by_key(|kept| (kept.last, kept.sequence))
            .cloned()
    }

    /// One decision by its id.
    #[must_use]
    pub fn find(&self, id: &DecisionId) -> Option<Kept> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let sequence = *inner.by_id.get(id)?;
        inner.at(sequence).map(|at| inner.kept.get(at).map(|(kept, _)| kept.clone()))?
    }

    /// The newest that pass the filter, newest first.
    #[must_use]
    pub fn list(&self, filter: &Filter, limit: usize) -> Vec<Kept> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let newest_first = inner.kept.iter().rev().map(|(kept, _)| kept);
        newest_first.filter(|kept| filter.passes(kept)).take(limit).cloned().collect()
    }

    /// The newest decision that `condition` holds for.
    pub fn newest(&self, mut condition: impl FnMut(&Why) -> bool) -> Option<Kept> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.kept.iter().rev().map(|(kept, _)| kept).find(|kept| condition(&kept.why)).cloned()
    }

    /// How many are kept, how many were pushed out, and the time of the oldest.
    #[must_use]
    pub fn horizon(&self) -> Horizon {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        Horizon {
            kept: inner.kept.len(),
            dropped: inner.dropped,
            bytes: inner.bytes,
            oldest: inner.kept.front().map(|(kept, _)| kept.why.time),
        }
    }
}

/// How far back the ring reaches.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Horizon {
    /// Decisions in the ring.
    pub kept: usize,
    /// Decisions that were pushed out since start.
    pub dropped: u64,
    /// About how many bytes they take.
    pub bytes: usize,
    /// When the oldest was made.
    pub oldest: Option<Timestamp>,
}

impl Inner {
    fn at(&self, sequence: u64) -> Option<usize> {
        let first = self.kept.front()?.0.sequence;
        usize::try_from(sequence.checked_sub(first)?).ok()
    }

    fn count_again(&mut self, cause: &Cause, why: &Why) -> bool {
        let Some(at) = self.by_cause.get(cause).and_then(|sequence| self.at(*sequence)) else {
            return false;
        };
        let Some((kept, _)) = self.kept.get_mut(at) else { return false };
        // Another set of entries may refuse for another cause; that deserves a decision of its own.
        if kept.why.policy_revision != why.policy_revision {
            return false;
        }
        kept.repeats += 1;
        kept.last = why.time;
        let sequence = kept.sequence;
        // The id of the repetition leads to the first; as many as there are decisions are remembered.
        if self.by_id.len() < 2 * self.kept.len() + 1024 {
            self.by_id.insert(why.id.clone(), sequence);
        }
        true
    }

    fn drop_oldest(&mut self) {
        let Some((kept, bytes)) = self.kept.pop_front() else { return };
        self.bytes -= bytes;
        self.dropped += 1;
        self.by_id.remove(&kept.why.id);
        if let Some(cause) = cause(&kept.why)
            && self.by_cause.get(&cause) == Some(&kept.sequence)
        {
            self.by_cause.remove(&cause);
        }
        if kept.repeats > 0 {
            self.by_id.retain(|_, sequence| *sequence != kept.sequence);
        }
    }
}

fn cause(why: &Why) -> Option<Cause> {
    let reason = why.reason?;
    let place = why.you.container.clone().or_else(|| why.you.unit.clone());
    let broker = why.broker.as_ref().map(|broker| (broker.uid, broker.exe.clone()));
    Some((why.you.uid, why.you.exe.clone(), place, reason.as_str().to_owned(), broker))
}

impl Filter {
    fn passes(&self, kept: &Kept) -> bool {
        let why = &kept.why;
        self.before.is_none_or(|before| kept.sequence < before)
            && self.since.is_none_or(|since| kept.last >= since)
            && self.verdict.is_none_or(|verdict| why.verdict == verdict)
            && !(self.refused && why.verdict == Verdict::Allow)
            && self.uid.is_none_or(|uid| why.you.uid == uid)
            && self.pid.is_none_or(|pid| why.you.pid == pid)
            && self.unit.as_deref().is_none_or(|unit| is(why.you.unit.as_deref(), unit))
            && self.container.as_deref().is_none_or(|id| is(why.you.container.as_deref(), id))
            && self
                .reason
                .as_deref()
                .is_none_or(|word| why.reason.is_some_and(|r| r.as_str() == word))
            && self.text.as_deref().is_none_or(|text| mentions(why, text))
    }
}

/// Whether a name that is shown is the one that was asked for. Units have backslashes in their
/// names, and what is shown has them twice.
fn is(shown: Option<&str>, asked: &str) -> bool {
    shown.is_some_and(|shown| shown == asked || shown == printable(asked.as_bytes()))
}

fn mentions(why: &Why, text: &str) -> bool {
    let you = |you: &You| [&you.exe, &you.unit, &you.container, &you.user].map(Clone::clone);
    let named = std::iter::once(&why.you).chain(&why.broker).flat_map(you);
    named.flatten().any(|part| part.contains(text))
        || why.granted.iter().any(|g| g.id.as_str().contains(text) || g.entry.contains(text))
}
