use std::{fs, process::Command};

use witgate_facts::{CgroupTrust, FactSource as _};
use witgate_peer::{Change, PeerError};
use witgate_testkit::child::{Actor, Cgroup};

use crate::scene::{Scene, Started, runs, until};

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn unique(name: &str) -> String {
    format!("witgate-{}-{name}", std::process::id())
}

async fn trust(scene: &Scene, cgroup: &Cgroup, hierarchy: &str) -> CgroupTrust {
    let (_actor, subject) = scene.guest(Actor::spawn().uid(1000).enter(cgroup));
    let facts = scene.all(&subject).await;
    let of = |trust: &&CgroupTrust| match hierarchy {
        "unified" => trust.hierarchy == 0,
        "systemd" => trust.controllers == ["name=systemd"],
        name => trust.controllers.iter().any(|controller| controller == name),
    };
    let found = facts.cgroups_trusted().unwrap().iter().find(of).unwrap().clone();
    subject.confirm(subject.bind(facts)).unwrap();
    found
}

#[tokio::test]
async fn a_container_of_root_is_trusted_in_every_hierarchy() {
    let scene = Scene::new();
    let hierarchies = Cgroup::hierarchies();
    assert!(!hierarchies.is_empty());
    // Not cpuset, where a new cgroup takes no process before it has been given processors.
    for hierarchy in hierarchies.iter().filter(|name| *name != "cpuset") {
        let path = format!("{}/docker/{ID}", unique("container"));
        let cgroup = Cgroup::create(hierarchy, &path);
        let trust = trust(&scene, &cgroup, hierarchy).await;
        assert_eq!(trust.prefix, format!("/{path}"), "{hierarchy}");
        assert!(trust.mounted && !trust.delegated, "{hierarchy}: {trust:?}");
    }
}

// #38
#[tokio::test]
async fn a_container_named_by_a_user_is_not_trusted() {
    let scene = Scene::new();
    for (hierarchy, name) in [
        ("systemd", format!("docker/{ID}")),
        ("systemd", format!("kubepods.slice/kubepods-pod{ID}.slice/cri-containerd-{ID}.scope")),
        ("unified", format!("machine.slice/libpod-{ID}.scope")),
        ("pids", format!("kubepods/besteffort/pod{ID}/{ID}")),
        ("unified", format!("crio-{ID}.scope")),
    ] {
        let user = unique("user");
        let delegated = Cgroup::create(hierarchy, &user);
        delegated.give_to(1000);
        let named = Cgroup::create(hierarchy, &format!("{user}/{name}"));
        let trust = trust(&scene, &named, hierarchy).await;
        // Even though root made the directories below: their names are the user's to change.
        assert_eq!(trust.prefix, "/", "{hierarchy} {name}");
        assert!(trust.mounted && trust.delegated);
    }
}

// #38
#[tokio::test]
async fn one_file_given_away_is_enough() {
    let scene = Scene::new();
    for (hierarchy, file) in [
        ("systemd", "cgroup.procs"),
        ("systemd", "tasks"),
        ("unified", "cgroup.procs"),
        ("unified", "cgroup.threads"),
    ] {
        let parent = unique("file");
        let cgroup = Cgroup::create(hierarchy, &format!("{parent}/{ID}"));
        assert!(!trust(&scene, &cgroup, hierarchy).await.delegated);
        std::os::unix::fs::chown(cgroup.path().join(file), Some(1000), None).unwrap();
        let trust = trust(&scene, &cgroup, hierarchy).await;
        assert_eq!(trust.prefix, format!("/{parent}"), "{hierarchy} {file}");
        assert!(trust.delegated);
    }
}

// #40: what a process has mounted says nothing about where it stands.
#[tokio::test]
async fn a_cgroup_that_is_mounted_over_another_is_not_the_processs() {
    let scene = Scene::new();
    let (own, others) = (unique("own"), unique("others"));
    let own = Cgroup::create("unified", &own);
    let others = Cgroup::create("unified", &format!("{others}/{ID}"));
    let script = format!(
        "echo $$ > {0}/cgroup.procs && mount --bind {1} {0} && exec /bin/sleep 1000",
        own.path().display(),
        others.path().display()
    );
    let child = Started(Command::new("unshare").args(["-m", "sh", "-c", &script]).spawn().unwrap());
    let sleep = fs::canonicalize("/bin/sleep").unwrap();
    until("exec", || runs(child.pid(), &sleep));
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", child.pid())).unwrap();
    assert!(mounts.contains(ID), "the attack is there: {mounts}");
    let facts = scene.observe(child.pid()).await;
    let trust = facts.cgroups_trusted().unwrap().iter().find(|trust| trust.hierarchy == 0).unwrap();
    let name = own.path().file_name().unwrap().to_str().unwrap();
    assert_eq!((trust.prefix.as_str(), trust.delegated), (&*format!("/{name}"), false));
    assert!(facts.cgroups_claimed().unwrap().iter().all(|claim| !claim.path.contains(ID)));
}

// #42
#[tokio::test]
async fn a_move_to_another_cgroup_is_refused() {
    let scene = Scene::new();
    let a = Cgroup::create("pids", &unique("move-a"));
    let b = Cgroup::create("pids", &unique("move-b"));
    let (_actor, subject) = scene.guest(Actor::spawn().enter(&a));
    let facts = scene.all(&subject).await;
    b.admit(subject.pid().as_raw());
    let changed = PeerError::SubjectChanged { change: Change::Cgroup };
    assert_eq!(subject.still_as(&facts).unwrap_err(), changed);
    assert_eq!(subject.confirm(subject.bind(facts)).unwrap_err(), changed);
}

#[tokio::test]
async fn a_bucket_is_read_once_for_the_request_that_follows() {
    let scene = Scene::new();
    let name = unique("bucket");
    let cgroup = Cgroup::create("unified", &format!("{name}/deep"));
    let (_actor, subject) = scene.guest(Actor::spawn().uid(33).enter(&cgroup));
    let bucket = subject.bucket().unwrap();
    assert_eq!((bucket.uid, &*bucket.cgroup), (33, &*format!("/{name}")));
    let facts = scene.all(&subject).await;
    assert_eq!(facts.summary().cgroup.as_deref(), Some(&*format!("/{name}/deep")));
}

// #41
#[tokio::test]
async fn names_that_control_terminals_are_shown_and_not_trusted() {
    let scene = Scene::new();
    let parent = unique("escape");
    let cgroup = Cgroup::create("systemd", &format!("{parent}/a:b\x1b[2J"));
    let (_actor, subject) = scene.guest(Actor::spawn().enter(&cgroup));
    let facts = scene.all(&subject).await;
    let claims = facts.cgroups_claimed().unwrap();
    let claim = claims.iter().find(|claim| claim.controllers == ["name=systemd"]).unwrap();
    assert_eq!(claim.path, format!(r"/{parent}/a:b\x1b[2J"));
    let trust = facts.cgroups_trusted().unwrap();
    let trust = trust.iter().find(|trust| trust.controllers == ["name=systemd"]).unwrap();
    assert_eq!((trust.prefix.as_str(), trust.delegated), (&*format!("/{parent}"), true));
}
