//! `/api/v1/plugins` and `/api/v1/entries`.

use std::sync::atomic::AtomicU64;

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use serde::{Deserialize, Serialize};
use witgate_attestor::{BreakerState, Counters, OutcomeKind, Plugin};
use witgate_decision::Decider;
use witgate_policy::EntrySummary;

use crate::{LineView, ProvenanceView, problem::Problem, router::Shared};

/// One loaded plugin.
#[derive(Debug, Serialize)]
pub(crate) struct PluginView {
    name: String,
    origin: String,
    version: String,
    description: String,
    digest: String,
    component_bytes: usize,
    compiled_bytes: usize,
    required: bool,
    requests: Vec<String>,
    grants: Vec<String>,
    settings: serde_json::Value,
    keys: Vec<KeyView>,
    #[serde(flatten)]
    provenance: ProvenanceView,
    breaker: BreakerState,
    counters: CountersView,
    /// Calls that were answered without running it.
    memo_hits: u64,
    lines: Vec<LineView>,
    /// Lines that it wrote too many at once, since it was loaded.
    lines_dropped: u64,
}

/// One selector key of a plugin.
#[derive(Debug, Serialize)]
struct KeyView {
    key: String,
    #[serde(flatten)]
    spec: witgate_attestor::KeySpec,
    /// What it is worth on a request that was not challenged.
    assurance: witgate_identity::Assurance,
}

/// What a plugin did so far.
#[derive(Debug, Serialize)]
struct CountersView {
    calls: std::collections::BTreeMap<&'static str, u64>,
    elapsed_us: u64,
    longest_us: u64,
    memory_bytes: u64,
    host_calls: u64,
    retries: u64,
}

impl From<&Counters> for CountersView {
    fn from(counters: &Counters) -> Self {
        let micros =
            |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self {
            calls: OutcomeKind::ALL
                .into_iter()
                .map(|kind| (kind.as_str(), counters.calls(kind)))
                .collect(),
            elapsed_us: micros(counters.elapsed()),
            longest_us: micros(counters.longest()),
            memory_bytes: counters.memory_bytes(),
            host_calls: counters.host_calls(),
            retries: counters.retries(),
        }
    }
}

impl PluginView {
    fn new(plugin: &Plugin, provenance: ProvenanceView) -> Self {
        let (lines, lines_dropped) = plugin.lines();
        let keys = plugin.manifest().keys().map(|(key, spec)| KeyView {
            key: key.to_string(),
            assurance: spec.assurance(false),
            spec: spec.clone(),
        });
        Self {
            name: plugin.name().to_string(),
            origin: plugin.origin().to_owned(),
            version: plugin.toml().version.clone(),
            description: plugin.toml().description.clone(),
            digest: plugin.digest().to_owned(),
            component_bytes: plugin.component_bytes(),
            compiled_bytes: plugin.compiled_bytes(),
            required: plugin.required(),
            requests: plugin.toml().requests.iter().map(ToString::to_string).collect(),
            grants: plugin.grants().iter().map(ToString::to_string).collect(),
            settings: plugin.settings().clone(),
            keys: keys.collect(),
            provenance,
            breaker: plugin.breaker(),
            counters: plugin.counters().into(),
            memo_hits: plugin.memo_hits(),
            lines: lines.iter().map(LineView::from).collect(),
            lines_dropped,
        }
    }
}

/// `GET /api/v1/plugins`.
pub(crate) async fn plugins(State(admin): State<Shared>) -> Json<Vec<PluginView>> {
    let generation = admin.decider.generation();
    let mut provenance = admin.control.loaded().provenance;
    let plugins = generation.iter().flat_map(|generation| generation.catalogue.plugins());
    let view = |plugin: &Plugin| {
        PluginView::new(plugin, provenance.remove(plugin.name().as_str()).unwrap_or_default())
    };
    Json(plugins.map(view).collect())
}

/// Most entries in one answer.
const MAX_ENTRIES: usize = 1000;

/// The entries, from a place in their order.
#[derive(Debug, Serialize)]
pub(crate) struct EntriesView {
    revision: String,
    total: usize,
    entries: Vec<EntrySummary>,
    /// `after` of the next page; none if this is the last.
    next: Option<usize>,
}

/// The query of `/api/v1/entries`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntriesQuery {
    after: Option<usize>,
}

/// `GET /api/v1/entries`.
pub(crate) async fn entries(
    State(admin): State<Shared>,
    Query(query): Query<EntriesQuery>,
) -> Result<Json<EntriesView>, Problem> {
    let generation = admin.decider.generation();
    let policy = generation.as_deref().map(|generation| &generation.policy);
    let policy = policy
        .ok_or_else(|| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no entries are loaded"))?;
    let (after, now) = (query.after.unwrap_or_default(), jiff::Timestamp::now());
    let total = policy.entries().count();
    let entries: Vec<_> =
        policy.entries().skip(after).take(MAX_ENTRIES).map(|entry| entry.summary(now)).collect();
    let end = after + entries.len();
    let next = (end < total).then_some(end);
    Ok(Json(EntriesView { revision: policy.revision().to_owned(), total, entries, next }))
}

/// Which plugin, and how its calls ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    plugin: String,
    result: &'static str,
}

/// Which plugin.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginLabels {
    plugin: String,
}

/// Copies the plugins' own counters into a registry. They begin anew when a plugin is loaded anew.
pub(crate) fn register_plugins(decider: &Decider, registry: &mut Registry) {
    let calls = Family::<CallLabels, Counter>::default();
    let seconds = Family::<PluginLabels, Counter<f64, AtomicU64>>::default();
    let [memory, resting] = [(); 2].map(|()| Family::<PluginLabels, Gauge>::default());
    let memo = Family::<PluginLabels, Counter>::default();
    let generation = decider.generation();
    for plugin in generation.iter().flat_map(|generation| generation.catalogue.plugins()) {
        let (name, counters) = (plugin.name().to_string(), plugin.counters());
        for kind in OutcomeKind::ALL {
            let labels = CallLabels { plugin: name.clone(), result: kind.as_str() };
            calls.get_or_create(&labels).inc_by(counters.calls(kind));
        }
        let labels = PluginLabels { plugin: name };
        seconds.get_or_create(&labels).inc_by(counters.elapsed().as_secs_f64());
        let peak = i64::try_from(counters.memory_bytes()).unwrap_or(i64::MAX);
        memory.get_or_create(&labels).set(peak);
        memo.get_or_create(&labels).inc_by(plugin.memo_hits());
        resting.get_or_create(&labels).set(rest(plugin.breaker()));
    }
    registry.register("plugin_calls", "Calls of plugins by result", calls);
    registry.register_with_unit("plugin_duration", "Time in plugins", Unit::Seconds, seconds);
    registry.register("plugin_memo_hits", "Calls answered without running the plugin", memo);
    let help = "For how many shares (a uid in a control group) a plugin rests; -1: for everybody";
    registry.register("plugin_resting", help, resting);
    let help = "Most memory of one call";
    registry.register_with_unit("plugin_memory_peak", help, Unit::Bytes, memory);
}

fn rest(breaker: BreakerState) -> i64 {
    match breaker {
        BreakerState::Working => 0,
        BreakerState::RestingFor(shares) => i64::try_from(shares).unwrap_or(i64::MAX),
        BreakerState::Resting(_) => -1,
    }
}
