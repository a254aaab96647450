//! Different processes, different answers.

use std::{fs, os::unix::process::CommandExt as _, process::Command};

use serde_json::Value;
use witgate_testkit::{
    child::{Actor, Cgroup},
    daemon::{Daemon, text},
};

use crate::{folder, json};

const CONTAINER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

const ENTRIES: &str = r#"
[[entry]]
name = "people"
identity = "/people/{unix.uid}"
match = { unix.uid = [1000, 1001] }
unless = { unix.supplementary_gid = 999 }

[[entry]]
name = "container"
identity = "/container/{container.id}"
match = { container.runtime = "docker" }

[[entry]]
name = "nobody-ever"
action = "deny"
match = { unix.uid = 1002 }

[[entry]]
name = "all-of-group-50"
identity = "/group/fifty"
match = { unix.supplementary_gid = 50 }
"#;

fn serve() -> Daemon {
    let folder = folder();
    folder.write("entries.d/entries.toml", ENTRIES);
    folder.serve()
}

fn attest(actor: Actor, daemon: &Daemon) -> Value {
    let actor = actor.connect(daemon.socket());
    actor.send(b"attest\n");
    serde_json::from_slice(&actor.receive_to_end()).unwrap()
}

#[test]
fn uids_and_groups_decide() {
    let daemon = serve();
    let allowed = attest(Actor::spawn().groups(&[]).gid(1000).uid(1000), &daemon);
    assert_eq!(allowed["identity"], "spiffe://dev.internal/people/1000");
    let both = attest(Actor::spawn().groups(&[50]).gid(1001).uid(1001), &daemon);
    let ids: Vec<_> =
        both["identities"].as_array().unwrap().iter().map(|i| i["id"].clone()).collect();
    // `people` has two conditions, the other one: the one that says more is the default.
    assert_eq!(ids, ["spiffe://dev.internal/people/1001", "spiffe://dev.internal/group/fifty"]);
    let unless = attest(Actor::spawn().groups(&[999]).gid(1000).uid(1000), &daemon);
    assert_eq!((&unless["reason"], &unless["status"]), (&"no_matching_entry".into(), &403.into()));
    let denied = attest(Actor::spawn().groups(&[50]).gid(1002).uid(1002), &daemon);
    assert_eq!(denied["reason"], "denied_by_rule", "a deny beats every allow");
    let stranger = attest(Actor::spawn().groups(&[]).gid(1003).uid(1003), &daemon);
    assert_eq!(stranger["reason"], "no_matching_entry");
    // A refusal never says what would have been needed.
    for answer in [&unless, &denied, &stranger] {
        let words = answer.to_string();
        assert!(
            !words.contains("people") && !words.contains("fifty") && !words.contains("nobody"),
            "{words}"
        );
        assert!(words.contains("witgate why "), "{words}");
    }
}

#[test]
fn a_control_group_named_as_a_container_is_one_if_root_made_it() {
    let daemon = serve();
    let hierarchy = Cgroup::hierarchies().into_iter().next().expect("a cgroup hierarchy");
    let cgroup = Cgroup::create(&hierarchy, &format!("docker/{CONTAINER}"));
    let answer = attest(Actor::spawn().enter(&cgroup).groups(&[]).gid(1003).uid(1003), &daemon);
    assert_eq!(answer["identity"], format!("spiffe://dev.internal/container/{CONTAINER}"));
    assert_eq!(answer["you"]["container"], CONTAINER);
    // #38: the same name below a directory that somebody else may write proves nothing.
    let own = Cgroup::create(&hierarchy, "delegated-to-1003");
    own.give_to(1003);
    let forged = Cgroup::create(&hierarchy, &format!("delegated-to-1003/docker/{CONTAINER}"));
    forged.give_to(1003);
    let answer = attest(Actor::spawn().enter(&forged).groups(&[]).gid(1003).uid(1003), &daemon);
    assert_eq!(answer["reason"], "no_matching_entry", "{answer}");
}

// #16, #17: what was true at connect must still be true.
#[test]
fn a_process_that_changed_its_ids_is_refused() {
    let daemon = serve();
    let actor = Actor::spawn().groups(&[]).connect(daemon.socket());
    let actor = actor.gid(1000).uid(1000);
    actor.send(b"attest\n");
    let answer: Value = serde_json::from_slice(&actor.receive_to_end()).unwrap();
    assert_eq!(answer["reason"], "credentials_changed", "{answer}");
}

// #2, #8: nobody answers for a process that is gone.
#[test]
fn who_keeps_the_descriptor_of_a_dead_process_gets_nothing() {
    use std::io::{Read as _, Write as _};
    let daemon = serve();
    let actor = Actor::spawn().groups(&[]).gid(1000).uid(1000).connect(daemon.socket());
    let mut kept = std::os::unix::net::UnixStream::from(actor.give_connection());
    actor.exit(0);
    actor.reap();
    // The daemon may have closed already; then not even the question gets through.
    let _ = kept.write_all(b"attest\n");
    let mut answer = Vec::new();
    let _ = kept.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.contains("spiffe://"), "{answer}");
}

#[test]
fn a_plain_user_can_run_it() {
    let daemon = folder().serve_as(1000);
    let own = daemon.folder.command(&["attest", "--json"]).uid(1000).gid(1000).output().unwrap();
    let answer = json(&own);
    assert_eq!(answer["decision"], "allow", "{}", daemon.log());
    let status = daemon.folder.command(&["status"]).uid(1000).gid(1000).output().unwrap();
    assert!(status.status.success(), "{}", text(&status));
    // Nobody but its owner, and root, may look at the admin socket.
    let other = daemon.folder.command(&["status"]).uid(1001).gid(1001).output().unwrap();
    assert_eq!(other.status.code(), Some(77), "{}", text(&other));
}

#[test]
fn a_plain_user_without_a_folder_gets_one_below_the_runtime_dir() {
    let folder = folder();
    std::os::unix::fs::chown(folder.path(), Some(1000), Some(1000)).unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .unwrap();
    let binary = folder.path().with_file_name("witgate");
    let command = |argument: &str| {
        let mut command = Command::new(&binary);
        command.arg(argument).env("XDG_RUNTIME_DIR", folder.path()).uid(1000).gid(1000);
        command
    };
    let mut daemon = command("serve").stderr(std::process::Stdio::null()).spawn().unwrap();
    let started = std::time::Instant::now();
    let answer = loop {
        let answer = command("attest").arg("--json").output().unwrap();
        if answer.status.success() || started.elapsed().as_secs() > 60 {
            break answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert_eq!(json(&answer)["decision"], "allow");
    assert!(folder.path().join("witgate/entries.d/example.toml").exists());
}
