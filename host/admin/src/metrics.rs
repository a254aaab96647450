//! `/metrics`, by a library.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::{
    encoding::text::encode,
    metrics::gauge::ConstGauge,
    registry::{Registry, Unit},
};

use crate::{problem::Problem, router::Shared};

/// What the text is (OpenMetrics 1.0).
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /metrics`.
pub(crate) async fn metrics(State(admin): State<Shared>) -> Response {
    let mut registry = Registry::with_prefix("witgate");
    admin.decider.metrics().register(&mut registry);
    crate::loaded::register_plugins(&admin.decider, &mut registry);
    let reads = admin.decider.reader().reads();
    let gauges = [
        ("connections", "Open connections", admin.decider.admission().open_connections()),
        ("reads_busy", "Threads busy with what a workload can make hang", reads.busy),
        ("reads_overdue", "Such reads that nobody waits for any more", reads.overdue),
        ("decisions_kept", "Decisions in the ring", admin.decider.ring().horizon().kept),
    ];
    for (name, help, value) in gauges {
        registry.register(name, help, ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)));
    }
    if let Some(generation) = admin.decider.generation() {
        let number = i64::try_from(generation.number).unwrap_or(i64::MAX);
        registry.register("generation", "The generation in effect", ConstGauge::new(number));
        let help = "When the generation in effect was loaded";
        let loaded = ConstGauge::new(generation.loaded_at.as_second());
        registry.register_with_unit("generation_loaded_timestamp", help, Unit::Seconds, loaded);
    }
    let loaded = admin.control.loaded();
    crate::endpoints::register(&loaded.endpoints, &mut registry);
    let unchecked = loaded.provenance.values().filter(|provenance| provenance.dev_override).count();
    registry.register(
        "plugins_not_checked",
        "Plugins that were loaded whatever lock file and signatures say (dev_override)",
        ConstGauge::new(i64::try_from(unchecked).unwrap_or(i64::MAX)),
    );
    admin.control.reloads().register(&mut registry);
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(error) => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
        }
    }
}
