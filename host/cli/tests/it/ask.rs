//! The four ways to ask, and that they agree.

use std::process::Command;

use serde_json::Value;
use witgate_client::Client;
use witgate_protocol::WatchEvent;
use witgate_testkit::{child::Actor, daemon::text};

use crate::{folder, json};

fn identities(answer: &Value) -> Vec<String> {
    let all = answer["identities"].as_array().unwrap_or_else(|| panic!("{answer}"));
    all.iter().map(|identity| identity["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_way_to_ask_gives_the_same_identities_and_names_who_asked() {
    let daemon = folder().serve();
    let socket = daemon.socket();
    let curl = Command::new("curl")
        .args(["--silent", "--fail", "--unix-socket"])
        .arg(&socket)
        .arg("http://localhost/v1/attest")
        .output()
        .unwrap();
    let shell = |line: &str| {
        let command = format!("printf '{line}' | nc -U {}", socket.display());
        Command::new("sh").args(["-c", &command]).output().unwrap()
    };
    let nc = shell("attest\\n");
    let witgate = daemon.run(&["attest", "--json"]);
    assert!(witgate.status.success());
    let client = serde_json::to_value(Client::new(&socket).attest().unwrap()).unwrap();

    let answers =
        [(json(&curl), "curl"), (json(&nc), "nc"), (json(&witgate), "witgate"), (client, "it-")];
    let expected = vec!["spiffe://dev.internal/dev/root".to_owned()];
    for (answer, program) in &answers {
        assert_eq!(answer["decision"], "allow", "{program}");
        assert_eq!(identities(answer), expected, "{program}");
        let exe = answer["you"]["exe"].as_str().unwrap();
        assert!(exe.rsplit('/').next().unwrap().starts_with(program), "{exe} is not {program}");
    }
    assert_eq!(nc.stdout.iter().filter(|byte| **byte == b'\n').count(), 1, "one line of JSON");

    let people = text(&shell("\\n"));
    assert!(
        people.contains("allow") && people.contains("spiffe://dev.internal/dev/root"),
        "{people}"
    );
    assert!(people.contains("nc"), "{people}");
}

#[test]
fn whoami_tells_what_the_kernel_says_and_no_more() {
    let daemon = folder().serve();
    let actor = Actor::spawn().groups(&[7, 8]).gid(1001).uid(1001).connect(daemon.socket());
    actor.send(b"whoami\n");
    let answer: Value = serde_json::from_slice(&actor.receive_to_end()).unwrap();
    assert_eq!(answer["you"]["pid"], actor.pid());
    assert_eq!((&answer["you"]["uid"], &answer["you"]["gid"]), (&1001.into(), &1001.into()));
    assert_eq!(answer["groups"], serde_json::json!([7, 8]));
    assert_eq!(answer["tier"], "A");
    assert!(answer.get("identity").is_none() && answer.get("decision").is_none());
}

#[test]
fn health_is_answered_over_both_protocols() {
    let daemon = folder().serve();
    let health = Client::new(daemon.socket()).ping().unwrap();
    assert!(health.ready);
    let answer = crate::converse(
        &daemon.socket(),
        b"GET /v1/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    );
    let answer = String::from_utf8(answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\"ready\":true"),
        "{answer}"
    );
}

#[test]
fn a_kept_connection_answers_again_and_again() {
    let daemon = folder().serve();
    let request = b"GET /v1/attest HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2);
    let request =
        [request, b"GET /v1/attest HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec()]
            .concat();
    let answer = String::from_utf8(crate::converse(&daemon.socket(), &request)).unwrap();
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
    let ids: std::collections::HashSet<_> = answer
        .split("\"decision_id\":\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(ids.len(), 3, "every request is a decision of its own");
}

#[test]
fn a_watch_tells_of_a_reload_and_ends_with_the_process() {
    let daemon = folder().serve();
    let mut watch = Client::new(daemon.socket()).watch().unwrap();
    let first = watch.next().unwrap().unwrap();
    assert!(matches!(first, WatchEvent::Decision { .. }), "{first:?}");
    daemon.folder.write(
        "entries.d/example.toml",
        "[[entry]]\nname = \"a\"\nidentity = \"/other\"\nmatch = { unix.uid = 0 }\n",
    );
    assert!(daemon.run(&["reload"]).status.success());
    let second = serde_json::to_value(watch.next().unwrap().unwrap()).unwrap();
    assert_eq!(second["cause"], "reload");
    assert_eq!(identities(&second["outcome"]), ["spiffe://dev.internal/other"]);

    // #8: the descriptor lives on in a child, the stream does not outlive the one who connected.
    let actor = Actor::spawn().connect(daemon.socket());
    let holder = actor.fork();
    actor.send(b"watch\n");
    assert!(String::from_utf8_lossy(&holder.receive()).contains("\"event\":\"decision\""));
    actor.exit(0);
    actor.reap();
    let rest = String::from_utf8_lossy(&holder.receive_to_end()).into_owned();
    assert!(!rest.contains("identity"), "{rest}");
}

// #63
#[test]
fn a_watch_tells_of_another_control_group() {
    use witgate_testkit::child::Cgroup;
    let folder = folder();
    folder.write(
        "entries.d/a.toml",
        "[[entry]]\nname = \"root\"\nidentity = \"/root\"\nmatch = { unix.uid = 0 }\n\
         [[entry]]\nname = \"in\"\nidentity = \"/container\"\nmatch = { container.runtime = \"docker\" }\n",
    );
    let daemon = folder.serve();
    let hierarchy = Cgroup::hierarchies().into_iter().next().expect("a cgroup hierarchy");
    let cgroup = Cgroup::create(&hierarchy, &format!("docker/{}", "ab".repeat(32)));
    let actor = Actor::spawn().connect(daemon.socket());
    actor.send(b"watch\n");
    let first = String::from_utf8(actor.receive()).unwrap();
    assert!(first.contains("/root") && !first.contains("/container"), "{first}");
    cgroup.admit(actor.pid());
    let second = String::from_utf8(actor.receive()).unwrap();
    assert!(second.contains("\"cause\":\"cgroup\"") && second.contains("/container"), "{second}");
}

#[test]
fn the_command_says_where_it_looked_when_nobody_is_there() {
    let folder = folder();
    let output = folder.run(&["attest"]);
    assert_eq!(output.status.code(), Some(69));
    assert!(text(&output).contains("public/api.sock"), "{}", text(&output));
    assert_eq!(folder.run(&["status"]).status.code(), Some(69));
    assert_eq!(folder.run(&["no-such-command"]).status.code(), Some(64));
    assert_eq!(folder.run(&["why"]).status.code(), Some(64));
    let help = folder.run(&["why", "--help"]);
    assert!(help.status.success() && text(&help).contains("Examples:"), "{}", text(&help));
    assert!(text(&folder.run(&["completions", "bash"])).contains("_witgate"));
}
