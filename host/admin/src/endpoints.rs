//! `/api/v1/endpoints`: how the places that plugins ask are doing.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use jiff::Timestamp;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use serde::{Deserialize, Serialize};

use crate::router::Shared;

/// One endpoint, since it was configured as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointView {
    /// The name under which plugins are granted it.
    pub name: String,
    /// Where it is.
    pub place: String,
    /// Requests that plugins made.
    pub requests: u64,
    /// Requests that are under way.
    pub under_way: u64,
    /// Requests that had a whole response, whatever its status.
    pub answered: u64,
    /// Requests that nobody waited for to the end.
    pub abandoned: u64,
    /// Requests that had no response, by kind: `unreachable`, `timeout`, `too-large`, `refused`,
    /// `malformed`. Those that are zero are left out.
    pub errors: BTreeMap<String, u64>,
    /// The last whole response.
    pub last_success: Option<LastSuccess>,
    /// The last request without one.
    pub last_error: Option<LastError>,
}

/// A whole response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSuccess {
    /// When.
    pub at: Timestamp,
    /// Its HTTP status.
    pub status: u16,
}

/// A request without a response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// When.
    pub at: Timestamp,
    /// Which kind.
    pub kind: String,
    /// What happened.
    pub text: String,
}

impl EndpointView {
    /// What went wrong, if the last request had no response.
    #[must_use]
    pub fn trouble(&self) -> Option<&LastError> {
        let error = self.last_error.as_ref()?;
        let mended = self.last_success.as_ref().is_some_and(|success| success.at >= error.at);
        (!mended).then_some(error)
    }
}

/// `GET /api/v1/endpoints`.
pub(crate) async fn endpoints(State(admin): State<Shared>) -> Json<Vec<EndpointView>> {
    Json(admin.control.loaded().endpoints)
}

/// How requests to an endpoint ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    endpoint: String,
    result: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabels {
    endpoint: String,
}

pub(crate) fn register(endpoints: &[EndpointView], registry: &mut Registry) {
    let requests = Family::<ResultLabels, Counter>::default();
    let under_way = Family::<EndpointLabels, Gauge>::default();
    for endpoint in endpoints {
        let own = [("answered", endpoint.answered), ("abandoned", endpoint.abandoned)];
        let own = own.map(|(result, count)| (result.to_owned(), count));
        let errors = endpoint.errors.iter().map(|(kind, count)| (kind.clone(), *count));
        for (result, count) in own.into_iter().chain(errors) {
            let labels = ResultLabels { endpoint: endpoint.name.clone(), result };
            requests.get_or_create(&labels).inc_by(count);
        }
        let labels = EndpointLabels { endpoint: endpoint.name.clone() };
        let count = i64::try_from(endpoint.under_way).unwrap_or(i64::MAX);
        under_way.get_or_create(&labels).set(count);
    }
    registry.register("endpoint_requests", "Requests of plugins to endpoints by result", requests);
    registry.register("endpoint_requests_under_way", "Requests without an end yet", under_way);
}
