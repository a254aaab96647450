//! The daemon as a user of its own: what it attests without any capability, what each one adds, and
//! the unit that it is started by.

use std::{collections::BTreeSet, fs, process::Command};

use nix::sys::resource::{Resource, getrlimit};
use serde_json::Value;
use witgate_peer::Privilege;
use witgate_testkit::{
    child::Actor,
    daemon::{Daemon, Folder, is_socket, text},
};

use crate::{folder, json};

/// Who serves, and who asks.
const DAEMON: u32 = 2001;
const WORKLOAD: u32 = 3001;

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/systemd/witgate.service");

/// `setpriv` with what begins as that user, with these capabilities and no others ever.
fn as_user(held: &[&str]) -> Vec<String> {
    let ids = ["setpriv", "--no-new-privs", "--clear-groups"].map(ToOwned::to_owned);
    let ids = ids.into_iter().chain([format!("--reuid={DAEMON}"), format!("--regid={DAEMON}")]);
    let names = held.iter().map(|name| name.to_lowercase().replace("cap_", ",+"));
    let set = format!("-all{}", names.collect::<String>());
    let sets = ["inh-caps", "ambient-caps", "bounding-set"];
    ids.chain(sets.map(|which| format!("--{which}={set}"))).collect()
}

fn serve(held: &[&str]) -> Daemon {
    let folder = folder();
    let entry = format!(
        "[[entry]]\nname = \"web\"\nidentity = \"/web\"\nmatch = {{ unix.uid = {WORKLOAD} }}\n"
    );
    folder.write("entries.d/web.toml", entry);
    folder.serve_under(DAEMON, &as_user(held))
}

/// The facts that a dry run shows, with what became of each.
fn facts(daemon: &Daemon, pid: i32) -> Vec<(String, String)> {
    let detail = json(&daemon.run(&["why", "--pid", &pid.to_string(), "--json"]));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let facts = detail["facts"].as_array().unwrap().iter();
    facts.map(|fact| (text(&fact["fact"]), text(&fact["value"]))).collect()
}

/// What the doctor says is denied to whoever has these.
fn doctor(folder: &Folder, held: &[&str]) -> BTreeSet<String> {
    let wrapper = as_user(held);
    let mut doctor = Command::new(&wrapper[0]);
    let binary = folder.path().with_file_name("witgate");
    let output =
        doctor.args(&wrapper[1..]).arg(binary).args(["doctor", "--json"]).output().unwrap();
    let denied = &json(&output)["denied"];
    denied.as_array().unwrap().iter().map(|need| need.as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_capability_adds_its_facts_and_none_is_needed_to_decide() {
    let [ptrace, read, perfmon] = Privilege::ALL.map(Privilege::as_str);
    for held in [&[][..], &[ptrace], &[read, perfmon], &[ptrace, read, perfmon]] {
        let daemon = serve(held);
        let actor = Actor::spawn().groups(&[]).gid(WORKLOAD).uid(WORKLOAD).connect(daemon.socket());
        let facts = facts(&daemon, actor.pid());
        let denied: BTreeSet<_> =
            facts.iter().filter(|(_, value)| value.contains("does not let us")).collect();
        let denied: BTreeSet<_> = denied.into_iter().map(|(fact, _)| fact.clone()).collect();
        // Of those that are shown there.
        let shown = |fact: &String| facts.iter().any(|(shown, _)| shown == fact);
        let expected = doctor(&daemon.folder, held).into_iter().filter(shown).collect();
        assert_eq!(denied, expected, "{held:?}: {facts:?}");
        assert_eq!(denied.is_empty(), held.contains(&ptrace), "{held:?}: {denied:?}");
        for fact in ["process.credentials", "cgroups.trusted"] {
            assert!(shown(&fact.to_owned()) && !denied.contains(fact), "{held:?}: {facts:?}");
        }

        actor.send(b"attest\n");
        let answer: Value = serde_json::from_slice(&actor.receive_to_end()).unwrap();
        assert_eq!(answer["decision"], "allow", "{held:?}: {answer}");
        assert!(answer.to_string().contains("/web"), "{held:?}: {answer}");
        let stranger = Actor::spawn().groups(&[]).gid(3002).uid(3002).connect(daemon.socket());
        stranger.send(b"attest\n");
        let answer: Value = serde_json::from_slice(&stranger.receive_to_end()).unwrap();
        assert_eq!(answer["decision"], "deny", "{held:?}: {answer}");
    }
}

/// The values of a setting of the unit, all its lines together.
fn unit(setting: &str) -> Vec<String> {
    let unit = fs::read_to_string(UNIT).unwrap();
    let lines = unit.lines().filter_map(|line| line.strip_prefix(setting)?.strip_prefix('='));
    lines.flat_map(str::split_whitespace).map(ToOwned::to_owned).collect()
}

#[test]
fn the_unit_is_valid_and_exposes_little() {
    let analyze = |arguments: &[&str]| {
        Command::new("systemd-analyze").args(arguments).env("SYSTEMD_COLORS", "0").output().unwrap()
    };
    let output = analyze(&["security", "--offline=true", "--threshold=20", UNIT]);
    assert!(output.status.success(), "{}", text(&output));
    // With a program that is there.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("witgate.service");
    let unit = fs::read_to_string(UNIT).unwrap();
    fs::write(&copy, unit.replace("/usr/bin/witgate", "/bin/true")).unwrap();
    let output = analyze(&["verify", copy.to_str().unwrap()]);
    assert!(output.status.success() && text(&output).is_empty(), "{}", text(&output));
}

#[test]
fn the_daemon_runs_on_what_the_unit_leaves_it() {
    let held = unit("AmbientCapabilities");
    assert_eq!(held, unit("CapabilityBoundingSet"));
    let held: Vec<&str> = held.iter().map(String::as_str).collect();
    // A manager may raise what a test may not.
    let (_, most) = getrlimit(Resource::RLIMIT_MEMLOCK).unwrap();
    let limit = |name: &str| unit(name).concat().replace('M', "000000").parse::<u64>().unwrap();
    let limits = [
        "prlimit".to_owned(),
        format!("--nofile={}", limit("LimitNOFILE")),
        format!("--memlock={}", limit("LimitMEMLOCK").min(most)),
        format!("--core={}", limit("LimitCORE")),
    ];
    let under: Vec<String> = limits.into_iter().chain(as_user(&held)).collect();
    let daemon = folder().serve_under(DAEMON, &under);
    assert!(is_socket(&daemon.socket()));
    assert_eq!(doctor(&daemon.folder, &held), BTreeSet::new(), "every fact can be had");
    let confinement = &json(&daemon.run(&["status", "--json"]))["confinement"];
    assert_eq!(confinement["filtered_threads"], confinement["threads"], "{confinement}");
    // A component is compiled by a child, and a process of another user seen as a whole.
    let actor = Actor::spawn().groups(&[]).gid(WORKLOAD).uid(WORKLOAD);
    let facts = facts(&daemon, actor.pid());
    assert!(facts.iter().all(|(_, value)| !value.contains("does not let us")), "{facts:?}");
    let (status, _) = daemon.stop();
    assert!(status.success());
}
