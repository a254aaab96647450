//! `/api/v1/status`.

use std::{collections::BTreeMap, path::PathBuf};

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use witgate_decision::{
    Horizon,
    audit::{AuditHealth, AuditState},
};

use crate::{ReloadReport, health::Readiness, router::Shared};

/// What does not change while a daemon runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The root of its identities.
    pub trust_domain: String,
    /// This machine's name in decision ids.
    pub node: String,
    /// This machine's labels.
    pub labels: BTreeMap<String, String>,
    /// Where workloads ask.
    pub public_socket: PathBuf,
    /// Where operators ask.
    pub admin_socket: PathBuf,
    /// Where the audit log is.
    pub audit_dir: PathBuf,
    /// Where entries are read from.
    pub entries: PathBuf,
}

/// The audit log in one look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditView {
    /// `writing`, `no_room`, `broken` or `closed`.
    pub state: String,
    /// The end of the log: written down elsewhere, it proves that nothing was cut.
    pub head: String,
    /// Refusals that are counted and not written yet.
    pub pending_denials: u64,
    /// Records that were refused for want of room since the start.
    pub refused: u64,
    /// Free bytes of its file system.
    pub free_bytes: u64,
}

impl From<AuditHealth> for AuditView {
    fn from(health: AuditHealth) -> Self {
        let state = match health.state {
            AuditState::Writing => "writing",
            AuditState::NoRoom => "no_room",
            AuditState::Broken => "broken",
            AuditState::Closed => "closed",
        };
        Self {
            state: state.to_owned(),
            head: health.head.to_string(),
            pending_denials: health.pending_denials,
            refused: health.refused,
            free_bytes: health.free_bytes,
        }
    }
}

/// The daemon in one look.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// Its version.
    pub version: String,
    /// Seconds since it started.
    pub up_seconds: u64,
    /// What does not change.
    #[serde(flatten)]
    pub about: About,
    /// Whether it can decide.
    #[serde(flatten)]
    pub readiness: Readiness,
    /// How surely this kernel can tell processes apart.
    pub tier: String,
    /// The generation in effect.
    pub generation: u64,
    /// The revision of its entries.
    pub policy_revision: String,
    /// How many entries.
    pub entry_count: usize,
    /// How many plugins.
    pub plugin_count: usize,
    /// Open connections.
    pub connections: usize,
    /// How far back decisions can be looked at.
    pub horizon: Horizon,
    /// The audit log, with the head that an auditor writes down.
    pub audit: AuditView,
    /// How the last reload ended; none before the first.
    pub last_reload: Option<ReloadReport>,
}

/// `GET /api/v1/status`.
pub(crate) async fn status(State(admin): State<Shared>) -> Json<Status> {
    let decider = &admin.decider;
    let generation = decider.generation();
    let generation = generation.as_deref();
    Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        up_seconds: admin.started.elapsed().as_secs(),
        about: admin.control.about(),
        readiness: admin.readiness(),
        tier: decider.kernel().tier().to_string(),
        generation: generation.map(|g| g.number).unwrap_or_default(),
        policy_revision: generation.map(|g| g.policy.revision().to_owned()).unwrap_or_default(),
        entry_count: generation.map(|g| g.policy.entries().count()).unwrap_or_default(),
        plugin_count: generation.map(|g| g.catalogue.plugins().len()).unwrap_or_default(),
        connections: decider.admission().open_connections(),
        horizon: decider.ring().horizon(),
        audit: decider.audit().health().into(),
        last_reload: admin.control.last_reload(),
    })
}
