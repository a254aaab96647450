//! From answers to bytes, in the dialect that was asked in.

use http::{HeaderValue, Response, StatusCode, header};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};
use witgate_decision::{Answer, Reply};
use witgate_peer::PeerStream;
use witgate_protocol::{
    Dialect, HealthAnswer, Outcome, Problem, Protocol, WatchEvent, WhoamiAnswer, frame::json_line,
    limits,
};

/// Anything that is answered.
#[derive(Debug)]
pub(crate) enum Frame {
    Outcome(Outcome),
    Whoami(WhoamiAnswer),
    Health(HealthAnswer),
    Event(WatchEvent),
}

impl Frame {
    /// Uses an answer up.
    pub(crate) fn of(answer: Answer) -> Self {
        match answer.send() {
            Reply::Attest(outcome) => Self::Outcome(outcome),
            Reply::Whoami(answer) => Self::Whoami(answer),
        }
    }

    /// The bytes, with a line feed at the end.
    pub(crate) fn bytes(&self, dialect: Dialect) -> Vec<u8> {
        if dialect == Dialect::LinePeople {
            return self.for_people().into_bytes();
        }
        let line = match self {
            Self::Outcome(outcome) => json_line(outcome),
            Self::Whoami(answer) => json_line(answer),
            Self::Health(answer) => json_line(answer),
            Self::Event(event) => json_line(event),
        };
        // These types hold nothing that JSON cannot say; were it otherwise, nothing is sent.
        line.unwrap_or_default()
    }

    fn for_people(&self) -> String {
        match self {
            Self::Outcome(outcome) => outcome.for_people(),
            Self::Whoami(answer) => answer.for_people(),
            Self::Health(answer) => answer.for_people(),
            Self::Event(event) => event.for_people(),
        }
    }

    /// The head of an HTTP answer.
    pub(crate) fn head(&self) -> http::response::Builder {
        match self {
            Self::Outcome(Outcome::Refuse(problem)) => problem_head(problem),
            Self::Health(HealthAnswer { ready: false, .. }) => {
                head(StatusCode::SERVICE_UNAVAILABLE, "application/json")
            }
            Self::Event(_) => head(StatusCode::OK, "application/x-ndjson"),
            _ => head(StatusCode::OK, "application/json"),
        }
    }
}

fn head(status: StatusCode, media_type: &'static str) -> http::response::Builder {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, media_type)
        .header(header::CACHE_CONTROL, "no-store")
}

fn problem_head(problem: &Problem) -> http::response::Builder {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let head = head(status, Problem::MEDIA_TYPE);
    match problem.retry_after_seconds {
        Some(seconds) => head.header(header::RETRY_AFTER, HeaderValue::from(seconds)),
        None => head,
    }
}

/// A connection that can be read without waiting.
pub(crate) trait Connection: AsyncWrite + Unpin {
    /// What has arrived; [`std::io::ErrorKind::WouldBlock`] if there is nothing.
    fn read_now(&mut self, into: &mut [u8]) -> std::io::Result<usize>;
}

impl Connection for PeerStream {
    fn read_now(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.try_read(into)
    }
}

/// Of somebody who is not let in: whoever wrote, it is not listened to.
impl Connection for UnixStream {
    fn read_now(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.try_read(into)
    }
}

/// Sends one problem in the protocol that was spoken; the connection is closed after it.
pub(crate) async fn refuse(stream: &mut impl Connection, protocol: Protocol, problem: Problem) {
    let bytes = match protocol {
        Protocol::Http => http_problem(&problem),
        Protocol::Line | Protocol::Unknown => json_line(&problem).unwrap_or_default(),
    };
    send(stream, &bytes).await;
}

/// Writes and closes, within the deadline. Whoever does not take it loses it.
pub(crate) async fn send(stream: &mut impl Connection, bytes: &[u8]) {
    let write = async {
        stream.write_all(bytes).await?;
        stream.shutdown().await?;
        discard(stream)
    };
    // The other end may be gone; there is nobody to tell.
    let _ = timeout(limits::WRITE_DEADLINE, write).await;
}

/// Takes what has arrived and was not asked for: closing over unread bytes would give the other end
/// an error after its answer (unix(7), `ECONNRESET`).
fn discard(stream: &mut impl Connection) -> std::io::Result<()> {
    let mut ignored = [0; 4096];
    let mut left = limits::MAX_REQUEST;
    while left > 0 {
        match stream.read_now(&mut ignored)? {
            0 => break,
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}

fn http_problem(problem: &Problem) -> Vec<u8> {
    let body = json_line(problem).unwrap_or_default();
    let reason =
        StatusCode::from_u16(problem.status).ok().and_then(|status| status.canonical_reason());
    let retry =
        problem.retry_after_seconds.map(|s| format!("retry-after: {s}\r\n")).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: {}\r\ncontent-length: {}\r\ncache-control: no-store\r\n{retry}connection: close\r\n\r\n",
        problem.status,
        reason.unwrap_or("Error"),
        Problem::MEDIA_TYPE,
        body.len(),
    );
    [head.into_bytes(), body].concat()
}
