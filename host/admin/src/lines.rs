//! `/api/v1/plugins/{name}/lines`: what a plugin writes, for whoever follows it.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use witgate_attestor::{Line, LineLevel};

use crate::{problem::Problem, router::Shared};

/// One line of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineView {
    /// Its place: lines that a plugin writes later have a higher one, also after a reload or a
    /// restart.
    pub number: u64,
    /// When it was written.
    pub time: Timestamp,
    /// How much it matters, in the plugin's opinion.
    pub level: LineLevel,
    /// The text, escaped and cut.
    pub text: String,
}

impl From<&Line> for LineView {
    fn from(line: &Line) -> Self {
        Self {
            number: line.number,
            // A clock outside of the years that can be written is a clock that is wrong.
            time: Timestamp::try_from(line.time).unwrap_or_default(),
            level: line.level,
            text: line.text.clone(),
        }
    }
}

/// Lines of a plugin, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinesPage {
    /// Those that are kept of what was asked for.
    pub lines: Vec<LineView>,
    /// What to ask for as `after` to get what is written from now on.
    pub next: u64,
    /// Lines that were asked for and are not here: there were too many at once, or they are too
    /// old. Those from before the plugin was loaded are not counted.
    pub dropped: u64,
}

/// The query.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinesQuery {
    /// Only lines with a higher number.
    #[serde(default)]
    after: u64,
}

/// `GET /api/v1/plugins/{name}/lines`.
pub(crate) async fn lines(
    State(admin): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<LinesQuery>,
) -> Result<Json<LinesPage>, Problem> {
    let generation = admin.decider.generation();
    let plugins = generation.iter().flat_map(|generation| generation.catalogue.plugins());
    let mut known = Vec::new();
    for plugin in plugins {
        if plugin.name().as_str() == name {
            let (lines, next, dropped) = plugin.lines_after(query.after);
            let lines = lines.iter().map(LineView::from).collect();
            return Ok(Json(LinesPage { lines, next, dropped }));
        }
        known.push(plugin.name().to_string());
    }
    let detail = format!("there is no plugin {name:?}; there are {}", known.join(", "));
    Err(Problem::new(StatusCode::NOT_FOUND, detail))
}
