//! What the admin API may ask the daemon to do.

use std::{collections::BTreeMap, pin::Pin};

use axum::{Extension, Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::ConstGauge},
    registry::Registry,
};
use serde::{Deserialize, Serialize};
use witgate_decision::Generation;

use crate::{
    About, EndpointView, ProvenanceView,
    problem::Problem,
    router::{Shared, Viewer},
};

/// The daemon as the admin API sees it.
pub trait Control: Send + Sync + std::fmt::Debug {
    /// Loads plugins and entries anew; on any error the old ones stay.
    fn reload(&self) -> Pin<Box<dyn Future<Output = ReloadReport> + Send + '_>>;
    /// How reloads have been ending.
    fn reloads(&self) -> Reloads;
    /// Whether files are watched.
    fn watching(&self) -> Watching;
    /// What the plugins in effect come with.
    fn loaded(&self) -> Loaded;
    /// Whether requests are being decided.
    fn is_serving(&self) -> bool;
    /// What does not change while the daemon runs.
    fn about(&self) -> About;
}

/// What the plugins in effect come with.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// Why each plugin was loaded, by its name.
    pub provenance: BTreeMap<String, ProvenanceView>,
    /// How each endpoint is doing, by name.
    pub endpoints: Vec<EndpointView>,
    /// What an operator should know about them.
    pub warnings: Vec<String>,
}

/// What made the daemon reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReloadCause {
    /// Somebody asked, by command or signal.
    Asked,
    /// A file has changed.
    Watch,
}

/// How a reload ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// When.
    pub time: Timestamp,
    /// What made the daemon do it.
    pub cause: ReloadCause,
    /// Whether everything is as the files say; if not, the generation named here stayed.
    pub ok: bool,
    /// Whether a new generation took effect.
    pub changed: bool,
    /// The generation in effect.
    pub generation: u64,
    /// The revision of its entries.
    pub policy_revision: String,
    /// What was wrong, one line or more for each mistake.
    pub errors: Vec<String>,
    /// What an operator should know about it all the same.
    pub warnings: Vec<String>,
}

impl ReloadReport {
    /// A new generation is in effect.
    #[must_use]
    pub fn took_effect(cause: ReloadCause, generation: &Generation) -> Self {
        Self { changed: true, ..Self::unchanged(cause, Some(generation)) }
    }

    /// The files say what is in effect already.
    #[must_use]
    pub fn unchanged(cause: ReloadCause, stays: Option<&Generation>) -> Self {
        Self { ok: true, ..Self::failed(cause, stays, Vec::new()) }
    }

    /// The old generation stayed.
    #[must_use]
    pub fn failed(cause: ReloadCause, stays: Option<&Generation>, errors: Vec<String>) -> Self {
        let warnings = stays.map(|generation| generation.policy.warnings()).unwrap_or_default();
        Self {
            time: Timestamp::now(),
            cause,
            ok: false,
            changed: false,
            generation: stays.map(|generation| generation.number).unwrap_or_default(),
            policy_revision: stays.map(|g| g.policy.revision().to_owned()).unwrap_or_default(),
            errors,
            warnings: warnings.iter().map(ToString::to_string).collect(),
        }
    }
}

/// How reloads have been ending since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloads {
    /// New generations that took effect.
    pub changed: u64,
    /// Reloads after which everything was as before.
    pub unchanged: u64,
    /// Reloads that failed.
    pub failed: u64,
    /// The last one; none before the first.
    pub last: Option<ReloadReport>,
    /// What is wrong with the files, if the last one failed.
    pub failing: Option<Failing>,
}

/// Files that cannot take effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// When a reload failed first, after the last one that did not.
    pub since: Timestamp,
    /// When it was tried last.
    pub last: Timestamp,
    /// How often it was tried.
    pub times: u64,
    /// What was wrong the last time: each line begins with the file or the plugin.
    pub errors: Vec<String>,
}

/// Whether files are watched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watching {
    /// They are.
    pub on: bool,
    /// What cannot be watched, and why. Reloading by command and signal works all the same.
    pub problem: Option<String>,
}

/// How a reload ended, as a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

impl Reloads {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let counts = Family::<ResultLabels, Counter>::default();
        let results =
            [("changed", self.changed), ("unchanged", self.unchanged), ("failed", self.failed)];
        for (result, count) in results {
            counts.get_or_create(&ResultLabels { result }).inc_by(count);
        }
        registry.register("reloads", "Reloads by result", counts);
        let failing = i64::from(self.failing.is_some());
        registry.register("reload_failed", "1 if the last reload failed", ConstGauge::new(failing));
        registry.register(
            "config_last_reload_successful",
            "1 unless the last reload failed",
            ConstGauge::new(1 - failing),
        );
    }
}

/// `POST /api/v1/reload`: 200 with the report, or 409 with it if the old generation stayed.
pub(crate) async fn reload(
    State(admin): State<Shared>,
    Extension(viewer): Extension<Viewer>,
) -> Result<(StatusCode, Json<ReloadReport>), Problem> {
    viewer.must_administer()?;
    tracing::info!(peer.uid = viewer.uid, "Reload asked for");
    let report = admin.control.reload().await;
    let status = if report.ok { StatusCode::OK } else { StatusCode::CONFLICT };
    Ok((status, Json(report)))
}
