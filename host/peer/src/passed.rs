//! Descriptors that a broker passes, to ask who is behind them.
//!
//! What was passed may be anything, an open file on a hostile file system included. So it is told by
//! what the kernel itself says about the descriptor, its link and its options, and neither read,
//! polled nor looked at (`fstat`), for all of these can ask whoever serves the file.
//!
//! To let go of it can hang, too: to close it, but also to receive a message that had more of them than
//! there was room for, or to close a connection on which some have arrived that nobody has received (a
//! TCP socket that lingers is enough). So messages are received, and everything is let go of, on
//! threads that nothing else needs. Nothing that was passed ever leaves its [`BrokerStream`].

use std::{
    fmt, io,
    mem::ManuallyDrop,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::{io::Interest, net::UnixStream};

use crate::{
    error::PeerError,
    parse,
    probe::Kernel,
    reader::FactReader,
    stream::{Sender, Senders},
    subject::{Connected, Delegated, Subject},
    sys::{self, Kind},
};

/// How long what may hang waits for a thread, if too much is waiting already.
const RETRY: Duration = Duration::from_millis(500);

/// Bytes that are received at a time: a request is a word.
const CHUNK: usize = 1024;

/// The connection of a broker, and what was passed on it.
///
/// It is lost and not closed when it is dropped, because closing can hang: [`BrokerStream::close`] does
/// so where it hurts nobody else.
pub struct BrokerStream(ManuallyDrop<Arc<Connection>>);

struct Connection {
    socket: UnixStream,
    passed: Mutex<Vec<OwnedFd>>,
    /// Descriptors may be among what nobody has received.
    invited: AtomicBool,
}

/// Why nobody is behind what was passed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoSubject {
    /// More than one descriptor.
    #[error("more than one descriptor came along; pass a pidfd or a connected Unix socket")]
    Many,
    /// A descriptor that leads to no process.
    #[error("a pidfd or a connected Unix socket leads to a process, {found} does not")]
    NoLead {
        /// What the kernel calls it.
        found: String,
    },
    /// No descriptor.
    #[error("no descriptor came along; pass a pidfd or a connected Unix socket")]
    Nothing,
    /// The process cannot be told from others.
    #[error(transparent)]
    Peer(#[from] PeerError),
}

impl BrokerStream {
    /// Takes a connection that was accepted from a listener of [`crate::mark_senders`].
    #[must_use]
    pub fn new(socket: UnixStream) -> Self {
        let (passed, invited) = (Mutex::default(), AtomicBool::new(false));
        Self(ManuallyDrop::new(Arc::new(Connection { socket, passed, invited })))
    }

    /// Takes a connection whose other end was invited to pass descriptors by whoever had it before.
    #[must_use]
    pub fn invited(socket: UnixStream) -> Self {
        let stream = Self::new(socket);
        stream.0.invited.store(true, Ordering::Relaxed);
        stream
    }

    /// Lets descriptors come from now on. Before, the kernel lets nobody send any (Linux 6.16).
    ///
    /// # Errors
    /// As setsockopt(2).
    pub fn invite(&self) -> io::Result<()> {
        self.0.invited.store(true, Ordering::Relaxed);
        sys::take_rights(self.0.socket.as_fd(), true)?;
        Ok(())
    }

    /// Whether they may come.
    #[must_use]
    pub fn is_invited(&self) -> bool {
        self.0.invited.load(Ordering::Relaxed)
    }

    /// How many descriptors have come.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.0.passed().len()
    }

    /// Waits until there is something to receive, and takes nothing of it.
    ///
    /// # Errors
    /// If the event loop is gone.
    pub async fn readable(&self) -> io::Result<()> {
        let socket = &self.0.socket;
        loop {
            socket.readable().await?;
            // The event loop may say so of a new socket that has nothing.
            match socket.try_io(Interest::READABLE, || something_arrived(socket.as_fd())) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }

    /// Receives one message at most, on a thread that may hang; no bytes if that was all. What was passed
    /// with it stays here.
    ///
    /// # Errors
    /// As a read; [`io::ErrorKind::TimedOut`] if it hangs, [`io::ErrorKind::PermissionDenied`] for what
    /// another process wrote than the broker. What came with it is here all the same, to be closed.
    pub async fn receive(
        &self,
        broker: &Subject<Connected>,
        reader: &FactReader,
        within: Duration,
    ) -> io::Result<Vec<u8>> {
        let by = tokio::time::Instant::now() + within;
        let late = || io::Error::from(io::ErrorKind::TimedOut);
        loop {
            tokio::time::timeout_at(by, self.readable()).await.map_err(|_| late())??;
            let (connection, senders) = (Arc::clone(&self.0), Arc::clone(broker.senders()));
            let left = by.saturating_duration_since(tokio::time::Instant::now());
            let receive = move || connection.receive(&senders);
            let received = reader.0.passing.run(broker.uid(), left, receive).await;
            match received.map_err(|_| late())? {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }

    /// The process that the one descriptor leads to: that of a pidfd, as it is now; or the one at the other
    /// end of a connected Unix socket, as it was when it connected and still has to be.
    ///
    /// # Errors
    /// There is not one descriptor; or it leads to no process; or as [`Subject::accept`].
    pub fn behind(&self, kernel: &Kernel) -> Result<Subject<Delegated>, NoSubject> {
        let passed = self.0.passed();
        match passed.as_slice() {
            [] => Err(NoSubject::Nothing),
            [one] => Subject::behind(one.as_fd(), kernel),
            _ => Err(NoSubject::Many),
        }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// As a write.
    pub async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        let socket = &self.0.socket;
        while !bytes.is_empty() {
            socket.writable().await?;
            match socket.try_write(bytes) {
                Ok(written) => bytes = bytes.split_at(written).1,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Closes the connection and everything that was passed on it, for the account of whoever passed it,
    /// together with what is held for it. Returns once a thread has taken it, however long the closing takes;
    /// or has closed it, if nothing can have come that hangs.
    pub async fn close<T: Send + 'static>(self, reader: &FactReader, uid: u32, held: T) {
        let invited = self.0.invited.load(Ordering::Relaxed);
        if !invited && sys::take_rights(self.0.socket.as_fd(), false) == Ok(true) {
            drop((ManuallyDrop::into_inner(self.0), held));
            return;
        }
        // Whoever stops waiting for a thread loses the connection, and does not close it where it is.
        let connection = self.0;
        let close = move || drop((ManuallyDrop::into_inner(connection), held));
        let mut job = reader.0.passing.unwatched(close);
        while let Err(refused) = reader.0.passing.hand_over(uid, job) {
            job = refused;
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// To see who connected.
impl AsFd for BrokerStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.socket.as_fd()
    }
}

impl fmt::Debug for BrokerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrokerStream")
    }
}

impl Connection {
    fn passed(&self) -> MutexGuard<'_, Vec<OwnedFd>> {
        // Whole descriptors are added and nothing else: poison is no news.
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receive(&self, senders: &Senders) -> io::Result<Vec<u8>> {
        let mut into = vec![0; CHUNK];
        let message = self.socket.try_io(Interest::READABLE, || {
            sys::receive(self.socket.as_fd(), &mut into).map_err(Into::into)
        })?;
        self.passed().extend(message.descriptors);
        into.truncate(message.bytes);
        if !into.is_empty() {
            let stamp = message.sender.map(|(pid, uid, gid)| Sender { pid, uid, gid });
            senders.note(stamp.unwrap_or(Sender::UNSTAMPED))?;
        }
        Ok(into)
    }
}

/// Asks our own socket; [`io::ErrorKind::WouldBlock`] if nothing has.
fn something_arrived(socket: BorrowedFd<'_>) -> io::Result<()> {
    let mut sockets = [PollFd::from_borrowed_fd(socket, PollFlags::IN)];
    match poll(&mut sockets, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

impl Subject<Delegated> {
    fn behind(passed: BorrowedFd<'_>, kernel: &Kernel) -> Result<Self, NoSubject> {
        let found = match kernel.sys.kind(passed) {
            Ok(Kind::Pidfd) => return Ok(Self::of_pidfd(passed, kernel)?),
            Ok(Kind::Connection) => return Ok(Self::of_connection(passed, kernel)?),
            Ok(Kind::Other(text)) => parse::printable(&text, false),
            Err(errno) => errno.to_string(),
        };
        Err(NoSubject::NoLead { found })
    }
}
