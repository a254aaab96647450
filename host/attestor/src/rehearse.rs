//! Recorded processes, and what a plugin says about them: the tests of its author, which run with
//! `witgate plugin test`, and once more whenever the plugin is loaded.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use serde::{Deserialize, Serialize};
use witgate_facts::{Endpoints, FactSource, fixture::Recorded};
use witgate_identity::KeyName;

use crate::{
    Attestation, LoadErrorKind, Outcome, OutcomeKind, Plugin, call, limits,
    plan::Wants,
    sandbox::{Mode, Subject},
};

/// A recorded process, and what a plugin has to say about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixture {
    /// Its name, for messages.
    pub name: String,
    /// What is known about the process.
    pub facts: Recorded,
    /// What the plugin has to say.
    pub expected: Expected,
}

/// What a plugin has to say about a fixture: the content of `<name>.expected.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Where the schema of this file is; for editors.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// How the call ends.
    pub outcome: OutcomeKind,
    /// Why, in the plugin's words; not compared if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `key:value` or `key:name:value`.
    #[serde(default)]
    pub selectors: BTreeSet<String>,
    /// Keys about which nothing can be said.
    #[serde(default)]
    pub unknown: BTreeSet<KeyName>,
    /// The plugin's settings; none is an empty object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<serde_json::Value>,
    /// The keys that are wanted; none is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wants: Option<BTreeSet<KeyName>>,
}

impl Expected {
    /// What a plugin did say, to be expected from now on. Settings and wishes stay as they are in
    /// `before`, and a reason is kept only if there was one.
    #[must_use]
    pub fn of(attestation: &Attestation, before: Option<&Self>) -> Self {
        let reason = before.and_then(|before| before.reason.as_ref());
        Self {
            schema: before.and_then(|before| before.schema.clone()),
            outcome: attestation.outcome.kind(),
            reason: reason.and_then(|_| attestation.outcome.reason()),
            selectors: selectors(attestation),
            unknown: unknown(attestation),
            settings: before.and_then(|before| before.settings.clone()),
            wants: before.and_then(|before| before.wants.clone()),
        }
    }

    /// What differs, a line each; nothing if the plugin said what is expected.
    #[must_use]
    pub fn differences(&self, attestation: &Attestation) -> Vec<String> {
        let mut lines = Vec::new();
        if self.outcome != attestation.outcome.kind() {
            let (expected, got) = (self.outcome.as_str(), &attestation.outcome);
            lines.push(format!("expected {expected}, got {got}"));
        } else if self.reason.is_some() && self.reason != attestation.outcome.reason() {
            let reason = |reason: Option<String>| reason.unwrap_or_default();
            let (expected, got) =
                (reason(self.reason.clone()), reason(attestation.outcome.reason()));
            lines.push(format!("expected the reason {expected:?}, got {got:?}"));
        }
        compare("selector", &self.selectors, &selectors(attestation), &mut lines);
        compare("unknown key", &self.unknown, &unknown(attestation), &mut lines);
        lines
    }
}

fn compare<T: Ord + std::fmt::Display>(
    what: &str,
    expected: &BTreeSet<T>,
    got: &BTreeSet<T>,
    lines: &mut Vec<String>,
) {
    lines.extend(expected.difference(got).map(|missing| format!("- {what} {missing}")));
    lines.extend(got.difference(expected).map(|extra| format!("+ {what} {extra}")));
}

/// As the plugin said them, without its name.
fn selectors(attestation: &Attestation) -> BTreeSet<String> {
    let stamped = attestation.selectors.iter().map(|attested| attested.selector.to_string());
    let bare = |text: String| text.split_once(':').map(|(_, rest)| rest.to_owned()).unwrap_or(text);
    stamped.map(bare).collect()
}

fn unknown(attestation: &Attestation) -> BTreeSet<KeyName> {
    attestation.unknown.iter().map(|unknown| unknown.key.clone()).collect()
}

impl Outcome {
    /// Why it ended so, if there is anything to say.
    fn reason(&self) -> Option<String> {
        match self {
            // Which export it was is no news here.
            Self::Trapped { reason } => {
                Some(reason.strip_prefix("`attest`: ").unwrap_or(reason).to_owned())
            }
            Self::Unavailable { reason } | Self::Failed { reason } | Self::BadOutput { reason } => {
                Some(reason.clone())
            }
            Self::Retry { .. } => Some(self.to_string()),
            _ => None,
        }
    }
}

impl Plugin {
    /// Asks the plugin about a recorded process, as it would be asked about a live one: always by
    /// running it, with clocks that stand still, and without a trace in its counters.
    pub async fn rehearse(&self, facts: Recorded, expected: Option<&Expected>) -> Attestation {
        let wants = expected.and_then(|expected| expected.wants.clone());
        let settings = expected.and_then(|expected| expected.settings.as_ref());
        let settings = settings.map_or_else(|| "{}".to_owned(), ToString::to_string);
        let facts = Arc::new(facts);
        let subject = Subject {
            endpoints: Arc::clone(&facts) as _,
            facts,
            wants: Arc::new(Wants::new(wants.unwrap_or_else(|| self.all_keys()))),
            cache: Arc::default(),
            settings: Some(settings.into()),
            mode: Mode::Replay,
        };
        call::alone(self, &subject, Instant::now() + limits::REHEARSAL_TIME).await
    }

    /// Asks the plugin about a process outside of any decision: always by running it, and without a
    /// trace in its counters. All keys are wanted, and it has the settings of its configuration.
    /// `endpoints`: others than the configured ones.
    pub async fn run(
        &self,
        facts: Arc<dyn FactSource>,
        endpoints: Option<Arc<dyn Endpoints>>,
        deadline: Instant,
    ) -> Attestation {
        let subject = Subject {
            facts,
            wants: Arc::new(Wants::new(self.all_keys())),
            endpoints: endpoints.unwrap_or_else(|| Arc::clone(&self.0.endpoints)),
            cache: Arc::default(),
            settings: None,
            mode: Mode::Run,
        };
        call::alone(self, &subject, deadline).await
    }

    pub(crate) fn all_keys(&self) -> BTreeSet<KeyName> {
        self.manifest().keys().map(|(key, _)| key.clone()).collect()
    }
}

/// Reads the fixtures that a component brings along.
pub(crate) fn parse(text: Option<&str>) -> Result<Vec<Fixture>, LoadErrorKind> {
    let wrong = |cause: String| LoadErrorKind::Fixtures { cause };
    let Some(text) = text else { return Ok(Vec::new()) };
    let fixtures: Vec<Fixture> =
        serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    if fixtures.len() > limits::FIXTURES {
        return Err(wrong(format!(
            "there are {}, the limit is {}",
            fixtures.len(),
            limits::FIXTURES
        )));
    }
    Ok(fixtures)
}

/// Runs a plugin's own fixtures; the first that fails is told.
pub(crate) async fn all(plugin: &Plugin, fixtures: &[Fixture]) -> Result<(), LoadErrorKind> {
    for fixture in fixtures {
        let said = plugin.rehearse(fixture.facts.clone(), Some(&fixture.expected)).await;
        let differences = fixture.expected.differences(&said);
        if !differences.is_empty() {
            return Err(LoadErrorKind::Fixture { fixture: fixture.name.clone(), differences });
        }
    }
    Ok(())
}
