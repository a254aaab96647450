//! Pods ask who they are; a kubelet says, over TLS and with a token, or does not.

mod server;

use std::time::Duration;

use serde_json::{Value, json};
use witgate_testkit::{
    child::{Actor, Cgroup},
    daemon::Daemon,
};

use self::server::{Behaviour, Kubelet};
use crate::folder;

const WEB: &str = "3f5a1c9be7d2408886c1f0a97b3e52d4a1b6c8d0e2f4967835241706fedcba98";
const POD: &str = "0c5e8f2a-7b41-4d9c-a6e3-91d20f8b7c64";
const OTHER_POD: &str = "9b2e7c41-03d8-4f6a-8e15-d7a0c3b59f26";

const ENTRY: &str = r#"
[[entry]]
name = "pod"
identity = "/ns/{k8s.ns}/sa/{k8s.sa}"
match = { k8s.ns = "shop", k8s.container-name = "web" }
"#;

fn daemon(kubelet: &Kubelet) -> Daemon {
    let folder = folder();
    let (ca, token, port) = (kubelet.ca_file(), kubelet.token_file(), kubelet.port);
    folder.write(
        "witgate.toml",
        format!(
            "[plugins.k8s]\nsource = \"builtin:k8s\"\nsettings = {{ poll_interval_ms = 100, max_age_ms = 1000 }}\n\
             [endpoints.kubelet]\nurl = \"https://127.0.0.1:{port}\"\nca_file = {ca:?}\n\
             token_file = {token:?}\npaths = [\"/pods\"]\nmax_response_kib = 16384\ntimeout_ms = 1000\n\
             [limits]\ndecision_timeout_ms = 8000\n"
        ),
    );
    folder.write("entries.d/pod.toml", ENTRY);
    folder.serve()
}

fn pod(uid: &str, id: &str) -> Value {
    json!({
        "metadata": { "name": "checkout", "namespace": "shop", "uid": uid, "labels": { "app": "checkout" } },
        "spec": {
            "nodeName": "node-3", "serviceAccountName": "checkout",
            "containers": [{ "name": "web", "image": "registry.example.com/shop/web:4.2" }],
        },
        "status": {
            "qosClass": "BestEffort",
            "containerStatuses": [{
                "name": "web", "image": "registry.example.com/shop/web:4.2", "ready": true,
                "imageID": format!("registry.example.com/shop/web@sha256:{}", "5e".repeat(32)),
                "containerID": format!("containerd://{id}"),
            }],
        },
    })
}

fn list(pods: &[Value]) -> Behaviour {
    let document = json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": pods });
    Behaviour::Lists(document.to_string())
}

/// A process in the control group of the container in the pod.
fn inside(daemon: &Daemon, number: u32) -> (Actor, Cgroup) {
    let id = id(number);
    let cgroup = Cgroup::create("pids", &format!("kubepods/besteffort/pod{POD}/{id}"));
    (Actor::spawn().enter(&cgroup).connect(daemon.socket()), cgroup)
}

/// Containers differ in their first digits: what is kept about one says nothing about another.
fn id(number: u32) -> String {
    format!("{number:08x}{}", &WEB[8..])
}

fn asked(actor: &Actor) -> Value {
    actor.send(b"attest\n");
    let said = String::from_utf8(actor.receive_to_end()).unwrap();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

fn ask(daemon: &Daemon, number: u32) -> Value {
    let (actor, cgroup) = inside(daemon, number);
    let said = asked(&actor);
    drop((actor, cgroup));
    said
}

fn is_checkout(said: &Value) -> bool {
    said["identity"].as_str().is_some_and(|id| id.ends_with("/ns/shop/sa/checkout"))
}

fn is_unknown(said: &Value) -> bool {
    said["reason"].as_str().is_some_and(|reason| reason.starts_with("attestor_"))
}

#[test]
fn a_pod_has_the_identity_of_its_service_account_and_many_share_one_list() {
    let pods: Vec<_> =
        (0..16).map(|n| pod(&format!("{n:08x}{}", &OTHER_POD[8..]), &id(n + 100))).collect();
    let kubelet = Kubelet::start(list(&[&pods[..], &[pod(POD, &id(1))]].concat()));
    let daemon = daemon(&kubelet);
    let many: Vec<_> = (0..8).map(|_| inside(&daemon, 1)).collect();
    many.iter().for_each(|(actor, _)| actor.send(b"attest\n"));
    for (actor, _) in &many {
        let said: Value = serde_json::from_slice(&actor.receive_to_end()).unwrap();
        assert!(is_checkout(&said), "{said}");
    }
    assert_eq!(kubelet.lists(), 1);
}

#[test]
fn a_pod_that_is_not_listed_yet_is_waited_for() {
    let kubelet = Kubelet::start(list(&[]));
    let daemon = daemon(&kubelet);
    let (actor, _cgroup) = inside(&daemon, 1);
    actor.send(b"attest\n");
    daemon.eventually("a second look", || kubelet.lists() >= 2);
    kubelet.now(list(&[pod(POD, &id(1))]));
    let said: Value = serde_json::from_slice(&actor.receive_to_end()).unwrap();
    assert!(is_checkout(&said), "{said}");
}

// #43
#[test]
fn whatever_a_kubelet_does_instead_of_listing_gives_no_identity() {
    let kubelet = Kubelet::start(Behaviour::Refuses(500));
    let daemon = daemon(&kubelet);
    let good =
        json!({ "kind": "PodList", "apiVersion": "v1", "items": [pod(POD, &id(1))] }).to_string();
    let huge = format!("{{\"x\":\"{}\",{}", "x".repeat(17 << 20), &good[1..]);
    let faults = [
        Behaviour::Refuses(403),
        Behaviour::Sleeps(Duration::from_secs(3)),
        Behaviour::BreaksOff(good.clone()),
        Behaviour::Lists(good[..good.len() / 2].to_owned()),
        Behaviour::Lists(huge),
        // Another pod than the control group says, and two that say they have it.
        list(&[pod(OTHER_POD, &id(1))]),
        list(&[pod(POD, &id(1)), pod(OTHER_POD, &id(1))]),
    ];
    for fault in faults {
        let shown = format!("{fault:?}").chars().take(60).collect::<String>();
        kubelet.now(fault);
        let said = ask(&daemon, 1);
        assert!(is_unknown(&said), "{shown}: {said}");
        // What was listed is kept for a second.
        std::thread::sleep(Duration::from_millis(1100));
    }
    kubelet.now(Behaviour::Lists(good));
    let said = ask(&daemon, 1);
    assert!(is_checkout(&said), "{said}");
}

#[test]
fn tokens_and_certificates_are_replaced_under_a_running_daemon() {
    let kubelet = Kubelet::start(list(&[pod(POD, &id(1))]));
    let daemon = daemon(&kubelet);
    assert!(is_checkout(&ask(&daemon, 1)));
    let later = || std::thread::sleep(Duration::from_millis(1100));
    for change in [|kubelet: &Kubelet| kubelet.rotate_token("second"), Kubelet::rotate_certificate]
    {
        later();
        change(&kubelet);
        let before = kubelet.lists();
        let said = ask(&daemon, 1);
        assert!(is_checkout(&said) && kubelet.lists() > before, "{said}");
    }
    later();
    kubelet.write_token("nobody's");
    let said = ask(&daemon, 1);
    assert!(is_unknown(&said), "{said}");
}
