//! What is in effect, in the words of the admin API.

use std::time::SystemTime;

use jiff::Timestamp;
use witgate_admin::{EndpointView, LastError, LastSuccess, Loaded, ProvenanceView};
use witgate_endpoints::EndpointHealth;

use crate::{load::Beside, supply::Provenance};

/// Everything that the plugins in effect come with.
pub(crate) fn loaded(beside: &Beside) -> Loaded {
    let provenance = beside.provenance.iter();
    Loaded {
        provenance: provenance.map(|(name, why)| (name.to_string(), provenance_of(why))).collect(),
        endpoints: beside.endpoints.health().into_iter().map(endpoint).collect(),
        warnings: beside.not_checked(),
    }
}

fn provenance_of(provenance: &Provenance) -> ProvenanceView {
    let signed = provenance.signed_by.as_ref();
    ProvenanceView {
        builtin: provenance.builtin,
        pinned: provenance.pinned,
        signed_by: signed.map(|signed| signed.key.to_string()),
        signed_comment: signed.map(|signed| signed.comment.clone()),
        dev_override: provenance.dev_override,
    }
}

fn endpoint(health: EndpointHealth) -> EndpointView {
    EndpointView {
        name: health.name,
        place: health.place,
        requests: health.requests,
        under_way: health.under_way,
        answered: health.answered,
        abandoned: health.abandoned,
        errors: health.errors.iter().map(|(kind, count)| (kind.to_string(), *count)).collect(),
        last_success: health
            .last_success
            .map(|success| LastSuccess { at: moment(success.at), status: success.status }),
        last_error: health.last_error.map(|error| LastError {
            at: moment(error.at),
            kind: error.kind.to_string(),
            text: error.text,
        }),
    }
}

/// A clock outside of the years that can be written is a clock that is wrong.
fn moment(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or_default()
}
