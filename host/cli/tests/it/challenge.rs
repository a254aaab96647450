//! Whoever asks can be made to show that it, and not what it became, is asking.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    process::Command,
};

use serde_json::Value;
use witgate_protocol::Nonce;
use witgate_testkit::{child::Actor, daemon::Daemon};

use crate::{folder, json};

/// Identities for those of root who are challenged, and for those who are not.
const ENTRIES: &str = r#"
[[entry]]
name = "challenged"
identity = "/challenged"
match = { unix.uid = "0" }
require = ["challenged"]

[[entry]]
name = "any"
identity = "/any"
match = { unix.gid = "0" }
"#;

/// An entry that wants to know what file is run.
const HERE: &str = r#"
[[entry]]
name = "here"
identity = "/here"
match = { unix.uid = "0" }
like = { unix.path = "/**" }
"#;

fn serve(entries: &str) -> Daemon {
    let folder = folder();
    folder.write("entries.d/challenge.toml", entries);
    folder.serve()
}

fn identities(answer: &Value) -> Vec<&str> {
    let all = answer["identities"].as_array().unwrap_or_else(|| panic!("{answer}"));
    all.iter()
        .map(|identity| {
            identity["id"].as_str().unwrap().trim_start_matches("spiffe://dev.internal")
        })
        .filter(|path| !path.starts_with("/dev/"))
        .collect()
}

fn parse(answer: &[u8]) -> Value {
    serde_json::from_slice(answer)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(answer)))
}

/// Asks, and gets as far as the challenge.
fn challenged(daemon: &Daemon, actor: Actor) -> (Actor, Nonce) {
    let actor = actor.connect(daemon.socket());
    actor.send(b"attest challenge=yes\n");
    let nonce = serde_json::from_slice(&actor.receive()).unwrap();
    (actor, nonce)
}

fn reason(actor: &Actor) -> String {
    parse(&actor.receive_to_end())["reason"].as_str().unwrap_or("none").to_owned()
}

#[test]
fn our_own_clients_answer_by_themselves_and_others_may_not() {
    let daemon = serve(ENTRIES);
    let ours = json(&daemon.run(&["attest", "--json"]));
    assert_eq!(
        (&ours["challenged"], identities(&ours)),
        (&true.into(), vec!["/any", "/challenged"])
    );
    let curl = Command::new("curl")
        .args(["--silent", "--fail", "--unix-socket"])
        .arg(daemon.socket())
        .arg("http://localhost/v1/attest")
        .output()
        .unwrap();
    let curl = json(&curl);
    assert_eq!((&curl["challenged"], identities(&curl)), (&false.into(), vec!["/any"]));
    let why = json(&daemon.run(&["why", ours["decision_id"].as_str().unwrap(), "--json"]));
    assert_eq!((&why["challenged"], &why["exec_watch"]), (&true.into(), &"event".into()));
}

/// What a program's file is worth in a decision.
fn worth_of_path(daemon: &Daemon, answer: &Value) -> Value {
    let id = answer["decision_id"].as_str().unwrap_or_else(|| panic!("{answer}"));
    let why = json(&daemon.run(&["why", id, "--json"]));
    let attestors = why["attestors"].as_array().unwrap().clone();
    let selectors = attestors.iter().flat_map(|attestor| attestor["selectors"].as_array().unwrap());
    selectors.clone().find(|attested| attested["key"] == "path").unwrap_or_else(|| panic!("{why}"))
        ["assurance"]
        .clone()
}

// #10
#[test]
fn what_a_process_runs_is_claimed_until_it_has_answered() {
    let daemon = serve(HERE);
    let actor = Actor::spawn().connect(daemon.socket());
    actor.send(b"attest\n");
    assert_eq!(worth_of_path(&daemon, &parse(&actor.receive_to_end())), "claimed");
    let (actor, nonce) = challenged(&daemon, Actor::spawn());
    actor.send(nonce.answer_line().as_bytes());
    assert_eq!(worth_of_path(&daemon, &parse(&actor.receive_to_end())), "image");
}

// #14
#[test]
fn whoever_only_repeats_what_it_reads_has_not_answered() {
    let daemon = serve(ENTRIES);
    for echo in [
        |nonce: &Nonce| format!("{}\n", serde_json::to_string(nonce).unwrap()),
        |nonce: &Nonce| format!("challenge {}\n", nonce.challenge),
        |_: &Nonce| Nonce::new([0; 8]).answer_line(),
        |_: &Nonce| "attest\n".to_owned(),
        |_: &Nonce| "x".repeat(5000),
    ] {
        let (actor, nonce) = challenged(&daemon, Actor::spawn());
        actor.send(echo(&nonce).as_bytes());
        assert_eq!(reason(&actor), "challenge_failed");
    }
    // The real program that repeats.
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "mkfifo p; (echo attest challenge=yes; cat p) | nc -U {} | tee p out >/dev/null; cat out",
            daemon.socket().display()
        ))
        .current_dir(daemon.folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("challenge_failed"), "{said}");
}

// #10
#[test]
fn a_process_that_becomes_another_program_does_not_answer() {
    let daemon = serve(ENTRIES);
    let (actor, nonce) = challenged(&daemon, Actor::spawn());
    let child = actor.fork();
    actor.exec("/bin/sleep", &["1000"]);
    // Its helper knows the answer, and is another process.
    child.send(nonce.answer_line().as_bytes());
    assert_eq!(reason(&child), "sender_differs");
    // Nor is an answer of the old program one of the new.
    let (actor, nonce) = challenged(&daemon, Actor::spawn());
    let child = actor.fork();
    actor.send(&nonce.answer_line().as_bytes()[..20]);
    actor.exec("/bin/sleep", &["1000"]);
    assert_eq!(reason(&child), "challenge_failed");
}

// #10, and the client that knows nothing of it.
#[test]
fn over_http_2_an_honest_client_answers_without_knowing() {
    let daemon = serve(ENTRIES);
    let curl = |paths: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--http2-prior-knowledge", "--unix-socket"]).arg(daemon.socket());
        curl.args(paths.iter().map(|path| format!("http://localhost{path}"))).output().unwrap()
    };
    let answer = json(&curl(&["/v1/attest"]));
    let expected = (&true.into(), vec!["/any", "/challenged"]);
    assert_eq!((&answer["challenged"], identities(&answer)), expected);
    assert!(answer["you"]["exe"].as_str().unwrap().ends_with("curl"));
    let refused = json(&curl(&["/v1/nothing"]));
    assert_eq!(refused["reason"], "not_found");
}

/// One answer of HTTP/1.1: status line and headers, and the body.
fn exchange(stream: &mut UnixStream, authorization: &str) -> (String, Value) {
    write!(stream, "GET /v1/attest HTTP/1.1\r\nhost: x\r\n{authorization}\r\n").unwrap();
    let mut read = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).unwrap();
        read.extend_from_slice(&chunk[..length]);
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.ends_with('\n')
        {
            return (head.to_lowercase(), parse(body.as_bytes()));
        }
        assert_ne!(length, 0, "{text}");
    }
}

#[test]
fn over_http_1_the_next_request_answers() {
    let daemon = serve(ENTRIES);
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    let (head, body) = exchange(&mut stream, "authorization: Witgate\r\n");
    let nonce: Nonce = serde_json::from_value(body).unwrap();
    assert!(head.starts_with("http/1.1 401"), "{head}");
    assert!(head.contains(&format!("www-authenticate: witgate nonce=\"{}\"", nonce.challenge)));
    let answer = format!("authorization: Witgate {}\r\n", nonce.answer());
    let (_, body) = exchange(&mut stream, &answer);
    assert_eq!(
        (&body["challenged"], identities(&body)),
        (&true.into(), vec!["/any", "/challenged"])
    );
    // It holds for the connection, as long as the program is the same.
    let (_, body) = exchange(&mut stream, "");
    assert_eq!(body["challenged"], true);
    // An answer is good once.
    let (head, body) = exchange(&mut stream, &answer);
    assert!(head.starts_with("http/1.1 400"), "{head}");
    assert_eq!(body["reason"], "challenge_failed");
    // And only the right one, on its own connection.
    let mut other = UnixStream::connect(daemon.socket()).unwrap();
    assert_eq!(exchange(&mut other, &answer).1["reason"], "challenge_failed");
    let (_, body) = exchange(&mut other, "authorization: Witgate\r\n");
    assert_ne!(body["challenge"], nonce.challenge.as_str());
    assert_eq!(exchange(&mut other, &answer).1["reason"], "challenge_failed");
    assert_eq!(exchange(&mut other, "").1["challenged"], false);
    // Another scheme is somebody else's.
    let (_, body) = exchange(&mut other, "authorization: Bearer x\r\n");
    assert_eq!(body["decision"], "allow");
}

// #63
#[test]
fn a_stream_ends_when_its_process_becomes_another_program() {
    let daemon = serve(ENTRIES);
    for ask in ["watch\n", "GET /v1/watch HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"] {
        let actor = Actor::spawn().connect(daemon.socket());
        actor.send(ask.as_bytes());
        let first = actor.receive();
        assert!(String::from_utf8_lossy(&first).contains("\"decision\""), "{first:?}");
        let child = actor.fork();
        actor.exec("/bin/sleep", &["1000"]);
        let last = String::from_utf8_lossy(&child.receive_to_end()).into_owned();
        assert!(last.contains("\"ended\"") && last.contains("subject_changed"), "{last}");
    }
}
