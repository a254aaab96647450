//! A kubelet for one test: TLS with a certificate of its own authority, a bearer token, one document.

use std::{
    fs,
    io::Write as _,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs, pki_types::PrivateKeyDer,
};
use tempfile::TempDir;

/// How it answers whoever has the token.
#[derive(Debug, Clone)]
pub(crate) enum Behaviour {
    /// With this document.
    Lists(String),
    /// With this status and no document.
    Refuses(u16),
    /// Not at all, for so long.
    Sleeps(Duration),
    /// With half of what it announced.
    BreaksOff(String),
}

#[derive(Debug)]
struct State {
    tls: Arc<ServerConfig>,
    token: String,
    behaviour: Behaviour,
}

pub(crate) struct Kubelet {
    pub(crate) port: u16,
    dir: TempDir,
    state: Arc<Mutex<State>>,
    lists: Arc<AtomicU64>,
}

impl Kubelet {
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State { tls: certified(dir.path()), token: String::new(), behaviour };
        let (state, lists) = (Arc::new(Mutex::new(state)), Arc::<AtomicU64>::default());
        let this = Self { port, dir, state: Arc::clone(&state), lists: Arc::clone(&lists) };
        this.rotate_token("first");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, lists) = (Arc::clone(&state), Arc::clone(&lists));
                thread::spawn(move || serve(stream, &state, &lists));
            }
        });
        this
    }

    pub(crate) fn now(&self, behaviour: Behaviour) {
        self.state.lock().unwrap().behaviour = behaviour;
    }

    /// The kubelet takes another token, and the daemon's file has it.
    pub(crate) fn rotate_token(&self, token: &str) {
        self.state.lock().unwrap().token = token.to_owned();
        self.write_token(token);
    }

    /// The daemon's file has another token, and the kubelet does not know.
    pub(crate) fn write_token(&self, token: &str) {
        replace(&self.token_file(), token);
    }

    /// Another authority, and another certificate of it.
    pub(crate) fn rotate_certificate(&self) {
        self.state.lock().unwrap().tls = certified(self.dir.path());
    }

    /// How often it was asked by somebody who may.
    pub(crate) fn lists(&self) -> u64 {
        self.lists.load(Ordering::SeqCst)
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.dir.path().join("token")
    }
}

/// A new authority, whose certificate is put in its file, and a server with a certificate of it.
fn certified(dir: &Path) -> Arc<ServerConfig> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    replace(&dir.join("ca.pem"), &issuer.pem());
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        );
    Arc::new(config.unwrap())
}

/// As those do who rotate files: whole from one moment to the next.
fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, path).unwrap();
}

fn serve(stream: TcpStream, state: &Mutex<State>, lists: &AtomicU64) -> Option<()> {
    let tls = ServerConnection::new(Arc::clone(&state.lock().unwrap().tls)).ok()?;
    let mut stream = StreamOwned::new(tls, stream);
    let head = read_head(&mut stream)?;
    let (token, behaviour) = {
        let state = state.lock().unwrap();
        (state.token.clone(), state.behaviour.clone())
    };
    let authorized = head.lines().any(|line| {
        let line = line.to_ascii_lowercase();
        line == format!("authorization: bearer {token}")
    });
    if !head.starts_with("GET /pods HTTP/1.1\r\n") || !authorized {
        return answer(&mut stream, if authorized { 404 } else { 401 }, "", 0);
    }
    lists.fetch_add(1, Ordering::SeqCst);
    match behaviour {
        Behaviour::Lists(document) => answer(&mut stream, 200, &document, 0),
        Behaviour::Refuses(status) => answer(&mut stream, status, "", 0),
        Behaviour::BreaksOff(document) => answer(&mut stream, 200, &document, document.len()),
        Behaviour::Sleeps(time) => {
            thread::sleep(time);
            None
        }
    }
}

fn read_head(stream: &mut impl std::io::Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// Announces `missing` bytes more than it sends.
fn answer(
    stream: &mut StreamOwned<ServerConnection, TcpStream>,
    status: u16,
    body: &str,
    missing: usize,
) -> Option<()> {
    let length = body.len() + missing;
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    stream.conn.send_close_notify();
    stream.flush().ok()
}
