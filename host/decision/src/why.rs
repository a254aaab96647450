//! The *why* of a decision: a value, built while deciding, not a log line.
//!
//! The admin API, `witgate why` and the audit log show this one value. What costs something and is
//! only needed when somebody looks, the near misses and what changed, is in [`Detail`].

mod detail;
mod text;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use witgate_attestor::{Attestation, Outcome, UnknownKey, Use};
use witgate_facts::FactName;
use witgate_identity::{Assurance, Attested, DecisionId, PluginName};
use witgate_policy::{Blocked, Denial, Evidence, Granted, Observed, Unknown};
use witgate_protocol::{Dialect, Reason, You};

pub use self::{
    detail::{Changed, Detail},
    text::render,
};

/// How a decision ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Identities were given.
    Allow,
    /// None was.
    Deny,
    /// Nobody could say.
    Unavailable,
    /// Identities were decided on and not sent: the last look at the process failed.
    Withheld,
}

impl Verdict {
    /// The word in metrics, filters and pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Unavailable => "unavailable",
            Self::Withheld => "withheld",
        }
    }
}

impl std::str::FromStr for Verdict {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        [Self::Allow, Self::Deny, Self::Unavailable, Self::Withheld]
            .into_iter()
            .find(|verdict| verdict.as_str() == word)
            .ok_or_else(|| format!("'{word}' is not one of allow, deny, unavailable, withheld"))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1 or HTTP/2.
    Http,
    /// The line protocol.
    Line,
    /// A broker, about another process.
    Broker,
    /// Nobody asked: a dry run by an operator. It can never give anything.
    DryRun,
}

impl Protocol {
    /// The word in metrics and pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Line => "line",
            Self::Broker => "broker",
            Self::DryRun => "dry_run",
        }
    }
}

impl From<Dialect> for Protocol {
    fn from(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Http => Self::Http,
            Dialect::LineJson | Dialect::LinePeople => Self::Line,
        }
    }
}

/// One decision and everything it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// Its name.
    pub id: DecisionId,
    /// When it was made.
    pub time: Timestamp,
    /// How it ended.
    pub verdict: Verdict,
    /// The closed reason, unless it is an allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// More about the reason, for the operator only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How it was asked for.
    pub protocol: Protocol,
    /// From a complete request to here, in microseconds.
    pub elapsed_us: u64,
    /// Which entries decided.
    pub policy_revision: String,
    /// Which plugins and entries together.
    pub generation: u64,
    /// Whether the process proved that it is the one asking.
    pub challenged: bool,
    /// By what a change of its program would be noticed: `event`, `auxv` or `none`; absent if nothing
    /// asked what it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec_watch: Option<String>,
    /// Another process that wrote on the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<SenderView>,
    /// How surely this kernel can tell processes apart: `A`, `B` or `C`.
    pub tier: String,
    /// The process that was decided about. It asked, unless a broker did.
    pub you: You,
    /// Who asked about it, was answered, and whose limits it counts against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<You>,
    /// What was known about it, each fact with its worth.
    #[serde(default)]
    pub facts: Vec<FactView>,
    /// What each attestor made of it.
    #[serde(default)]
    pub attestors: Vec<AttestorView>,
    /// The identities, the default one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub granted: Vec<Granted>,
    /// What observing entries would have given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<Observed>,
    /// Why the entries gave nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial: Option<Denial>,
    /// What the entries would have needed to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
}

/// A process that wrote on a connection that it did not open, as the kernel stamped its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderView {
    /// Its number then; 0 where the kernel does not say.
    pub pid: i32,
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
}

impl From<witgate_peer::Sender> for SenderView {
    fn from(sender: witgate_peer::Sender) -> Self {
        Self { pid: sender.pid, uid: sender.uid, gid: sender.gid }
    }
}

/// One fact as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactView {
    /// Which.
    pub fact: FactName,
    /// What it is worth in this request.
    pub assurance: Assurance,
    /// The value in short, or why there is none.
    pub value: String,
}

/// What one attestor made of the facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttestorView {
    /// Which.
    pub plugin: PluginName,
    /// Whether nothing is decided without it.
    pub required: bool,
    /// How the call ended.
    pub outcome: Outcome,
    /// How long it took, in microseconds.
    pub elapsed_us: u64,
    /// The most memory the guest had.
    pub memory_bytes: u64,
    /// It did not have to be run: it had been asked the same, with the same answers, before.
    #[serde(default)]
    pub from_memo: bool,
    /// The facts that it read.
    pub facts_read: Vec<FactName>,
    /// What it took from its cache and from endpoints, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<Use>,
    /// What it said.
    pub selectors: Vec<Attested>,
    /// What it could not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<UnknownKey>,
}

impl From<Attestation> for AttestorView {
    fn from(attestation: Attestation) -> Self {
        Self {
            plugin: attestation.plugin,
            required: attestation.required,
            outcome: attestation.outcome,
            elapsed_us: micros(attestation.elapsed),
            memory_bytes: attestation.memory_bytes,
            from_memo: attestation.from_memo,
            facts_read: attestation.facts_read.iter().collect(),
            uses: attestation.uses,
            selectors: attestation.selectors,
            unknown: attestation.unknown,
        }
    }
}

pub(crate) fn micros(elapsed: std::time::Duration) -> u64 {
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}

/// About how many bytes it takes to keep a use.
fn room(used: &Use) -> usize {
    64 + match used {
        Use::Cache { key, .. } => key.len(),
        Use::Endpoint { endpoint, request, outcome, .. } => {
            endpoint.len() + request.len() + outcome.len()
        }
    }
}

impl Why {
    /// Whose limits it counts against: who asked.
    pub(crate) fn account(&self) -> u32 {
        self.broker.as_ref().unwrap_or(&self.you).uid
    }

    /// What refusals are counted together for in the audit log. A broker asks about many.
    pub(crate) fn cause(&self) -> String {
        let reason = self.reason.map_or("", Reason::as_str);
        match &self.broker {
            Some(_) => format!("{reason}, asked by a broker about uid {}", self.you.uid),
            None => reason.to_owned(),
        }
    }

    /// About how many bytes it takes in memory, for the ring's bound.
    pub(crate) fn weight(&self) -> usize {
        let selectors = self.attestors.iter().flat_map(|attestor| &attestor.selectors);
        let values: usize = selectors.map(|attested| 96 + attested.selector.value().len()).sum();
        let uses: usize = self.attestors.iter().flat_map(|attestor| &attestor.uses).map(room).sum();
        let facts: usize = self.facts.iter().map(|fact| 32 + fact.value.len()).sum();
        1024 + values
            + uses
            + facts
            + 256 * (self.granted.len() + self.observed.len() + self.attestors.len())
    }

    /// What the entries were matched against, put together again: for near misses, also of a
    /// decision read back from the audit log.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        let mut unknown = Unknown::new();
        let mut selectors = witgate_identity::SelectorSet::new();
        for attestor in &self.attestors {
            if !attestor.outcome.answered() {
                unknown.plugin(attestor.plugin.clone(), attestor.outcome.to_string());
            }
            selectors.extend(attestor.selectors.iter().cloned());
            for left_out in &attestor.unknown {
                unknown.key(attestor.plugin.clone(), left_out.key.clone(), left_out.reason.clone());
            }
        }
        Evidence { selectors, unknown, challenged: self.challenged }
    }
}
