//! Real containers of a real Docker ask who they are, through a mounted folder with the socket in it.

mod dockerd;

use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;
use witgate_testkit::{
    child::{Actor, Cgroup},
    daemon::Daemon,
};

use self::dockerd::Dockerd;
use crate::{admin, folder};

/// An entry for each of two tiers, and one that no engine is needed for.
const ENTRIES: &str = r#"
[[entry]]
name = "web"
identity = "/shop/{docker.label[service]}"
match = { docker.label.tier = "web" }

[[entry]]
name = "db"
identity = "/shop/db"
match = { docker.label.tier = "db", docker.rootfs = "read-only" }
"#;

fn config(socket: &Path) -> String {
    format!(
        "[plugins.unix]\nsource = \"builtin:unix\"\n\
         [plugins.container]\nsource = \"builtin:container\"\n\
         [plugins.docker]\nsource = \"builtin:docker\"\n\
         [endpoints.docker]\nunix = {socket:?}\npaths = [\"/containers/*/json\", \"/images/*/json\"]\n\
         [limits]\ndecision_timeout_ms = 5000\n"
    )
}

fn daemon(docker: &Dockerd) -> Daemon {
    let folder = folder();
    folder.write("witgate.toml", config(&docker.socket()));
    folder.write("entries.d/shop.toml", ENTRIES);
    folder.serve()
}

/// The option by which a container sees the socket.
fn volume(daemon: &Daemon) -> String {
    format!("{}:/run/witgate", daemon.socket().parent().unwrap().display())
}

const ASK: &str = "echo attest | /bin/nc -U -N /run/witgate/api.sock";

fn answer(said: &str) -> Value {
    serde_json::from_str(said).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

fn identity(said: &Value) -> &str {
    said["identity"].as_str().unwrap_or_else(|| panic!("{said}"))
}

/// Requests that the endpoint had so far.
fn requests(daemon: &Daemon) -> u64 {
    let all: Value = serde_json::from_str(&admin::get(daemon, "/api/v1/endpoints")).unwrap();
    all[0]["requests"].as_u64().unwrap()
}

#[test]
fn two_containers_of_different_labels_have_different_identities() {
    let docker = Dockerd::start();
    let daemon = daemon(&docker);
    let volume = volume(&daemon);
    let web = docker.run(&["--volume", &volume, "--label", "tier=web", "--label", "service=front"]);
    let db = docker.run(&["--volume", &volume, "--label", "tier=db", "--read-only"]);
    let other = docker.run(&["--volume", &volume]);
    let of = |container: &str| answer(&docker.shell(container, ASK));
    assert!(identity(&of(&web)).ends_with("/shop/front"));
    assert!(identity(&of(&db)).ends_with("/shop/db"));
    assert_eq!(of(&other)["reason"], "no_matching_entry");
    // What was found out about a container is found out once.
    let before = requests(&daemon);
    assert!(identity(&of(&web)).ends_with("/shop/front"));
    assert_eq!(requests(&daemon), before);
    a_child_named_like_another(&docker, &daemon, &db);
}

/// #39: whoever is in a container may make control groups and call them what it likes.
fn a_child_named_like_another(docker: &Dockerd, daemon: &Daemon, victim: &str) {
    let volume = volume(daemon);
    let options = ["--cgroupns=host", "--label", "tier=web", "--label", "service=evil"];
    let mounts = ["--volume", &volume, "--volume", "/sys/fs/cgroup:/host-cgroup"];
    let evil = docker.run(&[&options[..], &mounts[..]].concat());
    let script = format!(
        "for h in /host-cgroup/*; do \
           own=$h/docker/{evil}; [ -f $own/cgroup.procs ] || continue; \
           mkdir -p $own/docker/{victim} && echo 0 > $own/docker/{victim}/cgroup.procs; \
         done; cat /proc/self/cgroup >&2; {ASK}"
    );
    let said = answer(&docker.shell(&evil, &script));
    assert!(identity(&said).ends_with("/shop/evil"), "{said}");
}

/// Somebody in the control groups of a container, whoever runs that.
fn inside(container: &str, daemon: &Daemon) -> (Actor, Cgroup) {
    let cgroup = Cgroup::create("pids", &format!("docker/{container}"));
    (Actor::spawn().enter(&cgroup).connect(daemon.socket()), cgroup)
}

fn said_by(actor: &Actor) -> Value {
    actor.send(b"attest\n");
    answer(&String::from_utf8(actor.receive_to_end()).unwrap())
}

fn is_unknown(said: &Value) -> bool {
    said["reason"].as_str().is_some_and(|reason| reason.starts_with("attestor_"))
}

// #43: an engine that does not answer costs its own keys, for as long as it does not.
#[test]
fn an_engine_that_stands_still_makes_its_selectors_unknown() {
    let docker = Dockerd::start();
    let daemon = daemon(&docker);
    let web = docker.run(&["--label", "tier=web", "--label", "service=front"]);
    let (first, _cgroup) = inside(&web, &daemon);
    docker.signal(Signal::SIGSTOP);
    let said = said_by(&first);
    docker.signal(Signal::SIGCONT);
    assert!(is_unknown(&said), "{said}");
    let (second, _cgroup) = inside(&web, &daemon);
    let said = said_by(&second);
    assert!(identity(&said).ends_with("/shop/front"), "{said}");
}

// #44: a container that is no more, in whose control group somebody is again: stopped, and forgotten.
#[test]
fn a_control_group_of_a_container_that_does_not_run_is_nobody_s() {
    let docker = Dockerd::start();
    let daemon = daemon(&docker);
    let web = docker.run(&["--label", "tier=web", "--label", "service=front"]);
    docker.docker(&["kill", &web]);
    let (stopped, cgroup) = inside(&web, &daemon);
    assert!(is_unknown(&said_by(&stopped)));
    docker.docker(&["rm", &web]);
    stopped.connect_again(daemon.socket());
    assert!(is_unknown(&said_by(&stopped)));
    drop((stopped, cgroup));
}

// Those who ask at the same time for one container share one question.
#[test]
fn many_at_a_time_cost_one_request() {
    let docker = Dockerd::start();
    let daemon = daemon(&docker);
    let web = docker.run(&["--label", "tier=web", "--label", "service=front"]);
    let many: Vec<_> = (0..16).map(|_| inside(&web, &daemon)).collect();
    many.iter().for_each(|(actor, _)| actor.send(b"attest\n"));
    for (actor, _) in &many {
        let said = answer(&String::from_utf8(actor.receive_to_end()).unwrap());
        assert!(identity(&said).ends_with("/shop/front"), "{said}");
    }
    assert_eq!(requests(&daemon), 1);
}
