//! Every decision can be explained, also later.

use serde_json::Value;
use witgate_testkit::{
    child::Actor,
    daemon::{Daemon, text},
};

use crate::{folder, json};

fn denied(daemon: &Daemon) -> String {
    let actor = Actor::spawn().groups(&[]).gid(1000).uid(1000).connect(daemon.socket());
    actor.send(b"attest\n");
    let answer: Value = serde_json::from_slice(&actor.receive_to_end()).unwrap();
    assert_eq!(answer["decision"], "deny");
    answer["decision_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_refusal_says_what_was_missing_and_how_to_mend_it() {
    let daemon = folder().serve();
    let id = denied(&daemon);
    let said = text(&daemon.run(&["why", &id]));
    for part in [
        "DENY",
        "no_matching_entry",
        "dev-owner",
        "missing unix.uid",
        "wanted 0",
        "have 1000",
        "example.toml:",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let detail = json(&daemon.run(&["why", &id, "--json"]));
    assert_eq!(detail["id"], id.as_str());
    assert_eq!(detail["considered"][0]["entry"], "dev-owner");
    let levels: Vec<_> =
        detail["facts"].as_array().unwrap().iter().map(|f| f["assurance"].clone()).collect();
    assert!(levels.contains(&"kernel".into()), "{levels:?}");

    // The suggestion is an entry that can be pasted, and then it allows.
    let suggested = daemon.run(&["entry", "suggest", &id]);
    assert!(suggested.status.success(), "{}", text(&suggested));
    daemon.folder.write("entries.d/suggested.toml", &suggested.stdout);
    let check = daemon.run(&["entry", "check"]);
    assert!(check.status.success(), "{}\n{}", text(&suggested), text(&check));
    assert!(daemon.run(&["reload"]).status.success());
    let actor = Actor::spawn().groups(&[]).gid(1000).uid(1000).connect(daemon.socket());
    actor.send(b"attest\n");
    let answer: Value = serde_json::from_slice(&actor.receive_to_end()).unwrap();
    assert_eq!(answer["decision"], "allow", "{}", text(&suggested));
}

#[test]
fn a_crash_loop_is_counted_and_not_kept() {
    let daemon = folder().serve();
    let first = denied(&daemon);
    for _ in 0..5 {
        denied(&daemon);
    }
    let list = text(&daemon.run(&["why", "--denied"]));
    assert_eq!(list.lines().count(), 1, "{list}");
    assert!(list.contains(&first) && list.contains("and 5 more"), "{list}");
    let repeated = denied(&daemon);
    let said = text(&daemon.run(&["why", &repeated]));
    assert!(said.contains(&first) && said.contains("6 more times"), "{said}");
}

#[test]
fn a_decision_is_found_after_a_restart() {
    let daemon = folder().serve();
    let answer = json(&daemon.run(&["attest", "--json"]));
    let id = answer["decision_id"].as_str().unwrap().to_owned();
    let (_, folder) = daemon.stop();
    let daemon = folder.serve();
    let said = text(&daemon.run(&["why", &id]));
    assert!(said.contains(&id) && said.contains("ALLOW") && said.contains("dev/root"), "{said}");

    let node = id.rsplit_once('-').unwrap().0;
    let never = format!("{node}-00000000000000000000000000");
    let not_found = daemon.run(&["why", &never]);
    assert_eq!(not_found.status.code(), Some(1));
    assert!(text(&not_found).contains("nor in the audit log"), "{}", text(&not_found));
    let elsewhere = text(&daemon.run(&["why", "othernode-00000000000000000000000000"]));
    assert!(elsewhere.contains("was decided on \"othernode\""), "{elsewhere}");
}

#[test]
fn what_changed_since_the_last_allow_comes_first() {
    let daemon = folder().serve();
    let allowed = json(&daemon.run(&["attest", "--json"]));
    daemon.folder.write(
        "entries.d/example.toml",
        "[[entry]]\nname = \"other\"\nidentity = \"/x\"\nmatch = { unix.uid = 7 }\n",
    );
    assert!(daemon.run(&["reload"]).status.success());
    assert_eq!(daemon.run(&["attest", "--json"]).status.code(), Some(1));
    let said = text(&daemon.run(&["why", "--last"]));
    let since = format!("changed since {}", allowed["decision_id"].as_str().unwrap());
    assert!(said.contains(&since) && said.contains("the entries are others"), "{said}");
}

#[test]
fn a_dry_run_explains_a_process_that_did_not_ask_and_gives_nothing() {
    let daemon = folder().serve();
    let actor = Actor::spawn().groups(&[]).gid(1000).uid(1000);
    let pid = actor.pid().to_string();
    let detail = json(&daemon.run(&["why", "--pid", &pid, "--json"]));
    assert_eq!((&detail["protocol"], &detail["you"]["uid"]), (&"dry_run".into(), &1000.into()));
    let selectors = detail["attestors"].to_string();
    assert!(selectors.contains("sha256"), "a dry run asks for everything: {selectors}");
    let before = json(&daemon.run(&["status", "--json"]));
    assert_eq!(before["horizon"]["kept"], 0, "it is not a decision");
    assert_eq!(daemon.run(&["why", "--pid", "999999999"]).status.code(), Some(1));
}

#[test]
fn doctor_knows_this_kernel() {
    let report = json(&folder().command(&["doctor", "--json"]).output().unwrap());
    assert_eq!(report["may_serve"], true);
    assert!(report["capabilities"].as_array().unwrap().len() >= 5, "{report}");
}
