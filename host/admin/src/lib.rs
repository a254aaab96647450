//! The admin API, over read-only copies.
//!
//! | path | gives | role |
//! |---|---|---|
//! | `GET /livez` | 200 as long as the process answers | view |
//! | `GET /readyz` | 200 or 503, with reasons and warnings | view |
//! | `GET /metrics` | OpenMetrics text | view |
//! | `GET /api/v1/status` | health, limits, last reload, audit head | view |
//! | `GET /api/v1/decisions` | recent decisions; filters and cursor in the query | view |
//! | `GET /api/v1/decisions/{id}` | one decision and its whole *why* | view |
//! | `GET /api/v1/plugins` | loaded attestors | view |
//! | `GET /api/v1/entries` | loaded entries | view |
//! | `GET /api/v1/why/pid/{pid}` | a dry run about any process | admin |
//! | `POST /api/v1/reload` | loads plugins and entries anew | admin |
//!
//! Nothing here can make a grant: this crate does not depend on the one that knows peers.

mod decisions;
mod health;
mod loaded;
mod metrics;
mod problem;
mod reload;
mod router;
mod status;

pub use self::{
    health::Readiness,
    reload::{Control, ReloadReport},
    router::{Admin, Role, Viewer},
    status::{About, AuditView, Status},
};
