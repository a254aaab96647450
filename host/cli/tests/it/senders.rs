//! #9: what another process writes on a connection is not listened to, and is on record.

use std::os::fd::AsFd as _;

use serde_json::Value;
use witgate_testkit::{child::Actor, daemon::Daemon};

use crate::{folder, json};

const HTTP: &[u8] = b"GET /v1/attest HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// A's connection, with which B asks.
fn asked_by_another(daemon: &Daemon, a: Actor, request: &[u8]) -> (Actor, Actor, Value) {
    let a = a.connect(daemon.socket());
    let b = Actor::spawn().uid(34);
    b.take_connection(a.give_connection().as_fd());
    b.send(request);
    let answer = String::from_utf8_lossy(&b.receive_to_end()).into_owned();
    let body = answer.find('{').map_or("", |at| &answer[at..]);
    (a, b, serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}")))
}

#[test]
fn a_request_of_another_process_is_refused_and_both_are_named() {
    let daemon = folder().serve();
    // Of users of their own: refusals of one kind to one user are counted together.
    for (uid, request) in (1001..).zip([&b"attest\n"[..], b"\n", b"watch\n", HTTP]) {
        let (a, b, problem) = asked_by_another(&daemon, Actor::spawn().uid(uid), request);
        assert_eq!(problem["reason"], "sender_differs", "{problem}");
        assert_eq!(problem["you"]["pid"], a.pid());
        let id = problem["decision_id"].as_str().unwrap();
        let why = json(&daemon.run(&["why", id, "--json"]));
        assert_eq!((&why["verdict"], &why["reason"]), (&"deny".into(), &"sender_differs".into()));
        assert_eq!((&why["sender"]["pid"], &why["sender"]["uid"]), (&b.pid().into(), &34.into()));
        let people = String::from_utf8(daemon.run(&["why", id]).stdout).unwrap();
        assert!(people.contains(&format!("pid {}", b.pid())), "{people}");
    }
}

// Between two requests of a kept connection it is noticed, too.
#[test]
fn a_second_request_of_another_process_is_not_answered() {
    let daemon = folder().serve();
    let a = Actor::spawn().connect(daemon.socket());
    a.send(b"GET /v1/attest HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(String::from_utf8_lossy(&a.receive()).contains("\"allow\""));
    let b = a.fork();
    b.send(HTTP);
    let rest = String::from_utf8_lossy(&b.receive_to_end()).into_owned();
    assert!(!rest.contains("spiffe://"), "{rest}");
    let recent = json(&daemon.run(&["why", "--denied", "--since", "1h", "--json"]));
    assert!(recent.to_string().contains("sender_differs"), "{recent}");
}

#[test]
fn where_a_listener_allows_it_every_decision_says_so() {
    let folder = folder();
    folder.write("witgate.toml", "[listen.public]\nother_senders = \"allow\"\n");
    let daemon = folder.serve();
    for request in [&b"attest\n"[..], HTTP] {
        let (a, b, answer) = asked_by_another(&daemon, Actor::spawn(), request);
        assert_eq!(
            (&answer["decision"], &answer["you"]["pid"]),
            (&"allow".into(), &a.pid().into())
        );
        let id = answer["decision_id"].as_str().unwrap();
        let why = json(&daemon.run(&["why", id, "--json"]));
        assert_eq!((&why["sender"]["pid"], &why["challenged"]), (&b.pid().into(), &false.into()));
    }
}
