//! The line protocol: one line, perhaps a challenge, one answer; then the connection is closed,
//! because plain `nc -U` never does.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use witgate_decision::Caller;
use witgate_peer::PeerStream;
use witgate_protocol::{Ask, Dialect, Line, Nonce, Problem, Protocol, frame::json_line, limits};

use crate::{
    answer::{Frame, refuse, send},
    first,
    gateway::Gateway,
};

/// Bytes of an answer to a challenge: a word, a digest in hexadecimal, a line end; and a few more, so
/// that what is too long is seen to be.
const ANSWER: usize = 96;

/// Answers the first line of a connection.
pub(crate) async fn serve(
    gateway: &Gateway,
    caller: Arc<Caller>,
    line: Line,
    stream: &mut PeerStream,
) {
    if line.challenge
        && let Err(problem) = challenge(gateway, &caller, line.dialect, stream).await
    {
        return refuse(stream, Protocol::Line, problem).await;
    }
    if line.ask == Ask::Watch {
        return serve_watch(gateway, caller, stream).await;
    }
    let frame = gateway.answer(&caller, line.ask, line.dialect).await;
    send(stream, &frame.bytes(line.dialect)).await;
}

/// Asks the process to show that it is the one asking; the error is what it is answered instead.
async fn challenge(
    gateway: &Gateway,
    caller: &Caller,
    dialect: Dialect,
    stream: &mut PeerStream,
) -> Result<(), Problem> {
    let decider = gateway.decider();
    let Some(challenge) = decider.challenge(caller, dialect)? else { return Ok(()) };
    let nonce = Nonce::new(challenge.nonce());
    let line = json_line(&nonce).unwrap_or_default();
    let written = tokio::time::timeout(limits::WRITE_DEADLINE, stream.write_all(&line)).await;
    let answer = match written {
        Ok(Ok(())) => first::next_line(stream, ANSWER, limits::CHALLENGE_DEADLINE).await,
        _ => None,
    };
    if let Some(problem) = gateway.refuse_sender(caller, dialect) {
        return Err(problem);
    }
    match answer {
        Some(answer) if nonce.is_answered_by_line(&answer) => {
            decider.answered(caller, dialect, challenge)
        }
        Some(_) => Err(decider.refuse_unanswered(caller, dialect, "it was answered wrongly")),
        None => Err(decider.refuse_unanswered(caller, dialect, "it was not answered in time")),
    }
}

async fn serve_watch(gateway: &Gateway, caller: Arc<Caller>, stream: &mut PeerStream) {
    let mut events = match gateway.watch(Arc::clone(&caller), Dialect::LineJson) {
        Ok(events) => events,
        Err(problem) => return refuse(stream, Protocol::Line, problem).await,
    };
    let (mut read, mut write) = tokio::io::split(stream);
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            // The other end closed; what it still says is not listened to, unless it is another.
            () = closed(&mut read) => {
                let _ = gateway.refuse_sender(&caller, Dialect::LineJson);
                return;
            }
        };
        let Some(event) = event else { break };
        let bytes = Frame::Event(event).bytes(Dialect::LineJson);
        let written = tokio::time::timeout(limits::WRITE_DEADLINE, write.write_all(&bytes)).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
    let _ = write.shutdown().await;
}

async fn closed(read: &mut (impl AsyncRead + Unpin)) {
    let mut ignored = [0; 256];
    while let Ok(1..) = read.read(&mut ignored).await {}
}
