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
    time::Duration,
};

use rustix::{
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
    process::{Pid, PidfdFlags, pidfd_open},
};
use witgate_facts::FactSource as _;
use witgate_peer::{
    BrokerStream, Change, Confirmed, Delegated, NoSubject, PeerError, Stranger, Subject,
};
use witgate_testkit::{child::Actor, fuse::SlowFile};

use crate::scene::{Scene, until};

/// Generous: machines are shared.
const PATIENCE: Duration = Duration::from_secs(60);

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

/// The daemon's end of a broker's connection, once it has received that.
async fn received(scene: &Scene, fds: &[BorrowedFd<'_>]) -> BrokerStream {
    let broker = UnixStream::connect(scene.broker_socket()).unwrap();
    let (subject, stream) = scene.accept_broker();
    pass(&broker, fds);
    let line = stream.receive(&subject, &scene.reader, PATIENCE).await.unwrap();
    assert_eq!(line, b"attest\n");
    stream
}

async fn behind(scene: &Scene, fd: BorrowedFd<'_>) -> Result<Subject<Delegated>, NoSubject> {
    let stream = received(scene, &[fd]).await;
    let subject = stream.behind(&scene.kernel);
    stream.close(&scene.reader, 0, ()).await;
    subject
}

/// The test as its own broker, confirmed.
async fn recipient(scene: &Scene) -> Confirmed<()> {
    let _broker = UnixStream::connect(scene.broker_socket()).unwrap();
    let (subject, stream) = scene.accept_broker();
    let facts = scene.all(&subject).await;
    stream.close(&scene.reader, 0, ()).await;
    subject.confirm(subject.bind(facts).map(drop)).unwrap()
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
    subject.confirm_for(subject.bind(facts), recipient(&scene).await).unwrap();
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
    subject.confirm_for(subject.bind(facts), recipient(&scene).await).unwrap();
}

// #16, #17: a connection says who somebody was.
#[tokio::test]
async fn a_connection_of_somebody_who_has_changed_ids_is_refused() {
    let scene = Scene::new();
    let actor = Actor::spawn().connect(&scene.socket);
    let end = scene.stream();
    let actor = actor.uid(34);
    let error = behind(&scene, end.as_fd()).await.unwrap_err();
    assert!(matches!(error, NoSubject::Peer(PeerError::CredentialsChanged { .. })), "{error}");
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
    assert_eq!(behind(&scene, fd.as_fd()).await.unwrap_err(), PeerError::PeerExited.into());
    let (fd, end) = (pidfd(&zombie), scene.stream());
    zombie.exit(0);
    assert_eq!(behind(&scene, fd.as_fd()).await.unwrap_err(), PeerError::PeerExited.into());
    assert_eq!(behind(&scene, end.as_fd()).await.unwrap_err(), PeerError::PeerExited.into());
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
    let error = subject.confirm_for(subject.bind(facts), recipient(&scene).await).unwrap_err();
    let changed = [Change::Executable, Change::Program];
    assert!(changed.map(|change| PeerError::SubjectChanged { change }).contains(&error), "{error}");
    let subject = behind(&scene, pidfd(&exits).as_fd()).await.unwrap();
    let facts = scene.all(&subject).await;
    exits.exit(0);
    let error = subject.confirm_for(subject.bind(facts), recipient(&scene).await).unwrap_err();
    assert_eq!(error, PeerError::PeerExited);
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
    // Who connected would name who listens; of a pair each would name who made it.
    let client = UnixStream::connect(scene.path().join("listening")).unwrap();
    let (pair, _other_half) = UnixStream::pair().unwrap();
    let unconnected_one = unconnected();
    for (fd, name) in [
        (client.as_fd(), "socket:["),
        (pair.as_fd(), "socket:["),
        (unconnected_one.as_fd(), "socket:["),
        (tcp.as_fd(), "socket:["),
        (listening.as_fd(), "socket:["),
        (datagram.as_fd(), "socket:["),
        (pipe.as_fd(), "pipe:["),
        (file.as_fd(), "/etc/passwd"),
        (directory.as_fd(), "/proc/"),
        (memory.as_fd(), "/memfd:anon_inode:[pidfd]"),
        (thread.as_fd(), "a pidfd of one thread"),
    ] {
        let NoSubject::NoLead { found } = behind(&scene, fd).await.unwrap_err() else {
            panic!("{name}");
        };
        assert!(found.starts_with(name), "{found}");
    }
    let bound = unconnected();
    let name = rustix::net::SocketAddrUnix::new(scene.path().join("bound")).unwrap();
    rustix::net::bind(&bound, &name).unwrap();
    let error = behind(&scene, bound.as_fd()).await.unwrap_err();
    assert_eq!(error, PeerError::PeerUnknown { why: Stranger::NoPeer }.into());
}

fn unconnected() -> OwnedFd {
    use rustix::net::{AddressFamily, SocketType, socket};
    socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap()
}

/// Sends a line with this many copies of one descriptor.
fn pass_many(broker: &UnixStream, fd: BorrowedFd<'_>, count: usize) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = vec![fd; count];
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    let line = [IoSlice::new(b"attest\n")];
    assert_eq!(sendmsg(broker, &line, &mut control, SendFlags::empty()).unwrap(), 7);
}

#[tokio::test]
async fn there_must_be_one_descriptor() {
    let scene = Scene::new();
    let stream = received(&scene, &[]).await;
    assert_eq!(stream.behind(&scene.kernel).unwrap_err(), NoSubject::Nothing);
    stream.close(&scene.reader, 0, ()).await;
    let file = File::open("/etc/passwd").unwrap();
    let before = std::fs::read_dir("/proc/self/fd").unwrap().count();
    for count in [2, 8, 253] {
        let broker = UnixStream::connect(scene.broker_socket()).unwrap();
        let (subject, stream) = scene.accept_broker();
        pass_many(&broker, file.as_fd(), count);
        stream.receive(&subject, &scene.reader, PATIENCE).await.unwrap();
        assert_eq!(stream.behind(&scene.kernel).unwrap_err(), NoSubject::Many);
        // Other tests open and close some, too.
        assert!(std::fs::read_dir("/proc/self/fd").unwrap().count() < before + 100);
        stream.close(&scene.reader, 0, ()).await;
    }
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
    let stream = received(&scene, &[file.as_fd()]).await;
    let found = slow.path().to_str().unwrap().to_owned();
    assert_eq!(stream.behind(&scene.kernel).unwrap_err(), NoSubject::NoLead { found });
    let (held, released) = std::sync::mpsc::channel::<()>();
    stream.close(&scene.reader, 1001, held).await;
    // A child that another test starts may have a copy to close, too.
    until("a thread closes it", || slow.waiting() >= 1 && scene.reader.reads().busy == 1);
    assert_eq!(released.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty));
    hold.end();
    released.recv().unwrap_err();
}

/// A TCP socket that was left with something unsent and waits for it when it is closed.
fn lingering() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let theirs = listener.accept().unwrap().0;
    rustix::net::sockopt::set_socket_linger(&ours, Some(Duration::from_secs(600))).unwrap();
    ours.set_nonblocking(true).unwrap();
    while (&ours).write(&[0; 65536]).is_ok() {}
    (ours, theirs)
}

/// What hangs when it is let go of does so on a thread of its own, whoever lets go of it: we who close it,
/// the kernel because there were too many or because nobody received it.
#[tokio::test]
async fn what_lingers_lingers_where_it_hurts_nobody() {
    let scene = Scene::new();
    for count in [0, 1, 3] {
        let (hangs, other_end) = lingering();
        let broker = UnixStream::connect(scene.broker_socket()).unwrap();
        let (subject, stream) = scene.accept_broker();
        pass_many(&broker, hangs.as_fd(), count.max(1));
        drop(hangs);
        if count > 0 {
            // It may not even come back from receiving.
            let received =
                stream.receive(&subject, &scene.reader, Duration::from_millis(200)).await;
            assert!(count == 3 || received.is_ok(), "{received:?}");
        }
        let (held, released) = std::sync::mpsc::channel::<()>();
        stream.close(&scene.reader, 0, held).await;
        until("a thread lingers", || scene.reader.reads().busy >= 1);
        assert_eq!(released.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty), "{count}");
        drop(other_end);
        released.recv().unwrap_err();
        until("it is over", || scene.reader.reads().busy == 0);
    }
}

// #19
#[tokio::test]
async fn a_process_of_a_namespace_below_ours_has_its_number_of_ours() {
    let scene = Scene::new();
    let actor = Actor::spawn().uid(1000);
    actor.unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWPID);
    let child = actor.fork();
    // Our namespace is the parent of its own, so we do see it: the number is ours.
    let subject = behind(&scene, pidfd(&child).as_fd()).await.unwrap();
    assert_eq!(subject.uid(), 1000);
}
