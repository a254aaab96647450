//! Runs the in-file tests, when entries are checked and at every reload.

use witgate_identity::TrustDomain;

use crate::{
    Entry, ErrorKind, Evaluation, HostLabels, PolicyError, Verdict,
    evaluate::{Circumstances, evaluate},
    explain::explain,
    index::Index,
    parse::{Case, Expected},
};

/// How many failing tests are told which entry came closest. That looks at every entry.
const MAX_ADVISED: usize = 20;

/// The failures of all tests that can run here.
pub(crate) fn run(
    cases: &[Case],
    entries: &[Entry],
    domain: &TrustDomain,
    host: &HostLabels,
) -> Vec<PolicyError> {
    let mut runnable = cases.iter().filter(|case| case.absent.is_empty()).peekable();
    if runnable.peek().is_none() {
        return Vec::new();
    }
    // Other hosts' entries too: a test may play on a host with other labels. Of an inert entry, the
    // plugin that is not here says no.
    let index = Index::build(entries, |_| true);
    let mut failures = Vec::new();
    for case in runnable {
        let host = Some(case.on.as_ref().unwrap_or(host));
        let circumstances = Circumstances { trust_domain: domain, now: case.at, host };
        let evaluation = evaluate(entries, &index, &case.evidence, circumstances);
        if !case.expected.is_met_by(&evaluation, domain) {
            let advice = (failures.len() < MAX_ADVISED)
                .then(|| advice(case, entries, &evaluation, circumstances))
                .flatten();
            failures.push(failure(case, &evaluation, advice));
        }
    }
    failures
}

impl Expected {
    fn is_met_by(&self, evaluation: &Evaluation, domain: &TrustDomain) -> bool {
        let verdict = &evaluation.verdict;
        let reads = |wanted: &str, id: &witgate_identity::SpiffeId| {
            wanted == id.as_str() || (wanted == id.path() && id.trust_domain() == domain.as_str())
        };
        let granted = verdict.granted();
        let identity = self
            .identity
            .as_ref()
            .is_none_or(|wanted| granted.first().is_some_and(|first| reads(wanted, &first.id)));
        let identities = self.identities.as_ref().is_none_or(|wanted| {
            wanted.len() == granted.len()
                && wanted.iter().zip(granted).all(|(w, g)| reads(w, &g.id))
        });
        let reason = self.reason.is_none_or(
            |wanted| matches!(verdict, Verdict::Deny(denial) if denial.reason == wanted),
        );
        let entry = self.entry.as_deref().is_none_or(|wanted| match verdict {
            Verdict::Allow(granted) => granted.first().is_some_and(|first| first.entry == wanted),
            Verdict::Deny(denial) => denial.entry.as_ref().is_some_and(|at| at.entry == wanted),
            Verdict::Unavailable(_) => false,
        });
        let decision = self.decision.is_none_or(|wanted| wanted == verdict.word());
        decision && identity && identities && reason && entry
    }

    fn describe(&self) -> String {
        let mut words: Vec<String> = self.decision.iter().map(|&word| word.to_owned()).collect();
        words.extend(self.reason.map(|reason| reason.to_string()));
        words.extend(self.identity.clone());
        words.extend(self.identities.as_ref().map(|all| all.join(", ")));
        words.extend(self.entry.as_ref().map(|entry| format!("by entry '{entry}'")));
        words.join(" ")
    }
}

fn failure(case: &Case, evaluation: &Evaluation, advice: Option<String>) -> PolicyError {
    let (expected, found) = (case.expected.describe(), describe(&evaluation.verdict));
    PolicyError {
        file: case.file.to_string(),
        line: case.line,
        column: case.column,
        key: "test".to_owned(),
        kind: ErrorKind::Test,
        message: format!("test '{}' fails: expected {expected}, got {found}", case.name),
        advice,
        nearest: None,
    }
}

fn describe(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Allow(granted) => {
            let ids: Vec<_> =
                granted.iter().map(|g| format!("{} by entry '{}'", g.id.path(), g.entry)).collect();
            format!("allow {}", ids.join(", "))
        }
        Verdict::Deny(denial) => {
            let entry = denial.entry.as_ref().map(|at| format!(" by entry '{}'", at.entry));
            let detail = denial.detail.as_ref().map(|detail| format!(" ({detail})"));
            format!(
                "deny {}{}{}",
                denial.reason,
                entry.unwrap_or_default(),
                detail.unwrap_or_default()
            )
        }
        Verdict::Unavailable(blocked) => {
            let reasons: Vec<_> = blocked.entries.iter().flat_map(|e| e.reasons.clone()).collect();
            format!("unavailable ({})", reasons.join(", "))
        }
    }
}

/// For a test that wanted an allow: which entry came closest, and what it misses.
fn advice(
    case: &Case,
    entries: &[Entry],
    evaluation: &Evaluation,
    circumstances: Circumstances<'_>,
) -> Option<String> {
    if case.expected.decision != Some("allow") || !matches!(evaluation.verdict, Verdict::Deny(_)) {
        return None;
    }
    let closest = explain(entries, &case.evidence, circumstances, 1).into_iter().next()?;
    let missing = closest.missing.first()?;
    let have = if missing.have.is_empty() { "nothing".to_owned() } else { missing.have.join(", ") };
    let wanted = missing.wanted.join(" or ");
    Some(format!("closest is {}: {} wants {wanted}, there is {have}", closest.at, missing.key))
}
