//! Descriptors that a broker passes, to ask who is behind them.
//!
//! What was passed may be anything, an open file on a hostile file system included. So it is told by
//! what the kernel itself says about the descriptor, its link and its options, and neither read,
//! polled nor looked at (`fstat`), for all of these can ask whoever serves the file. To close it can
//! hang, too: only a pidfd or a Unix socket is closed by whoever drops it.

use std::{
    fmt, io,
    os::fd::{AsFd as _, IntoRawFd as _, OwnedFd},
    sync::Arc,
    time::Duration,
};

use tokio::{io::Interest, net::UnixStream};

use crate::{
    parse,
    probe::Kernel,
    reader::FactReader,
    stream::{PeerStream, Sender, Senders},
    subject::{Connected, Subject},
    sys::{self, Kind},
};

/// How long a descriptor waits for a thread that may hang, if all are busy.
const RETRY: Duration = Duration::from_millis(500);

/// A descriptor that somebody passed, and that can be anything.
///
/// It is not closed when it is dropped, because that can hang: [`Passed::close`] does so where it hurts
/// nobody else.
pub struct Passed(Option<OwnedFd>);

impl Passed {
    const fn new(fd: OwnedFd) -> Self {
        Self(Some(fd))
    }

    /// Something that leads to a process.
    ///
    /// # Errors
    /// What it is instead, with the descriptor, to be closed.
    pub fn lead(mut self, kernel: &Kernel) -> Result<Lead, (NoLead, Self)> {
        let kind = match &self.0 {
            Some(fd) => kernel.sys.kind(fd.as_fd()),
            None => Ok(Kind::Other(Vec::new())),
        };
        match (kind, self.0.take()) {
            (Ok(Kind::Pidfd), Some(fd)) => Ok(Lead(Leads::Process(fd))),
            (Ok(Kind::Connection), Some(fd)) => Ok(Lead(Leads::Connection(fd))),
            (kind, fd) => {
                let found = match kind {
                    Ok(Kind::Other(text)) => parse::printable(&text, false),
                    Ok(Kind::Pidfd | Kind::Connection) => String::new(),
                    Err(errno) => errno.to_string(),
                };
                Err((NoLead { found }, Self(fd)))
            }
        }
    }

    /// Closes it on a thread that may hang, for the account of whoever passed it, together with what
    /// is held for it. Returns once a thread has taken it, however long the closing takes.
    pub async fn close<T: Send + 'static>(mut self, reader: &FactReader, uid: u32, held: T) {
        let Some(fd) = self.0.take() else { return };
        let mut job: Box<dyn FnOnce() + Send> = Box::new(move || drop((fd, held)));
        while let Err(refused) = reader.0.workers.hand_over(uid, job) {
            job = refused;
            tokio::time::sleep(RETRY).await;
        }
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        if let Some(fd) = self.0.take() {
            // Lost rather than closed here. Whoever holds one closes it.
            let _ = fd.into_raw_fd();
        }
    }
}

impl fmt::Debug for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passed")
    }
}

/// What leads to a process, and is harmless to close.
#[derive(Debug)]
pub struct Lead(pub(crate) Leads);

#[derive(Debug)]
pub(crate) enum Leads {
    /// A pidfd.
    Process(OwnedFd),
    /// A Unix socket that is connected, or was.
    Connection(OwnedFd),
}

/// A descriptor that leads to no process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a pidfd or a connected Unix socket leads to a process, {found} does not")]
#[non_exhaustive]
pub struct NoLead {
    /// What the kernel calls it.
    pub found: String,
}

/// The connection of a broker, as long as descriptors may come along.
#[derive(Debug)]
pub struct BrokerStream {
    socket: UnixStream,
    senders: Arc<Senders>,
}

impl Subject<Connected> {
    /// Takes the socket that this subject was accepted from, to be read with what is passed on it.
    pub fn broker_stream(&self, socket: UnixStream) -> BrokerStream {
        BrokerStream { socket, senders: Arc::clone(self.senders()) }
    }
}

impl BrokerStream {
    /// Reads what has come, at least a byte unless that was all, and the descriptors that came with it.
    ///
    /// # Errors
    /// As a read; [`io::ErrorKind::PermissionDenied`] for what another process wrote than the one that
    /// connected. What it passed is among `passed` all the same, to be closed.
    pub async fn receive(
        &mut self,
        into: &mut [u8],
        passed: &mut Vec<Passed>,
    ) -> io::Result<usize> {
        loop {
            self.socket.readable().await?;
            let Self { socket, senders } = self;
            let read = socket.try_io(Interest::READABLE, || receive(socket, senders, into, passed));
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }

    /// From here on descriptors are dropped by the kernel.
    #[must_use]
    pub fn into_stream(self) -> PeerStream {
        PeerStream::new(self.socket, self.senders)
    }
}

fn receive(
    socket: &UnixStream,
    senders: &Senders,
    into: &mut [u8],
    passed: &mut Vec<Passed>,
) -> io::Result<usize> {
    let message = sys::receive(socket.as_fd(), into)?;
    passed.extend(message.descriptors.into_iter().map(Passed::new));
    if message.bytes == 0 {
        return Ok(0);
    }
    let stamp = message.sender.map(|(pid, uid, gid)| Sender { pid, uid, gid });
    senders.note(stamp.unwrap_or(Sender::UNSTAMPED)).map(|()| message.bytes)
}
