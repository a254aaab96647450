use std::{fmt, future::Future, pin::Pin};

use serde::{Deserialize, Serialize};

use crate::Blob;

/// A request to a named endpoint. WIT `http.request`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpRequest {
    /// `GET`, mostly.
    pub method: String,
    /// Path and query, from `/` on.
    pub path: String,
    /// Name and value of each header field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The body.
    #[serde(default, skip_serializing_if = "Blob::is_empty")]
    pub body: Blob,
}

/// What came back. WIT `http.response`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Name and value of the header fields that plugins see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The body.
    #[serde(default, skip_serializing_if = "Blob::is_empty")]
    pub body: Blob,
}

/// Why there is no response. WIT `http.http-error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum HttpError {
    /// Nobody answers there, or TLS failed.
    #[error("nobody answers: {0}")]
    Unreachable(String),
    /// No whole response in time.
    #[error("no whole response in time")]
    Timeout,
    /// The response is over its limit.
    #[error("the response is larger than the limit")]
    TooLarge,
    /// The operator does not allow it, or the request is malformed.
    #[error("refused: {0}")]
    Refused(String),
    /// What came back is not HTTP.
    #[error("not HTTP: {0}")]
    Malformed(String),
}

/// A response that has to be waited for.
pub type HttpFuture<'a> =
    Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

/// The endpoints of one plugin, by the names that the operator gave them: live ones, or a
/// recording of them.
///
/// Whoever implements it bounds time and sizes, follows no redirect, and lets pass only the header
/// fields that `wit/http.wit` names.
pub trait Endpoints: Send + Sync + fmt::Debug {
    /// Sends one request and waits for the whole response. A name that is not there is
    /// [`HttpError::Refused`].
    fn send<'a>(&'a self, endpoint: &'a str, request: HttpRequest) -> HttpFuture<'a>;
}
