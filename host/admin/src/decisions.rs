//! `/api/v1/decisions`: the ring, one decision with its why, and dry runs.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use witgate_decision::{
    DryRunError, Filter, Generation, Horizon, Kept,
    audit::{self, read_back},
    why::{Detail, Verdict, Why},
};
use witgate_identity::DecisionId;

use crate::{
    problem::Problem,
    router::{Handles, Shared, Viewer},
};

/// Decisions on a page if the query does not say.
const DEFAULT_LIMIT: usize = 50;
/// Most decisions on a page.
const MAX_LIMIT: usize = 500;

/// The query of a listing; every part is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// A verdict, or `refused` for everything but an allow.
    decision: Option<String>,
    reason: Option<String>,
    uid: Option<u32>,
    pid: Option<u32>,
    unit: Option<String>,
    container: Option<String>,
    text: Option<String>,
    /// A span such as `2h`, or a moment.
    since: Option<String>,
    before: Option<u64>,
    limit: Option<usize>,
}

/// A page of decisions, newest first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Page {
    decisions: Vec<Summary>,
    /// `before` of the next page; none if this is the last.
    next: Option<u64>,
    horizon: Horizon,
}

/// One decision in a listing.
#[derive(Debug, Serialize, Deserialize)]
struct Summary {
    sequence: u64,
    repeats: u64,
    last: Timestamp,
    #[serde(flatten)]
    why: Why,
}

/// `GET /api/v1/decisions`.
pub(crate) async fn list(
    State(admin): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page>, Problem> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let filter = query.filter()?;
    // One more than asked for tells whether there is another page.
    let mut kept = admin.decider.ring().list(&filter, limit + 1);
    let more = kept.len() > limit;
    kept.truncate(limit);
    let next = kept.last().filter(|_| more).map(|kept| kept.sequence);
    let decisions = kept.into_iter().map(Summary::from).collect();
    Ok(Json(Page { decisions, next, horizon: admin.decider.ring().horizon() }))
}

impl From<Kept> for Summary {
    fn from(kept: Kept) -> Self {
        let Kept { sequence, why, repeats, last, .. } = kept;
        Self { sequence, repeats, last, why: Why::clone(&why) }
    }
}

/// Everything but an allow, as a word in a query.
const REFUSED: &str = "refused";

impl ListQuery {
    fn filter(self) -> Result<Filter, Problem> {
        let bad = |error: String| Problem::new(StatusCode::BAD_REQUEST, error);
        let refused = self.decision.as_deref() == Some(REFUSED);
        let verdict = self
            .decision
            .filter(|_| !refused)
            .map(|word| word.parse::<Verdict>().map_err(|error| format!("{error}, {REFUSED}")));
        let verdict = verdict.transpose().map_err(bad)?;
        let since = self.since.map(|text| moment(&text)).transpose().map_err(bad)?;
        Ok(Filter {
            verdict,
            refused,
            reason: self.reason,
            uid: self.uid,
            pid: self.pid,
            unit: self.unit,
            container: self.container,
            text: self.text,
            before: self.before,
            since,
        })
    }
}

/// `2h` ago, or an RFC 3339 moment.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(span) = text.parse::<SignedDuration>() {
        return Timestamp::now().checked_sub(span).map_err(|error| error.to_string());
    }
    text.parse().map_err(|_| {
        format!("{text:?} is neither a span such as 2h nor a moment such as 2026-01-31T12:00:00Z")
    })
}

/// The last decision's place among the ids, which all end in 26 characters of base 32.
const LAST: &str = "last";

/// `GET /api/v1/decisions/{id}`, from the ring or else from the audit log; `last` is the last one.
pub(crate) async fn one(
    State(admin): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Detail>, Problem> {
    let generation = admin.decider.generation();
    let policy = generation
        .map(|generation| std::sync::Arc::clone(&generation.policy))
        .ok_or_else(|| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no entries are loaded"))?;
    let ring = admin.decider.ring();
    if id == LAST {
        let latest = ring.latest();
        let latest = latest.ok_or_else(|| {
            Problem::new(StatusCode::NOT_FOUND, "nothing was decided since the start")
        })?;
        return Ok(Json(Detail::of(&latest, ring, &policy)));
    }
    let id: DecisionId = id.parse().map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, format!("{id:?} is not a decision id: {error}"))
    })?;
    if let Some(kept) = ring.find(&id) {
        return Ok(Json(Detail::of(&kept, ring, &policy)));
    }
    let recorded = admin.recorded(&id).await?.ok_or_else(|| admin.not_found(&id))?;
    Ok(Json(Detail::of_recorded(recorded, ring, &policy)))
}

impl Handles {
    /// Looks a decision up in the audit log, on a thread that may block.
    async fn recorded(&self, id: &DecisionId) -> Result<Option<Why>, Problem> {
        let dir = self.control.about().audit_dir;
        let filter = audit::Filter { containing: Some(id.to_string()), ..audit::Filter::default() };
        let wanted = id.clone();
        let found = tokio::task::spawn_blocking(move || {
            let records = read_back(&dir, filter).ok()?;
            records
                .filter_map(Result::ok)
                .filter_map(|stored| serde_json::from_value::<Why>(stored.body).ok())
                .filter(|why| why.id == wanted)
                // A decision that was withheld has a second record, which is what became of it.
                .last()
        });
        found
            .await
            .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
    }

    fn not_found(&self, id: &DecisionId) -> Problem {
        let horizon = self.decider.ring().horizon();
        let about = self.control.about();
        let since = horizon.oldest.map_or_else(|| "now".to_owned(), |oldest| oldest.to_string());
        let detail = if id.node() == about.node {
            format!(
                "{id} is neither among the {} recent decisions, which reach back to {since}, nor in the audit log; refusals that repeat are counted, not kept",
                horizon.kept
            )
        } else {
            format!("{id} was decided on {:?}; this is {:?}", id.node(), about.node)
        };
        Problem::new(StatusCode::NOT_FOUND, detail)
    }
}

/// `GET /api/v1/decisions/{id}/suggest`: an entry to paste.
pub(crate) async fn suggest(state: State<Shared>, id: Path<String>) -> Result<String, Problem> {
    let vocabulary = state.decider.generation().map(|g| Generation::vocabulary(&g.catalogue));
    let Json(detail) = one(state, id).await?;
    let name =
        detail.why.you.exe.as_deref().and_then(|exe| exe.rsplit('/').next()).unwrap_or("workload");
    Ok(witgate_policy::suggest(&detail.why.evidence(), name, &vocabulary.unwrap_or_default()))
}

/// `GET /api/v1/why/pid/{pid}`: what would be decided about a process that did not ask.
pub(crate) async fn dry_run(
    State(admin): State<Shared>,
    Extension(viewer): Extension<Viewer>,
    Path(pid): Path<i32>,
) -> Result<Json<Detail>, Problem> {
    viewer.must_administer()?;
    tracing::info!(peer.uid = viewer.uid, pid, "Dry run");
    let why = admin.decider.dry_run(pid).await.map_err(|error| {
        let status = match error {
            DryRunError::NotReady => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::NOT_FOUND,
        };
        Problem::new(status, format!("process {pid}: {error}"))
    })?;
    let generation = admin.decider.generation();
    let policy = generation.map(|generation| std::sync::Arc::clone(&generation.policy));
    let policy = policy
        .ok_or_else(|| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no entries are loaded"))?;
    Ok(Json(Detail::of_recorded(why, admin.decider.ring(), &policy)))
}
