use std::{
    fs::{self, File},
    io::Write as _,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    path::Path,
    process::Command,
};

use rustix::fs::{MemfdFlags, memfd_create};
use witgate_facts::{Doubt, FactError, FactName, FactSet, FactSource as _};
use witgate_peer::{Change, PeerError, ProcessFacts};
use witgate_testkit::child::Actor;

use crate::scene::{Root, Scene, Started, copy, runs, runs_one, until};

/// Another program than the test's, owned by root, as an attacker wants to be taken for.
const TRUSTED: &str = "/usr/bin/sleep";

fn withheld(doubt: Doubt) -> FactError {
    FactError::Io(format!("withheld: {doubt}"))
}

async fn assert_withheld(facts: &ProcessFacts, doubt: Doubt) {
    assert!(facts.doubts().unwrap().contains(&doubt), "{:?}", facts.doubts());
    assert_eq!(facts.executable().unwrap_err(), withheld(doubt));
    assert_eq!(facts.executable_sha256().await.unwrap_err(), withheld(doubt));
}

/// What `/proc` says by itself.
fn linked(actor: &Actor) -> std::path::PathBuf {
    fs::read_link(format!("/proc/{}/exe", actor.pid())).unwrap()
}

#[tokio::test]
async fn an_honest_program_has_none() {
    let scene = Scene::new();
    let (_actor, subject) = scene.guest(Actor::spawn().uid(1000));
    let facts = scene.all(&subject).await;
    assert_eq!(facts.doubts(), Ok(&[][..]));
    assert!(facts.executable().is_ok() && facts.executable_sha256().await.is_ok());
    subject.confirm(subject.bind(facts)).unwrap();
}

// #25
#[tokio::test]
async fn a_link_forged_in_a_user_namespace_of_its_own_is_withheld() {
    let scene = Scene::new();
    let actor = Actor::spawn().uid(1000);
    actor.forge_executable(TRUSTED);
    assert_eq!(linked(&actor), Path::new(TRUSTED));
    let (_actor, subject) = scene.guest(actor);
    let facts = scene.all(&subject).await;
    assert_withheld(&facts, Doubt::ExeNotMapped).await;
    assert!(facts.doubts().unwrap().contains(&Doubt::NestedUserns));
    assert_eq!(facts.credentials().unwrap().uid, 1000);
}

// #25
#[tokio::test]
async fn in_a_user_namespace_of_its_own_nothing_is_said_of_the_file() {
    let scene = Scene::new();
    let actor = Actor::spawn().uid(1000);
    actor.unshare(libc::CLONE_NEWUSER);
    let (_actor, subject) = scene.guest(actor);
    let facts = scene.all(&subject).await;
    assert_eq!(facts.doubts(), Ok(&[Doubt::NestedUserns][..]));
    assert_withheld(&facts, Doubt::NestedUserns).await;
    // Also when nobody asked for the namespaces.
    let only = [FactName::ExecutableInfo].into_iter().collect::<FactSet>();
    let facts = subject.collect(only, &scene.reader).await.unwrap();
    assert_eq!(facts.executable().unwrap_err(), withheld(Doubt::NestedUserns));
}

// #26
#[tokio::test]
async fn a_link_forged_by_a_helper_outside_is_withheld() {
    let scene = Scene::new();
    let actor = Actor::spawn().uid(1000);
    actor.forge_executable_outside(TRUSTED, false);
    assert_eq!(linked(&actor), Path::new(TRUSTED));
    let (_actor, subject) = scene.guest(actor);
    let facts = scene.all(&subject).await;
    assert!(facts.namespaces().unwrap().iter().all(|namespace| namespace.host));
    assert_eq!(facts.doubts(), Ok(&[Doubt::ExeNotMapped][..]));
    assert_withheld(&facts, Doubt::ExeNotMapped).await;
}

/// #27: the known limit. Who maps the file as well cannot be told from who runs it, which is why
/// entries must not rest on it.
#[tokio::test]
async fn a_forger_who_maps_the_file_is_taken_for_it() {
    let scene = Scene::new();
    let actor = Actor::spawn().uid(1000);
    actor.forge_executable_outside(TRUSTED, true);
    let (_actor, subject) = scene.guest(actor);
    let facts = scene.all(&subject).await;
    assert_eq!(facts.doubts(), Ok(&[][..]));
    assert_eq!(facts.executable().unwrap().inode, fs::metadata(TRUSTED).unwrap().ino());
    assert_eq!(facts.assurance(FactName::ExecutableInfo), witgate_identity::Assurance::Claimed);
}

// #26
#[tokio::test]
async fn a_link_forged_after_the_facts_is_noticed() {
    let scene = Scene::new();
    let (actor, subject) = scene.guest(Actor::spawn().uid(1000));
    let facts = scene.all(&subject).await;
    actor.forge_executable_outside(TRUSTED, true);
    let changed = PeerError::SubjectChanged { change: Change::Executable };
    assert_eq!(subject.confirm(subject.bind(facts)).unwrap_err(), changed);
}

// #30
#[tokio::test]
async fn a_traced_process_is_traced() {
    let scene = Scene::new();
    let (actor, subject) = scene.guest(Actor::spawn());
    let pid = nix::unistd::Pid::from_raw(actor.pid());
    nix::sys::ptrace::seize(pid, nix::sys::ptrace::Options::empty()).unwrap();
    let facts = scene.all(&subject).await;
    assert_eq!(facts.doubts(), Ok(&[Doubt::Traced][..]));
    assert!(facts.executable().is_ok(), "a documented limit, not a refusal");
}

/// #30: the known limit. What was loaded before the program leaves nothing to see.
#[tokio::test]
async fn who_runs_what_was_preloaded_is_taken_for_the_program() {
    let scene = Scene::new();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let library = maps.split_whitespace().find(|word| word.contains("libgcc_s.so")).unwrap();
    let child = Command::new(TRUSTED).arg("1000").env("LD_PRELOAD", library).spawn().unwrap();
    let child = Started(child);
    let maps = format!("/proc/{}/maps", child.pid());
    until("loaded", || fs::read_to_string(&maps).is_ok_and(|maps| maps.contains(library)));
    let facts = scene.observe(child.pid()).await;
    assert_eq!(facts.doubts(), Ok(&[][..]));
    assert_eq!(facts.executable().unwrap().inode, fs::metadata(TRUSTED).unwrap().ino());
}

// #31
#[tokio::test]
async fn memory_that_is_run_never_was_a_file() {
    let scene = Scene::new();
    let memory = memfd_create("../../bin/trusted", MemfdFlags::empty()).unwrap();
    let mut file = File::from(memory);
    file.write_all(&fs::read("/bin/sleep").unwrap()).unwrap();
    // It stays open across exec, and must not be open for writing.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let memory = OwnedFd::from(File::open(&path).unwrap());
    rustix::io::fcntl_setfd(&memory, rustix::io::FdFlags::empty()).unwrap();
    drop(file);
    let program = format!("/proc/self/fd/{}", memory.as_raw_fd());
    let child = Started(Command::new(program).arg("1000").spawn().unwrap());
    until("exec", || runs_one(child.pid(), |path| path.starts_with("/memfd:..")));
    let facts = scene.observe(child.pid()).await;
    assert_eq!(facts.doubts(), Ok(&[Doubt::Memfd][..]));
    let info = facts.executable().unwrap();
    assert!(info.deleted && !info.same_on_host, "{info:?}");
}

// #31
#[tokio::test]
async fn a_file_without_a_name_is_deleted() {
    let scene = Scene::new();
    let program = scene.program("gone");
    let actor = Actor::spawn().connect(&scene.socket);
    actor.exec(&program, &["1000"]);
    until("exec", || runs(actor.pid(), &program));
    fs::remove_file(&program).unwrap();
    let facts = scene.all(&scene.accept().unwrap()).await;
    assert_eq!(facts.doubts(), Ok(&[Doubt::Deleted][..]));
}

// #28, #29
#[tokio::test]
async fn a_program_of_another_root_is_foreign_and_hashed() {
    let scene = Scene::new();
    let root = Root::new(scene.path());
    let child = root.start();
    let facts = scene.observe(child.pid()).await;
    // Read from here, its path is that of the other root.
    assert_eq!(facts.doubts(), Ok(&[][..]));
    let hidden = hidden(&root);
    let facts = scene.observe(hidden.pid()).await;
    assert_eq!(facts.doubts(), Ok(&[Doubt::ForeignMount][..]));
    assert!(facts.executable_sha256().await.is_ok());
}

/// A process whose root is mounted where only it can see that.
fn hidden(root: &Root) -> Started {
    let path = root.path().display();
    let script = format!(
        "mount --bind {path} {path} && cd {path} && mkdir -p old && pivot_root . old && \
         exec /bin/sleep 1000"
    );
    let child = Started(Command::new("unshare").args(["-m", "sh", "-c", &script]).spawn().unwrap());
    until("pivot", || runs(child.pid(), Path::new("/bin/sleep")));
    child
}

/// A shell script that mounts an overlay of `/bin` and this directory's `upper` on `merged`.
fn overlay(scene: &Scene) -> String {
    for name in ["lower", "upper", "work", "merged"] {
        fs::create_dir_all(scene.path().join(name)).unwrap();
    }
    copy("/bin/sleep", &scene.path().join("lower/program"));
    let path = scene.path().display();
    format!(
        "mount -t overlay overlay \
         -o lowerdir={path}/lower,upperdir={path}/upper,workdir={path}/work {path}/merged"
    )
}

fn shell(unshare: &str, script: &str) -> Started {
    Started(Command::new("unshare").args([unshare, "sh", "-c", script]).spawn().unwrap())
}

fn until_runs(child: &Started, name: &str) {
    until(name, || runs_one(child.pid(), |path| path.ends_with("merged/program")));
}

// #34
#[tokio::test]
async fn an_overlay_that_root_mounted_for_the_process_is_hashed() {
    let scene = Scene::new();
    let run = format!("{}/merged/program 1000", scene.path().display());
    let child = shell("-m", &format!("{} && exec {run}", overlay(&scene)));
    until_runs(&child, "overlay");
    let facts = scene.observe(child.pid()).await;
    assert_eq!(facts.doubts(), Ok(&[Doubt::ForeignMount][..]));
    assert_eq!(facts.executable_sha256().await.unwrap().len(), 64);
}

// #34
#[tokio::test]
async fn an_overlay_from_elsewhere_is_not_hashed() {
    let scene = Scene::new();
    let merged = scene.path().join("merged/program");
    let mount = overlay(&scene);
    let owner = shell("-Urm", &format!("{mount} && exec {} 1000", merged.display()));
    until_runs(&owner, "overlay in a user namespace");
    let facts = scene.observe(owner.pid()).await;
    assert_eq!(facts.executable_sha256().await.unwrap_err(), withheld(Doubt::NestedUserns));
    // Run by somebody outside, by way of the other's root.
    let program = format!("/proc/{}/root{}", owner.pid(), merged.display());
    let child = Started(Command::new(program).arg("1000").spawn().unwrap());
    until_runs(&child, "from outside");
    let facts = scene.observe(child.pid()).await;
    assert_eq!(facts.doubts(), Ok(&[Doubt::ForeignMount][..]));
    assert_eq!(facts.executable_sha256().await.unwrap_err(), FactError::Unsupported);
}
