//! `witgate plugin bench`: what a call costs, beside one that does nothing and beside the memo.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;
use witgate_attestor::{Catalogue, Plugin, PluginSpec};
use witgate_facts::{FactSource, fixture::Recorded};
use witgate_identity::{PluginName, Wanted};

use super::{args::BenchOptions, cases, source::Source, words, workshop::Workshop};
use crate::{
    exit::{Exit, Failure},
    output::{say, say_json},
    process::deadline,
};

/// Calls before those that count: the first ones touch memory that nobody has touched.
const WARM_UP: u32 = 20;

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    plugin: String,
    fixture: String,
    outcome: String,
    calls: u32,
    /// A call in an instance of its own.
    fresh: Spread,
    /// The same of a plugin that does nothing.
    empty: Spread,
    /// An answer without a call; none if this one is never given so.
    memo: Option<Spread>,
    /// How many times as long as the empty plugin.
    ratio_p50: f64,
    ratio_p99: f64,
    memory_bytes: u64,
    component_bytes: usize,
    compiled_bytes: usize,
    /// With compiling, and without.
    load_cold_us: u64,
    load_warm_us: u64,
}

#[derive(Debug, Serialize)]
struct Spread {
    p50_us: f64,
    p99_us: f64,
}

/// Measures and shows.
pub(crate) fn bench(options: &BenchOptions) -> Result<Exit, Failure> {
    let source = Source::open(&options.target, false)?;
    let case = cases::one(cases::cases(&source, None)?, options.fixture.as_deref())?;
    let workshop = Workshop::fresh()?;
    let started = Instant::now();
    workshop.catalogue(source.spec()?)?;
    let cold = started.elapsed();
    let started = Instant::now();
    let catalogue = workshop.catalogue(source.spec()?)?;
    let warm = started.elapsed();
    let empty = PluginName::new("empty").map_err(Failure::internal)?;
    let empty = workshop.load(PluginSpec::new(empty, "empty", witgate_builtins::EMPTY))?;
    let plugin = catalogue.plugins().first().ok_or_else(|| Failure::internal("no plugin"))?;

    let facts = Arc::new(case.facts);
    let turns = workshop.block_on(take_turns(plugin, &empty, &facts, options.calls));
    let Turns { fresh, empty, outcome, memory_bytes } = turns;
    let memo = workshop.block_on(recall(&catalogue, &facts, options.calls));
    let (fresh, empty) = (Spread::of(fresh), Spread::of(empty));
    let report = Report {
        plugin: plugin.name().to_string(),
        fixture: case.name,
        outcome,
        calls: options.calls,
        ratio_p50: fresh.p50_us / empty.p50_us,
        ratio_p99: fresh.p99_us / empty.p99_us,
        fresh,
        empty,
        memo: (!memo.is_empty()).then(|| Spread::of(memo)),
        memory_bytes,
        component_bytes: plugin.component_bytes(),
        compiled_bytes: plugin.compiled_bytes(),
        load_cold_us: words::microseconds(cold),
        load_warm_us: words::microseconds(warm),
    };
    if options.form.json {
        say_json(&report)?;
    } else {
        say(&report.for_people(cold, warm));
    }
    Ok(Exit::Ok)
}

struct Turns {
    fresh: Vec<Duration>,
    empty: Vec<Duration>,
    outcome: String,
    memory_bytes: u64,
}

/// One call of each in turn, so that whatever else the machine does is in both.
async fn take_turns(plugin: &Plugin, empty: &Plugin, facts: &Arc<Recorded>, calls: u32) -> Turns {
    let [mut fresh, mut nothing] = [(); 2].map(|()| Vec::new());
    let (mut outcome, mut memory_bytes) = (String::new(), 0);
    for call in 0..WARM_UP + calls {
        let started = Instant::now();
        let said =
            plugin.run(Arc::clone(facts) as _, Some(Arc::clone(facts) as _), deadline()).await;
        let took = started.elapsed();
        let started = Instant::now();
        empty.run(Arc::clone(facts) as _, None, deadline()).await;
        if call >= WARM_UP {
            fresh.push(took);
            nothing.push(started.elapsed());
        }
        memory_bytes = memory_bytes.max(said.memory_bytes);
        outcome = said.outcome.to_string();
    }
    Turns { fresh, empty: nothing, outcome, memory_bytes }
}

/// The same answer as a decision would get it; only what came from the memo counts.
async fn recall(catalogue: &Catalogue, facts: &Arc<Recorded>, calls: u32) -> Vec<Duration> {
    let plan = catalogue.plan(&Wanted::All);
    let mut times = Vec::new();
    for _ in 0..calls {
        let source = Arc::clone(facts) as Arc<dyn FactSource>;
        let started = Instant::now();
        let said = catalogue.attest(&plan, source, deadline().into()).await;
        let took = started.elapsed();
        if said.iter().all(|attestation| attestation.from_memo) {
            times.push(took);
        }
    }
    times
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e6)
        };
        Self { p50_us: at(50), p99_us: at(99) }
    }
}

impl Report {
    fn for_people(&self, cold: Duration, warm: Duration) -> String {
        let row = |name: &str, spread: &Spread| {
            format!("  {name:<14} {:>9.1} µs {:>9.1} µs", spread.p50_us, spread.p99_us)
        };
        let memo = self.memo.as_ref().map_or_else(
            || "  from the memo  never: its answer does not follow from the facts alone".to_owned(),
            |memo| row("from the memo", memo),
        );
        let memory = usize::try_from(self.memory_bytes).unwrap_or(usize::MAX);
        [
            format!(
                "{} about {}, {} calls: {}",
                self.plugin, self.fixture, self.calls, self.outcome
            ),
            format!("  {:<14} {:>12} {:>12}", "", "p50", "p99"),
            row("a call", &self.fresh),
            row("empty plugin", &self.empty),
            format!("  {:<14} {:>11.1}x {:>11.1}x", "ratio", self.ratio_p50, self.ratio_p99),
            memo,
            format!("  memory         {} at most", words::size(memory)),
            format!(
                "  load           {} with compiling, {} from the store",
                words::time(cold),
                words::time(warm)
            ),
            format!(
                "  size           {}, compiled {}",
                words::size(self.component_bytes),
                words::size(self.compiled_bytes)
            ),
        ]
        .join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_the_sorted_times() {
        let spread = Spread::of((1..=100).rev().map(Duration::from_micros).collect());
        assert_eq!((spread.p50_us.round(), spread.p99_us.round()), (51.0, 100.0));
        assert!(Spread::of(vec![Duration::from_micros(7)]).p99_us > 6.9);
    }
}
