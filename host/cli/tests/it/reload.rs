//! What a reload changes, what it cannot break, and what time changes by itself.

use std::process::Command;

use witgate_client::Client;
use witgate_protocol::{Outcome, Reason, WatchEvent};
use witgate_testkit::{child::Actor, daemon::text};

use crate::folder;

#[test]
fn a_pipe_among_the_entries_is_an_error_and_not_a_wait_for_ever() {
    let daemon = folder().serve();
    let pipe = daemon.folder.path().join("entries.d/pipe.toml");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reload = daemon.run(&["reload"]);
    assert_eq!(reload.status.code(), Some(78));
    assert!(text(&reload).contains("not a regular file"), "{}", text(&reload));
    assert!(Client::new(daemon.socket()).attest().is_ok(), "and the daemon goes on");
    let (status, _folder) = daemon.stop();
    assert!(status.success());
}

#[test]
fn a_reload_takes_a_role_away_and_says_what_needs_a_restart() {
    let folder = folder();
    let config = |admin: &str, burst: u32| {
        format!(
            "[listen.admin]\nmode = \"0666\"\nadmin = {{ uids = [{admin}] }}\n[limits]\nrequest_burst = {burst}\n"
        )
    };
    folder.write("witgate.toml", config("1001", 100));
    let daemon = folder.serve();
    let dir = daemon.folder.path().join("admin");
    std::fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ask = || {
        let actor =
            Actor::spawn().groups(&[]).gid(1001).uid(1001).connect(daemon.folder.admin_socket());
        actor.send(b"GET /api/v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        String::from_utf8(actor.receive_to_end()).unwrap()
    };
    assert!(ask().starts_with("HTTP/1.1 200"));
    daemon.folder.write("witgate.toml", config("", 200));
    let reload = daemon.run(&["reload"]);
    assert!(reload.status.success(), "{}", text(&reload));
    assert!(text(&reload).contains("limits was changed and needs a restart"), "{}", text(&reload));
    assert!(ask().starts_with("HTTP/1.1 403"));
}

#[test]
fn every_mistake_is_told_whatever_else_is_wrong() {
    let folder = folder();
    folder.write("entries.d/a.toml", "[[entry]]\nname = \"a\"\nidentity = \"/a\"\n");
    folder.write("plugins/bad.wasm", "nonsense");
    folder.write("witgate.toml", "[plugins.bad]\nsource = \"bad.wasm\"\n");
    let said = text(&folder.run(&["serve"]));
    assert!(said.contains("bad.wasm") && said.contains("a.toml:1"), "{said}");
}

#[test]
fn a_watch_learns_that_its_identity_has_expired() {
    let folder = folder();
    let ends = jiff::Timestamp::now().as_second() + 3;
    let ends = jiff::Timestamp::from_second(ends).unwrap();
    folder.write(
        "entries.d/a.toml",
        format!("[[entry]]\nname = \"brief\"\nidentity = \"/brief\"\nmatch = {{ unix.uid = 0 }}\nexpires = {ends}\n"),
    );
    let daemon = folder.serve();
    let mut refused = None;
    for event in Client::new(daemon.socket()).watch().unwrap() {
        match event.unwrap() {
            WatchEvent::Decision { outcome, .. } | WatchEvent::Changed { outcome, .. } => {
                if let Outcome::Refuse(problem) = outcome {
                    refused = Some(problem.reason);
                    break;
                }
            }
            WatchEvent::Ended { reason, .. } => panic!("ended: {reason}"),
        }
    }
    assert_eq!(refused, Some(Reason::NoMatchingEntry));
}

#[test]
fn the_first_refusal_on_a_host_without_entries_suggests_an_entry() {
    let folder = folder();
    folder.write("entries.d/none.toml", "# nothing yet\n");
    let daemon = folder.serve();
    let refused = crate::json(&daemon.run(&["attest", "--json"]));
    let id = refused["decision_id"].as_str().unwrap().to_owned();
    let suggested = daemon.run(&["entry", "suggest", &id]);
    daemon.folder.write("entries.d/none.toml", &suggested.stdout);
    assert!(daemon.run(&["reload"]).status.success(), "{}", text(&suggested));
    assert!(Client::new(daemon.socket()).attest().is_ok(), "{}", text(&suggested));
}
