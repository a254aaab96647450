//! `witgate plugin ls`.

use std::collections::BTreeMap;

use hyper::Method;
use serde::Deserialize;
use serde_json::Value;
use witgate_attestor::{BreakerState, OutcomeKind};

use crate::{
    admin_client::ask,
    args::{Form, Place},
    exit::{Exit, Failure},
    output::{say, say_json},
};

/// What of a plugin is shown here.
#[derive(Debug, Deserialize)]
struct Loaded {
    name: String,
    version: String,
    digest: String,
    builtin: bool,
    pinned: bool,
    dev_override: bool,
    breaker: BreakerState,
    counters: Counters,
    memo_hits: u64,
}

#[derive(Debug, Deserialize)]
struct Counters {
    calls: BTreeMap<String, u64>,
}

/// Lists what a daemon has loaded.
pub(crate) fn ls(place: &Place, form: Form) -> Result<Exit, Failure> {
    let answer = ask(&place.admin_socket()?, Method::GET, "/api/v1/plugins")?.or_problem()?;
    if form.json {
        say_json(&answer.json::<Value>()?)?;
        return Ok(Exit::Ok);
    }
    let loaded: Vec<Loaded> = answer.json()?;
    let head = ["NAME", "VERSION", "SHA256", "FROM", "STATE", "CALLS", "FAULTS", "MEMO"];
    let head = head.map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(loaded.iter().map(Loaded::row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; 8] = std::array::from_fn(|column| width(column).unwrap_or_default());
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        say(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    Ok(Exit::Ok)
}

impl Loaded {
    fn row(&self) -> [String; 8] {
        let faults = [
            OutcomeKind::Trapped,
            OutcomeKind::OutOfTime,
            OutcomeKind::OutOfMemory,
            OutcomeKind::BadOutput,
        ];
        let count = |kind: &OutcomeKind| self.counters.calls.get(kind.as_str()).copied();
        let from = match self {
            Self { builtin: true, .. } => "built in",
            Self { dev_override: true, .. } => "NOT CHECKED",
            Self { pinned: true, .. } => "pinned",
            _ => "not pinned",
        };
        let state = match self.breaker {
            BreakerState::Working => "working".to_owned(),
            BreakerState::RestingFor(shares) => format!("rests for {shares}"),
            BreakerState::Resting(left) => format!("rests {} ms", left.as_millis()),
        };
        [
            self.name.clone(),
            self.version.clone(),
            self.digest.chars().take(12).collect(),
            from.to_owned(),
            state,
            self.counters.calls.values().sum::<u64>().to_string(),
            faults.iter().filter_map(count).sum::<u64>().to_string(),
            self.memo_hits.to_string(),
        ]
    }
}
