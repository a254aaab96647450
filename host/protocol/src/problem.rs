use serde::{Deserialize, Serialize};
use witgate_identity::DecisionId;

use crate::{AskError, Decision, Reason, VERSION, You};

/// No identity, and why: an `application/problem+json` object (RFC 9457), over HTTP as over a line.
///
/// It never holds what the process lacked, the name of an entry, or a path of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// [`VERSION`].
    pub v: u8,
    /// [`Problem::TYPE_PREFIX`] and the reason.
    #[serde(rename = "type")]
    pub kind: String,
    /// A few words, the same for every problem of a reason.
    pub title: String,
    /// HTTP status code, also where it is not sent over HTTP.
    pub status: u16,
    /// One sentence.
    pub detail: String,
    /// What was decided; absent if there was nothing to decide.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decision: Option<Decision>,
    /// The word to act upon.
    pub reason: Reason,
    /// Names this decision; absent if there was nothing to decide, or nobody to decide about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decision_id: Option<DecisionId>,
    /// Seconds to wait before asking again, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_seconds: Option<u32>,
    /// Who asked, as far as it is known; or, if there is a `broker`, whom it asked about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub you: Option<You>,
    /// Who asked about another process.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub broker: Option<Box<You>>,
    /// What to tell the operator.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub help: Option<String>,
}

impl Problem {
    /// The media type over HTTP.
    pub const MEDIA_TYPE: &'static str = "application/problem+json";
    /// What stands in front of the reason in `type`.
    pub const TYPE_PREFIX: &'static str = "urn:witgate:reason:";

    /// A problem with the fixed words of its reason.
    #[must_use]
    pub fn new(reason: Reason) -> Self {
        Self {
            v: VERSION,
            kind: format!("{}{reason}", Self::TYPE_PREFIX),
            title: reason.title().to_owned(),
            status: reason.http_status(),
            detail: reason.sentence().to_owned(),
            decision: reason.decision(),
            reason,
            decision_id: None,
            retry_after_seconds: None,
            you: None,
            broker: None,
            help: None,
        }
    }

    /// Names the decision, and with it the command that explains it.
    #[must_use]
    pub fn decided(mut self, id: DecisionId) -> Self {
        let mut help = format!("operator: witgate why {id}");
        if self.status == 403 {
            help.push_str(", or witgate entry suggest ");
            help.push_str(id.as_str());
        }
        (self.decision_id, self.help) = (Some(id), Some(help));
        self
    }

    /// Says who asked.
    #[must_use]
    pub fn about(mut self, you: You) -> Self {
        self.you = Some(you);
        self
    }

    /// Says that another process asked than the one that this is about.
    #[must_use]
    pub fn asked_by(mut self, broker: Option<You>) -> Self {
        self.broker = broker.map(Box::new);
        self
    }

    /// Says when to ask again.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The answer to a first byte of no protocol.
    #[must_use]
    pub fn unknown_protocol(first: u8) -> Self {
        let detail = format!(
            "The first byte is {first:#04x}: neither HTTP (A-Z) nor a line (a-z or a newline)."
        );
        Self { detail, ..Self::new(Reason::BadRequest) }
    }
}

impl From<&AskError> for Problem {
    /// A request's own faults are told to its author in detail; they hold nothing of ours.
    fn from(error: &AskError) -> Self {
        Self { detail: error.to_string(), ..Self::new(error.reason()) }
    }
}
