//! One request to the admin socket.

use std::path::Path;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Method, Request, body::Bytes, header};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::net::UnixStream;

use crate::exit::{Exit, Failure};

/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// How the admin API says no.
#[derive(Debug, Deserialize)]
struct Problem {
    detail: String,
}

/// An answer: its status, and its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    body: Bytes,
}

impl Answer {
    /// The body as what it should be.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Failure::internal(format!("the admin socket answered something else: {error}"))
        })
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The answer, if it is one; else what the API said is wrong.
    pub(crate) fn or_problem(self) -> Result<Self, Failure> {
        let exit = match self.status {
            200..=299 => return Ok(self),
            400 => Exit::Usage,
            403 => Exit::Permission,
            503 => Exit::Unavailable,
            _ => Exit::Deny,
        };
        let problem: Option<Problem> = serde_json::from_slice(&self.body).ok();
        let detail =
            problem.map_or_else(|| format!("status {}", self.status), |problem| problem.detail);
        Err(Failure::new(exit, detail))
    }
}

/// Asks the admin socket.
pub(crate) fn ask(socket: &Path, method: Method, path: &str) -> Result<Answer, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::internal)?;
    runtime.block_on(converse(socket, method, path))
}

async fn converse(socket: &Path, method: Method, path: &str) -> Result<Answer, Failure> {
    let stream = UnixStream::connect(socket).await.map_err(|error| {
        let (exit, help) = match error.kind() {
            std::io::ErrorKind::PermissionDenied => (
                Exit::Permission,
                "who may use it is said by mode, view and admin of [listen.admin]",
            ),
            _ => (Exit::Unavailable, "is the daemon running? see --dir and --admin-socket"),
        };
        Failure::new(exit, format!("admin socket {}: {error}; {help}", socket.display()))
    })?;
    let broken =
        |error: hyper::Error| Failure::unavailable(format!("{}: {error}", socket.display()));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost")
        .body(Empty::<Bytes>::new())
        .map_err(Failure::internal)?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    let body = body.map_err(|error| Failure::unavailable(error.to_string()))?.to_bytes();
    Ok(Answer { status, body })
}

/// A word as part of a path or query.
pub(crate) fn quoted(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            out.push(byte.into());
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
