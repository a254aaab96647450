use serde::{Deserialize, Serialize};

use crate::{Outcome, Reason, VERSION, You};

/// Why a watch decided again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Entries or plugins were reloaded.
    Reload,
    /// The process moved to another cgroup.
    Cgroup,
    /// The process changed its user or groups.
    Credentials,
    /// The last decision was about to expire.
    Renewal,
}

/// One line of a watch. The first is a `decision`, then there is a `changed` for each change, and
/// at most one `ended`, which is the last; a watch that stops without it was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum WatchEvent {
    /// How it stands at the start.
    Decision {
        /// [`VERSION`].
        v: u8,
        /// What `attest` would have been answered.
        outcome: Outcome,
    },
    /// How it stands from now on.
    Changed {
        /// [`VERSION`].
        v: u8,
        /// What made us look again.
        cause: Cause,
        /// What `attest` would have been answered.
        outcome: Outcome,
    },
    /// No further line will come; connect again.
    Ended {
        /// [`VERSION`].
        v: u8,
        /// [`Reason::SubjectChanged`] after exec or exit, [`Reason::NotReady`] when the daemon
        /// stops.
        reason: Reason,
        /// Who asked.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        you: Option<You>,
    },
}

impl WatchEvent {
    /// The first line.
    #[must_use]
    pub const fn decision(outcome: Outcome) -> Self {
        Self::Decision { v: VERSION, outcome }
    }

    /// A change.
    #[must_use]
    pub const fn changed(cause: Cause, outcome: Outcome) -> Self {
        Self::Changed { v: VERSION, cause, outcome }
    }

    /// The last line.
    #[must_use]
    pub const fn ended(reason: Reason, you: Option<You>) -> Self {
        Self::Ended { v: VERSION, reason, you }
    }

    /// The outcome that this line brings; the last line brings none.
    #[must_use]
    pub const fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::Decision { outcome, .. } | Self::Changed { outcome, .. } => Some(outcome),
            Self::Ended { .. } => None,
        }
    }
}
