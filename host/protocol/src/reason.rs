use std::fmt;

use serde::{Deserialize, Serialize};
use witgate_identity::Fault;

use crate::Decision;

/// Why there is no identity in the answer: a closed list of words.
///
/// A reason says what happened, never what would have been needed: that would tell an attacker
/// what to imitate. The details are the operator's, in `witgate why`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No entry matched.
    NoMatchingEntry,
    /// A `deny` entry matched.
    DeniedByRule,
    /// An entry matched, but its identity needs a value that is not there.
    TemplateIncomplete,
    /// A required attestor, or one that a rule depends on, could not say.
    AttestorFailed,
    /// The same, because it ran out of time.
    AttestorTimeout,
    /// Too many requests or connections of this caller.
    RateLimited,
    /// The daemon starts or stops.
    NotReady,
    /// The process that connected has exited.
    PeerExited,
    /// The kernel does not say who connected.
    PeerUnknown,
    /// The process changed its user or groups since it connected.
    CredentialsChanged,
    /// The process runs another program, or is in another container, than when we looked.
    SubjectChanged,
    /// The process cannot be looked at, for example since its main thread has ended.
    Unattestable,
    /// Bytes came from another process than the one that connected.
    SenderDiffers,
    /// The challenge was not answered, or wrongly.
    ChallengeFailed,
    /// Not a request.
    BadRequest,
    /// Who asks may not ask about others.
    NotABroker,
    /// Not a path.
    NotFound,
    /// Not a method.
    MethodNotAllowed,
    /// Too many bytes.
    TooLarge,
    /// The request took too long to arrive.
    Timeout,
    /// The daemon cannot do its part, for example write its audit log.
    Unavailable,
    /// A fault of the daemon.
    Internal,
}

/// What a reason means in each protocol.
struct Row {
    word: &'static str,
    status: u16,
    grpc: &'static str,
    retryable: bool,
    decision: Option<Decision>,
    fault: Fault,
    title: &'static str,
    sentence: &'static str,
}

impl Row {
    /// Somebody decided: no.
    const fn denied(word: &'static str, title: &'static str, sentence: &'static str) -> Self {
        Self {
            word,
            status: 403,
            grpc: "PermissionDenied",
            retryable: true,
            decision: Some(Decision::Deny),
            fault: Fault::Workload,
            title,
            sentence,
        }
    }

    /// Nobody could decide.
    const fn unavailable(word: &'static str, title: &'static str, sentence: &'static str) -> Self {
        Self {
            status: 503,
            grpc: "Unavailable",
            decision: Some(Decision::Unavailable),
            fault: Fault::Host,
            ..Self::denied(word, title, sentence)
        }
    }

    /// Who asks is not, or no longer, clear. Asking again on this connection cannot help.
    const fn peer(word: &'static str, title: &'static str, sentence: &'static str) -> Self {
        Self {
            status: 400,
            grpc: "FailedPrecondition",
            retryable: false,
            ..Self::denied(word, title, sentence)
        }
    }

    /// There was nothing to decide.
    const fn request(
        word: &'static str,
        status: u16,
        grpc: &'static str,
        title: &'static str,
        sentence: &'static str,
    ) -> Self {
        Self { status, grpc, decision: None, ..Self::peer(word, title, sentence) }
    }

    const fn blames(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }
}

impl Reason {
    /// All reasons, in the order of the documentation.
    pub const ALL: [Self; 22] = [
        Self::NoMatchingEntry,
        Self::DeniedByRule,
        Self::TemplateIncomplete,
        Self::AttestorFailed,
        Self::AttestorTimeout,
        Self::RateLimited,
        Self::NotReady,
        Self::PeerExited,
        Self::PeerUnknown,
        Self::CredentialsChanged,
        Self::SubjectChanged,
        Self::Unattestable,
        Self::SenderDiffers,
        Self::ChallengeFailed,
        Self::BadRequest,
        Self::NotABroker,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::TooLarge,
        Self::Timeout,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().word
    }

    /// The HTTP status code.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        self.row().status
    }

    /// The name of the gRPC status code.
    #[must_use]
    pub const fn grpc_code(self) -> &'static str {
        self.row().grpc
    }

    /// Whether the same request may get another answer later; ask with growing pauses.
    #[must_use]
    pub const fn retryable(self) -> bool {
        self.row().retryable
    }

    /// What was decided, if there was anything to decide.
    #[must_use]
    pub const fn decision(self) -> Option<Decision> {
        self.row().decision
    }

    /// Whom it blames.
    #[must_use]
    pub const fn fault(self) -> Fault {
        self.row().fault
    }

    /// A few words, the same every time.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().title
    }

    /// One sentence for the workload's developer, the same every time.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        self.row().sentence
    }

    #[rustfmt::skip]
    const fn row(self) -> Row {
        match self {
            Self::NoMatchingEntry => Row::denied("no_matching_entry", "No entry matches",
                "The process was attested, but no entry gives it an identity."),
            Self::DeniedByRule => Row::denied("denied_by_rule", "An entry denies",
                "The process was attested, and an entry says that it gets no identity."),
            Self::TemplateIncomplete => Row::denied("template_incomplete", "The identity is incomplete",
                "An entry matches, but a part of its identity is not known of this process.")
                .blames(Fault::Operator),
            Self::AttestorFailed => Row::unavailable("attestor_failed", "An attestor failed",
                "An attestor that this decision depends on could not say anything; try again later.")
                .blames(Fault::Plugin),
            Self::AttestorTimeout => Row::unavailable("attestor_timeout", "An attestor took too long",
                "An attestor that this decision depends on did not answer in time; try again later.")
                .blames(Fault::Plugin),
            Self::RateLimited => Row { status: 429, fault: Fault::Workload,
                ..Row::unavailable("rate_limited", "Too many requests",
                "This user or container asks too often; pause, then ask again.") },
            Self::NotReady => Row::unavailable("not_ready", "Not ready",
                "The daemon is starting or stopping; try again later."),
            Self::PeerExited => Row::peer("peer_exited", "The process has exited",
                "The process that opened the connection has exited; open another from the process that asks."),
            Self::PeerUnknown => Row::peer("peer_unknown", "The process is unknown",
                "The kernel does not say which process connected, for example across PID namespaces."),
            Self::CredentialsChanged => Row::peer("credentials_changed", "The credentials have changed",
                "The process changed its user or groups after it connected; open another connection."),
            Self::SubjectChanged => Row::peer("subject_changed", "The process has changed",
                "The process runs another program or moved after it connected; open another connection."),
            Self::Unattestable => Row::peer("unattestable", "The process cannot be attested",
                "The process cannot be looked at, for example because its main thread has ended."),
            Self::SenderDiffers => Row::peer("sender_differs", "Another process is asking",
                "The request came from another process than the one that connected."),
            Self::ChallengeFailed => Row::peer("challenge_failed", "The challenge was not answered",
                "The program that connected did not answer the challenge; open another connection."),
            Self::BadRequest => Row::request("bad_request", 400, "InvalidArgument", "Not a request",
                "The request could not be understood."),
            Self::NotABroker => Row::request("not_a_broker", 403, "PermissionDenied", "Not a broker",
                "This user may not ask about other processes; the daemon's configuration says who may.")
                .blames(Fault::Operator),
            Self::NotFound => Row::request("not_found", 404, "Unimplemented", "Nothing here",
                "The paths are /v1/attest, /v1/whoami, /v1/watch and /v1/health."),
            Self::MethodNotAllowed => Row::request("method_not_allowed", 405, "Unimplemented",
                "Method not allowed", "Only GET is answered here."),
            Self::TooLarge => Row::request("too_large", 413, "ResourceExhausted", "Too large",
                "The request is larger than any valid one."),
            Self::Timeout => Row { retryable: true,
                ..Row::request("timeout", 408, "DeadlineExceeded", "Too slow",
                "The request did not arrive in time.") },
            Self::Unavailable => Row::unavailable("unavailable", "Unavailable",
                "The daemon cannot give identities at the moment; try again later."),
            Self::Internal => Row { status: 500, grpc: "Internal",
                ..Row::unavailable("internal", "Internal error",
                "The daemon failed; its log says how.") },
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
