//! A forged executable gives no identity, and the why says what speaks against it.

use serde_json::Value;
use witgate_testkit::{child::Actor, daemon::Daemon};

use crate::{folder, json};

const ENTRIES: &str = r#"
[[entry]]
name = "sleep"
identity = "/sleep"
match = { unix.path = "/usr/bin/sleep" }
weak = true

[[entry]]
name = "untraced"
identity = "/untraced"
match = { unix.uid = ["1002", "1003"] }
unless = { unix.doubt = "traced" }
weak = true
"#;

fn serve() -> Daemon {
    let folder = folder();
    folder.write("entries.d/doubts.toml", ENTRIES);
    folder.serve()
}

fn ask(actor: Actor, daemon: &Daemon) -> (Actor, Value) {
    let actor = actor.connect(daemon.socket());
    actor.send(b"attest\n");
    let answer = actor.receive_to_end();
    (actor, serde_json::from_slice(&answer).unwrap())
}

fn facts(daemon: &Daemon, answer: &Value) -> String {
    json(&daemon.run(&["why", answer["decision_id"].as_str().unwrap(), "--json"]))["facts"]
        .to_string()
}

// #26
#[test]
fn a_forged_executable_gives_nothing_and_the_why_says_so() {
    let daemon = serve();
    let forger = Actor::spawn().uid(1001);
    forger.forge_executable_outside("/usr/bin/sleep", false);
    let (_forger, answer) = ask(forger, &daemon);
    // What cannot be said of it is unknown, and unknown never grants.
    assert!(answer["identities"].as_array().is_none_or(Vec::is_empty), "{answer}");
    let facts = facts(&daemon, &answer);
    assert!(facts.contains("exe_not_mapped") && facts.contains("withheld"), "{facts}");
}

/// #27, for entries that say that they are weak: the known limit.
#[test]
fn who_maps_the_file_as_well_gets_a_weak_entry() {
    let daemon = serve();
    let forger = Actor::spawn().uid(1001);
    forger.forge_executable_outside("/usr/bin/sleep", true);
    let (_forger, answer) = ask(forger, &daemon);
    assert!(answer.to_string().contains("spiffe://dev.internal/sleep"), "{answer}");
}

// #30
#[test]
fn an_entry_can_turn_away_who_is_traced() {
    let daemon = serve();
    let (_actor, answer) = ask(Actor::spawn().uid(1002), &daemon);
    assert!(answer.to_string().contains("spiffe://dev.internal/untraced"), "{answer}");
    let actor = Actor::spawn().uid(1003);
    let pid = nix::unistd::Pid::from_raw(actor.pid());
    nix::sys::ptrace::seize(pid, nix::sys::ptrace::Options::empty()).unwrap();
    let (_actor, answer) = ask(actor, &daemon);
    assert_eq!(answer["decision"], "deny", "{answer}");
    assert!(facts(&daemon, &answer).contains("traced"));
}
