//! Why there is no response, told twice.
//!
//! The operator reads everything: the place, the file, what the library says. The plugin reads
//! which of the five cases of WIT `http-error` it is, in words of ours: where an endpoint is and
//! what its certificate says is none of its business.

use std::{fmt, io, time::Duration};

use rustls::CertificateError;
use witgate_facts::HttpError;

use crate::{FileError, request::RequestError, show::chain};

/// The cases of [`HttpError`], for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorKind {
    /// What came back is not HTTP.
    Malformed,
    /// The operator does not allow it, or the request is malformed.
    Refused,
    /// No whole response in time.
    Timeout,
    /// The response is over its limit.
    TooLarge,
    /// Nobody answers there, or TLS failed.
    Unreachable,
}

impl ErrorKind {
    /// All of them, in order.
    pub const ALL: [Self; 5] =
        [Self::Malformed, Self::Refused, Self::Timeout, Self::TooLarge, Self::Unreachable];

    /// Its name in WIT.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::TooLarge => "too-large",
            Self::Unreachable => "unreachable",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why there is no response, in full.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("the response ended before it was whole: {}", chain(source))]
    BrokenOff { source: hyper::Error },
    #[error("cannot connect to {place}: {source}")]
    Connect { place: String, source: io::Error },
    #[error(transparent)]
    File {
        #[from]
        source: FileError,
    },
    #[error("the value of `{name}` in the response is not printable ASCII")]
    HeaderText { name: &'static str },
    #[error("cannot look up {name:?}: {source}")]
    Lookup { name: String, source: io::Error },
    #[error("{place} closed the connection without an answer: {}", chain(source))]
    NoAnswer { place: String, source: hyper::Error },
    #[error("what came back is not HTTP: {}", chain(source))]
    NotHttp { source: hyper::Error },
    #[error("request refused: {source}")]
    Refused {
        #[from]
        source: RequestError,
    },
    #[error("out of time after {} ms while {stage}", timeout.as_millis())]
    Timeout { timeout: Duration, stage: &'static str },
    #[error("TLS with {place} failed: {source}")]
    Tls { place: String, source: io::Error },
    #[error("the response is too large: {what}")]
    TooLarge { what: String },
    #[error("the endpoint wants to speak another protocol (status 101)")]
    Upgrade,
}

impl SendError {
    pub(crate) const fn kind(&self) -> ErrorKind {
        match self {
            Self::BrokenOff { .. }
            | Self::HeaderText { .. }
            | Self::NotHttp { .. }
            | Self::Upgrade => ErrorKind::Malformed,
            Self::Connect { .. }
            | Self::File { .. }
            | Self::Lookup { .. }
            | Self::NoAnswer { .. }
            | Self::Tls { .. } => ErrorKind::Unreachable,
            Self::Refused { .. } => ErrorKind::Refused,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::TooLarge { .. } => ErrorKind::TooLarge,
        }
    }

    /// What the plugin is told.
    pub(crate) fn told(&self) -> HttpError {
        let words = match self {
            Self::BrokenOff { .. } => "the response ended before it was whole".to_owned(),
            Self::Connect { source, .. } => source.kind().to_string(),
            Self::File { .. } => "a file that the daemon needs for it cannot be used".to_owned(),
            Self::HeaderText { .. } | Self::Upgrade => self.to_string(),
            Self::Lookup { .. } => "its name cannot be looked up".to_owned(),
            Self::NoAnswer { .. } => "the connection was closed without an answer".to_owned(),
            Self::NotHttp { .. } => "the response cannot be parsed".to_owned(),
            Self::Refused { source } => source.to_string(),
            Self::Timeout { .. } | Self::TooLarge { .. } => String::new(),
            Self::Tls { source, .. } => tls_words(source).to_owned(),
        };
        match self.kind() {
            ErrorKind::Malformed => HttpError::Malformed(words),
            ErrorKind::Refused => HttpError::Refused(words),
            ErrorKind::Timeout => HttpError::Timeout,
            ErrorKind::TooLarge => HttpError::TooLarge,
            ErrorKind::Unreachable => HttpError::Unreachable(words),
        }
    }
}

fn tls_words(error: &io::Error) -> &'static str {
    use CertificateError as Certificate;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(reason)) = inner else {
        return "the TLS handshake failed";
    };
    match reason {
        Certificate::Expired | Certificate::ExpiredContext { .. } => "its certificate has expired",
        Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
            "its certificate is not valid yet"
        }
        Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
            "its certificate is for another name"
        }
        Certificate::UnknownIssuer => "its certificate is from an authority that is not trusted",
        _ => "its certificate cannot be accepted",
    }
}
