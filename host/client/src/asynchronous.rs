use std::{
    future::Future,
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Interest},
    net::UnixStream,
    time::{sleep, timeout},
};
use witgate_protocol::{Ask, AttestAnswer, HealthAnswer, Outcome, WatchEvent, WhoamiAnswer};

use crate::{
    ClientError, Sockets,
    line::{CHUNK, Lines, TIMEOUT, answer, challenge, event, invited, outcome, question},
    locate::go_on,
    pass,
};

/// Between two tries to connect to a daemon whose queue is full: Linux has no event for that.
const QUEUE_PAUSE: Duration = Duration::from_millis(5);

/// Asks a daemon, on tokio. The same questions as [`crate::Client`].
#[derive(Debug, Clone)]
pub struct AsyncClient {
    sockets: Sockets,
    timeout: Duration,
}

impl AsyncClient {
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
    pub async fn attest(&self) -> Result<AttestAnswer, ClientError> {
        self.ask(Ask::Attest).await
    }

    /// The same, with a refusal as a value.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn decide(&self) -> Result<Outcome, ClientError> {
        outcome(self.attest().await)
    }

    /// Which identities the process has that a descriptor leads to, as [`crate::Client::attest_for`].
    ///
    /// # Errors
    /// As [`Self::attest`].
    pub async fn attest_for(&self, about: impl AsFd) -> Result<AttestAnswer, ClientError> {
        self.within(async {
            let mut connection = self.connect().await?;
            // Not before: the kernel lets nothing be passed to whoever has not asked for it.
            invited(&connection.line().await?)?;
            let stream = &connection.stream;
            let send = || pass::send(stream.as_fd(), about.as_fd());
            let sent = stream.async_io(Interest::WRITABLE, send).await;
            connection.sent(sent)?;
            answer(&connection.line().await?)
        })
        .await
    }

    /// What the kernel says about this process.
    ///
    /// # Errors
    /// If the daemon refuses or there is no answer.
    pub async fn whoami(&self) -> Result<WhoamiAnswer, ClientError> {
        self.ask(Ask::Whoami).await
    }

    /// Whether the daemon decides.
    ///
    /// # Errors
    /// If the daemon refuses or there is no answer.
    pub async fn ping(&self) -> Result<HealthAnswer, ClientError> {
        self.ask(Ask::Health).await
    }

    /// A decision now and on every change. Waits for the first under the timeout, for the others
    /// without end.
    ///
    /// # Errors
    /// If the daemon refuses the watch or cannot be reached. A watched process without an identity
    /// is not an error, but an event.
    pub async fn watch(&self) -> Result<AsyncWatch, ClientError> {
        self.within(async {
            let mut connection = self.open(Ask::Watch).await?;
            let first = event(&connection.answer().await?)?;
            Ok(AsyncWatch { first: Some(first), connection: Some(connection) })
        })
        .await
    }

    async fn ask<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, ClientError> {
        self.within(async { answer(&self.open(ask).await?.answer().await?) }).await
    }

    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let late = ClientError::TimedOut { after: self.timeout };
        timeout(self.timeout, work).await.unwrap_or(Err(late))
    }

    /// Connects and sends the request.
    async fn open(&self, ask: Ask) -> Result<Connection, ClientError> {
        let mut connection = self.connect().await?;
        let sent = connection.stream.write_all(question(ask).as_bytes()).await;
        connection.sent(sent)?;
        Ok(connection)
    }

    async fn connect(&self) -> Result<Connection, ClientError> {
        let mut tried = Vec::new();
        for path in self.sockets.paths() {
            match connect_when_room(path).await {
                Ok(stream) => {
                    return Ok(Connection { stream, lines: Lines::default(), path: path.clone() });
                }
                Err(error) => go_on(&mut tried, path, error)?,
            }
        }
        Err(ClientError::NotRunning { tried })
    }
}

async fn connect_when_room(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(QUEUE_PAUSE).await,
            result => return result,
        }
    }
}

#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    lines: Lines,
    path: PathBuf,
}

impl Connection {
    /// Reads the first answer, and answers a challenge before it.
    async fn answer(&mut self) -> Result<Vec<u8>, ClientError> {
        let line = self.line().await?;
        let Some(nonce) = challenge(&line) else { return Ok(line) };
        let answer = nonce.answer_line();
        let sent = self.stream.write_all(answer.as_bytes()).await;
        sent.map_err(|source| self.failed(source))?;
        self.line().await
    }

    /// Reads up to the next line end. What was read stays in `lines` if this is cancelled.
    async fn line(&mut self) -> Result<Vec<u8>, ClientError> {
        let mut chunk = [0; CHUNK];
        loop {
            if let Some(line) = self.lines.next_line()? {
                return Ok(line);
            }
            match self.stream.read(&mut chunk).await {
                Ok(0) => return Err(ClientError::CutOff),
                Ok(read) => self.lines.push(chunk.split_at(read).0),
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    /// A daemon that refuses may answer and close before it reads: the answer is there all the same.
    fn sent(&self, sent: io::Result<()>) -> Result<(), ClientError> {
        let closed = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
        match sent {
            Err(error) if !closed.contains(&error.kind()) => Err(self.failed(error)),
            _ => Ok(()),
        }
    }

    fn failed(&self, source: io::Error) -> ClientError {
        match source.kind() {
            // How a close looks when the other end had not read everything.
            io::ErrorKind::ConnectionReset => ClientError::CutOff,
            _ => ClientError::Io { path: self.path.clone(), source },
        }
    }
}

/// A running watch.
#[derive(Debug)]
pub struct AsyncWatch {
    first: Option<WatchEvent>,
    connection: Option<Connection>,
}

impl AsyncWatch {
    /// The next event; `None` after `ended`, or after an error. Cancelling loses nothing.
    pub async fn next(&mut self) -> Option<Result<WatchEvent, ClientError>> {
        let event = match self.first.take() {
            Some(first) => Ok(first),
            None => self.connection.as_mut()?.line().await.and_then(|line| event(&line)),
        };
        if matches!(event, Err(_) | Ok(WatchEvent::Ended { .. })) {
            self.connection = None;
        }
        Some(event)
    }
}
