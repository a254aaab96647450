use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    process::Command,
    sync::Arc,
};

use futures_util::FutureExt as _;
use sha2::{Digest as _, Sha256};
use witgate_facts::{ExecutableInfo, FactError, FactName, FactSet, FactSource as _};
use witgate_identity::Assurance;
use witgate_peer::{Change, PeerError, ProcessFacts, ReadSettings};
use witgate_testkit::child::Actor;

use crate::scene::{Scene, Started, runs, state, until};

/// An actor that runs another program, as far as the kernel has finished with that.
fn running(scene: &Scene, program: &std::path::Path, arguments: &[&str]) -> Actor {
    let actor = Actor::spawn().connect(&scene.socket);
    actor.exec(program, arguments);
    let status = format!("/proc/{}/cmdline", actor.pid());
    until("exec", || {
        fs::read(&status).is_ok_and(|line| line.starts_with(program.as_os_str().as_bytes()))
    });
    actor
}

async fn executable(scene: &Scene, program: &std::path::Path) -> (ExecutableInfo, Actor) {
    let actor = running(scene, program, &["1000"]);
    let facts = scene.all(&scene.accept().unwrap()).await;
    (facts.executable().unwrap().clone(), actor)
}

fn digest(path: &str) -> String {
    Sha256::digest(fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn every_fact_of_a_process_is_as_it_is() {
    let scene = Scene::new();
    let (actor, subject) = scene.guest(Actor::spawn().named("worker").gid(33).uid(33));
    until("waiting", || state(actor.pid()) == 'S');
    let facts = scene.all(&subject).await;
    assert_eq!(facts.comm(), Ok(&b"worker"[..]));
    assert_eq!(facts.state(), Ok('S'));
    assert!(facts.start_time().unwrap() > 0);
    assert_eq!(facts.names().unwrap().user.as_deref(), Some("www-data"));
    let privileges = facts.privileges().unwrap();
    assert_eq!((privileges.effective, privileges.no_new_privs), (0, false));
    assert!(facts.namespaces().unwrap().iter().all(|namespace| namespace.host));
    assert_eq!(facts.label(), Err(FactError::Unsupported));
    let parents = facts.ancestry().await.unwrap();
    assert_eq!((parents[0].uid, parents[0].gid), (0, 0));
    let me = fs::read_link("/proc/self/exe").unwrap();
    assert_eq!(parents[0].executable.as_deref(), me.to_str());
    assert_eq!(facts.summary().pid, actor.pid());
    assert_eq!(facts.summary().exe.as_deref(), me.to_str());
    let cmdline = facts.cmdline().await.unwrap();
    assert_eq!(cmdline[0], std::env::args_os().next().unwrap().as_bytes());
    assert_eq!(facts.executable_sha256().await.unwrap(), digest("/proc/self/exe"));
    assert_eq!(facts.assurance(FactName::ExecutableSha256), Assurance::Claimed);
    assert_eq!(facts.assurance(FactName::ProcessCredentials), Assurance::Kernel);
}

#[tokio::test]
async fn what_nobody_wants_is_not_read() {
    let scene = Scene::new();
    let (_actor, subject) = scene.guest(Actor::spawn());
    let facts = subject.collect(FactSet::EMPTY, &scene.reader).await.unwrap();
    let none = FactError::Unsupported;
    assert_eq!(facts.credentials().unwrap_err(), none);
    assert_eq!(facts.names().unwrap_err(), none);
    assert_eq!(facts.executable().unwrap_err(), none);
    assert_eq!(facts.namespaces().unwrap_err(), none);
    assert_eq!(facts.cgroups_trusted().unwrap_err(), none);
    assert_eq!(facts.executable_sha256().await.unwrap_err(), none);
    assert_eq!(facts.cmdline().await.unwrap_err(), none);
    subject.confirm(subject.bind(facts)).unwrap();
}

// #36
#[tokio::test]
async fn a_name_cannot_pass_for_other_facts() {
    let scene = Scene::new();
    let (actor, subject) = scene.guest(Actor::spawn().named(b"a) R 1 1\n\x1b\xff"));
    until("waiting", || state(actor.pid()) == 'S');
    let facts = scene.all(&subject).await;
    assert_eq!(facts.comm(), Ok(&b"a) R 1 1\n\x1b\xff"[..]));
    assert_eq!(facts.state(), Ok('S'));
    let parents = facts.ancestry().await.unwrap();
    assert!(parents.iter().all(|parent| parent.start_time <= facts.start_time().unwrap()));
}

// #31
#[tokio::test]
async fn a_file_may_have_any_name() {
    let scene = Scene::new();
    for (name, shown) in [
        (&b"plain"[..], "plain"),
        (b"called (deleted)", "called (deleted)"),
        (b"two\nlines\x1b[2J", r"two\x0alines\x1b[2J"),
        (b"bytes\xff\\", r"bytes\xff\\"),
    ] {
        let program = scene.program(OsStr::from_bytes(name));
        let (info, _actor) = executable(&scene, &program).await;
        assert_eq!(info.path, scene.path().join(shown).to_str().unwrap());
        assert!(!info.deleted && info.same_on_host, "{info:?}");
        assert_eq!(info.inode, fs::metadata(&program).unwrap().ino());
    }
}

// #31
#[tokio::test]
async fn a_path_may_be_as_long_as_the_kernel_takes_it() {
    let scene = Scene::new();
    let mut folder = scene.path().to_path_buf();
    while folder.as_os_str().len() < 4095 - 256 {
        folder.push("x".repeat(200));
    }
    fs::create_dir_all(&folder).unwrap();
    let name = "y".repeat(4094 - folder.as_os_str().len());
    let program = scene.program(folder.join(name));
    assert_eq!(program.as_os_str().len(), 4095);
    let (info, _actor) = executable(&scene, &program).await;
    assert_eq!(info.path, program.to_str().unwrap());
    assert!(info.same_on_host, "{info:?}");
}

// #31
#[tokio::test]
async fn a_deleted_file_keeps_its_path_and_is_deleted() {
    let scene = Scene::new();
    for name in ["gone", "gone (deleted)"] {
        let program = scene.program(name);
        let actor = running(&scene, &program, &["1000"]);
        fs::remove_file(&program).unwrap();
        // Another file of that name does not bring it back.
        scene.program(name);
        let subject = scene.accept().unwrap();
        let facts = scene.all(&subject).await;
        let info = facts.executable().unwrap();
        assert_eq!(info.path, program.to_str().unwrap());
        assert!(info.deleted && !info.same_on_host, "{info:?}");
        assert_eq!(facts.executable_sha256().await.unwrap(), digest("/bin/sleep"));
        drop(actor);
    }
}

// #28
#[tokio::test]
async fn a_path_of_another_mount_namespace_is_not_the_hosts() {
    let scene = Scene::new();
    let copy = scene.program("copy");
    let sleep = fs::canonicalize("/bin/sleep").unwrap();
    let script = format!(
        "mount --bind {} {} && exec {} 1000",
        copy.display(),
        sleep.display(),
        sleep.display()
    );
    let child = Started(Command::new("unshare").args(["-m", "sh", "-c", &script]).spawn().unwrap());
    until("exec", || runs(child.pid(), &sleep));
    let facts = scene.observe(child.pid()).await;
    let info = facts.executable().unwrap();
    assert_eq!(info.path, sleep.to_str().unwrap());
    assert!(!info.same_on_host);
    let mount = facts.namespaces().unwrap().iter().find(|space| space.kind == "mnt").unwrap();
    assert!(!mount.host);
}

// #11
#[tokio::test]
async fn another_program_after_the_facts_is_refused() {
    let scene = Scene::new();
    let (actor, subject) = scene.guest(Actor::spawn());
    let facts = scene.all(&subject).await;
    actor.exec("/bin/sleep", &["1000"]);
    let changed = PeerError::SubjectChanged { change: Change::Executable };
    assert_eq!(subject.still_as(&facts).unwrap_err(), changed);
    let error = subject.confirm(subject.bind(facts)).unwrap_err();
    assert_eq!((error.reason(), error), ("subject_changed", changed));
    // A new look on the old connection is none: what it is now did not open it.
    let facts: Arc<ProcessFacts> = scene.all(&subject).await;
    let sleep = fs::canonicalize("/bin/sleep").unwrap();
    assert_eq!(facts.summary().exe.as_deref(), sleep.to_str());
    let changed = PeerError::SubjectChanged { change: Change::Program };
    assert_eq!(subject.confirm(subject.bind(facts)).unwrap_err(), changed);
}

/// Runs with `cap_net_raw` whoever starts it (capabilities(7), `VFS_CAP_REVISION_2`).
fn give_capability(program: &std::path::Path) {
    let words = [0x0200_0001_u32, 1 << 13, 0, 0, 0];
    let value: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(program, "security.capability", &value, flags).unwrap();
}

#[tokio::test]
async fn who_gained_a_right_after_the_facts_is_refused() {
    let scene = Scene::new();
    let program = scene.program("capable");
    give_capability(&program);
    let (actor, subject) = scene.guest(Actor::spawn().gid(1000).uid(1000));
    let bound = async |fact: FactName| {
        let wanted = [fact].into_iter().collect();
        let facts = subject.collect(wanted, &scene.reader).await.unwrap();
        subject.bind(facts)
    };
    let (asked, not_asked) =
        (bound(FactName::ProcessPrivileges).await, bound(FactName::ProcessComm).await);
    assert_eq!(asked.for_audit().privileges().unwrap().permitted, 0);
    actor.exec(&program, &["1000"]);
    until("exec", || runs(actor.pid(), &program));
    let changed = PeerError::SubjectChanged { change: Change::Privileges };
    assert_eq!(subject.confirm(asked).unwrap_err(), changed);
    subject.confirm(not_asked).unwrap();
}

#[tokio::test]
async fn who_left_a_namespace_after_the_facts_is_refused() {
    let scene = Scene::new();
    for (flag, change) in [
        (libc::CLONE_NEWNET, Change::OtherNamespace),
        (libc::CLONE_NEWUTS, Change::OtherNamespace),
        (libc::CLONE_NEWIPC, Change::OtherNamespace),
        (libc::CLONE_NEWNS, Change::MountNamespace),
    ] {
        let (actor, subject) = scene.guest(Actor::spawn());
        let wanted: FactSet = [FactName::NamespacesAll].into_iter().collect();
        let bound = subject.bind(subject.collect(wanted, &scene.reader).await.unwrap());
        actor.unshare(flag);
        assert_eq!(subject.confirm(bound).unwrap_err(), PeerError::SubjectChanged { change });
    }
}

#[tokio::test]
async fn a_digest_is_computed_once_for_a_file_that_is_left_alone() {
    let scene = Scene::new();
    let _actor = running(&scene, std::path::Path::new("/bin/sleep"), &["1000"]);
    let subject = scene.accept().unwrap();
    let first = scene.all(&subject).await.executable_sha256().await;
    let again = scene.all(&subject).await;
    assert_eq!(again.executable_sha256().now_or_never(), Some(first));
}

// #32
#[tokio::test]
async fn a_file_over_the_limit_is_not_hashed() {
    let mut settings = ReadSettings::default();
    settings.hashed_file = 1_000;
    let scene = Scene::with(settings);
    let (_actor, subject) = scene.guest(Actor::spawn());
    let facts = scene.all(&subject).await;
    assert_eq!(facts.executable_sha256().await, Err(FactError::TooLarge));
    assert!(facts.executable().is_ok(), "one fact too large costs its own key only");
}

// #35
#[tokio::test]
async fn a_long_command_line_is_cut() {
    let scene = Scene::new();
    let long = "0".repeat(3_000);
    let _actor = running(&scene, std::path::Path::new("/bin/sleep"), &["1000", &long, &long]);
    let facts = scene.all(&scene.accept().unwrap()).await;
    let line = facts.cmdline().await.unwrap();
    let bytes: usize = line.iter().map(Vec::len).sum();
    assert_eq!((line.len(), bytes + line.len() - 1), (4, 4_096));
}
