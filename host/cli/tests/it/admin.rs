//! The admin socket: who may look, and what they see.

use std::process::Command;

use serde_json::Value;
use witgate_client::Client;
use witgate_testkit::{child::Actor, daemon::Daemon};

use crate::{converse, folder};

/// The body of an admin answer.
pub(crate) fn get(daemon: &Daemon, path: &str) -> String {
    let output = Command::new("curl")
        .args(["--silent", "--unix-socket"])
        .arg(daemon.folder.admin_socket())
        .arg(format!("http://localhost{path}"))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn get_json(daemon: &Daemon, path: &str) -> Value {
    let body = get(daemon, path);
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

#[test]
fn health_metrics_and_what_is_loaded() {
    let daemon = folder().serve();
    assert!(Client::new(daemon.socket()).attest().is_ok());
    assert_eq!(get(&daemon, "/livez"), "ok\n");
    assert_eq!(get_json(&daemon, "/readyz")["ready"], true);
    let metrics = get(&daemon, "/metrics");
    for line in [
        "witgate_decisions_total{decision=\"allow\",reason=\"\",protocol=\"line\"} 1",
        "witgate_decision_duration_seconds_count 1",
        "witgate_plugin_calls_total{plugin=\"unix\",result=\"reported\"}",
        "witgate_config_last_reload_successful 1",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    let plugins = get_json(&daemon, "/api/v1/plugins");
    let names: Vec<_> =
        plugins.as_array().unwrap().iter().map(|plugin| plugin["name"].clone()).collect();
    assert!(names.contains(&"unix".into()) && names.contains(&"container".into()), "{names:?}");
    let entries = get_json(&daemon, "/api/v1/entries");
    assert_eq!(
        (&entries["total"], &entries["entries"][0]["entry"]),
        (&1.into(), &"dev-owner".into())
    );
    let status = get_json(&daemon, "/api/v1/status");
    assert_eq!((&status["tier"], &status["audit"]["state"]), (&"A".into(), &"writing".into()));
    assert_eq!(get_json(&daemon, "/api/v2")["status"], 404);
}

#[test]
fn decisions_are_listed_page_by_page_and_filtered() {
    let daemon = folder().serve();
    for _ in 0..5 {
        assert!(Client::new(daemon.socket()).attest().is_ok());
    }
    let actor = Actor::spawn().groups(&[]).gid(1000).uid(1000).connect(daemon.socket());
    actor.send(b"attest\n");
    let _ = actor.receive_to_end();
    let page = get_json(&daemon, "/api/v1/decisions?limit=4");
    assert_eq!(page["decisions"].as_array().unwrap().len(), 4);
    let next = get_json(&daemon, &format!("/api/v1/decisions?limit=4&before={}", page["next"]));
    assert_eq!(next["decisions"].as_array().unwrap().len(), 2);
    assert!(next["next"].is_null());
    let denied = get_json(&daemon, "/api/v1/decisions?decision=deny&since=1h");
    assert_eq!(denied["decisions"].as_array().unwrap().len(), 1);
    assert_eq!(denied["decisions"][0]["you"]["uid"], 1000);
    assert_eq!(get_json(&daemon, "/api/v1/decisions?decision=maybe")["status"], 400);
    assert!(get(&daemon, "/api/v1/decisions?surprise=1").contains("surprise"));
}

// #79: the kernel says who is on the other end, and whoever is in no list gets nothing.
#[test]
fn only_who_is_listed_may_look_and_only_administrators_may_act() {
    let folder = folder();
    folder.write(
        "witgate.toml",
        "[listen.admin]\nmode = \"0666\"\nview = { uids = [1001] }\nadmin = { gids = [60] }\n",
    );
    let daemon = folder.serve();
    let public = daemon.folder.path().join("admin");
    std::fs::set_permissions(public, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ask = |uid: u32, groups: &[u32], request: &str| {
        let actor =
            Actor::spawn().groups(groups).gid(uid).uid(uid).connect(daemon.folder.admin_socket());
        actor.send(request.as_bytes());
        String::from_utf8(actor.receive_to_end()).unwrap()
    };
    let status = "GET /api/v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let reload = "POST /api/v1/reload HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let dry_run = "GET /api/v1/why/pid/1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    assert!(ask(1000, &[], status).starts_with("HTTP/1.1 403"));
    assert!(ask(1001, &[], status).starts_with("HTTP/1.1 200"));
    assert!(ask(1001, &[], reload).starts_with("HTTP/1.1 403"));
    assert!(ask(1001, &[], dry_run).starts_with("HTTP/1.1 403"));
    assert!(ask(1002, &[60], reload).starts_with("HTTP/1.1 200"));
    let answer =
        String::from_utf8(converse(&daemon.folder.admin_socket(), status.as_bytes())).unwrap();
    assert!(answer.contains("cache-control: no-store"), "{answer}");
}
