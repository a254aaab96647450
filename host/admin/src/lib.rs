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
//! | `GET /api/v1/plugins/{name}/lines` | what one of them writes, after a number | view |
//! | `GET /api/v1/endpoints` | the places that attestors ask, and how they are doing | view |
//! | `GET /api/v1/entries` | loaded entries | view |
//! | `GET /api/v1/why/pid/{pid}` | a dry run about any process | admin |
//! | `POST /api/v1/reload` | loads plugins and entries anew | admin |
//!
//! Nothing here can make a grant: this crate does not depend on the one that knows peers.

mod decisions;
mod endpoints;
mod health;
mod lines;
mod loaded;
mod metrics;
mod problem;
mod provenance;
mod reload;
mod router;
mod status;

pub use self::{
    endpoints::{EndpointView, LastError, LastSuccess},
    health::Readiness,
    lines::{LineView, LinesPage},
    provenance::ProvenanceView,
    reload::{Control, Failing, Loaded, ReloadCause, ReloadReport, Reloads, Watching},
    router::{Admin, Role, Viewer},
    status::{About, AuditView, PluginState, Status},
};
