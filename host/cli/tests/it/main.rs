//! The real daemon, the real command, real processes.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod admin;
mod ask;
mod author;
mod broker;
mod challenge;
mod command;
mod confined;
mod containers;
mod doubts;
mod examples;
mod fixture_record;
mod generations;
mod hang;
mod hostile;
mod hot_reload;
mod http2;
mod identities;
mod kills;
mod kubelet;
mod life;
mod load;
mod place;
mod plugin_add;
mod plugins;
mod privileges;
mod reload;
mod senders;
mod supply;
mod take_over;
mod why;

use serde_json::Value;
use witgate_testkit::daemon::Folder;

/// An empty folder for the binary under test.
fn folder() -> Folder {
    Folder::new(env!("CARGO_BIN_EXE_witgate"))
}

/// The JSON that a program printed.
fn json(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", witgate_testkit::daemon::text(output)))
}

/// One request on a fresh connection; everything that comes back until the other end closes.
fn converse(socket: &std::path::Path, request: &[u8]) -> Vec<u8> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    // A daemon that refuses early may close before it has read everything.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}
