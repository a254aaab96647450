//! Who wrote on a connection is not always who opened it.

use std::{
    fs,
    io::{ErrorKind, IoSlice},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    path::Path,
};

use rustix::{
    io::Errno,
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
};
use tokio::io::AsyncReadExt as _;
use witgate_facts::{FactSet, FactSource as _};
use witgate_peer::{Connected, FactReader, OtherSenders, PeerError, PeerStream, Subject};
use witgate_testkit::child::{Actor, Spawn};

use crate::scene::Scene;

async fn read(stream: &mut PeerStream) -> Result<Vec<u8>, ErrorKind> {
    let mut buffer = [0; 64];
    let read = stream.read(&mut buffer).await.map_err(|error| error.kind())?;
    Ok(buffer[..read].to_vec())
}

async fn confirm(subject: &Subject<Connected>, reader: &FactReader) -> Result<(), PeerError> {
    let facts = subject.collect(FactSet::EMPTY, reader).await?;
    subject.confirm(subject.bind(facts)).map(drop)
}

fn is_from(error: &PeerError, actor: &Actor) -> bool {
    matches!(error, PeerError::SenderDiffers { sender } if sender.pid == actor.pid())
}

// #9
#[tokio::test]
async fn bytes_of_another_process_are_not_read() {
    let scene = Scene::new();
    let a = Actor::spawn().connect(&scene.socket);
    let b = Actor::spawn().uid(34);
    b.take_connection(a.give_connection().as_fd());
    let (subject, mut stream) = scene.accept_stream(OtherSenders::Refused);
    a.send(b"ping");
    assert_eq!(read(&mut stream).await, Ok(b"ping".to_vec()));
    confirm(&subject, &scene.reader).await.unwrap();
    assert_eq!(subject.other_sender(), None);
    // What both wrote stays apart, however it lies in the socket.
    a.send(b"AA");
    b.send(b"BB");
    a.send(b"CC");
    assert_eq!(read(&mut stream).await, Ok(b"AA".to_vec()));
    assert_eq!(read(&mut stream).await, Err(ErrorKind::PermissionDenied));
    let sender = subject.other_sender().unwrap();
    assert_eq!((sender.pid, sender.uid), (b.pid(), 34));
    // For good, and whoever reads on.
    assert_eq!(read(&mut stream).await, Err(ErrorKind::PermissionDenied));
    assert!(is_from(&confirm(&subject, &scene.reader).await.unwrap_err(), &b));
}

// #9: what was written before anybody accepted has its sender, too.
#[tokio::test]
async fn bytes_from_before_accept_have_their_sender() {
    let scene = Scene::new();
    let a = Actor::spawn().connect(&scene.socket);
    let child = a.fork();
    child.send(b"attest\n");
    let (subject, mut stream) = scene.accept_stream(OtherSenders::Refused);
    assert_eq!(subject.pid().as_raw(), a.pid());
    assert_eq!(read(&mut stream).await, Err(ErrorKind::PermissionDenied));
    assert!(is_from(&confirm(&subject, &scene.reader).await.unwrap_err(), &child));
}

#[tokio::test]
async fn where_others_are_allowed_they_are_named() {
    let scene = Scene::new();
    let a = Actor::spawn().connect(&scene.socket);
    let child = a.fork();
    child.send(b"attest\n");
    let (subject, mut stream) = scene.accept_stream(OtherSenders::Allowed);
    assert_eq!(read(&mut stream).await, Ok(b"attest\n".to_vec()));
    confirm(&subject, &scene.reader).await.unwrap();
    assert_eq!(subject.other_sender().map(|sender| sender.pid), Some(child.pid()));
    // A challenge is answered by the one that connected, or by nobody.
    assert!(subject.challenge().unwrap().is_none());
    assert!(!subject.challenged());
}

// #9: who answered and gave the connection away does not vouch for what is asked then.
#[tokio::test]
async fn an_answer_is_worth_nothing_once_another_process_writes() {
    let scene = Scene::new();
    let a = Actor::spawn().connect(&scene.socket);
    let child = a.fork();
    let (subject, mut stream) = scene.accept_stream(OtherSenders::Allowed);
    let (first, second) =
        (subject.challenge().unwrap().unwrap(), subject.challenge().unwrap().unwrap());
    a.send(b"answer\n");
    assert_eq!(read(&mut stream).await, Ok(b"answer\n".to_vec()));
    subject.answered(first).unwrap();
    assert!(subject.challenged());
    child.send(b"attest\n");
    assert_eq!(read(&mut stream).await, Ok(b"attest\n".to_vec()));
    assert!(!subject.challenged());
    assert!(is_from(&subject.answered(second).unwrap_err(), &child));
    confirm(&subject, &scene.reader).await.unwrap();
}

// #21: root of a user and pid namespace of its own may name any process of that one as the sender, so
// there the stamp is as good as its word; outside of it nobody.
#[tokio::test]
async fn who_may_name_another_sender_names_one_of_its_own() {
    let scene = Scene::new();
    let a = Spawn::default().new_user_namespace().new_pid_namespace().start();
    for map in ["uid_map", "gid_map"] {
        fs::write(format!("/proc/{}/{map}", a.pid()), "0 1000 1").unwrap();
    }
    a.set_gids(0, 0, 0);
    a.set_uids(0, 0, 0);
    let a = a.connect(&scene.socket);
    let b = a.fork();
    let (subject, mut stream) = scene.accept_stream(OtherSenders::Refused);
    assert_eq!((subject.pid().as_raw(), subject.uid()), (a.pid(), 1000));
    // A is the first process of its namespace. What B writes in its name is taken for A's: they are
    // one uid in one namespace, whose root may trace the other as well.
    b.send_as(1, b"forged").unwrap();
    assert_eq!(read(&mut stream).await, Ok(b"forged".to_vec()));
    let facts = subject.collect(FactSet::all(), &scene.reader).await.unwrap();
    let user = facts.namespaces().unwrap().iter().find(|space| space.kind == "user").unwrap();
    assert!(!user.host, "an entry that asks for the host's namespace is out of reach");
    // It has no number for anybody else; and without such namespaces nobody names another at all.
    assert!(b.send_as(a.pid(), b"forged").is_err());
    let c = Actor::spawn().gid(1000).uid(1000);
    c.take_connection(a.give_connection().as_fd());
    assert!(c.send_as(a.pid(), b"forged").is_err());
    assert_eq!(subject.other_sender(), None);
    c.send(b"its own");
    assert_eq!(read(&mut stream).await, Err(ErrorKind::PermissionDenied));
}

// A descriptor that is sent along.
#[tokio::test]
async fn a_descriptor_that_comes_along_never_becomes_ours() {
    let scene = Scene::new();
    let mine = UnixStream::connect(&scene.socket).unwrap();
    let (subject, mut stream) = scene.accept_stream(OtherSenders::Refused);
    let passed = send_descriptor(&mine, scene.path());
    if passed.is_ok() {
        // A kernel before 6.16 takes it from the sender, and drops it here.
        assert_eq!(read(&mut stream).await, Err(ErrorKind::PermissionDenied));
    } else {
        assert_eq!(passed, Err(Errno::PERM));
        confirm(&subject, &scene.reader).await.unwrap();
    }
    assert!(!is_open_here(scene.path()));
}

// The room for control data takes one stamp, so nothing else arrives where it may be sent, and
// whoever sends it is not listened to.
#[tokio::test]
async fn a_descriptor_is_dropped_where_it_may_be_sent() {
    let scene = Scene::new();
    let (ours, theirs) = UnixStream::pair().unwrap();
    rustix::net::sockopt::set_socket_passcred(&ours, true).unwrap();
    ours.set_nonblocking(true).unwrap();
    let ours = tokio::net::UnixStream::from_std(ours).unwrap();
    let subject = Subject::accept(&ours, &scene.kernel).unwrap();
    let mut stream = subject.stream(ours);
    send_descriptor(&theirs, scene.path()).unwrap();
    assert_eq!(read(&mut stream).await, Err(ErrorKind::PermissionDenied));
    assert!(!is_open_here(scene.path()));
    assert_eq!(subject.other_sender().map(|sender| sender.pid), Some(0));
}

// A socket that was not told to stamp messages: nobody is taken for the one that connected.
#[tokio::test]
async fn bytes_without_a_sender_are_not_read() {
    let scene = Scene::new();
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let ours = tokio::net::UnixStream::from_std(ours).unwrap();
    let subject = Subject::accept(&ours, &scene.kernel).unwrap();
    let mut stream = subject.stream(ours);
    rustix::io::write(&theirs, b"x").unwrap();
    assert_eq!(read(&mut stream).await, Err(ErrorKind::PermissionDenied));
    assert_eq!(subject.other_sender().map(|sender| sender.pid), Some(0));
}

/// Sends a file of the folder, and holds it no longer.
fn send_descriptor(socket: &UnixStream, folder: &Path) -> Result<(), Errno> {
    let file = OwnedFd::from(fs::File::create(folder.join("sent")).unwrap());
    assert!(is_open_here(folder));
    let descriptors = [file.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(socket, &[IoSlice::new(b"x")], &mut control, SendFlags::NOSIGNAL).map(drop)
}

fn is_open_here(folder: &Path) -> bool {
    let sent = folder.join("sent");
    let mut all = fs::read_dir("/proc/self/fd").unwrap().flatten();
    all.any(|fd| fs::read_link(fd.path()).is_ok_and(|path| path == sent))
}
