//! The first request of a connection, read with our own deadlines and limits.

use std::{io::ErrorKind, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::AsyncReadExt,
    time::{Instant, timeout},
};
use witgate_peer::PeerStream;
use witgate_protocol::{Line, Problem, Protocol, Reason, detect, limits};

/// What a connection opens with.
#[derive(Debug)]
pub(crate) enum First {
    /// A whole HTTP head, and what came with it.
    Http(Bytes),
    /// The beginning of an HTTP/2 connection.
    Http2(Bytes),
    /// A line.
    Line(Line),
}

/// Why there is no first request.
#[derive(Debug)]
pub(crate) enum NoFirst {
    /// The other end closed without a byte, or the connection broke: nobody to answer.
    Closed,
    /// Another process wrote than the one that connected.
    OtherSender(Protocol),
    /// It said something that gets one answer, in the protocol that it spoke.
    Wrong(Protocol, Problem),
}

/// Bytes of the first read: a line, or the head that `curl` sends.
const FIRST: usize = 256;

/// How an HTTP/2 connection begins, and no request of HTTP/1.1 does (RFC 9113 §3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0";

/// Waits for the first bytes; takes none if it is not waited for to the end.
pub(crate) async fn begin(stream: &mut PeerStream) -> Result<BytesMut, NoFirst> {
    let mut buffer = BytesMut::with_capacity(FIRST);
    read_some(stream, &mut buffer, Protocol::Unknown, limits::FIRST_BYTE_DEADLINE).await?;
    Ok(buffer)
}

/// Reads on until the first request is complete.
pub(crate) async fn read(stream: &mut PeerStream, buffer: BytesMut) -> Result<First, NoFirst> {
    let first = buffer.first().copied().unwrap_or_default();
    match detect(first) {
        Protocol::Http => read_head(stream, buffer).await,
        Protocol::Line => read_line(stream, buffer).await.map(First::Line),
        Protocol::Unknown => {
            Err(NoFirst::Wrong(Protocol::Unknown, Problem::unknown_protocol(first)))
        }
    }
}

async fn read_head(stream: &mut PeerStream, mut buffer: BytesMut) -> Result<First, NoFirst> {
    let wrong = |problem| NoFirst::Wrong(Protocol::Http, problem);
    let by = Instant::now() + limits::REQUEST_DEADLINE;
    loop {
        if buffer.starts_with(HTTP2) {
            return Ok(First::Http2(buffer.freeze()));
        }
        if ends(&buffer) {
            return Ok(First::Http(buffer.freeze()));
        }
        if buffer.len() >= limits::MAX_HEAD {
            return Err(wrong(Problem::new(Reason::TooLarge)));
        }
        let left = by.saturating_duration_since(Instant::now());
        read_some(stream, &mut buffer, Protocol::Http, left).await?;
    }
}

/// An empty line ends a head; a bare line feed counts as one, as hyper has it.
fn ends(head: &[u8]) -> bool {
    head.windows(4).any(|window| window == b"\r\n\r\n")
        || head.windows(2).any(|window| window == b"\n\n")
}

async fn read_line(stream: &mut PeerStream, mut buffer: BytesMut) -> Result<Line, NoFirst> {
    let wrong = |problem| NoFirst::Wrong(Protocol::Line, problem);
    let by = Instant::now() + limits::LINE_DEADLINE;
    loop {
        match Line::parse(&buffer) {
            Ok(Some(line)) => return Ok(line),
            Ok(None) => {}
            Err(error) => return Err(wrong(Problem::from(&error))),
        }
        let left = by.saturating_duration_since(Instant::now());
        read_some(stream, &mut buffer, Protocol::Line, left).await?;
    }
}

/// Reads at least one byte more.
async fn read_some(
    stream: &mut PeerStream,
    buffer: &mut BytesMut,
    protocol: Protocol,
    within: Duration,
) -> Result<(), NoFirst> {
    match timeout(within, stream.read_buf(buffer)).await {
        Err(_) => Err(NoFirst::Wrong(protocol, Problem::new(Reason::Timeout))),
        Ok(Ok(0)) if buffer.is_empty() => Err(NoFirst::Closed),
        Ok(Ok(0)) => Err(NoFirst::Wrong(protocol, truncated())),
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.kind() == ErrorKind::PermissionDenied => {
            Err(NoFirst::OtherSender(protocol))
        }
        Ok(Err(_)) => Err(NoFirst::Closed),
    }
}

/// Reads one line more, of at most `limit` bytes, line feed included; none if it does not come whole
/// and in time.
pub(crate) async fn next_line(
    stream: &mut PeerStream,
    limit: usize,
    within: Duration,
) -> Option<Vec<u8>> {
    let mut line = Vec::with_capacity(limit);
    let read = async {
        while !line.ends_with(b"\n") && line.len() < limit {
            line.push(stream.read_u8().await?);
        }
        Ok::<_, std::io::Error>(())
    };
    match timeout(within, read).await {
        Ok(Ok(())) if line.ends_with(b"\n") => Some(line),
        _ => None,
    }
}

fn truncated() -> Problem {
    let detail = "The request ended before it was complete.".to_owned();
    Problem { detail, ..Problem::new(Reason::BadRequest) }
}
