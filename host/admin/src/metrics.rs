//! `/metrics`, by a library.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::{encoding::text::encode, metrics::gauge::ConstGauge, registry::Registry};

use crate::{problem::Problem, router::Shared};

/// What the text is (OpenMetrics 1.0).
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /metrics`.
pub(crate) async fn metrics(State(admin): State<Shared>) -> Response {
    let mut registry = Registry::with_prefix("witgate");
    admin.decider.metrics().register(&mut registry);
    crate::loaded::register_plugins(&admin.decider, &mut registry);
    let gauges = [
        ("connections", "Open connections", admin.decider.admission().open_connections()),
        ("decisions_kept", "Decisions in the ring", admin.decider.ring().horizon().kept),
    ];
    for (name, help, value) in gauges {
        registry.register(name, help, ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)));
    }
    let last = admin.control.last_reload();
    let ok = i64::from(last.as_ref().is_none_or(|report| report.ok));
    registry.register(
        "config_last_reload_successful",
        "1 unless the last reload failed",
        ConstGauge::new(ok),
    );
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(error) => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
        }
    }
}
