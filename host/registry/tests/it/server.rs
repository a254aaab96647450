//! A server that says whatever a test wants, byte by byte.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
};

use witgate_registry::Reference;

/// What somebody asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `GET /v2/ HTTP/1.1`
    pub(crate) line: String,
    /// The header lines, in lower case up to the colon.
    pub(crate) headers: Vec<String>,
}

impl Asked {
    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// One request per connection, each answered by the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, stop) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::<AtomicBool>::default());
        let (answer, seen, ends) = (Arc::new(answer), Arc::clone(&asked), Arc::clone(&stop));
        let accepting = thread::spawn(move || {
            for stream in listener.incoming().take_while(|_| !ends.load(SeqCst)) {
                let (answer, seen, Ok(mut stream)) =
                    (Arc::clone(&answer), Arc::clone(&seen), stream)
                else {
                    continue;
                };
                thread::spawn(move || {
                    if let Some(asked) = read(&stream) {
                        seen.lock().unwrap().push(asked.clone());
                        answer(&asked, &mut stream);
                    }
                });
            }
        });
        Self { address, asked, stop, accepting: Some(accepting) }
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// A place in it, as if it was a registry.
    pub(crate) fn reference(&self, rest: &str) -> Reference {
        format!("{}/{rest}", self.address).parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// The head of a request; its body is read and dropped.
fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut next = || {
        let mut line = String::new();
        let read = reader.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    };
    let line = next()?;
    let mut headers = Vec::new();
    while let Some(header) = next()?.split_once(':') {
        headers.push(format!("{}:{}", header.0.to_ascii_lowercase(), header.1));
    }
    let asked = Asked { line, headers };
    let length = asked.header("content-length").and_then(|length| length.parse().ok());
    let _ = io::copy(&mut reader.take(length.unwrap_or(0)), &mut io::sink());
    Some(asked)
}

/// A whole answer.
pub(crate) fn say(stream: &mut TcpStream, status: &str, headers: &[&str], body: &[u8]) {
    let length = format!("Content-Length: {}", body.len());
    head(stream, status, &[headers, &[&length]].concat());
    let _ = stream.write_all(body);
}

/// The beginning of one.
pub(crate) fn head(stream: &mut TcpStream, status: &str, headers: &[&str]) {
    let mut text = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    let _ = stream.write_all(format!("{text}\r\n").as_bytes());
}

/// The same bytes until the other end has enough; says how many.
pub(crate) fn for_ever(stream: &mut TcpStream, bytes: &[u8]) -> usize {
    let mut sent = 0;
    while stream.write_all(bytes).is_ok() {
        sent += bytes.len();
    }
    sent
}

/// Nothing until the other end goes.
pub(crate) fn silence(stream: &mut TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}
