//! What the admin API may ask the daemon to do.

use std::pin::Pin;

use axum::{Extension, Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use witgate_decision::Generation;

use crate::{
    About,
    problem::Problem,
    router::{Shared, Viewer},
};

/// The daemon as the admin API sees it.
pub trait Control: Send + Sync + std::fmt::Debug {
    /// Loads plugins and entries anew; on any error the old ones stay.
    fn reload(&self) -> Pin<Box<dyn Future<Output = ReloadReport> + Send + '_>>;
    /// How the last reload ended; none before the first.
    fn last_reload(&self) -> Option<ReloadReport>;
    /// Whether requests are being decided.
    fn is_serving(&self) -> bool;
    /// What does not change while the daemon runs.
    fn about(&self) -> About;
}

/// How a reload ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// When.
    pub time: Timestamp,
    /// Whether it took effect; if not, the generation named here stayed.
    pub ok: bool,
    /// The generation in effect.
    pub generation: u64,
    /// The revision of its entries.
    pub policy_revision: String,
    /// What was wrong, one line or more for each mistake.
    pub errors: Vec<String>,
    /// What an operator should know about the entries all the same.
    pub warnings: Vec<String>,
}

impl ReloadReport {
    /// A new generation is in effect.
    #[must_use]
    pub fn took_effect(generation: &Generation) -> Self {
        Self { ok: true, ..Self::failed(Some(generation), Vec::new()) }
    }

    /// The old generation stayed.
    #[must_use]
    pub fn failed(stays: Option<&Generation>, errors: Vec<String>) -> Self {
        let warnings = stays.map(|generation| generation.policy.warnings()).unwrap_or_default();
        Self {
            time: Timestamp::now(),
            ok: false,
            generation: stays.map(|generation| generation.number).unwrap_or_default(),
            policy_revision: stays.map(|g| g.policy.revision().to_owned()).unwrap_or_default(),
            errors,
            warnings: warnings.iter().map(ToString::to_string).collect(),
        }
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
