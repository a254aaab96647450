//! What is worked out only when somebody looks.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use witgate_identity::DecisionId;
use witgate_policy::{Considered, Policy};

use super::{Verdict, Why};
use crate::ring::{Kept, Ring};

/// Most near misses that are shown; an operator looks at the first two.
const MAX_CONSIDERED: usize = 10;

/// A decision as it is shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Detail {
    /// What differs from the last allow of the same unit, container or program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
    /// The decision.
    #[serde(flatten)]
    pub why: Why,
    /// How many more times the same was refused for the same cause.
    #[serde(default)]
    pub repeats: u64,
    /// When that happened last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// The entries that came nearest, fewest missing first.
    #[serde(default)]
    pub considered: Vec<Considered>,
    /// The near misses are those of the entries as they are now, because the ones that decided are
    /// no longer loaded.
    #[serde(default)]
    pub considered_now: bool,
}

/// What differs from an earlier allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The earlier decision.
    pub since: DecisionId,
    /// When it was made.
    pub at: Timestamp,
    /// Selectors that were there then and are not now.
    pub gone: Vec<String>,
    /// Selectors that are there now and were not then.
    pub new: Vec<String>,
    /// Attestors that answered then and do not now.
    pub silent: Vec<String>,
    /// The entries are others: revision then, revision now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<(String, String)>,
}

impl Detail {
    /// Works out the rest of a decision from the ring it is kept in, by the entries that decided
    /// or, if nobody has them any more, by those of now.
    #[must_use]
    pub fn of(kept: &Kept, ring: &Ring, now: &Policy) -> Self {
        let decided = kept.policy.upgrade();
        let policy = decided.as_deref().unwrap_or(now);
        Self {
            changed: changed(&kept.why, ring),
            considered: policy.explain(&kept.why.evidence(), kept.why.time, MAX_CONSIDERED),
            considered_now: decided.is_none(),
            why: Why::clone(&kept.why),
            repeats: kept.repeats,
            last: (kept.repeats > 0).then_some(kept.last),
        }
    }

    /// As [`Self::of`], for a decision read back from the audit log.
    #[must_use]
    pub fn of_recorded(why: Why, ring: &Ring, now: &Policy) -> Self {
        Self {
            changed: changed(&why, ring),
            considered: now.explain(&why.evidence(), why.time, MAX_CONSIDERED),
            considered_now: now.revision() != why.policy_revision,
            why,
            repeats: 0,
            last: None,
        }
    }
}

fn changed(why: &Why, ring: &Ring) -> Option<Changed> {
    if why.verdict == Verdict::Allow {
        return None;
    }
    let same = |earlier: &Why| {
        let (then, now) = (&earlier.you, &why.you);
        let place = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
        place(&then.container, &now.container)
            || place(&then.unit, &now.unit)
            || (then.uid == now.uid && place(&then.exe, &now.exe))
    };
    let then = ring.newest(|earlier| {
        earlier.verdict == Verdict::Allow && earlier.time <= why.time && same(earlier)
    })?;
    Some(Changed::between(&then.why, why))
}

impl Changed {
    fn between(then: &Why, now: &Why) -> Self {
        let (had, have) = (texts(then), texts(now));
        let answers = |why: &Why| -> BTreeSet<String> {
            let answered = why.attestors.iter().filter(|attestor| attestor.outcome.answered());
            answered.map(|attestor| attestor.plugin.to_string()).collect()
        };
        let revision = (then.policy_revision != now.policy_revision)
            .then(|| (then.policy_revision.clone(), now.policy_revision.clone()));
        Self {
            since: then.id.clone(),
            at: then.time,
            gone: had.difference(&have).cloned().collect(),
            new: have.difference(&had).cloned().collect(),
            silent: answers(then).difference(&answers(now)).cloned().collect(),
            revision,
        }
    }
}

fn texts(why: &Why) -> BTreeSet<String> {
    let selectors = why.attestors.iter().flat_map(|attestor| &attestor.selectors);
    selectors.map(|attested| attested.selector.to_string()).collect()
}
