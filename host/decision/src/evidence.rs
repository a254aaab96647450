//! From what the attestors said to what the entries are matched against.

use witgate_attestor::{Attestation, Outcome};
use witgate_policy::{Evidence, Unknown};

/// Collects selectors and, for whatever could not be said, that it could not.
pub(crate) fn evidence(attestations: &[Attestation], challenged: bool) -> Evidence {
    let mut unknown = Unknown::new();
    let mut selectors = witgate_identity::SelectorSet::new();
    for attestation in attestations {
        if !attestation.outcome.answered() {
            unknown.plugin(attestation.plugin.clone(), attestation.outcome.to_string());
            continue;
        }
        selectors.extend(attestation.selectors.iter().cloned());
        for left_out in &attestation.unknown {
            unknown.key(attestation.plugin.clone(), left_out.key.clone(), left_out.reason.clone());
        }
    }
    Evidence { selectors, unknown, challenged }
}

/// The required plugin that failed first, if one did: then nothing is decided.
pub(crate) fn failed_requirement(attestations: &[Attestation]) -> Option<&Attestation> {
    attestations.iter().find(|attestation| attestation.required && !attestation.outcome.answered())
}

/// Whether an attestor found that the process is gone.
pub(crate) fn found_gone(attestations: &[Attestation]) -> bool {
    attestations.iter().any(|attestation| matches!(attestation.outcome, Outcome::Gone))
}
