//! A connection of a broker: accept → broker → may it? → admit → invite → one line and one descriptor →
//! answer.
//!
//! Nobody can pass anything before it is invited (Linux 6.16), so whoever may not ask costs what any
//! connection costs.
//!
//! What is passed can be anything, and to let go of it can hang. So the connection and what came on it
//! stay in one [`BrokerStream`], which is closed at the very end and whatever happens, on a thread that
//! may hang, with its places held until then. See `peer/src/passed.rs`.

use std::{
    io::{self, ErrorKind},
    sync::Arc,
};

use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout},
};
use witgate_decision::{BrokerPermit, Caller, Permit, reason_of, why};
use witgate_peer::{BrokerStream, Connected, NoSubject, PeerError, Subject};
use witgate_protocol::{
    Ask, Dialect, Invitation, Line, Outcome, Problem, Reason, frame::json_line, limits,
};

use crate::{answer::Frame, config::Roles, gateway::Gateway};

/// Whose account it is to close the connection of somebody of whom nothing is known.
const NOBODY: u32 = 65_534;

/// What a broker that was let in holds.
struct Broker {
    caller: Caller,
    connection: Permit,
    place: BrokerPermit,
}

/// How waiting for a request ended.
enum Waited {
    /// Something has arrived, or nothing will: whoever reads sees which.
    Spoken,
    /// A successor may want it.
    HandingOver,
    /// Nothing in time.
    Silent,
    /// Its place is somebody else's.
    Evicted,
}

/// Serves a connection to its end. Its place among the brokers it has for as long as closing takes.
pub(crate) async fn serve(
    gateway: Arc<Gateway>,
    callers: Roles,
    place: OwnedSemaphorePermit,
    stream: BrokerStream,
) {
    let reader = gateway.decider().reader();
    let broker = match Subject::accept(&stream, gateway.decider().kernel()) {
        Ok(subject) => {
            let uid = subject.uid();
            let_in(&gateway, &callers, subject).map_err(|problem| (uid, problem))
        }
        Err(error) => Err((NOBODY, of_peer(&error))),
    };
    let broker = match broker {
        Ok(broker) => broker,
        Err((uid, problem)) => {
            say(&stream, &refusal(problem), Dialect::LineJson).await;
            return stream.close(reader, uid, place).await;
        }
    };
    if let Err(error) = invite(&stream).await {
        tracing::info!(error = %error, "A broker cannot be invited");
        return stream.close(reader, broker.caller.subject.uid(), (place, broker)).await;
    }
    let stream = match wait(&gateway, &broker, &stream).await {
        Waited::HandingOver => {
            match gateway.keep_broker(stream) {
                None => return,
                // Too late: whatever it says now is answered that nothing is decided any more.
                Some(stream) => stream,
            }
        }
        Waited::Silent => {
            say(&stream, &refusal(Problem::new(Reason::Timeout)), Dialect::LineJson).await;
            return stream.close(reader, broker.caller.subject.uid(), (place, broker)).await;
        }
        Waited::Evicted => {
            gateway.decider().metrics().shed("evicted");
            return stream.close(reader, broker.caller.subject.uid(), (place, broker)).await;
        }
        Waited::Spoken => stream,
    };
    tokio::select! {
        // Who has asked already is answered without more ado.
        biased;
        () = converse(&gateway, &broker.caller, &stream) => {}
        // Whoever holds the other end now is not the process that connected.
        () = broker.caller.subject.exited() => {}
        () = broker.connection.evicted() => gateway.decider().metrics().shed("evicted"),
    }
    let uid = broker.caller.subject.uid();
    stream.close(reader, uid, (place, broker.connection, broker.place)).await;
}

/// Nothing was read from it yet, and nothing is from whoever may not ask.
fn let_in(
    gateway: &Gateway,
    callers: &Roles,
    subject: Subject<Connected>,
) -> Result<Broker, Problem> {
    let metrics = gateway.decider().metrics();
    if !callers.list(subject.credentials()) {
        metrics.shed("broker");
        tracing::debug!(peer.uid = subject.uid(), "Not a broker");
        return Err(Problem::new(Reason::NotABroker));
    }
    // From here on it stays the program that it is now, or is not answered.
    let watched = subject.watch_exec().map_err(|error| of_peer(&error));
    let bucket = watched.and_then(|_| subject.bucket().map_err(|error| of_peer(&error)))?;
    let admission = gateway.decider().admission();
    let place = admission.broker(subject.uid()).inspect_err(|_| metrics.shed("broker"));
    let caller = Caller::new(subject, bucket);
    let permits = place.and_then(|place| Ok((gateway.admit(&caller)?, place)));
    let (connection, place) = permits.map_err(|shed| {
        Problem::new(Reason::RateLimited).retry_after(shed.retry_after_seconds())
    })?;
    Ok(Broker { caller, connection, place })
}

/// Says so to whoever was not invited by the daemon before this one.
async fn invite(stream: &BrokerStream) -> io::Result<()> {
    if stream.is_invited() {
        return Ok(());
    }
    stream.invite()?;
    let line = json_line(&Invitation::default()).map_err(io::Error::other)?;
    timeout(limits::WRITE_DEADLINE, stream.write(&line)).await?
}

/// Waits for the first byte, and takes none.
async fn wait(gateway: &Gateway, broker: &Broker, stream: &BrokerStream) -> Waited {
    tokio::select! {
        biased;
        first = timeout(limits::FIRST_BYTE_DEADLINE, stream.readable()) => match first {
            Ok(_) => Waited::Spoken,
            Err(_) => Waited::Silent,
        },
        () = broker.caller.subject.exited() => Waited::Spoken,
        () = broker.connection.evicted() => Waited::Evicted,
        () = gateway.handing_over() => Waited::HandingOver,
    }
}

async fn converse(gateway: &Gateway, caller: &Caller, stream: &BrokerStream) {
    let (frame, dialect) = match hear(gateway, caller, stream).await {
        Ok(None) => return,
        Ok(Some(dialect)) => (answer(gateway, caller, stream).await, dialect),
        Err(problem) => (Err(problem), Dialect::LineJson),
    };
    let frame = frame.unwrap_or_else(refusal);
    say(stream, &frame, dialect).await;
}

/// Reads the line, and what comes along with it; none if there is nobody to answer.
async fn hear(
    gateway: &Gateway,
    caller: &Caller,
    stream: &BrokerStream,
) -> Result<Option<Dialect>, Problem> {
    let by = Instant::now() + limits::LINE_DEADLINE;
    let mut read = Vec::new();
    loop {
        let left = by.saturating_duration_since(Instant::now());
        let reader = gateway.decider().reader();
        match stream.receive(&caller.subject, reader, left).await {
            Ok(bytes) if bytes.is_empty() => return Ok(None),
            // However long the line is: each of its bytes could bring another.
            Ok(_) if stream.passed() > 1 => {
                return Err(of_subject(gateway, caller, &NoSubject::Many));
            }
            Ok(bytes) => read.extend(bytes),
            Err(error) => return refused(gateway, caller, &error).map_or(Ok(None), Err),
        }
        if let Some(line) = Line::parse(&read).map_err(|error| Problem::from(&error))? {
            return may_be_asked(line).map(Some);
        }
    }
}

fn may_be_asked(line: Line) -> Result<Dialect, Problem> {
    if line.ask == Ask::Attest && !line.challenge {
        return Ok(line.dialect);
    }
    Err(bad_request("A broker asks attest, with a descriptor and without challenge."))
}

fn refused(gateway: &Gateway, caller: &Caller, error: &io::Error) -> Option<Problem> {
    let sender = caller.subject.other_sender();
    match (error.kind(), sender) {
        (ErrorKind::TimedOut, _) => Some(Problem::new(Reason::Timeout)),
        (ErrorKind::PermissionDenied, Some(sender)) => {
            let error = PeerError::SenderDiffers { sender };
            Some(gateway.decider().refuse(caller, why::Protocol::Broker, &error))
        }
        _ => None,
    }
}

async fn answer(
    gateway: &Gateway,
    caller: &Caller,
    stream: &BrokerStream,
) -> Result<Frame, Problem> {
    if !gateway.is_ready() {
        return Err(Problem::new(Reason::NotReady));
    }
    let decider = gateway.decider();
    let subject =
        stream.behind(decider.kernel()).map_err(|error| of_subject(gateway, caller, &error))?;
    Ok(Frame::of(decider.attest_for(caller, &subject).await))
}

/// Writes within the deadline. Nothing is read any more: whoever sends more than was asked for finds the
/// connection reset behind the answer.
async fn say(stream: &BrokerStream, frame: &Frame, dialect: Dialect) {
    // The other end may be gone; there is nobody to tell.
    let _ = timeout(limits::WRITE_DEADLINE, stream.write(&frame.bytes(dialect))).await;
}

const fn refusal(problem: Problem) -> Frame {
    Frame::Outcome(Outcome::Refuse(problem))
}

fn of_peer(error: &PeerError) -> Problem {
    tracing::debug!(error = %error, error.fault = ?error.fault(), "Broker refused");
    Problem::new(reason_of(error))
}

/// Tells what came instead of a process. A reason's own sentence is for who asks about itself.
fn of_subject(gateway: &Gateway, broker: &Caller, error: &NoSubject) -> Problem {
    tracing::debug!(error = %error, "A broker asks about nobody");
    let NoSubject::Peer(error) = error else {
        return bad_request(&format!("{error}."));
    };
    let problem = gateway.decider().refuse_about_another(broker, error);
    let detail = match error {
        PeerError::PeerExited => "The process that the descriptor leads to has exited.".to_owned(),
        PeerError::PeerUnknown { .. } => {
            "The kernel does not say which process the descriptor leads to.".to_owned()
        }
        _ => return problem,
    };
    Problem { detail, ..problem }
}

fn bad_request(detail: &str) -> Problem {
    Problem { detail: detail.to_owned(), ..Problem::new(Reason::BadRequest) }
}
