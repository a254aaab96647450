use std::time::Duration;

use serde::{Deserialize, Serialize};
use witgate_facts::{FactSet, OutcomeKind};
use witgate_identity::{Attested, PluginName};
use witgate_report::UnknownKey;

use crate::{Question, Use};

/// What one plugin said about the subject of one request, checked and stamped.
#[derive(Debug, Clone)]
pub struct Attestation {
    /// The plugin, as the operator named it.
    pub plugin: PluginName,
    /// The operator cannot do without it: anything but an answer makes the decision unavailable.
    pub required: bool,
    /// How the call ended.
    pub outcome: Outcome,
    /// What holds. Empty unless the outcome is [`Outcome::Reported`].
    pub selectors: Vec<Attested>,
    /// Wanted keys about which nothing can be said, although the plugin answered. With an outcome
    /// other than `Reported` and `NotApplicable`, *every* key of the plugin is unknown and this
    /// is empty.
    pub unknown: Vec<UnknownKey>,
    /// The facts that were read successfully in this call.
    pub facts_read: FactSet,
    /// Wall time from start to end, waiting and retries included.
    pub elapsed: Duration,
    /// Most linear memory the guest had at once, in bytes.
    pub memory_bytes: u64,
    /// Calls of host functions, retries included.
    pub host_calls: u32,
    /// What the guest asked, in order, as far as the answers follow from the subject; of the last
    /// attempt. Empty if the call was answered from the memo.
    pub asked: Vec<Question>,
    /// What it took from the cache and from endpoints.
    pub uses: Vec<Use>,
    /// The guest did not have to be run: it had been asked the same, with the same answers, before.
    pub from_memo: bool,
}

/// Which limit a guest ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Limit {
    /// [`crate::limits::CALL_TIME`]: the guest's own time, without what it waited for.
    CallTime,
    /// [`crate::limits::WALL_FACTOR`] times that by the wall clock, without what it waited for facts.
    CallWallTime,
    /// The deadline of the request that it was called for.
    RequestDeadline,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CallTime => write!(f, "{} ms for a call", crate::limits::CALL_TIME.as_millis()),
            Self::CallWallTime => {
                let wall = crate::limits::CALL_TIME * crate::limits::WALL_FACTOR;
                write!(f, "{} ms by the clock for a call", wall.as_millis())
            }
            Self::RequestDeadline => f.write_str("the deadline of the request"),
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Outcome {
    /// The plugin reported, and all of its output was valid.
    Reported,
    /// Not this plugin's kind of process: its keys do not hold.
    NotApplicable,
    /// It asks to be asked again. Only of a recorded process, which will not have changed; in a
    /// decision the plugin is asked again.
    Retry {
        /// After how many milliseconds.
        after_ms: u32,
    },
    /// Something the plugin needs is not there now, or the plugin is resting after faults.
    Unavailable {
        /// Why, for the operator.
        reason: String,
    },
    /// The plugin says that it cannot tell.
    Failed {
        /// Why, in the plugin's words.
        reason: String,
    },
    /// The guest trapped, or called what it must not.
    Trapped {
        /// Export, cause and limit.
        reason: String,
    },
    /// The guest was stopped because its time was up.
    OutOfTime {
        /// Which limit.
        limit: Limit,
    },
    /// The guest wanted more memory than it may have, and did not survive the refusal.
    OutOfMemory {
        /// The limit in bytes.
        limit: u64,
    },
    /// The guest's output broke a rule; all of it was refused.
    BadOutput {
        /// Which rule.
        reason: String,
    },
    /// A fact said that the process has exited; the request ends, whatever the guest made of it.
    Gone,
}

impl Outcome {
    /// The kind alone.
    #[must_use]
    pub const fn kind(&self) -> OutcomeKind {
        match self {
            Self::Reported => OutcomeKind::Reported,
            Self::NotApplicable => OutcomeKind::NotApplicable,
            Self::Retry { .. } => OutcomeKind::Retry,
            Self::Unavailable { .. } => OutcomeKind::Unavailable,
            Self::Failed { .. } => OutcomeKind::Failed,
            Self::Trapped { .. } => OutcomeKind::Trapped,
            Self::OutOfTime { .. } => OutcomeKind::OutOfTime,
            Self::OutOfMemory { .. } => OutcomeKind::OutOfMemory,
            Self::BadOutput { .. } => OutcomeKind::BadOutput,
            Self::Gone => OutcomeKind::Gone,
        }
    }

    /// Whether the plugin answered: then keys that it left out are *no* or listed as unknown.
    #[must_use]
    pub const fn answered(&self) -> bool {
        matches!(self, Self::Reported | Self::NotApplicable)
    }

    /// Whether the plugin broke a rule or a limit.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Trapped { .. }
                | Self::OutOfTime { .. }
                | Self::OutOfMemory { .. }
                | Self::BadOutput { .. }
        )
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reported => f.write_str("reported"),
            Self::NotApplicable => f.write_str("not applicable"),
            Self::Retry { after_ms } => write!(f, "asks to be asked again in {after_ms} ms"),
            Self::Unavailable { reason } => write!(f, "unavailable: {reason}"),
            Self::Failed { reason } => write!(f, "failed: {reason}"),
            Self::Trapped { reason } => write!(f, "trapped: {reason}"),
            Self::OutOfTime { limit } => write!(f, "out of time: the limit is {limit}"),
            Self::OutOfMemory { limit } => {
                write!(f, "out of memory: the limit is {} MiB", limit >> 20)
            }
            Self::BadOutput { reason } => write!(f, "bad output, all of it refused: {reason}"),
            Self::Gone => f.write_str("the process has exited"),
        }
    }
}
