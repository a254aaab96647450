//! One connection: accept → peer → admit → detect protocol → serve.

use std::{sync::Arc, time::Duration};

use tokio::{io::AsyncReadExt as _, net::UnixStream, sync::OwnedSemaphorePermit};
use witgate_decision::{Caller, reason_of};
use witgate_peer::{PeerError, PeerStream, Subject};
use witgate_protocol::{Dialect, Problem, Protocol, Reason};

use crate::{
    answer::refuse,
    first::{self, First, NoFirst},
    gateway::Gateway,
    http, line,
    rewound::Rewound,
};

/// How long the first byte of somebody who is not let in is waited for: what they write is on its
/// way already, or never comes.
const REFUSAL_WAIT: Duration = Duration::from_millis(100);

/// Serves a connection to its end, which is the end of the process that opened it at the latest. Until
/// it is known whether it is let in it has a place among the newcomers.
pub(crate) async fn serve(
    gateway: Arc<Gateway>,
    newcomer: OwnedSemaphorePermit,
    mut stream: UnixStream,
) {
    let caller = match peer(&gateway, &stream) {
        Ok(caller) => Arc::new(caller),
        Err(error) => return turn_away(&gateway, &mut stream, of_peer(&error)).await,
    };
    let permit = match gateway.admit(&caller) {
        Ok(permit) => permit,
        Err(shed) => {
            let problem = Problem::new(Reason::RateLimited).retry_after(shed.retry_after_seconds());
            return turn_away(&gateway, &mut stream, problem).await;
        }
    };
    drop(newcomer);
    let subject = Arc::clone(&caller);
    tokio::select! {
        // Who has asked already is answered without more ado.
        biased;
        () = converse(Arc::clone(&gateway), caller, subject.subject.stream(stream)) => {}
        // Whoever holds the other end now is not the process that connected.
        () = subject.subject.exited() => {}
        () = permit.evicted() => gateway.decider().metrics().shed("evicted"),
        () = subject.subject.rest() => {}
    }
    drop(permit);
}

fn peer(gateway: &Gateway, stream: &UnixStream) -> Result<Caller, PeerError> {
    let subject = Subject::accept_with(stream, gateway.decider().kernel(), gateway.others())?;
    let bucket = subject.bucket()?;
    Ok(Caller::new(subject, bucket))
}

async fn converse(gateway: Arc<Gateway>, caller: Arc<Caller>, mut stream: PeerStream) {
    let begun = tokio::select! {
        // What has arrived is read and answered here. A read that is given up has taken nothing.
        biased;
        begun = first::begin(&mut stream) => begun,
        () = gateway.handing_over() => match gateway.keep(stream.into_socket()) {
            None => return,
            Some(socket) => {
                stream = caller.subject.stream(socket);
                first::begin(&mut stream).await
            }
        },
    };
    let first = match begun {
        Ok(bytes) => first::read(&mut stream, bytes).await,
        Err(none) => Err(none),
    };
    match first {
        // Each in a box of its own: who has said nothing yet needs room for none of them.
        Ok(First::Http(head)) => {
            Box::pin(http::serve(gateway, caller, Rewound::new(head, stream))).await;
        }
        Ok(First::Http2(begun)) => {
            Box::pin(http::serve_http2(gateway, caller, Rewound::new(begun, stream))).await;
        }
        Ok(First::Line(line)) => {
            Box::pin(line::serve(&gateway, caller, line, &mut stream)).await;
        }
        Err(NoFirst::Wrong(protocol, problem)) => refuse(&mut stream, protocol, problem).await,
        Err(NoFirst::OtherSender(protocol)) => {
            let dialect = match protocol {
                Protocol::Http => Dialect::Http,
                Protocol::Line | Protocol::Unknown => Dialect::LineJson,
            };
            if let Some(problem) = gateway.refuse_sender(&caller, dialect) {
                refuse(&mut stream, protocol, problem).await;
            }
        }
        Err(NoFirst::Closed) => {}
    }
}

/// Tells somebody who is not let in why, in the protocol that they speak. Only so many are waited
/// for, and not for long: a flood must cost an accept and little more.
async fn turn_away(gateway: &Gateway, stream: &mut UnixStream, problem: Problem) {
    let mut first = [0; 1];
    let said = match gateway.wait_to_refuse() {
        Some(_place) => match tokio::time::timeout(REFUSAL_WAIT, stream.read(&mut first)).await {
            Ok(Ok(length)) => length,
            Ok(Err(_)) | Err(_) => 0,
        },
        None => stream.try_read(&mut first).unwrap_or_default(),
    };
    let protocol = if said == 1 { witgate_protocol::detect(first[0]) } else { Protocol::Line };
    refuse(stream, protocol, problem).await;
}

fn of_peer(error: &PeerError) -> Problem {
    // Whoever connects and exits can cause as many as it likes: not for a log that is kept.
    tracing::debug!(error = %error, error.fault = ?error.fault(), "Connection refused");
    Problem::new(reason_of(error))
}
