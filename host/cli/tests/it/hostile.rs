//! What is not a request gets one clear answer and costs nobody else anything.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    time::Duration,
};

use serde_json::Value;
use witgate_client::Client;
use witgate_testkit::{child::Actor, daemon::Daemon};

use crate::{converse, folder};

fn reason(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let body = text.find('{').map_or("", |at| &text[at..]);
    let problem: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{text:?}"));
    problem["reason"].as_str().unwrap().to_owned()
}

// #49, #50
#[test]
fn each_wrong_beginning_has_one_answer() {
    let daemon = folder().serve();
    let ask = |request: &[u8]| reason(&converse(&daemon.socket(), request));
    assert_eq!(ask(b"\x16\x03\x01\x02\x00\x01"), "bad_request", "a TLS hello");
    assert_eq!(ask(b"\0\0\0\0"), "bad_request");
    assert_eq!(ask(b"{\"attest\":1}\n"), "bad_request");
    assert_eq!(ask(b"attestt\n"), "bad_request");
    assert_eq!(ask(b"attest uid=0\n"), "bad_request");
    assert_eq!(ask(&b"a".repeat(100_000)), "too_large");
    assert_eq!(
        ask(&[b"GET /v1/attest HTTP/1.1\r\nx: ".to_vec(), b"y".repeat(100_000)].concat()),
        "too_large"
    );
    assert_eq!(
        ask(b"GET /v2/attest HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
        "not_found"
    );
    assert_eq!(
        ask(b"POST /v1/attest HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
        "method_not_allowed"
    );
    assert_eq!(
        ask(b"GET /v1/attest?uid=0 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
        "bad_request"
    );
    let body = b"GET /v1/attest HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello";
    assert_eq!(ask(body), "bad_request", "a request has no body");
    assert!(Client::new(daemon.socket()).attest().is_ok(), "and the daemon goes on");
}

#[test]
fn a_request_that_breaks_off_is_answered() {
    let daemon = folder().serve();
    for half in [&b"atte"[..], b"GET /v1/att"] {
        let mut stream = UnixStream::connect(daemon.socket()).unwrap();
        stream.write_all(half).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert_eq!(reason(&answer), "bad_request");
    }
}

#[test]
fn whoever_says_nothing_is_let_go_and_whoever_dawdles_is_told() {
    let daemon = folder().serve();
    let silent = UnixStream::connect(daemon.socket()).unwrap();
    let mut slow = UnixStream::connect(daemon.socket()).unwrap();
    slow.write_all(b"att").unwrap();
    let read = |mut stream: UnixStream| {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        reason(&answer)
    };
    assert_eq!(read(slow), "timeout");
    assert_eq!(read(silent), "timeout");
}

// #49: whoever asks and asks and never reads is cut off, and cannot keep the daemon writing.
#[test]
fn whoever_does_not_read_is_cut_off() {
    let daemon = folder().serve();
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    let request = b"GET /v1/health HTTP/1.1\r\nhost: x\r\n\r\n";
    let started = std::time::Instant::now();
    // Blocks once both directions are full, and fails once the other end has closed.
    while stream.write_all(request).is_ok() {
        assert!(started.elapsed() < Duration::from_secs(60), "never cut off");
    }
    assert!(Client::new(daemon.socket()).attest().is_ok());
}

/// The answer to one `attest` of an actor.
fn attest(daemon: &Daemon, actor: Actor) -> Value {
    let actor = actor.connect(daemon.socket());
    actor.send(b"attest\n");
    serde_json::from_slice(&actor.receive_to_end()).unwrap()
}

// #48: one uid holds all it can; another one does not notice.
#[test]
fn idle_connections_of_one_uid_are_capped() {
    let folder = folder();
    folder.write("witgate.toml", "[limits]\nconnections_per_bucket = 8\n");
    let daemon = folder.serve();
    let hoarder = Actor::spawn().groups(&[]).gid(1000).uid(1000);
    let hoarder = (0..9).fold(hoarder, |hoarder, _| {
        hoarder.connect_again(daemon.socket());
        hoarder
    });
    // Connections that arrive together are admitted in any order.
    daemon.eventually("the cap", || {
        let refused = attest(&daemon, Actor::spawn().groups(&[]).gid(1000).uid(1000));
        refused["reason"] == "rate_limited" && refused["status"] == 429
    });
    assert_eq!(attest(&daemon, Actor::spawn())["decision"], "allow");
    drop(hoarder);
    daemon.eventually("the place of a dead process", || {
        attest(&daemon, Actor::spawn().groups(&[]).gid(1000).uid(1000))["reason"]
            == "no_matching_entry"
    });
}

// #46: a flood is turned away before it costs anything; root asks meanwhile and is answered.
#[test]
fn a_flood_of_one_uid_is_turned_away() {
    let folder = folder();
    folder.write("witgate.toml", "[limits]\nrequests_per_second = 5\nrequest_burst = 10\n");
    let daemon = folder.serve();
    let flood = Actor::spawn().groups(&[]).gid(1000).uid(1000);
    let mut reasons = Vec::new();
    for _ in 0..50 {
        flood.connect_again(daemon.socket());
        flood.send(b"attest\n");
        let answer: Value = serde_json::from_slice(&flood.receive_to_end()).unwrap();
        reasons.push(answer["reason"].as_str().unwrap().to_owned());
    }
    let limited = reasons.iter().filter(|reason| *reason == "rate_limited").count();
    assert!(limited > 20, "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason == "no_matching_entry"), "{reasons:?}");
    assert_eq!(attest(&daemon, Actor::spawn())["decision"], "allow");
    let metrics = crate::admin::get(&daemon, "/metrics");
    assert!(metrics.contains("witgate_rate_limited_total{scope=\"connection\"}"), "{metrics}");
}

// #77: what a process calls itself stays text, in answers and in the why.
#[test]
fn a_hostile_name_cannot_move_the_cursor() {
    let daemon = folder().serve();
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let program = dir.path().join("evil\n\x1b[2J<script>\u{202e}x");
    // By another process, as in the test kit: a descriptor of ours would be inherited.
    let copied = std::process::Command::new("cp")
        .arg(daemon.folder.path().with_file_name("witgate"))
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    let output = std::process::Command::new(&program)
        .args(["attest", "--json", "--dir"])
        .arg(daemon.folder.path())
        .output()
        .unwrap();
    let raw = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(!raw.contains('\x1b') && !raw.contains('\u{202e}'), "{raw:?}");
    let id = crate::json(&output)["decision_id"].as_str().unwrap().to_owned();
    for arguments in [&["why", &id][..], &["why", &id, "--json"], &["why", "--denied"]] {
        let said = witgate_testkit::daemon::text(&daemon.run(arguments));
        assert!(!said.contains('\x1b') && !said.contains('\u{202e}'), "{said:?}");
    }
}
