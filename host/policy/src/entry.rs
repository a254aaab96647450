use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use witgate_identity::PluginName;

use crate::{
    EntryRef, HostLabels,
    condition::Condition,
    guard::Guard,
    template::{Slot, Template},
};

/// What an entry does when it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Gives its identity.
    Allow,
    /// Refuses, whatever other entries say.
    Deny,
    /// Says what it would have given, and gives nothing.
    Observe,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Deny, Self::Observe];

    /// The word used in entries and pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Observe => "observe",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether an entry does anything on this host now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is evaluated.
    Live,
    /// Its time is over.
    Expired,
    /// It is about plugins that are not loaded here.
    Inert(Vec<PluginName>),
    /// It is for hosts with other labels.
    OtherHost,
}

/// One entry of a loaded policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub(crate) name: Arc<str>,
    pub(crate) file: Arc<str>,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) action: Action,
    /// None exactly for `deny`.
    pub(crate) identity: Option<Template>,
    /// All must hold: `match`, `selectors` and `like`, sorted, without repetitions.
    pub(crate) conditions: Vec<Condition>,
    /// None may hold, sorted.
    pub(crate) unless: Vec<Condition>,
    pub(crate) on: BTreeMap<String, Vec<String>>,
    pub(crate) expires: Option<Timestamp>,
    /// Only for a request that passed the challenge.
    pub(crate) challenged: bool,
    pub(crate) priority: i64,
    pub(crate) ttl: Duration,
    pub(crate) hint: Option<String>,
    pub(crate) weak: bool,
    /// Plugins it is about that are not loaded.
    pub(crate) absent: Vec<PluginName>,
    /// Whether `on` names this host.
    pub(crate) here: bool,
}

/// An entry as pages and the admin API show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntrySummary {
    /// Name, file and line.
    #[serde(flatten)]
    pub at: EntryRef,
    /// What it does.
    pub action: Action,
    /// The identity template as written; none for `deny`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Its conditions in one line.
    pub conditions: String,
    /// Who gets it, in words.
    pub guard: String,
    /// Whether the operator accepted that it can be cheated.
    pub weak: bool,
    /// Higher goes first.
    pub priority: i64,
    /// How long an answer is good for, in seconds.
    pub ttl_seconds: u64,
    /// When it stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The operator's word for telling identities apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether it does anything on this host now.
    pub standing: Standing,
}

impl Entry {
    /// Its name, unique in the policy.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its file, as it was named at load.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Its line, from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }

    /// What it does.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// The identity template as written; none for `deny`.
    #[must_use]
    pub fn identity(&self) -> Option<&str> {
        self.identity.as_ref().map(Template::as_str)
    }

    /// Higher goes first.
    #[must_use]
    pub const fn priority(&self) -> i64 {
        self.priority
    }

    /// How long an answer is good for.
    #[must_use]
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// When it stops.
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// The operator's word for telling several identities apart.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whether the operator accepted that it can be cheated.
    #[must_use]
    pub const fn is_weak(&self) -> bool {
        self.weak
    }

    /// Whether it does anything on this host at this time.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        if !self.absent.is_empty() {
            Standing::Inert(self.absent.clone())
        } else if !self.here {
            Standing::OtherHost
        } else if self.has_expired(now) {
            Standing::Expired
        } else {
            Standing::Live
        }
    }

    /// Who gets it, as far as that cannot be cheated.
    #[must_use]
    pub fn guard(&self) -> Guard {
        Guard::of(self)
    }

    /// Name, file and line.
    #[must_use]
    pub fn at(&self) -> EntryRef {
        EntryRef { entry: self.name.to_string(), file: self.file.to_string(), line: self.line }
    }

    /// Its conditions in one line, for a page:
    /// `unix.uid = 1000, docker.image like shop/* · unless unix.group = docker · on role = edge`.
    #[must_use]
    pub fn describe(&self) -> String {
        let list = |conditions: &[Condition]| {
            conditions.iter().map(Condition::describe).collect::<Vec<_>>().join(", ")
        };
        let mut parts = vec![list(&self.conditions)];
        if !self.unless.is_empty() {
            parts.push(format!("unless {}", list(&self.unless)));
        }
        let labels =
            self.on.iter().map(|(label, values)| format!("{label} = {}", values.join(" or ")));
        if !self.on.is_empty() {
            parts.push(format!("on {}", labels.collect::<Vec<_>>().join(", ")));
        }
        if self.challenged {
            parts.push("challenged".to_owned());
        }
        parts.join(" · ")
    }

    /// The entry as pages and the admin API show it.
    #[must_use]
    pub fn summary(&self, now: Timestamp) -> EntrySummary {
        EntrySummary {
            at: self.at(),
            action: self.action,
            identity: self.identity().map(str::to_owned),
            conditions: self.describe(),
            guard: self.guard().to_string(),
            weak: self.weak,
            priority: self.priority,
            ttl_seconds: self.ttl.as_secs(),
            expires: self.expires,
            hint: self.hint.clone(),
            standing: self.standing(now),
        }
    }

    /// The places for values in its identity.
    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.identity.iter().flat_map(Template::slots)
    }

    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether `on` names a host with these labels: every label, one of its values.
    pub(crate) fn is_on(&self, labels: &HostLabels) -> bool {
        let wants = |name: &str, values: &[String]| {
            labels.label(name).is_some_and(|have| values.iter().any(|value| value == have))
        };
        self.on.iter().all(|(name, values)| wants(name, values))
    }

    /// How many things it asks for; more goes first among equals of priority.
    pub(crate) fn weight(&self) -> usize {
        self.conditions.len() + self.unless.len()
    }
}
