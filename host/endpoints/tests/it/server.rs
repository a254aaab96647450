//! Servers in this process, and endpoints that lead to them. A server stops when it is dropped.

use std::{
    convert::Infallible,
    future::Future,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    net::{TcpListener, UnixListener, UnixStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;
use witgate_endpoints::{EndpointConfig, EndpointHealth, EndpointSettings, NamedEndpoints};
use witgate_facts::{Endpoints as _, HttpError, HttpRequest, HttpResponse};

/// What a server was asked.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) type Log = Arc<Mutex<Vec<Seen>>>;

/// A server on a Unix socket in a folder of its own.
pub(crate) struct UnixServer {
    pub(crate) path: PathBuf,
    pub(crate) seen: Log,
    task: JoinHandle<()>,
    _dir: TempDir,
}

/// A server on a port of the loopback.
pub(crate) struct TlsServer {
    pub(crate) port: u16,
    pub(crate) seen: Log,
    task: JoinHandle<()>,
}

impl Drop for UnixServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves each connection with `serve`, whatever that does.
pub(crate) fn raw<F, Served>(serve: F) -> UnixServer
where
    F: Fn(UnixStream) -> Served + Send + 'static,
    Served: Future<Output = ()> + Send + 'static,
{
    let (dir, path) = socket_path();
    let listener = UnixListener::bind(&path).unwrap();
    let task = tokio::spawn(async move {
        // Dropped with the server, and every connection with it.
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(serve(stream));
        }
    });
    UnixServer { path, seen: Log::default(), task, _dir: dir }
}

/// An HTTP server on a Unix socket.
pub(crate) fn http(answer: fn(&Seen) -> Response<Full<Bytes>>) -> UnixServer {
    let seen = Log::default();
    let log = Arc::clone(&seen);
    let mut server = raw(move |stream| serve_http(stream, Arc::clone(&log), answer));
    server.seen = seen;
    server
}

/// An HTTP server with TLS on the loopback.
pub(crate) async fn https(
    config: ServerConfig,
    answer: fn(&Seen) -> Response<Full<Bytes>>,
) -> TlsServer {
    let seen = Log::default();
    let log = Arc::clone(&seen);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (port, task) = tcp(move |stream| {
        let (acceptor, log) = (acceptor.clone(), Arc::clone(&log));
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve_http(stream, log, answer).await;
            }
        }
    })
    .await;
    TlsServer { port, seen, task }
}

/// Serves each connection to a port of the loopback with `serve`.
pub(crate) async fn raw_tcp<F, Served>(serve: F) -> TlsServer
where
    F: Fn(tokio::net::TcpStream) -> Served + Send + 'static,
    Served: Future<Output = ()> + Send + 'static,
{
    let (port, task) = tcp(serve).await;
    TlsServer { port, seen: Log::default(), task }
}

async fn tcp<F, Served>(serve: F) -> (u16, JoinHandle<()>)
where
    F: Fn(tokio::net::TcpStream) -> Served + Send + 'static,
    Served: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(serve(stream));
        }
    });
    (port, task)
}

async fn serve_http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    log: Log,
    answer: fn(&Seen) -> Response<Full<Bytes>>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let log = Arc::clone(&log);
        async move {
            let (parts, body) = request.into_parts();
            let seen = Seen {
                method: parts.method.to_string(),
                target: parts.uri.to_string(),
                headers: parts.headers,
                body: body.collect().await.unwrap().to_bytes(),
            };
            let response = answer(&seen);
            log.lock().unwrap().push(seen);
            Ok::<_, Infallible>(response)
        }
    });
    // The other side may go at any time.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Reads a whole request head; whether one came.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    true
}

/// A folder, and the path of a socket in it.
pub(crate) fn socket_path() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("api.sock");
    (dir, path)
}

pub(crate) fn ok(body: &'static str) -> Response<Full<Bytes>> {
    Response::new(Full::from(body))
}

/// Everything may be asked for at this socket, and a machine that is busy with other things has
/// the time for it.
pub(crate) fn unix_settings(path: impl Into<PathBuf>) -> EndpointSettings {
    EndpointSettings {
        unix: Some(path.into()),
        paths: Some(vec!["/**".to_owned()]),
        methods: Some(["GET", "HEAD", "POST"].map(str::to_owned).to_vec()),
        timeout_ms: Some(30_000),
        ..EndpointSettings::default()
    }
}

/// One endpoint, called `here`.
pub(crate) fn endpoints(settings: &EndpointSettings) -> NamedEndpoints {
    let config =
        EndpointConfig::new("here", settings).unwrap_or_else(|errors| panic!("{errors:?}"));
    NamedEndpoints::new([config])
}

pub(crate) fn get(path: &str) -> HttpRequest {
    HttpRequest {
        method: "GET".to_owned(),
        path: path.to_owned(),
        headers: Vec::new(),
        body: Vec::new().into(),
    }
}

pub(crate) async fn send(
    endpoints: &NamedEndpoints,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    endpoints.send("here", request).await
}

pub(crate) fn health(endpoints: &NamedEndpoints) -> EndpointHealth {
    endpoints.health().remove(0)
}

/// What the operator reads about the last failure.
pub(crate) fn last_error(endpoints: &NamedEndpoints) -> String {
    health(endpoints).last_error.unwrap().text
}
