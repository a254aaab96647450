use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use witgate_identity::{DecisionId, SpiffeId};

use crate::Problem;

/// The version of the frames, `v` in each of them. Fields may be added within a version; a client
/// ignores those that it does not know.
pub const VERSION: u8 = 1;

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// There is an identity.
    Allow,
    /// There is none.
    Deny,
    /// Nobody could say; ask again later.
    Unavailable,
}

/// The process that asked, so that a test with `curl` sees that it attested `curl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct You {
    /// Process id as the daemon sees it.
    pub pid: u32,
    /// Path of the program, see [`crate::frame::printable`] for what is not text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exe: Option<String>,
    /// User id on this machine.
    pub uid: u32,
    /// Group id on this machine.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gid: Option<u32>,
    /// The name of `uid` on this machine.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user: Option<String>,
    /// The systemd unit, by the cgroup.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unit: Option<String>,
    /// The container id, by the cgroup.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub container: Option<String>,
}

/// One identity of a process, and how long it may be relied upon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The name.
    pub id: SpiffeId,
    /// How long it holds from now, in whole seconds; for those who do not trust their clock.
    pub ttl_seconds: u64,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// There is an identity. Never says which entry gave it: that is the operator's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttestAnswer {
    /// [`VERSION`].
    pub v: u8,
    /// Always [`Decision::Allow`]; a refusal is a [`Problem`].
    pub decision: Decision,
    /// Names this decision, for `witgate why`.
    pub decision_id: DecisionId,
    /// The first of `identities`, for those who want one.
    pub identity: SpiffeId,
    /// All identities, the default one first; never empty.
    pub identities: Vec<Identity>,
    /// The earliest end among `identities`: ask again before.
    pub expires_at: Timestamp,
    /// Which set of entries decided.
    pub policy_revision: String,
    /// Whether the process proved that it, and not a program that it ran since, is asking.
    pub challenged: bool,
    /// Who asked; or, if there is a `broker`, whom it asked about.
    pub you: You,
    /// Who asked on its own account about another process. Then that process did not ask for this.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub broker: Option<You>,
}

/// What an `attest` is answered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// Identities.
    Allow(AttestAnswer),
    /// None, and why.
    Refuse(Problem),
}

/// One line of the caller's `/proc/<pid>/cgroup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupPath {
    /// The controllers of the hierarchy, comma-separated; empty for cgroup v2.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub controllers: String,
    /// Path below the hierarchy's root.
    pub path: String,
}

/// What the kernel says about the process that asked. No policy was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhoamiAnswer {
    /// [`VERSION`].
    pub v: u8,
    /// Who asked.
    pub you: You,
    /// Supplementary group ids.
    pub groups: Vec<u32>,
    /// Label of the Linux security module, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub label: Option<String>,
    /// The cgroups.
    pub cgroups: Vec<CgroupPath>,
    /// How surely the kernel can tell: `A`, `B` or `C`.
    pub tier: String,
}

/// Whether the daemon can decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthAnswer {
    /// [`VERSION`].
    pub v: u8,
    /// Whether requests are being decided.
    pub ready: bool,
    /// The daemon's version.
    pub version: String,
    /// Who asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub you: Option<You>,
}

impl You {
    /// A process of which only the least is known.
    #[must_use]
    pub const fn new(pid: u32, uid: u32) -> Self {
        Self { pid, exe: None, uid, gid: None, user: None, unit: None, container: None }
    }
}

impl Identity {
    /// An identity that ends at `expires_at`, seen at `now`. Both lose their fractions of a second,
    /// downwards, so nothing is promised for longer.
    #[must_use]
    pub fn new(id: SpiffeId, expires_at: Timestamp, now: Timestamp) -> Self {
        let expires_at = Timestamp::from_second(expires_at.as_second()).unwrap_or(expires_at);
        let ttl = expires_at.duration_since(now).as_secs();
        let ttl_seconds = u64::try_from(ttl).unwrap_or_default();
        Self { id, ttl_seconds, expires_at }
    }
}

impl AttestAnswer {
    /// Builds the answer; `None` if there is no identity.
    #[must_use]
    pub fn new(
        decision_id: DecisionId,
        identities: Vec<Identity>,
        policy_revision: String,
        challenged: bool,
        you: You,
    ) -> Option<Self> {
        let identity = identities.first()?.id.clone();
        let expires_at = identities.iter().map(|identity| identity.expires_at).min()?;
        let (v, decision) = (VERSION, Decision::Allow);
        Some(Self {
            v,
            decision,
            decision_id,
            identity,
            identities,
            expires_at,
            policy_revision,
            challenged,
            you,
            broker: None,
        })
    }

    /// Says that another process asked than the one that this is about.
    #[must_use]
    pub fn asked_by(mut self, broker: Option<You>) -> Self {
        self.broker = broker;
        self
    }
}

impl Outcome {
    /// What was decided; `None` if there was nothing to decide.
    #[must_use]
    pub const fn decision(&self) -> Option<Decision> {
        match self {
            Self::Allow(_) => Some(Decision::Allow),
            Self::Refuse(problem) => problem.decision,
        }
    }
}

impl HealthAnswer {
    /// Builds the answer.
    #[must_use]
    pub fn new(ready: bool, version: &str, you: Option<You>) -> Self {
        Self { v: VERSION, ready, version: version.to_owned(), you }
    }
}
