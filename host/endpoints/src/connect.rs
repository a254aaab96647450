//! To an open connection.

use std::{io, net::SocketAddr, sync::Arc};

use rustls::ClientConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    sync::Semaphore,
    time::sleep,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    error::SendError,
    files::{FileError, Kept},
    limits,
    place::{Host, Origin, Place},
    tls,
};

/// Any connection.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Connects to one place.
#[derive(Debug)]
pub(crate) struct Connector {
    tls: Option<Kept<Arc<ClientConfig>>>,
    lookups: Arc<Semaphore>,
}

impl Connector {
    pub(crate) fn new(place: &Place) -> Self {
        let tls = match place {
            Place::Tls(origin) => Some(tls::client(origin)),
            Place::Plain { .. } | Place::Unix(_) => None,
        };
        Self { tls, lookups: Arc::new(Semaphore::new(limits::LOOKUPS)) }
    }

    /// Whether the files that it needs can be used.
    pub(crate) fn check_files(&self) -> Result<(), FileError> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.now().map(drop))
    }

    /// A connection over which the endpoint has proved who it is, if it has to.
    pub(crate) async fn connect(&self, place: &Place) -> Result<Box<dyn Stream>, SendError> {
        let connect = |source| SendError::Connect { place: place.to_string(), source };
        match place {
            Place::Unix(path) => loop {
                match UnixStream::connect(path).await {
                    Ok(stream) => return Ok(Box::new(stream)),
                    // The listener's backlog is full; the kernel does not wait on our behalf.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        sleep(limits::BACKLOG_PAUSE).await;
                    }
                    Err(error) => return Err(connect(error)),
                }
            },
            Place::Plain { address, .. } => {
                TcpStream::connect(address).await.map(boxed).map_err(connect)
            }
            Place::Tls(origin) => self.connect_securely(origin, connect).await.map(boxed),
        }
    }

    async fn connect_securely(
        &self,
        origin: &Origin,
        connect: impl FnOnce(io::Error) -> SendError,
    ) -> Result<TlsStream<TcpStream>, SendError> {
        let failed = |source| SendError::Tls { place: origin.authority.clone(), source };
        let Some(tls) = &self.tls else {
            return Err(failed(io::ErrorKind::Unsupported.into()));
        };
        let tls = TlsConnector::from(tls.now()?);
        let connected = match &origin.host {
            Host::Address(address) => TcpStream::connect(address).await,
            Host::Name { name, port } => {
                TcpStream::connect(&*self.look_up(name, *port).await?).await
            }
        };
        let stream = connected.map_err(connect)?;
        tls.connect(origin.server_name.clone(), stream).await.map_err(failed)
    }

    async fn look_up(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, SendError> {
        let failed = |source| SendError::Lookup { name: name.to_owned(), source };
        let closed = |_| failed(io::ErrorKind::Other.into());
        let place = Arc::clone(&self.lookups).acquire_owned().await.map_err(closed)?;
        let host = name.to_owned();
        let lookup = tokio::spawn(async move {
            let addresses = tokio::net::lookup_host((host, port)).await.map(Vec::from_iter);
            drop(place);
            addresses
        });
        lookup.await.map_err(|error| failed(io::Error::other(error)))?.map_err(failed)
    }
}

fn boxed(stream: impl Stream + 'static) -> Box<dyn Stream> {
    Box::new(stream)
}
