//! The side that serves, and hands over.

use std::{
    fs::File,
    io,
    os::fd::{AsFd as _, BorrowedFd},
    sync::Arc,
    time::Duration,
};

use serde_json::json;
use tokio::{
    net::UnixStream,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};
use witgate_admin::{Role, Viewer};
use witgate_decision::audit::{Audit, Class};
use witgate_peer::{BrokerStream, Connected, PeerStream, Subject};

use super::{Holdings, Legacy, MAX_LINE, Offer, READY, REQUEST, SERVING, rights};
use crate::{config::Config, first::next_line, gateway::Waiting, listener::Listener};

/// How long a line of a successor is waited for. It has loaded everything before it asks; what is left
/// is to look at a few descriptors.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it may then take to serve: nobody is answered meanwhile. It has little more to do than to
/// open the audit log.
const SERVES_WITHIN: Duration = Duration::from_secs(10);

/// What the daemon owns, for whoever asks to take it over.
#[derive(Debug)]
pub(crate) struct Estate {
    holdings: Holdings,
    sockets: Vec<Arc<Listener>>,
    audit: Audit,
    /// One at a time.
    turn: Arc<Semaphore>,
    successors: mpsc::Sender<Successor>,
}

/// A process that is ready to go on in our place.
#[derive(Debug)]
pub(crate) struct Successor {
    subject: Subject<Connected>,
    stream: PeerStream,
    _turn: OwnedSemaphorePermit,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    /// The successor serves.
    Away,
    /// It never will: we go on.
    Back,
}

/// Whether an admin connection begins like the request of a successor.
pub(crate) fn is_request(first: &[u8]) -> bool {
    first.starts_with(REQUEST.as_bytes())
}

impl Estate {
    pub(crate) fn new(
        config: &Config,
        sockets: Vec<Arc<Listener>>,
        audit: Audit,
        successors: mpsc::Sender<Successor>,
    ) -> Self {
        let (holdings, turn) = (Holdings::of(config), Arc::new(Semaphore::new(1)));
        Self { holdings, sockets, audit, turn, successors }
    }

    /// Hears a request out, and shows what listens. Nothing stops before the other one is ready.
    pub(crate) async fn introduce(
        &self,
        viewer: &Viewer,
        subject: Subject<Connected>,
        mut stream: PeerStream,
        first: &[u8],
    ) {
        let offered = match self.consider(viewer, &mut stream, first).await {
            Ok(turn) => {
                self.record(&subject);
                self.offer(&stream).map(|()| turn)
            }
            Err(refusal) => {
                tracing::warn!(peer.uid = viewer.uid, refusal = ?refusal, "Take-over refused");
                let _ = say(&stream, &refusal, &[]);
                return;
            }
        };
        let said = match offered {
            Ok(turn) => next_line(&mut stream, MAX_LINE, PATIENCE).await.map(|line| (turn, line)),
            Err(_) => None,
        };
        match said {
            Some((turn, line)) if line.trim_ascii_end() == READY.as_bytes() => {
                // Nobody receives only while the daemon stops: then there is nothing to hand over.
                let _ = self.successors.send(Successor { subject, stream, _turn: turn }).await;
            }
            _ => tracing::warn!(peer.pid = %subject.pid(), "A take-over was not gone through with"),
        }
    }

    async fn consider(
        &self,
        viewer: &Viewer,
        stream: &mut PeerStream,
        first: &[u8],
    ) -> Result<OwnedSemaphorePermit, Offer> {
        let refused = |why: &str| Offer::Refused(why.to_owned());
        let own = rustix::process::geteuid().as_raw();
        if viewer.role != Some(Role::Admin) || (viewer.uid != 0 && viewer.uid != own) {
            return Err(refused("only root and its own user may take over"));
        }
        let wanted = read(stream, first).await.ok_or_else(|| refused("the request has no end"))?;
        let wanted: Holdings = serde_json::from_slice(&wanted)
            .map_err(|error| Offer::Refused(format!("the request is not understood: {error}")))?;
        if let Some(what) = self.holdings.difference(&wanted) {
            return Err(Offer::Differs(what));
        }
        Arc::clone(&self.turn).try_acquire_owned().map_err(|_| Offer::Busy)
    }

    /// That somebody was given the sockets is as much on record as an identity.
    fn record(&self, subject: &Subject<Connected>) {
        let (pid, uid) = (subject.pid().as_u32(), subject.uid());
        tracing::info!(peer.pid = pid, peer.uid = uid, "Take-over begins");
        let body = json!({ "pid": pid, "uid": uid });
        if let Err(error) = self.audit.append(Class::System, uid, "take_over", &body) {
            tracing::warn!(error = %error, "The take-over is not in the audit log");
        }
    }

    fn offer(&self, stream: &PeerStream) -> io::Result<()> {
        let paths = self.sockets.iter().map(|socket| socket.path().to_owned()).collect();
        let rights: Vec<_> = self.sockets.iter().flat_map(|socket| socket.rights()).collect();
        say(stream, &Offer::Sockets(paths), &rights)
    }
}

impl Successor {
    /// Gives it the rest. Before this it owns nothing; once this was sent it owns everything, and only
    /// its end gives that back.
    pub(crate) async fn give(&mut self, lock: &File, waiting: &Waiting) -> Given {
        let mut rights = vec![lock.as_fd()];
        let Waiting { workloads, brokers } = waiting;
        rights.extend(workloads.iter().map(UnixStream::as_fd));
        rights.extend(brokers.iter().map(BrokerStream::as_fd));
        let legacy = Legacy { connections: workloads.len(), brokers: brokers.len() };
        if let Err(error) = say(&self.stream, &legacy, &rights) {
            tracing::warn!(error = %error, "The successor does not listen any more");
            return Given::Back;
        }
        let Self { subject, stream, .. } = self;
        let serves = async {
            let line = next_line(stream, MAX_LINE, Duration::MAX).await;
            line.is_some_and(|line| line.trim_ascii_end() == SERVING.as_bytes())
        };
        match timeout(SERVES_WITHIN, serves).await {
            Ok(true) => return Given::Away,
            Ok(false) => {}
            Err(_) => stop(subject),
        }
        // It may still be about to write to the log: only when it is no more is that ours again.
        subject.exited().await;
        tracing::warn!(peer.pid = %subject.pid(), "The successor ended before it served");
        Given::Back
    }
}

/// Ends a successor that hangs.
fn stop(subject: &Subject<Connected>) {
    let pid = subject.pid();
    match subject.kill() {
        Ok(()) => tracing::warn!(peer.pid = %pid, "The successor did not serve in time: killed"),
        Err(error) => {
            tracing::error!(peer.pid = %pid, error = %error, "The successor hangs and cannot be killed; nobody is served until it ends");
        }
    }
}

/// The JSON of a request.
async fn read(stream: &mut PeerStream, first: &[u8]) -> Option<Vec<u8>> {
    let mut request = first.strip_prefix(REQUEST.as_bytes())?.to_vec();
    if !request.ends_with(b"\n") {
        request.extend(next_line(stream, MAX_LINE, PATIENCE).await?);
    }
    Some(request)
}

fn say(
    stream: &PeerStream,
    what: &impl serde::Serialize,
    rights: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    rights::send(stream.as_fd(), &line, rights)
}
