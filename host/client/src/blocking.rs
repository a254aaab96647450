use std::{
    io::{self, Read as _, Write as _},
    iter::FusedIterator,
    os::{fd::AsFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use serde::de::DeserializeOwned;
use witgate_protocol::{Ask, AttestAnswer, HealthAnswer, Outcome, WatchEvent, WhoamiAnswer};

use crate::{
    ClientError, Sockets,
    line::{CHUNK, Lines, TIMEOUT, answer, challenge, event, invited, outcome, question},
    locate::go_on,
    pass,
};

/// Asks a daemon, and blocks until it answers.
#[derive(Debug, Clone)]
pub struct Client {
    sockets: Sockets,
    timeout: Duration,
}

impl Client {
    /// A client of the socket at `path`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::of(Sockets::at(path))
    }

    /// A client of the one-folder daemon of `dir`.
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        Self::of(Sockets::in_dir(dir))
    }

    /// A client of the daemon that the environment names, else the system's, else this user's.
    #[must_use]
    pub fn from_env() -> Self {
        Self::of(Sockets::from_env())
    }

    /// A client of the first daemon found.
    #[must_use]
    pub const fn of(sockets: Sockets) -> Self {
        Self { sockets, timeout: TIMEOUT }
    }

    /// How long one answer may take, connecting included.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Which identities this process has.
    ///
    /// # Errors
    /// [`ClientError::Refused`] if it has none or nobody could say; others if there is no answer.
    pub fn attest(&self) -> Result<AttestAnswer, ClientError> {
        self.ask(Ask::Attest)
    }

    /// The same, with a refusal as a value.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn decide(&self) -> Result<Outcome, ClientError> {
        outcome(self.attest())
    }

    /// Which identities the process has that a descriptor leads to: a pidfd, or a connected Unix socket for
    /// whoever is at its other end. Only on the socket of brokers, [`crate::SYSTEM_BROKER_SOCKET`], and for
    /// those whom its daemon lists. The answer names both, and says nothing of that process having asked.
    ///
    /// # Errors
    /// As [`Self::attest`].
    pub fn attest_for(&self, about: impl AsFd) -> Result<AttestAnswer, ClientError> {
        let mut connection = self.connect(Instant::now().checked_add(self.timeout))?;
        // Not before: the kernel lets nothing be passed to whoever has not asked for it.
        invited(&connection.line()?)?;
        connection.send(|stream| pass::send(stream.as_fd(), about.as_fd()))?;
        answer(&connection.line()?)
    }

    /// The same, with a refusal as a value.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn decide_for(&self, about: impl AsFd) -> Result<Outcome, ClientError> {
        outcome(self.attest_for(about))
    }

    /// What the kernel says about this process.
    ///
    /// # Errors
    /// If the daemon refuses or there is no answer.
    pub fn whoami(&self) -> Result<WhoamiAnswer, ClientError> {
        self.ask(Ask::Whoami)
    }

    /// Whether the daemon decides.
    ///
    /// # Errors
    /// If the daemon refuses or there is no answer.
    pub fn ping(&self) -> Result<HealthAnswer, ClientError> {
        self.ask(Ask::Health)
    }

    /// A decision now and on every change. Waits for the first under the timeout, for the others
    /// without end.
    ///
    /// # Errors
    /// If the daemon refuses the watch or cannot be reached. A watched process without an identity
    /// is not an error, but an event.
    pub fn watch(&self) -> Result<Watch, ClientError> {
        let mut connection = self.open(Ask::Watch)?;
        let first = connection.answer().and_then(|line| event(&line))?;
        connection.deadline = None;
        connection.stream.set_read_timeout(None).map_err(|source| connection.failed(source))?;
        Ok(Watch { first: Some(first), connection: Some(connection) })
    }

    fn ask<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, ClientError> {
        answer(&self.open(ask)?.answer()?)
    }

    /// Connects and sends the request.
    fn open(&self, ask: Ask) -> Result<Connection, ClientError> {
        let deadline = Instant::now().checked_add(self.timeout);
        let mut connection = self.connect(deadline)?;
        connection.send(|stream| stream.write_all(question(ask).as_bytes()))?;
        Ok(connection)
    }

    fn connect(&self, deadline: Option<Instant>) -> Result<Connection, ClientError> {
        let mut tried = Vec::new();
        for path in self.sockets.paths() {
            match connect_within(path, self.timeout) {
                Ok(stream) => {
                    let (path, timeout) = (path.clone(), self.timeout);
                    let lines = Lines::default();
                    return Ok(Connection { stream, lines, deadline, timeout, path });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(ClientError::TimedOut { after: self.timeout });
                }
                Err(error) => go_on(&mut tried, path, error)?,
            }
        }
        Err(ClientError::NotRunning { tried })
    }
}

/// `UnixStream::connect` waits without end for a daemon that does not accept; a send timeout that
/// is set before `connect` holds for it too (unix(7)), and afterwards for the request.
fn connect_within(path: &Path, timeout: Duration) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    // Zero would mean no timeout.
    let timeout = timeout.max(Duration::from_millis(1));
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(timeout))?;
    rustix::net::connect(&socket, &address)?;
    Ok(UnixStream::from(socket))
}

#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    lines: Lines,
    deadline: Option<Instant>,
    timeout: Duration,
    path: PathBuf,
}

impl Connection {
    /// A daemon that refuses may answer and close before it reads: the answer is there all the same.
    fn send(
        &mut self,
        send: impl FnOnce(&mut UnixStream) -> io::Result<()>,
    ) -> Result<(), ClientError> {
        let closed = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
        match send(&mut self.stream) {
            Err(error) if !closed.contains(&error.kind()) => Err(self.failed(error)),
            _ => Ok(()),
        }
    }

    /// Reads the first answer, and answers a challenge before it.
    fn answer(&mut self) -> Result<Vec<u8>, ClientError> {
        let line = self.line()?;
        let Some(nonce) = challenge(&line) else { return Ok(line) };
        let answer = nonce.answer_line();
        self.stream.write_all(answer.as_bytes()).map_err(|source| self.failed(source))?;
        self.line()
    }

    /// Reads up to the next line end.
    fn line(&mut self) -> Result<Vec<u8>, ClientError> {
        let mut chunk = [0; CHUNK];
        loop {
            if let Some(line) = self.lines.next_line()? {
                return Ok(line);
            }
            match self.read(&mut chunk) {
                Ok(0) => return Err(ClientError::CutOff),
                Ok(read) => self.lines.push(chunk.split_at(read).0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    /// One read, cut at the deadline.
    fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
        }
        self.stream.read(chunk)
    }

    fn failed(&self, source: io::Error) -> ClientError {
        match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                ClientError::TimedOut { after: self.timeout }
            }
            // How a close looks when the other end had not read everything.
            io::ErrorKind::ConnectionReset => ClientError::CutOff,
            _ => ClientError::Io { path: self.path.clone(), source },
        }
    }
}

/// A running watch: an iterator that ends after `ended`, or after an error.
#[derive(Debug)]
pub struct Watch {
    first: Option<WatchEvent>,
    connection: Option<Connection>,
}

impl Iterator for Watch {
    type Item = Result<WatchEvent, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        let event = match self.first.take() {
            Some(first) => Ok(first),
            None => self.connection.as_mut()?.line().and_then(|line| event(&line)),
        };
        if matches!(event, Err(_) | Ok(WatchEvent::Ended { .. })) {
            self.connection = None;
        }
        Some(event)
    }
}

impl FusedIterator for Watch {}
