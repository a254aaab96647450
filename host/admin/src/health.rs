//! `/livez` and `/readyz`.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use witgate_decision::audit::AuditState;

use crate::router::Shared;

/// Whether the daemon can decide, and what an operator should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Whether requests are being decided and identities given.
    pub ready: bool,
    /// What keeps it from being ready.
    pub reasons: Vec<String>,
    /// What is wrong and does not keep it from being ready.
    pub warnings: Vec<String>,
}

/// `GET /livez`.
pub(crate) async fn livez() -> &'static str {
    "ok\n"
}

/// `GET /readyz`.
pub(crate) async fn readyz(State(admin): State<Shared>) -> (StatusCode, Json<Readiness>) {
    let readiness = admin.readiness();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

fn audit_problem(state: AuditState) -> Option<&'static str> {
    match state {
        AuditState::Writing => None,
        AuditState::NoRoom => Some("no room on its file system"),
        AuditState::Broken => Some("the last write failed"),
        AuditState::Closed => Some("closed"),
    }
}

impl crate::router::Handles {
    pub(crate) fn readiness(&self) -> Readiness {
        let mut reasons = Vec::new();
        let mut warnings = Vec::new();
        if !self.control.is_serving() {
            reasons.push("the daemon is starting or draining".to_owned());
        }
        if let Some(problem) = audit_problem(self.decider.audit().health().state) {
            reasons.push(format!(
                "audit log: {problem}; no identity is given until it can be written"
            ));
        }
        if let Some(failing) = self.control.reloads().failing {
            let stays = self.decider.generation().map(|generation| generation.number);
            warnings.push(format!(
                "the files cannot take effect since {}, after {} attempts and with {} errors; \
                 generation {} stays in effect",
                failing.since,
                failing.times,
                failing.errors.len(),
                stays.unwrap_or_default()
            ));
        }
        if let Some(problem) = self.control.watching().problem {
            warnings.push(format!("not all files are watched: {problem}; reload by command"));
        }
        warnings.extend(self.control.loaded().warnings);
        if let Some(generation) = self.decider.generation() {
            warnings.extend(generation.policy.warnings().iter().map(ToString::to_string));
        }
        Readiness { ready: reasons.is_empty(), reasons, warnings }
    }
}
