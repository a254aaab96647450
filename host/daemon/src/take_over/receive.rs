//! The side that asks, and goes on.

use std::{
    fs::File,
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::de::DeserializeOwned;
use tokio::{net::UnixStream, time::timeout};
use witgate_peer::BrokerStream;

use super::{
    Holdings, Legacy, Offer, READY, REQUEST, SERVING, TakeOverError,
    rights::{self, Incoming},
};
use crate::{config::Config, gateway::Waiting};

/// How long the one that serves may take for its next word: it waits for decisions under way, which
/// have a deadline of their own, and then says so in any case.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connections that may be passed on: what a daemon may have at most.
const MAX_CONNECTIONS: usize = 1 << 20;

/// What the daemon that serves has shown so far.
#[derive(Debug)]
pub(crate) struct Inheritance {
    path: PathBuf,
    incoming: Incoming,
    sockets: Vec<(PathBuf, OwnedFd, File)>,
}

/// What it leaves when it stops: who waits.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) waiting: Waiting,
    /// On which the last word is still to be said.
    incoming: Incoming,
}

impl Inheritance {
    /// Asks the daemon that serves; none if there is none.
    pub(crate) async fn ask(config: &Config) -> Result<Option<Self>, TakeOverError> {
        let path = config.admin.path.clone();
        let broken = |source| TakeOverError::Broken { path: path.clone(), source };
        let socket = match UnixStream::connect(&path).await {
            Ok(socket) => socket,
            Err(error) if nobody(&error) => return Ok(None),
            Err(error) => return Err(broken(error)),
        };
        let uid = rustix::net::sockopt::socket_peercred(&socket)
            .map_err(|errno| broken(errno.into()))?
            .uid;
        if !uid.is_root() && uid != rustix::process::geteuid() {
            return Err(TakeOverError::Stranger { path, uid: uid.as_raw() });
        }
        let mut incoming = Incoming::new(socket);
        let request = serde_json::to_string(&Holdings::of(config)).map_err(io::Error::from);
        let request = format!("{REQUEST}{}\n", request.map_err(broken)?);
        rights::send(incoming.socket().as_fd(), request.as_bytes(), &[]).map_err(broken)?;
        match read(&mut incoming).await.map_err(broken)? {
            Offer::Differs(what) => Err(TakeOverError::Differs { path, what }),
            Offer::Busy => Err(TakeOverError::Busy { path }),
            Offer::Refused(why) => Err(TakeOverError::Refused { path, why }),
            Offer::Sockets(paths) => {
                let sockets = take(&mut incoming, paths).await.map_err(broken)?;
                Ok(Some(Self { path, incoming, sockets }))
            }
        }
    }

    /// The socket that listens at a path, and its lock.
    pub(crate) fn socket(&mut self, path: &Path) -> Option<(OwnedFd, File)> {
        let at = self.sockets.iter().position(|(of, ..)| of == path)?;
        let (_, socket, lock) = self.sockets.swap_remove(at);
        Some((socket, lock))
    }

    /// Says that everything is loaded, and waits until the other one has stopped deciding. With the
    /// lock of the audit log.
    pub(crate) async fn claim(self) -> Result<(File, Left), TakeOverError> {
        let Self { path, incoming, .. } = self;
        Left::claim(incoming).await.map_err(|source| TakeOverError::Broken { path, source })
    }
}

impl Left {
    async fn claim(mut incoming: Incoming) -> io::Result<(File, Self)> {
        say(incoming.socket(), READY)?;
        let Legacy { connections, brokers } = read(&mut incoming).await?;
        if connections > MAX_CONNECTIONS || brokers > MAX_CONNECTIONS {
            return Err(io::Error::other("more connections than there can be"));
        }
        let mut rights =
            timeout(PATIENCE, incoming.rights(connections + brokers + 1)).await??.into_iter();
        let lock = rights.next().map(File::from).ok_or(io::ErrorKind::UnexpectedEof)?;
        let workloads = rights.by_ref().take(connections).map(accepted);
        let workloads = workloads.collect::<io::Result<_>>()?;
        let invited = |socket| accepted(socket).map(BrokerStream::invited);
        let brokers = rights.map(invited).collect::<io::Result<_>>()?;
        Ok((lock, Self { waiting: Waiting { workloads, brokers }, incoming }))
    }

    /// Says that from now on we serve, if the other one is still there to hear it.
    pub(crate) fn announce(&self) {
        if let Err(error) = say(self.incoming.socket(), SERVING) {
            tracing::warn!(error = %error, "The daemon before this one is gone already");
        }
    }
}

/// Whether the error says that no daemon is there.
fn nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

async fn take(
    incoming: &mut Incoming,
    paths: Vec<PathBuf>,
) -> io::Result<Vec<(PathBuf, OwnedFd, File)>> {
    let mut rights = timeout(PATIENCE, incoming.rights(2 * paths.len())).await??.into_iter();
    let mut next = || rights.next().ok_or(io::ErrorKind::UnexpectedEof);
    paths.into_iter().map(|path| Ok((path, next()?, File::from(next()?)))).collect()
}

fn accepted(socket: OwnedFd) -> io::Result<UnixStream> {
    UnixStream::from_std(socket.into())
}

async fn read<T: DeserializeOwned>(incoming: &mut Incoming) -> io::Result<T> {
    let line = timeout(PATIENCE, incoming.line()).await??;
    serde_json::from_slice(&line).map_err(Into::into)
}

fn say(socket: &UnixStream, word: &str) -> io::Result<()> {
    rights::send(socket.as_fd(), format!("{word}\n").as_bytes(), &[])
}
