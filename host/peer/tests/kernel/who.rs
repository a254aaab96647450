use std::{
    ffi::OsStr,
    fs,
    os::{
        fd::AsFd as _,
        unix::{
            ffi::OsStrExt as _,
            fs::PermissionsExt as _,
            net::{UnixListener, UnixStream},
        },
    },
    path::Path,
    process::Command,
    sync::Arc,
};

use futures_util::FutureExt as _;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, socket_with,
};
use witgate_facts::{FactName, FactSet, FactSource as _};
use witgate_identity::Fault;
use witgate_peer::{Connected, Id, Kernel, PeerError, Pid, Stranger, Subject, Tier};
use witgate_testkit::child::{Actor, Spawn};

use crate::scene::{Scene, Started, state, until};

fn changed(error: &PeerError) -> Option<Id> {
    match error {
        PeerError::CredentialsChanged { id, .. } => Some(*id),
        _ => None,
    }
}

#[tokio::test]
async fn an_honest_peer_is_identified_and_confirmed() {
    let scene = Scene::new();
    assert_eq!(scene.kernel.tier(), Tier::A);
    let (actor, subject) = scene.guest(Actor::spawn().groups(&[44, 7, 33]).gid(33).uid(33));
    assert_eq!((subject.pid().as_raw(), subject.uid(), subject.gid()), (actor.pid(), 33, 33));
    assert_eq!(subject.credentials().groups, [7, 33, 44]);
    let facts = scene.all(&subject).await;
    let bound = subject.bind(Arc::clone(&facts)).map(|facts| facts.credentials().unwrap().uid);
    let bound = bound.map_async(async |uid| uid + 1).await;
    assert_eq!(*bound.for_audit(), 34);
    assert_eq!(subject.confirm(bound).unwrap().into_inner(), 34);
    subject.still_as(&facts).unwrap();
}

#[tokio::test]
async fn a_value_of_one_subject_is_not_confirmed_by_another() {
    let scene = Scene::new();
    let (_one, first) = scene.guest(Actor::spawn());
    let (_two, second) = scene.guest(Actor::spawn());
    let facts = scene.all(&first).await;
    assert_eq!(second.still_as(&facts).unwrap_err(), PeerError::OtherSubject);
    // Whoever binds them, they are the first one's.
    let error = second.confirm(second.bind(Arc::clone(&facts)).map(|_| ())).unwrap_err();
    assert_eq!(error, second.confirm(first.bind(facts).map(|_| ())).unwrap_err());
    assert_eq!((error.reason(), error.fault()), ("internal", Fault::Host));
}

/// How many descriptors of ours lead to this process's directory.
fn held(pid: i32) -> usize {
    let directory = Path::new("/proc").join(pid.to_string());
    let all = fs::read_dir("/proc/self/fd").unwrap();
    all.filter(|fd| fs::read_link(fd.as_ref().unwrap().path()).is_ok_and(|at| at == directory))
        .count()
}

async fn rest(subject: &Subject<Connected>) {
    let long = std::time::Duration::from_millis(300);
    tokio::time::timeout(long, subject.rest()).await.unwrap_err();
}

// #2: what is looked up again after a rest is the number, and whose that is is asked of the pidfd.
#[tokio::test]
async fn after_a_rest_it_is_still_who_connected_or_nobody() {
    let scene = Scene::new();
    let (actor, subject) = scene.guest(Actor::spawn());
    let pid = actor.pid();
    assert_eq!(held(pid), 1);
    rest(&subject).await;
    assert_eq!(held(pid), 0);
    let facts = scene.all(&subject).await;
    assert_eq!(facts.start_time(), scene.all(&subject).await.start_time());
    subject.confirm(subject.bind(facts)).unwrap();
    assert!(held(pid) > 0);

    let (other, resting) = scene.guest(Actor::spawn());
    let number = other.pid();
    rest(&resting).await;
    drop(other);
    let victim = Spawn::default().pid(number).start_if_free().unwrap();
    assert_eq!(victim.pid(), number);
    let error = resting.collect(FactSet::EMPTY, &scene.reader).await.unwrap_err();
    assert_eq!(error, PeerError::PeerExited);
    assert_eq!(resting.bucket().unwrap_err(), PeerError::PeerExited);
    assert_eq!(held(number), 0);
}

// #6
#[tokio::test]
async fn a_zombie_is_refused_whenever_it_became_one() {
    let scene = Scene::new();
    let dead = Actor::spawn().connect(&scene.socket);
    dead.exit(0);
    assert_eq!(scene.accept().unwrap_err().reason(), "peer_exited");

    let (actor, subject) = scene.guest(Actor::spawn());
    let facts = scene.all(&subject).await;
    let bound = subject.bind(facts);
    actor.exit(0);
    assert_eq!(state(actor.pid()), 'Z');
    assert!(!subject.is_alive());
    assert_eq!(subject.confirm(bound).unwrap_err(), PeerError::PeerExited);
    let late = subject.collect(FactSet::EMPTY, &scene.reader).await;
    assert_eq!(late.unwrap_err(), PeerError::PeerExited);
}

// #7
#[tokio::test]
async fn a_process_whose_main_thread_has_ended_is_unattestable() {
    let scene = Scene::new();
    let (actor, subject) = scene.guest(Actor::spawn());
    let bound = subject.bind(scene.all(&subject).await);
    actor.end_main_thread();
    until("main thread ended", || state(actor.pid()) == 'Z');
    assert!(subject.is_alive());
    assert_eq!(subject.confirm(bound).unwrap_err(), PeerError::Unattestable);

    actor.connect_again(&scene.socket);
    let subject = scene.accept().unwrap();
    let error = subject.collect(FactSet::EMPTY, &scene.reader).await.unwrap_err();
    assert_eq!((error.reason(), error.fault()), ("unattestable", Fault::Workload));
}

// #8
#[tokio::test]
async fn a_child_that_keeps_the_connection_does_not_keep_the_identity() {
    let scene = Scene::new();
    let parent = Actor::spawn().connect(&scene.socket);
    let child = parent.fork();
    let stream = scene.stream();
    let subject = Subject::accept(stream.as_fd(), &scene.kernel).unwrap();
    assert_eq!(subject.pid().as_raw(), parent.pid());
    let bound = subject.bind(scene.all(&subject).await);
    assert_eq!(subject.exited().now_or_never(), None);
    parent.exit(0);
    subject.exited().await;
    child.send(b"attest\n");
    assert_eq!(subject.confirm(bound).unwrap_err(), PeerError::PeerExited);

    let parent = Actor::spawn().connect(&scene.socket);
    let _child = parent.fork();
    parent.exit(0);
    parent.reap();
    assert_eq!(scene.accept().unwrap_err(), PeerError::PeerExited);
}

// #9
#[tokio::test]
async fn a_passed_connection_is_still_about_the_process_that_made_it() {
    let scene = Scene::new();
    let a = Actor::spawn().uid(33).connect(&scene.socket);
    let b = Actor::spawn().uid(34);
    b.take_connection(a.give_connection().as_fd());
    b.send(b"attest\n");
    let subject = scene.accept().unwrap();
    assert_eq!((subject.pid().as_raw(), subject.uid()), (a.pid(), 33));
}

// #16
#[tokio::test]
async fn a_peer_that_became_a_setuid_program_is_refused() {
    let scene = Scene::new();
    let program = scene.program("setuid");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    let actor = Actor::spawn().gid(1000).uid(1000).connect(&scene.socket);
    actor.exec(&program, &["1000"]);
    until("setuid", || {
        let status = fs::read_to_string(format!("/proc/{}/status", actor.pid())).unwrap();
        status.contains("Uid:\t1000\t0\t0\t0")
    });
    let error = scene.accept().unwrap_err();
    assert_eq!(changed(&error), Some(Id::EffectiveUser), "{error}");
    assert_eq!(error.reason(), "credentials_changed");
}

// #17
#[tokio::test]
async fn a_peer_that_dropped_its_rights_is_refused() {
    let scene = Scene::new();
    let actor = Actor::spawn().connect(&scene.socket);
    actor.set_uids(1000, 1000, 1000);
    assert_eq!(changed(&scene.accept().unwrap_err()), Some(Id::EffectiveUser));

    let actor = Actor::spawn().connect(&scene.socket);
    actor.set_gids(0, 7, 0);
    assert_eq!(changed(&scene.accept().unwrap_err()), Some(Id::EffectiveGroup));

    // After it was identified, and where the effective id stays.
    for (ids, id) in [([0, 1000, 0], Id::EffectiveUser), ([1000, 0, 0], Id::RealUser)] {
        let (actor, subject) = scene.guest(Actor::spawn());
        let bound = subject.bind(scene.all(&subject).await);
        actor.set_uids(ids[0], ids[1], ids[2]);
        assert_eq!(changed(&subject.confirm(bound).unwrap_err()), Some(id));
    }
}

// #17
#[test]
fn a_thread_with_an_id_of_its_own_is_refused() {
    let scene = Scene::new();
    let actor = Actor::spawn();
    actor.connect_in_thread_as(2000, &scene.socket);
    let error = scene.accept().unwrap_err();
    let expected =
        PeerError::CredentialsChanged { id: Id::EffectiveUser, expected: 2000, found: 0 };
    assert_eq!(error, expected);
}

// #18
#[test]
fn ids_are_whole_32_bit_numbers() {
    let scene = Scene::new();
    for id in [0, 65_534, (1 << 31) - 1, 1 << 31, u32::MAX - 1] {
        let (_actor, subject) = scene.guest(Actor::spawn().groups(&[id]).gid(id).uid(id));
        let credentials = subject.credentials();
        assert_eq!((credentials.uid, credentials.gid), (id, id));
        assert_eq!(credentials.groups, [id]);
    }
}

// #18
#[tokio::test]
async fn all_groups_of_a_peer_are_seen() {
    let scene = Scene::new();
    for count in [0, 64, 65, 65_536] {
        let (_actor, subject) = scene.guest(Actor::spawn().group_range(3_000_000_000, count));
        let groups: Vec<u32> = (3_000_000_000..).take(count as usize).collect();
        assert_eq!(subject.credentials().groups, groups);
        let facts = scene.all(&subject).await;
        assert_eq!(facts.names().is_ok(), count < 1_024);
        subject.confirm(subject.bind(facts)).unwrap();
    }
}

// #19
#[tokio::test]
async fn a_peer_in_a_pid_namespace_of_its_own_has_its_number_of_ours() {
    let scene = Scene::new();
    let (actor, subject) = scene.guest(Spawn::default().new_pid_namespace().start());
    assert_eq!(subject.pid().as_raw(), actor.pid());
    let facts = scene.all(&subject).await;
    let namespaces = facts.namespaces().unwrap();
    let host = |kind| namespaces.iter().find(|space| space.kind == kind).unwrap().host;
    assert!(!host("pid") && host("mnt") && host("user"));
}

// #20
#[tokio::test]
async fn root_of_a_user_namespace_is_who_it_is_outside() {
    let scene = Scene::new();
    let actor = Actor::spawn().gid(1000).uid(1000);
    actor.unshare(libc::CLONE_NEWUSER);
    for map in ["uid_map", "gid_map"] {
        fs::write(format!("/proc/{}/{map}", actor.pid()), "0 1000 1").unwrap();
    }
    actor.set_uids(0, 0, 0);
    let (_actor, subject) = scene.guest(actor);
    assert_eq!((subject.uid(), subject.gid()), (1000, 1000));
    let facts = scene.all(&subject).await;
    let user = facts.namespaces().unwrap().iter().find(|space| space.kind == "user").unwrap();
    assert!(!user.host);
    subject.confirm(subject.bind(facts)).unwrap();
}

/// Says to a test that it is started by itself, and where the socket is to be.
const INSIDE: &str = "WITGATE_TEST_INSIDE";

// #19: the daemon in a pid namespace, and whoever connects outside of it.
#[test]
fn a_peer_that_the_daemon_has_no_number_for_is_refused() {
    if let Some(folder) = std::env::var_os(INSIDE) {
        let listener = UnixListener::bind(Path::new(&folder).join("s")).unwrap();
        let kernel = Kernel::probe().unwrap();
        let error = Subject::accept(listener.accept().unwrap().0, &kernel).unwrap_err();
        let stranger = PeerError::PeerUnknown { why: Stranger::ForeignPidNamespace };
        assert_eq!((error.reason(), error), ("peer_unknown", stranger));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let name = "who::a_peer_that_the_daemon_has_no_number_for_is_refused";
    let mut daemon = Command::new("unshare");
    daemon.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    daemon.arg(std::env::current_exe().unwrap()).args(["--exact", name]).env(INSIDE, folder.path());
    let mut daemon = Started(daemon.spawn().unwrap());
    let socket = folder.path().join("s");
    until("listening", || UnixStream::connect(&socket).is_ok());
    assert!(daemon.0.wait().unwrap().success());
}

// #24
#[test]
fn what_a_peer_calls_its_own_end_is_nothing_to_us() {
    let scene = Scene::new();
    let long = [b'a'; 107];
    let names = [&b"uid=0;pid=1"[..], b"line\nuid=0;\0pid=1", b"\xff\x1b[2J", &long];
    for name in names {
        let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap();
        bind(&socket, &SocketAddrUnix::new_abstract_name(name).unwrap()).unwrap();
        connect(&socket, &SocketAddrUnix::new(&scene.socket).unwrap()).unwrap();
        let subject = scene.accept().unwrap();
        assert_eq!(subject.pid().as_raw().unsigned_abs(), std::process::id());
        assert_eq!((subject.uid(), subject.gid()), (0, 0));
        // One of the file system, too.
        if !name.contains(&0) && name.len() < 60 {
            let path = scene.path().join(OsStr::from_bytes(name));
            let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap();
            bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
            connect(&socket, &SocketAddrUnix::new(&scene.socket).unwrap()).unwrap();
            assert_eq!(scene.accept().unwrap().pid(), subject.pid());
        }
    }
}

#[tokio::test]
async fn an_operator_may_look_at_any_process() {
    let scene = Scene::new();
    let actor = Actor::spawn().groups(&[5]).gid(33).uid(33);
    until("waiting", || state(actor.pid()) == 'S');
    let subject = Subject::observe(Pid::new(actor.pid()).unwrap(), &scene.kernel).unwrap();
    assert_eq!(subject.credentials().groups, [5]);
    assert_eq!((subject.uid(), subject.gid()), (33, 33));
    assert_eq!(scene.all(&subject).await.state(), Ok('S'));
    actor.exit(0);
    actor.reap();
    let gone = Subject::observe(Pid::new(actor.pid()).unwrap(), &scene.kernel).unwrap_err();
    assert_eq!(gone, PeerError::PeerExited);
}

#[test]
fn collecting_may_move_between_threads() {
    fn check<T: Send>(_: &T) {}
    let scene = Scene::new();
    let (_actor, subject) = scene.guest(Actor::spawn());
    check(&subject.collect(FactSet::EMPTY, &scene.reader));
    check(&subject.exited());
    assert!(FactSet::EMPTY.contains(FactName::ProcessComm) == subject.challenged());
}

#[test]
fn every_capability_has_a_name_of_its_own_and_a_price() {
    let scene = Scene::new();
    let capabilities = scene.kernel.capabilities();
    let mut names: Vec<_> = capabilities.iter().map(|capability| capability.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), capabilities.len());
    assert!(capabilities.iter().all(|capability| !capability.cost.is_empty()));
    let present = |name| capabilities.iter().find(|found| found.name == name).unwrap().present;
    // As root on a kernel of tier A, as these tests run.
    assert!(present("peer-pidfd") && present("pidfd-info"));
    assert!(present("see-all-processes") && present("read-other-processes"));
    assert!(present("initial-user-namespace") && present("cgroup-hierarchies"));
}
