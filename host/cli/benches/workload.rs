//! The daemon under measurement, and what its clients do.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
};

use witgate_protocol::Nonce;
use witgate_testkit::daemon::Folder;

/// Nobody is turned away, and one process may connect as fast as it can.
const CONFIG: &str = "[limits]\nrequests_per_second = 1000000\nrequest_burst = 1000000\n";

/// A uid that the measuring process does not have.
const SOMEBODY_ELSE: u32 = 65_533;

/// A folder whose entries give this process an identity, or no process.
pub(crate) fn folder(allow: bool) -> Folder {
    let me = nix::unistd::geteuid();
    let user = nix::unistd::User::from_uid(me).unwrap().unwrap().name;
    let uid = if allow { me.as_raw() } else { SOMEBODY_ELSE };
    let folder = Folder::new(env!("CARGO_BIN_EXE_witgate"));
    folder.write("witgate.toml", CONFIG);
    // Both attestors are called, and every fact that they can be asked for cheaply is wanted.
    folder.write(
        "entries.d/entries.toml",
        format!(
            "[[entry]]\nname = \"host\"\nidentity = \"/host/{{unix.user}}\"\n\
             match = {{ unix.uid = {uid}, unix.user = \"{user}\", unix.host = \"true\" }}\n\
             [[entry]]\nname = \"container\"\nidentity = \"/container/{{container.id}}\"\n\
             match = {{ container.runtime = \"docker\", unix.uid = {uid} }}\n"
        ),
    );
    folder
}

/// The same, where an entry asks which file is run.
pub(crate) fn folder_about_image() -> Folder {
    let folder = folder(true);
    let uid = nix::unistd::geteuid();
    folder.write(
        "entries.d/image.toml",
        format!(
            "[[entry]]\nname = \"image\"\nidentity = \"/image\"\n\
             match = {{ unix.uid = {uid} }}\nlike = {{ unix.path = \"/**\" }}\n"
        ),
    );
    folder
}

/// Connects, asks, answers the challenge, and reads to the end.
pub(crate) fn ask_challenged(socket: &Path, into: &mut Vec<u8>) {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(b"attest challenge=yes\n").unwrap();
    let mut chunk = [0; 256];
    let length = stream.read(&mut chunk).unwrap();
    let nonce: Nonce = serde_json::from_slice(&chunk[..length]).unwrap();
    stream.write_all(nonce.answer_line().as_bytes()).unwrap();
    into.clear();
    stream.read_to_end(into).unwrap();
}

/// Connects, asks, and reads to the end. The answer is left in `into`.
pub(crate) fn ask(socket: &Path, request: &[u8], into: &mut Vec<u8>) {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(request).unwrap();
    into.clear();
    stream.read_to_end(into).unwrap();
}

/// The line protocol's request for a decision.
pub(crate) const ATTEST: &[u8] = b"attest\n";
/// The same over HTTP, on a connection of its own.
pub(crate) const ATTEST_HTTP_ONCE: &[u8] =
    b"GET /v1/attest HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
/// The same over HTTP, on a connection that stays.
pub(crate) const ATTEST_HTTP: &[u8] = b"GET /v1/attest HTTP/1.1\r\nhost: localhost\r\n\r\n";
/// Health needs no decision: what remains is the transport, and knowing who connected.
pub(crate) const PING: &[u8] = b"ping\n";

/// An HTTP connection that is kept.
pub(crate) struct Held {
    stream: UnixStream,
    answer: Vec<u8>,
}

impl Held {
    pub(crate) fn connect(socket: &Path) -> Self {
        Self { stream: UnixStream::connect(socket).unwrap(), answer: Vec::new() }
    }

    /// One request and its whole answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> &[u8] {
        self.stream.write_all(request).unwrap();
        self.answer.clear();
        let mut chunk = [0; 8192];
        while !whole(&self.answer) {
            let length = self.stream.read(&mut chunk).unwrap();
            assert!(length > 0, "closed: {:?}", String::from_utf8_lossy(&self.answer));
            self.answer.extend_from_slice(&chunk[..length]);
        }
        &self.answer
    }
}

fn whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return false;
    };
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    answer.len() == end + 4 + length.parse::<usize>().unwrap()
}

/// Whether an answer has these words.
pub(crate) fn says(answer: &[u8], words: &str) -> bool {
    String::from_utf8_lossy(answer).contains(words)
}
