//! Who is behind a descriptor that a broker passed. The broker is the test itself.

use std::{
    fs::File,
    io::{IoSlice, Write as _},
    mem::MaybeUninit,
    net::{TcpListener, TcpStream},
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::net::{UnixDatagram, UnixListener, UnixStream},
    },
};

use rustix::{
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
    process::{Pid, PidfdFlags, pidfd_open},
};
use witgate_facts::FactSource as _;
use witgate_peer::{Change, Delegated, Passed, PeerError, Stranger, Subject};
use witgate_testkit::{child::Actor, fuse::SlowFile};

use crate::scene::{Scene, until};

/// Sends a line and descriptors.
fn pass(broker: &UnixStream, fds: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(fds)));
    }
    let line = [IoSlice::new(b"attest\n")];
    assert_eq!(sendmsg(broker, &line, &mut control, SendFlags::empty()).unwrap(), 7);
}

/// What the daemon receives of that.
async fn received(scene: &Scene, fds: &[BorrowedFd<'_>]) -> Vec<Passed> {
    let broker = UnixStream::connect(scene.broker_socket()).unwrap();
    pass(&broker, fds);
    let (subject, socket) = scene.accept_broker();
    let (mut passed, mut line) = (Vec::new(), [0; 64]);
    let mut stream = subject.broker_stream(socket);
    let read = stream.receive(&mut line, &mut passed).await.unwrap();
    assert_eq!(&line[..read], b"attest\n");
    passed
}

async fn behind(scene: &Scene, fd: BorrowedFd<'_>) -> Result<Subject<Delegated>, PeerError> {
    let passed = received(scene, &[fd]).await.pop().unwrap();
    Subject::behind(passed.lead(&scene.kernel).unwrap(), &scene.kernel)
}

fn pidfd(actor: &Actor) -> OwnedFd {
    pidfd_open(Pid::from_raw(actor.pid()).unwrap(), PidfdFlags::empty()).unwrap()
}

#[tokio::test]
async fn a_pidfd_leads_to_its_process() {
    let scene = Scene::new();
    let actor = Actor::spawn().groups(&[50, 40]).gid(33).uid(33).named("worker");
    let subject = behind(&scene, pidfd(&actor).as_fd()).await.unwrap();
    assert_eq!((subject.pid().as_raw(), subject.uid(), subject.gid()), (actor.pid(), 33, 33));
    assert_eq!(subject.credentials().groups, [40, 50]);
    let facts = scene.all(&subject).await;
    assert_eq!(facts.comm(), Ok(&b"worker"[..]));
    subject.confirm(subject.bind(facts)).unwrap();
    assert!(!subject.challenged());
}

#[tokio::test]
async fn a_connection_leads_to_who_opened_it() {
    let scene = Scene::new();
    let actor = Actor::spawn().uid(34).connect(&scene.socket);
    let end = scene.stream();
    let subject = behind(&scene, end.as_fd()).await.unwrap();
    assert_eq!((subject.pid().as_raw(), subject.uid()), (actor.pid(), 34));
    let facts = scene.all(&subject).await;
    subject.confirm(subject.bind(facts)).unwrap();
}

// #16, #17: a connection says who somebody was.
#[tokio::test]
async fn a_connection_of_somebody_who_has_changed_ids_is_refused() {
    let scene = Scene::new();
    let actor = Actor::spawn().connect(&scene.socket);
    let end = scene.stream();
    let actor = actor.uid(34);
    let error = behind(&scene, end.as_fd()).await.unwrap_err();
    assert!(matches!(error, PeerError::CredentialsChanged { .. }), "{error}");
    drop(actor);
}

// #1, #6
#[tokio::test]
async fn whoever_has_exited_is_nobody() {
    let scene = Scene::new();
    let (reaped, zombie) = (Actor::spawn(), Actor::spawn().connect(&scene.socket));
    let fd = pidfd(&reaped);
    reaped.exit(0);
    reaped.reap();
    // Whoever has its number now is not it.
    let _victim = Actor::spawn_as(reaped.pid());
    assert_eq!(behind(&scene, fd.as_fd()).await.unwrap_err(), PeerError::PeerExited);
    let (fd, end) = (pidfd(&zombie), scene.stream());
    zombie.exit(0);
    assert_eq!(behind(&scene, fd.as_fd()).await.unwrap_err(), PeerError::PeerExited);
    assert_eq!(behind(&scene, end.as_fd()).await.unwrap_err(), PeerError::PeerExited);
}

// #2, #11
#[tokio::test]
async fn whoever_changes_after_the_facts_is_not_answered_about() {
    let scene = Scene::new();
    let (execs, exits) = (Actor::spawn(), Actor::spawn());
    let subject = behind(&scene, pidfd(&execs).as_fd()).await.unwrap();
    let facts = scene.all(&subject).await;
    execs.exec("/bin/sleep", &["1000"]);
    until("exec", || subject.still_as(&facts).is_err());
    let error = subject.confirm(subject.bind(facts)).unwrap_err();
    let changed = [Change::Executable, Change::Program];
    assert!(changed.map(|change| PeerError::SubjectChanged { change }).contains(&error), "{error}");
    let subject = behind(&scene, pidfd(&exits).as_fd()).await.unwrap();
    let facts = scene.all(&subject).await;
    exits.exit(0);
    assert_eq!(subject.confirm(subject.bind(facts)).unwrap_err(), PeerError::PeerExited);
}

#[tokio::test]
async fn what_leads_to_no_process_is_told_by_its_name() {
    let scene = Scene::new();
    let (stream, _other) = (TcpListener::bind("127.0.0.1:0").unwrap(), ());
    let tcp = TcpStream::connect(stream.local_addr().unwrap()).unwrap();
    let listening = UnixListener::bind(scene.path().join("listening")).unwrap();
    let (datagram, _peer) = UnixDatagram::pair().unwrap();
    let (pipe, _end) = rustix::pipe::pipe().unwrap();
    let file = File::open("/etc/passwd").unwrap();
    let directory = File::open("/proc/self").unwrap();
    let mut memory = File::from(
        rustix::fs::memfd_create("anon_inode:[pidfd]", rustix::fs::MemfdFlags::empty()).unwrap(),
    );
    memory.write_all(b"Pid:\t1\n").unwrap();
    let thread = PidfdFlags::from_bits_retain(libc::PIDFD_THREAD);
    let thread = pidfd_open(rustix::process::getpid(), thread).unwrap();
    for (fd, name) in [
        (tcp.as_fd(), "socket:["),
        (listening.as_fd(), "socket:["),
        (datagram.as_fd(), "socket:["),
        (pipe.as_fd(), "pipe:["),
        (file.as_fd(), "/etc/passwd"),
        (directory.as_fd(), "/proc/"),
        (memory.as_fd(), "/memfd:anon_inode:[pidfd]"),
        (thread.as_fd(), "a pidfd of one thread"),
    ] {
        let passed = received(&scene, &[fd]).await.pop().unwrap();
        let (error, passed) = passed.lead(&scene.kernel).unwrap_err();
        assert!(error.found.starts_with(name), "{error}");
        passed.close(&scene.reader, 0, ()).await;
    }
    let unconnected = rustix::net::socket(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::STREAM,
        None,
    );
    let error = behind(&scene, unconnected.unwrap().as_fd()).await.unwrap_err();
    assert_eq!(error, PeerError::PeerUnknown { why: Stranger::NoPeer });
}

#[tokio::test]
async fn of_many_descriptors_no_more_than_two_come() {
    let scene = Scene::new();
    assert!(received(&scene, &[]).await.is_empty());
    let file = File::open("/etc/passwd").unwrap();
    let before = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let passed = received(&scene, &[file.as_fd(); 8]).await;
    assert_eq!(passed.len(), 2);
    for passed in passed {
        passed.close(&scene.reader, 0, ()).await;
    }
    // Other tests open and close some, too.
    until("closed", || std::fs::read_dir("/proc/self/fd").unwrap().count() <= before + 4);
}

/// A file whose server does not answer: it is neither asked anything nor closed here.
#[tokio::test]
async fn a_descriptor_that_hangs_is_told_and_closed_where_it_hurts_nobody() {
    let scene = Scene::new();
    let place = scene.path().join("slow");
    std::fs::create_dir(&place).unwrap();
    let slow = SlowFile::mount(&place, b"content".to_vec()).unwrap();
    let file = File::open(slow.path()).unwrap();
    let hold = slow.hold();
    let passed = received(&scene, &[file.as_fd()]).await.pop().unwrap();
    let (error, passed) = passed.lead(&scene.kernel).unwrap_err();
    assert_eq!(error.found, slow.path().to_str().unwrap());
    let (held, released) = std::sync::mpsc::channel::<()>();
    passed.close(&scene.reader, 1001, held).await;
    // A child that another test starts may have a copy to close, too.
    until("a thread closes it", || slow.waiting() >= 1 && scene.reader.reads().busy == 1);
    assert_eq!(released.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty));
    hold.end();
    released.recv().unwrap_err();
}

// #19
#[tokio::test]
async fn a_process_of_a_namespace_that_we_cannot_see_is_unknown() {
    let scene = Scene::new();
    let actor = Actor::spawn().uid(1000);
    actor.unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWPID);
    let child = actor.fork();
    // Our namespace is the parent of its own, so we do see it: the number is ours.
    let subject = behind(&scene, pidfd(&child).as_fd()).await.unwrap();
    assert_eq!(subject.uid(), 1000);
}
