//! Counters of decisions, for `/metrics`. No label ever names a process or an identity.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::why::Why;

/// Upper bounds of the histogram in seconds: from a decision that waited for nothing to one that
/// met its deadline.
const SECONDS: [f64; 12] =
    [0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.02, 0.1, 0.5, 2.0, 5.0];

/// How a decision ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    decision: &'static str,
    reason: &'static str,
    protocol: &'static str,
}

/// Why somebody was not admitted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ShedLabels {
    scope: &'static str,
}

/// What became of a challenge.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChallengeLabels {
    outcome: &'static str,
}

/// What is counted while deciding.
#[derive(Debug)]
pub struct Metrics {
    decisions: Family<DecisionLabels, Counter>,
    seconds: Histogram,
    shed: Family<ShedLabels, Counter>,
    challenges: Family<ChallengeLabels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            decisions: Family::default(),
            seconds: Histogram::new(SECONDS),
            shed: Family::default(),
            challenges: Family::default(),
        }
    }
}

impl Metrics {
    /// Makes the counters visible.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("decisions", "Decisions by outcome", self.decisions.clone());
        registry.register_with_unit(
            "decision_duration",
            "From a complete request to its answer",
            Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register("rate_limited", "Callers that were not admitted", self.shed.clone());
        let help = "Challenges by whether the right process answered";
        registry.register("challenges", help, self.challenges.clone());
    }

    pub(crate) fn decided(&self, why: &Why) {
        let labels = DecisionLabels {
            decision: why.verdict.as_str(),
            reason: why.reason.map_or("", witgate_protocol::Reason::as_str),
            protocol: why.protocol.as_str(),
        };
        self.decisions.get_or_create(&labels).inc();
        self.seconds.observe(Duration::from_micros(why.elapsed_us).as_secs_f64());
    }

    pub(crate) fn challenged(&self, answered: bool) {
        let outcome = if answered { "answered" } else { "not_answered" };
        self.challenges.get_or_create(&ChallengeLabels { outcome }).inc();
    }

    /// A connection or request was refused before anything was looked at.
    pub fn shed(&self, scope: &'static str) {
        self.shed.get_or_create(&ShedLabels { scope }).inc();
    }
}
