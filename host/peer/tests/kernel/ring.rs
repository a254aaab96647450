//! What an io_uring does in the name of a process, also when that does something else by then.

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use witgate_peer::{Id, OtherSenders, PeerError};
use witgate_testkit::child::Actor;

use crate::scene::{Scene, runs, until};

/// Whether there are any here: some machines forbid them to all.
fn are_permitted() -> bool {
    let scene = Scene::new();
    let armed = Actor::spawn().connect(&scene.socket).arm_echo(1);
    match &armed {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => false,
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => false,
        _ => armed.map(|()| true).unwrap(),
    }
}

// #13: from receive to send, armed by the program that connected. That is as good as its own answer as
// long as it runs, and none when it has become another.
#[tokio::test]
async fn a_ring_answers_for_the_program_that_armed_it_and_for_no_other() {
    if !are_permitted() {
        return;
    }
    let scene = Scene::new();
    let trusted = scene.program("trusted");
    for becomes_another in [false, true] {
        let actor = Actor::spawn().connect(&scene.socket);
        let (subject, mut stream) = scene.accept_stream(OtherSenders::Refused);
        let challenge = subject.challenge().unwrap().unwrap();
        actor.arm_echo(8).unwrap();
        if becomes_another {
            actor.exec(&trusted, &["1000"]);
            until("exec", || runs(actor.pid(), &trusted));
        }
        stream.write_all(&challenge.nonce()).await.unwrap();
        let mut answer = [0; 8];
        if becomes_another {
            // What the ring could do it has done by now, for the connection is at its end.
            actor.kill();
            assert!(stream.read_exact(&mut answer).await.is_err(), "{answer:?}");
            assert_eq!(subject.answered(challenge).unwrap_err(), PeerError::PeerExited);
        } else {
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, challenge.nonce());
            subject.answered(challenge).unwrap();
        }
    }
}

// #13: armed by another process, which has the connection too: that one outlives the exec, and shows.
#[tokio::test]
async fn a_ring_of_another_process_is_another_sender() {
    if !are_permitted() {
        return;
    }
    let scene = Scene::new();
    let trusted = scene.program("trusted");
    for becomes_another in [false, true] {
        let actor = Actor::spawn().connect(&scene.socket);
        let (subject, mut stream) = scene.accept_stream(OtherSenders::Refused);
        let challenge = subject.challenge().unwrap().unwrap();
        let helper = actor.fork();
        helper.arm_echo(8).unwrap();
        if becomes_another {
            actor.exec(&trusted, &["1000"]);
            until("exec", || runs(actor.pid(), &trusted));
        }
        stream.write_all(&challenge.nonce()).await.unwrap();
        let read = stream.read_exact(&mut [0; 8]).await.map_err(|error| error.kind());
        assert_eq!(read.unwrap_err(), ErrorKind::PermissionDenied);
        let sender = subject.other_sender().unwrap();
        assert_eq!(sender.pid, helper.pid());
        let refused = subject.answered(challenge).unwrap_err();
        assert_eq!(refused, PeerError::SenderDiffers { sender });
    }
}

// #17: the ring has kept the ids of root, and connects with them. The process has none of these.
#[test]
fn who_connects_with_ids_that_a_ring_has_kept_is_refused() {
    if !are_permitted() {
        return;
    }
    let scene = Scene::new();
    let actor = Actor::spawn();
    actor.connect_with_saved_ids(1000, &scene.socket);
    let expected =
        PeerError::CredentialsChanged { id: Id::EffectiveUser, expected: 0, found: 1000 };
    assert_eq!(scene.accept().unwrap_err(), expected);
}
