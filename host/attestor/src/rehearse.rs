//! Recorded processes, and what a plugin says about them: the tests of its author, which run with
//! `witgate plugin test`, and once more whenever the plugin is loaded.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use serde::{Deserialize, Serialize};
use witgate_facts::{Endpoints, Expected, FactSource, Said, fixture::Recorded};
use witgate_identity::KeyName;

use crate::{
    Attestation, LoadErrorKind, Outcome, Plugin, call, limits,
    plan::Wants,
    requests,
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

impl From<&Attestation> for Said {
    fn from(attestation: &Attestation) -> Self {
        Self {
            outcome: attestation.outcome.kind(),
            in_words: in_words(attestation),
            reason: attestation.outcome.reason(),
            selectors: selectors(attestation),
            unknown: attestation
                .unknown
                .iter()
                .map(|unknown| (unknown.key.clone(), unknown.reason.to_string()))
                .collect(),
        }
    }
}

/// Whoever ran out of time wants to know where.
fn in_words(attestation: &Attestation) -> String {
    let outcome = &attestation.outcome;
    match (outcome, attestation.asked.last()) {
        (Outcome::OutOfTime { .. }, Some(last)) => {
            format!("{outcome}; the last that it asked for is {last}")
        }
        (Outcome::OutOfTime { .. }, None) => format!("{outcome}; it asked for nothing"),
        _ => outcome.to_string(),
    }
}

/// As the plugin said them, without its name.
fn selectors(attestation: &Attestation) -> BTreeSet<String> {
    let stamped = attestation.selectors.iter().map(|attested| attested.selector.to_string());
    let bare = |text: String| text.split_once(':').map(|(_, rest)| rest.to_owned()).unwrap_or(text);
    stamped.map(bare).collect()
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

/// The fixtures that a component brings along, without running or compiling it.
///
/// # Errors
/// If they cannot be read, or are over their limits.
pub fn read_fixtures(component: &[u8]) -> Result<Vec<Fixture>, LoadErrorKind> {
    parse(requests::read_fixtures(component)?)
}

/// Reads the text of them.
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
