//! `/api/v1/status`.

use std::{collections::BTreeMap, path::PathBuf};

use axum::{Json, extract::State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use witgate_attestor::{BreakerState, OutcomeKind, Plugin};
use witgate_confine::Confinement;
use witgate_decision::{
    Horizon, Reads,
    audit::{AuditHealth, AuditState},
};

use crate::{EndpointView, ProvenanceView, Reloads, Watching, health::Readiness, router::Shared};

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
    /// Where brokers ask, if they may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker_socket: Option<PathBuf>,
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
    /// What the daemon's own process has given up; none if it could not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confinement: Option<Confinement>,
    /// The generation in effect.
    pub generation: u64,
    /// When it was loaded.
    pub generation_loaded_at: Option<Timestamp>,
    /// The revision of its entries.
    pub policy_revision: String,
    /// How many entries.
    pub entry_count: usize,
    /// How many plugins.
    pub plugin_count: usize,
    /// What there is to know about each of them.
    pub plugins: Vec<PluginState>,
    /// The places that plugins ask.
    pub endpoints: Vec<EndpointView>,
    /// Open connections.
    pub connections: usize,
    /// Threads that read what a workload can make hang.
    pub reads: Reads,
    /// How far back decisions can be looked at.
    pub horizon: Horizon,
    /// The audit log, with the head that an auditor writes down.
    pub audit: AuditView,
    /// How reloads have been ending.
    pub reloads: Reloads,
    /// Whether files are watched.
    pub watching: Watching,
}

/// One plugin in one look.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PluginState {
    /// The operator's name for it.
    pub name: String,
    /// The author's version.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// Why it was loaded.
    #[serde(flatten)]
    pub provenance: ProvenanceView,
    /// Whether it is being called, or rests after faults.
    pub breaker: BreakerState,
    /// Calls since it was loaded,
    pub calls: u64,
    /// those of them that were answered without running it,
    pub memo_hits: u64,
    /// and those that broke a rule or a limit.
    pub faults: u64,
}

impl PluginState {
    fn new(plugin: &Plugin, provenance: ProvenanceView) -> Self {
        let counters = plugin.counters();
        let faults = [
            OutcomeKind::Trapped,
            OutcomeKind::OutOfTime,
            OutcomeKind::OutOfMemory,
            OutcomeKind::BadOutput,
        ];
        Self {
            name: plugin.name().to_string(),
            version: plugin.toml().version.clone(),
            digest: plugin.digest().to_owned(),
            provenance,
            breaker: plugin.breaker(),
            calls: counters.total_calls(),
            memo_hits: plugin.memo_hits(),
            faults: faults.into_iter().map(|kind| counters.calls(kind)).sum(),
        }
    }
}

/// `GET /api/v1/status`.
pub(crate) async fn status(State(admin): State<Shared>) -> Json<Status> {
    let decider = &admin.decider;
    let generation = decider.generation();
    let generation = generation.as_deref();
    let mut loaded = admin.control.loaded();
    let plugins = generation.iter().flat_map(|generation| generation.catalogue.plugins());
    let plugins: Vec<_> = plugins
        .map(|plugin| {
            let provenance = loaded.provenance.remove(plugin.name().as_str());
            PluginState::new(plugin, provenance.unwrap_or_default())
        })
        .collect();
    Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        up_seconds: admin.started.elapsed().as_secs(),
        about: admin.control.about(),
        readiness: admin.readiness(),
        tier: decider.kernel().tier().to_string(),
        confinement: Confinement::of_this_process().ok(),
        generation: generation.map(|g| g.number).unwrap_or_default(),
        generation_loaded_at: generation.map(|g| g.loaded_at),
        policy_revision: generation.map(|g| g.policy.revision().to_owned()).unwrap_or_default(),
        entry_count: generation.map(|g| g.policy.entries().count()).unwrap_or_default(),
        plugin_count: plugins.len(),
        plugins,
        endpoints: loaded.endpoints,
        connections: decider.admission().open_connections(),
        reads: decider.reader().reads(),
        horizon: decider.ring().horizon(),
        audit: decider.audit().health().into(),
        reloads: admin.control.reloads(),
        watching: admin.control.watching(),
    })
}
