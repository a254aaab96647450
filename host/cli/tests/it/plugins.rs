//! A plugin that misbehaves in a running daemon costs its own selectors and nothing else.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    os::unix::net::UnixListener,
    path::Path,
};

use serde_json::Value;
use witgate_attestor::inspect;
use witgate_client::Client;
use witgate_testkit::{
    child::Actor,
    daemon::{Daemon, Folder, text},
};

use crate::{admin::get, folder, json};

/// A daemon with the built-in attestors and one fixture guest.
fn serve_with(fixture: &str, required: bool) -> Daemon {
    let folder = folder();
    let guest =
        witgate_builtins::fixtures::find(fixture).unwrap_or_else(|| panic!("no fixture {fixture}"));
    folder.write("plugins/guest.wasm", guest);
    folder.write(
        "witgate.toml",
        format!(
            "[plugins.unix]\nsource = \"builtin:unix\"\n[plugins.container]\nsource = \"builtin:container\"\n\
             [plugins.guest]\nsource = \"guest.wasm\"\nrequired = {required}\n"
        ),
    );
    // The owner's entry, and one that makes somebody want the guest's only key.
    folder.write(
        "entries.d/entries.toml",
        "[[entry]]\nname = \"root\"\nidentity = \"/root\"\nmatch = { unix.uid = 0 }\n\
         [[entry]]\nname = \"guest\"\nidentity = \"/guest\"\nmatch = { unix.uid = 0, guest.uid = \"never\" }\n",
    );
    folder.serve()
}

#[test]
fn the_others_do_not_notice() {
    for fixture in ["busy-loop", "hoard", "panic"] {
        let daemon = serve_with(fixture, false);
        let answer =
            Client::new(daemon.socket()).attest().unwrap_or_else(|e| panic!("{fixture}: {e}"));
        assert_eq!(answer.identity.path(), "/root", "{fixture}");
        let detail = json(&daemon.run(&["why", "--last", "--json"]));
        let guest = detail["attestors"]
            .as_array()
            .unwrap()
            .iter()
            .find(|a| a["plugin"] == "guest")
            .unwrap();
        assert_ne!(guest["outcome"]["kind"], "reported", "{fixture}");
        assert!(guest["selectors"].as_array().unwrap().is_empty(), "{fixture}");
    }
}

#[test]
fn a_required_one_makes_the_decision_unavailable() {
    let daemon = serve_with("panic", true);
    let output = daemon.run(&["attest", "--json"]);
    assert_eq!(output.status.code(), Some(69), "{}", text(&output));
    assert_eq!(json(&output)["reason"], "attestor_failed");
    assert!(text(&daemon.run(&["why", "--last"])).contains("the required attestor guest"));
}

/// The guest as `why --last` and `/api/v1/plugins` show it.
fn guest_in(all: &Value, key: &str) -> Value {
    let found = all.as_array().unwrap().iter().find(|one| one[key] == "guest");
    found.unwrap_or_else(|| panic!("no guest in {all}")).clone()
}

fn plugin(daemon: &Daemon) -> Value {
    let plugins: Value = serde_json::from_str(&get(daemon, "/api/v1/plugins")).unwrap();
    guest_in(&plugins, "name")
}

fn attest(daemon: &Daemon, actor: Actor) -> Value {
    let actor = actor.connect(daemon.socket());
    actor.send(b"attest\n");
    serde_json::from_slice(&actor.receive_to_end()).unwrap()
}

/// More calls than a plugin may trap in a row, whatever lets one through now and then.
const MANY: u64 = 200;

// #67: it rests for those for whom it fails, and costs next to nothing; nobody else notices.
#[test]
fn a_plugin_that_always_traps_rests_and_only_its_selectors_are_missing() {
    let daemon = serve_with("panic", false);
    for _ in 0..MANY {
        let answer = Client::new(daemon.socket()).attest().unwrap();
        assert_eq!(answer.identity.path(), "/root");
    }
    let calls = &plugin(&daemon)["counters"]["calls"];
    let (trapped, rested) =
        (calls["trapped"].as_u64().unwrap(), calls["unavailable"].as_u64().unwrap());
    assert_eq!(trapped + rested, MANY);
    assert!(trapped >= 32 && rested > MANY / 2, "{calls}");

    // The why of one of those calls that were not made.
    let mut resting = Value::Null;
    daemon.eventually("a call that is not made", || {
        assert!(Client::new(daemon.socket()).attest().is_ok());
        let detail = json(&daemon.run(&["why", "--last", "--json"]));
        resting = guest_in(&detail["attestors"], "plugin")["outcome"].clone();
        resting["kind"] == "unavailable"
    });
    let reason = resting["reason"].as_str().unwrap();
    assert!(
        reason.contains("it failed for such processes") && reason.contains("rests"),
        "{reason}"
    );
    daemon.eventually("the rest in status and metrics", || {
        assert!(Client::new(daemon.socket()).attest().is_ok());
        let metrics = get(&daemon, "/metrics");
        plugin(&daemon)["breaker"] == serde_json::json!({ "resting-for": 1 })
            && metrics.contains("witgate_plugin_resting{plugin=\"guest\"} 1")
            && text(&daemon.run(&["status"])).contains("RESTS for 1 of those who ask")
    });

    // Another uid has not made it fail, and is looked at by it.
    let other = attest(&daemon, Actor::spawn().groups(&[]).gid(1000).uid(1000));
    let id = other["decision_id"].as_str().unwrap();
    let detail = json(&daemon.run(&["why", id, "--json"]));
    let outcome = guest_in(&detail["attestors"], "plugin")["outcome"].clone();
    assert_eq!(outcome["kind"], "trapped", "{detail}");
}

// #67, for a plugin without which nothing is decided: nothing is, at rest or not.
#[test]
fn a_required_plugin_that_always_traps_denies_also_while_it_rests() {
    let daemon = serve_with("panic", true);
    for _ in 0..MANY {
        let answer = attest(&daemon, Actor::spawn());
        assert_eq!(
            (&answer["decision"], &answer["reason"]),
            (&"unavailable".into(), &"attestor_failed".into())
        );
    }
    let calls = &plugin(&daemon)["counters"]["calls"];
    assert!(calls["unavailable"].as_u64() > Some(MANY / 2), "{calls}");
    let whoami = attest_word(&daemon, "whoami");
    assert_eq!(whoami["you"]["uid"], 0, "what needs no plugin is answered");
}

fn attest_word(daemon: &Daemon, word: &str) -> Value {
    let actor = Actor::spawn().connect(daemon.socket());
    actor.send(format!("{word}\n").as_bytes());
    serde_json::from_slice(&actor.receive_to_end()).unwrap()
}

#[test]
fn what_is_answered_without_running_the_guest_is_shown() {
    let daemon = serve_with("ok", false);
    let last = |form: &[&str]| {
        assert!(Client::new(daemon.socket()).attest().is_ok());
        daemon.run(&[&["why", "--last"][..], form].concat())
    };
    let first = json(&last(&["--json"]));
    assert_eq!(guest_in(&first["attestors"], "plugin")["from_memo"], false);
    let said = text(&last(&[]));
    assert!(said.contains("reported, from the memo"), "{said}");
    let second = json(&last(&["--json"]));
    assert_eq!(guest_in(&second["attestors"], "plugin")["from_memo"], true);
    assert!(plugin(&daemon)["memo_hits"].as_u64() >= Some(2));
    let metrics = get(&daemon, "/metrics");
    assert!(metrics.contains("witgate_plugin_memo_hits_total{plugin=\"guest\"}"), "{metrics}");
}

/// Answers everything with `hello`, until the test ends.
fn endpoint(socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 1024];
            let _ = stream.read(&mut head);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
        }
    });
}

/// A folder with the guest that reaches for things, which it was granted all.
fn folder_with_reach(what: &str, endpoint: &Path, entries: &str) -> Folder {
    let folder = folder();
    let guest = witgate_builtins::fixtures::find("reach").unwrap();
    folder.write("plugins/guest.wasm", guest);
    let asks = inspect(guest).unwrap().toml.requests;
    let asks: Vec<_> = asks.iter().map(|word| format!("\"{word}\"")).collect();
    folder.write(
        "witgate.toml",
        format!(
            "[plugins.unix]\nsource = \"builtin:unix\"\n[plugins.guest]\nsource = \"guest.wasm\"\n\
             settings = {{ reach = \"{what}\" }}\ngrants = [{}]\n\
             [endpoints.api]\nunix = \"{}\"\npaths = [\"/value\"]\n",
            asks.join(", "),
            endpoint.display()
        ),
    );
    folder.write("entries.d/entries.toml", entries);
    folder
}

/// A daemon with the guest that asks an endpoint and keeps the answer.
fn serve_with_endpoint(socket: &Path) -> Daemon {
    let entries = "[[entry]]\nname = \"root\"\nidentity = \"/root\"\nmatch = { unix.uid = 0 }\n\
         [[entry]]\nname = \"guest\"\nidentity = \"/guest\"\nweak = true\n\
         match = { unix.uid = 0, guest.answer = \"never\" }\n";
    folder_with_reach("keep for all", socket, entries).serve()
}

/// Under the daemon's own filter of calls, whoever asks.
#[test]
fn a_file_of_a_workload_is_read_with_its_own_rights() {
    let entries = "[[entry]]\nname = \"all\"\nidentity = \"/all\"\nlike = { guest.workload = \"*\" }\n\
         match = { unix.uid = [\"0\", \"3004\"] }\n";
    let daemon = folder_with_reach("workload file", Path::new("/nowhere"), entries).serve();
    for uid in [0, 3004] {
        attest(&daemon, Actor::spawn().groups(&[]).gid(uid).uid(uid));
        let said = text(&daemon.run(&["why", "--last"]));
        // It has several lines, which is no value; so it was read.
        let read = said.contains("its value is empty, too long or holds control characters");
        assert!(read && said.contains(&format!("uid {uid}")), "{said}");
    }
}

#[test]
fn what_a_decision_took_from_endpoints_and_cache_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("api.sock");
    let daemon = serve_with_endpoint(&socket);
    let last = || {
        assert!(Client::new(daemon.socket()).attest().is_ok());
        let detail = json(&daemon.run(&["why", "--last", "--json"]));
        (guest_in(&detail["attestors"], "plugin"), text(&daemon.run(&["why", "--last"])))
    };
    // Nobody is there yet.
    let (guest, said) = last();
    assert!(guest["uses"][0]["outcome"].as_str().unwrap().starts_with("nobody answers"), "{guest}");
    assert!(said.contains("endpoint api GET /value: nobody answers"), "{said}");
    let said = text(&daemon.run(&["status"]));
    assert!(said.contains("endpoint      api") && said.contains("FAILED last"), "{said}");
    // Then somebody is, and after that nobody has to be asked.
    endpoint(&socket);
    let (guest, said) = last();
    assert_eq!(
        (&guest["uses"][0]["from"], &guest["uses"][0]["outcome"]),
        (&"endpoint".into(), &"200".into())
    );
    assert!(said.contains("endpoint api GET /value: 200 in "), "{said}");
    let (guest, said) = last();
    assert_eq!(
        (&guest["uses"][0]["from"], &guest["uses"][0]["scope"]),
        (&"cache".into(), &"plugin".into())
    );
    assert!(
        guest["uses"][0]["age_ms"].is_u64() && said.contains("cache    plugin value, put"),
        "{said}"
    );

    let endpoints: Value = serde_json::from_str(&get(&daemon, "/api/v1/endpoints")).unwrap();
    assert_eq!((&endpoints[0]["requests"], &endpoints[0]["answered"]), (&2.into(), &1.into()));
    assert_eq!(endpoints[0]["errors"]["unreachable"], 1);
    let metrics = get(&daemon, "/metrics");
    for result in ["answered", "unreachable"] {
        let line =
            format!("witgate_endpoint_requests_total{{endpoint=\"api\",result=\"{result}\"}} 1");
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }
    // A reload that does not touch the endpoint leaves it and the plugin's cache as they are.
    assert!(daemon.run(&["reload"]).status.success());
    assert_eq!(last().0["uses"][0]["from"], "cache");
    let endpoints: Value = serde_json::from_str(&get(&daemon, "/api/v1/endpoints")).unwrap();
    assert_eq!(endpoints[0]["requests"], 2);
}

#[test]
fn whoever_follows_a_plugin_gets_its_lines_and_how_many_are_missing() {
    let daemon = serve_with("flood-log", false);
    let lines = |after: u64| -> Value {
        let path = format!("/api/v1/plugins/guest/lines?after={after}");
        serde_json::from_str(&get(&daemon, &path)).unwrap()
    };
    let none = lines(0);
    assert_eq!((&none["lines"], &none["dropped"]), (&serde_json::json!([]), &0.into()));
    assert!(Client::new(daemon.socket()).attest().is_ok());
    let first = lines(none["next"].as_u64().unwrap());
    let shown = first["lines"].as_array().unwrap();
    let written = first["next"].as_u64().unwrap() - none["next"].as_u64().unwrap();
    assert!(shown.len() > 3 && written > 1000, "{} of {written}", shown.len());
    assert_eq!(shown.len() as u64 + first["dropped"].as_u64().unwrap(), written);
    let numbers: Vec<_> = shown.iter().map(|line| line["number"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted() && numbers[0] > none["next"].as_u64().unwrap());
    let time: jiff::Timestamp = shown[0]["time"].as_str().unwrap().parse().unwrap();
    assert_eq!(jiff::Timestamp::now().duration_since(time).as_hours(), 0);
    let levels: BTreeSet<_> = shown.iter().filter_map(|line| line["level"].as_str()).collect();
    assert_eq!(levels, BTreeSet::from(["error", "info", "warn"]));
    assert_eq!(lines(first["next"].as_u64().unwrap())["lines"], serde_json::json!([]));

    let unknown: Value = serde_json::from_str(&get(&daemon, "/api/v1/plugins/gest/lines")).unwrap();
    assert_eq!(unknown["status"], 404);
    let detail = unknown["detail"].as_str().unwrap();
    for name in ["\"gest\"", "guest", "unix", "container"] {
        assert!(detail.contains(name), "{detail}");
    }
}
