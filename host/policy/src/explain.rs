use serde::{Deserialize, Serialize};
use witgate_identity::Assurance;

use crate::{
    Action, Entry, EntryRef, Evidence, Truth,
    condition::{Accepted, Condition, show},
    evaluate::{Circumstances, order},
    limits::MAX_SHOWN_VALUES,
    template::{Filling, Slot},
};

/// What came of an entry for one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It matches.
    Matched,
    /// Its conditions hold, but its template has no usable value.
    TemplateIncomplete,
    /// It depends on what could not be said.
    Unknown,
    /// It does not match.
    NotMatched,
    /// Its time is over.
    Expired,
    /// It is for hosts with other labels.
    OtherHost,
    /// It is about a plugin that is not loaded here.
    Inert,
}

/// Which part of an entry a condition stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clause {
    /// `match` or `selectors`: literal values.
    Match,
    /// `like`: globs.
    Like,
    /// `unless`: must not hold.
    Unless,
    /// `on`: labels of the host.
    On,
    /// `require`: the challenge.
    Require,
    /// `expires`.
    Expires,
    /// A value in the identity template.
    Template,
}

/// One condition of an entry, beside what there was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionReport {
    /// Where it stands in the entry.
    pub clause: Clause,
    /// What it is about: `unix.uid`, `docker.label[tier]`.
    pub key: String,
    /// Whether the entry's wish is met; for `unless`, whether none of the values is there.
    pub met: Truth,
    /// The values that the entry asks for (or, in `unless`, refuses), any of them.
    pub wanted: Vec<String>,
    /// The values that there are, at most [`crate::limits::MAX_SHOWN_VALUES`]; secrets by length.
    pub have: Vec<String>,
    /// What the values are worth at least, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assurance: Option<Assurance>,
    /// Why it could not be said, or cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One entry, looked at for one process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Considered {
    /// Name, file and line.
    #[serde(flatten)]
    pub at: EntryRef,
    /// What it would do.
    pub action: Action,
    /// The identity template as written; none for `deny`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// Conditions that are met, in the order of the entry.
    pub held: Vec<ConditionReport>,
    /// Conditions that are not met, or of which nobody could say.
    pub missing: Vec<ConditionReport>,
}

/// The entries that came closest, at most `limit`.
pub(crate) fn explain(
    entries: &[Entry],
    evidence: &Evidence,
    circumstances: Circumstances<'_>,
    limit: usize,
) -> Vec<Considered> {
    let mut ranked: Vec<_> = entries
        .iter()
        .map(|entry| {
            let missing =
                conditions(entry, evidence, circumstances).filter(|c| c.met != Truth::True);
            let missing = missing.count();
            (missing, std::cmp::Reverse(entry.weight().saturating_sub(missing)), entry)
        })
        .collect();
    ranked.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| order(a.2, b.2)));
    ranked.truncate(limit);
    ranked.into_iter().map(|(_, _, entry)| consider(entry, evidence, circumstances)).collect()
}

fn consider(entry: &Entry, evidence: &Evidence, circumstances: Circumstances<'_>) -> Considered {
    let all = conditions(entry, evidence, circumstances);
    let (held, missing): (Vec<_>, Vec<_>) = all.partition(|c| c.met == Truth::True);
    let outcome = if !entry.absent.is_empty() {
        Outcome::Inert
    } else if missing.iter().any(|c| c.clause == Clause::On) {
        Outcome::OtherHost
    } else if missing.iter().any(|c| c.clause == Clause::Expires) {
        Outcome::Expired
    } else {
        outcome(&missing)
    };
    let fill = |conditions: Vec<Part<'_>>| {
        conditions.into_iter().map(|part| part.report(evidence)).collect()
    };
    Considered {
        at: entry.at(),
        action: entry.action(),
        identity: entry.identity().map(str::to_owned),
        outcome,
        held: fill(held),
        missing: fill(missing),
    }
}

fn outcome(missing: &[Part<'_>]) -> Outcome {
    let is_false = |part: &&Part<'_>| part.met == Truth::False;
    if missing.iter().filter(is_false).any(|part| part.clause != Clause::Template) {
        Outcome::NotMatched
    } else if missing.iter().filter(is_false).count() > 0
        && missing.iter().all(|part| part.clause == Clause::Template)
    {
        Outcome::TemplateIncomplete
    } else if missing.is_empty() {
        Outcome::Matched
    } else {
        Outcome::Unknown
    }
}

/// One thing that an entry asks for; cheap to make, since most are only counted.
struct Part<'a> {
    clause: Clause,
    met: Truth,
    what: What<'a>,
}

enum What<'a> {
    Condition(&'a Condition),
    Slot(&'a Slot),
    /// Key, wanted, have.
    Other(String, Vec<String>, Option<String>),
}

fn conditions<'a>(
    entry: &'a Entry,
    evidence: &'a Evidence,
    circumstances: Circumstances<'a>,
) -> impl Iterator<Item = Part<'a>> {
    let asked = entry.conditions.iter().map(|condition| {
        let clause = match condition.accepted {
            Accepted::Literal(_) => Clause::Match,
            Accepted::Like(_) => Clause::Like,
        };
        Part { clause, met: condition.truth(evidence), what: What::Condition(condition) }
    });
    let refused = entry.unless.iter().map(|condition| {
        let met = !condition.truth(evidence);
        Part { clause: Clause::Unless, met, what: What::Condition(condition) }
    });
    let slots = entry.slots().map(|slot| {
        let met = match slot.filling(evidence) {
            Filling::Value(_) => Truth::True,
            Filling::Missing(_) => Truth::False,
            Filling::Unknown(_) => Truth::Unknown,
        };
        Part { clause: Clause::Template, met, what: What::Slot(slot) }
    });
    asked.chain(refused).chain(around(entry, evidence, circumstances)).chain(slots)
}

/// What an entry asks of the request, the time and the host.
fn around<'a>(
    entry: &'a Entry,
    evidence: &Evidence,
    circumstances: Circumstances<'a>,
) -> impl Iterator<Item = Part<'a>> + use<'a> {
    let challenged = evidence.challenged;
    let require = entry.challenged.then(|| Part {
        clause: Clause::Require,
        met: challenged.into(),
        what: What::Other(
            "request".to_owned(),
            vec!["challenged".to_owned()],
            challenged.then(|| "challenged".to_owned()),
        ),
    });
    let expires = entry.expires.map(|expires| Part {
        clause: Clause::Expires,
        met: circumstances.now.is_none_or(|now| !entry.has_expired(now)).into(),
        what: What::Other(
            "time".to_owned(),
            vec![format!("before {expires}")],
            circumstances.now.map(|now| now.to_string()),
        ),
    });
    let on = entry.on.iter().map(move |(label, values)| {
        let have = circumstances.host.and_then(|host| host.label(label));
        let met = have.is_some_and(|have| values.iter().any(|value| value == have));
        let what = What::Other(format!("host.{label}"), values.clone(), have.map(str::to_owned));
        Part { clause: Clause::On, met: met.into(), what }
    });
    let absent = entry.absent.iter().map(|plugin| Part {
        clause: Clause::Match,
        met: Truth::False,
        what: What::Other(
            plugin.to_string(),
            vec!["a loaded plugin of this name".to_owned()],
            None,
        ),
    });
    absent.chain(on).chain(expires).chain(require)
}

impl Part<'_> {
    fn report(&self, evidence: &Evidence) -> ConditionReport {
        let (topic, secret, wanted, reason) = match &self.what {
            What::Condition(condition) => {
                let reason = condition.unknown_because(evidence);
                (&condition.topic, condition.secret, condition.wanted(), reason)
            }
            What::Slot(slot) => {
                let reason = match slot.filling(evidence) {
                    Filling::Value(_) => None,
                    Filling::Missing(why) | Filling::Unknown(why) => Some(why),
                };
                (&slot.topic, slot.secret, Vec::new(), reason)
            }
            What::Other(key, wanted, have) => {
                return ConditionReport {
                    clause: self.clause,
                    key: key.clone(),
                    met: self.met,
                    wanted: wanted.clone(),
                    have: have.iter().cloned().collect(),
                    assurance: None,
                    reason: None,
                };
            }
        };
        let found = || evidence.selectors.of(&topic.plugin, &topic.key, topic.name.as_deref());
        ConditionReport {
            clause: self.clause,
            key: topic.to_string(),
            met: self.met,
            wanted,
            have: found().take(MAX_SHOWN_VALUES).map(|(s, _)| show(s.value(), secret)).collect(),
            assurance: found().map(|(_, level)| level).min(),
            reason,
        }
    }
}
