use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use witgate_identity::SpiffeId;

/// Where an entry stands: its name, and the line that an operator would open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRef {
    /// Its name, unique in the policy.
    pub entry: String,
    /// The file, as it was named at load.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for EntryRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.entry, self.file, self.line)
    }
}

/// What all entries together say about one process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluation {
    /// What to answer.
    pub verdict: Verdict,
    /// What entries with `action = "observe"` would have given. They never give anything.
    pub observed: Vec<Observed>,
}

/// The outcome of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", content = "detail", rename_all = "snake_case")]
pub enum Verdict {
    /// These identities, at least one; the first is the default. Ordered by priority (higher
    /// first), then number of conditions (more first), then entry name. An identity that several
    /// entries give stands once, for the first of them.
    Allow(Vec<Granted>),
    /// No identity, and nothing that we do not know could change that.
    Deny(Denial),
    /// An attestor could not say what an entry needs to know.
    Unavailable(Blocked),
}

impl Verdict {
    /// The word used in tests, answers and pages: `allow`, `deny` or `unavailable`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Allow(_) => "allow",
            Self::Deny(_) => "deny",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// The identities given; none unless it is an allow.
    #[must_use]
    pub fn granted(&self) -> &[Granted] {
        match self {
            Self::Allow(granted) => granted,
            Self::Deny(_) | Self::Unavailable(_) => &[],
        }
    }
}

/// One identity that an entry gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// The identity.
    pub id: SpiffeId,
    /// The entry's name.
    pub entry: String,
    /// The entry's file, as it was named at load.
    pub file: String,
    /// The entry's line, from 1.
    pub line: usize,
    /// How long the answer is good for; never past `expires`.
    #[serde(rename = "ttl_seconds", with = "whole_seconds")]
    pub ttl: Duration,
    /// When the entry stops to give this identity, for break-glass entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The operator's word for telling several identities apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether the operator accepted that this entry can be cheated.
    #[serde(default)]
    pub weak: bool,
}

/// Why a process gets nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The closed reason.
    pub reason: DenyReason,
    /// The entry that denied, or that had no value for its template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryRef>,
    /// More, for the operator: which value a template lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The closed list of reasons for a denial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenyReason {
    /// No entry matches.
    NoMatchingEntry,
    /// An entry with `action = "deny"` matches.
    DeniedByRule,
    /// An entry matches, but a value for its identity is missing or cannot stand in a path.
    TemplateIncomplete,
}

impl DenyReason {
    /// All reasons.
    pub const ALL: [Self; 3] =
        [Self::NoMatchingEntry, Self::DeniedByRule, Self::TemplateIncomplete];

    /// The word used in tests and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoMatchingEntry => "no_matching_entry",
            Self::DeniedByRule => "denied_by_rule",
            Self::TemplateIncomplete => "template_incomplete",
        }
    }
}

impl fmt::Display for DenyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What stands between a process and a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// The first undecided entries by name, at most [`crate::limits::MAX_UNDECIDED`]: `deny` entries
    /// that might match if some other entry would allow, else the entries that might allow.
    pub entries: Vec<Undecided>,
}

/// An entry that matches or not, depending on what could not be said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undecided {
    /// The entry.
    #[serde(flatten)]
    pub entry: EntryRef,
    /// What could not be said, as `unix.sha256: executable too large`.
    pub reasons: Vec<String>,
}

/// What an observing entry would have done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The entry.
    #[serde(flatten)]
    pub entry: EntryRef,
    /// The identity it would have given; `None` if its template has no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<SpiffeId>,
}

mod whole_seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        ttl: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(ttl.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}
