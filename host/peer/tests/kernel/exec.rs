//! A process that becomes another program keeps everything by which it is told from others.

use std::{io::Read as _, time::Duration};

use witgate_facts::{FactName, FactSet, FactSource as _};
use witgate_identity::Assurance;
use witgate_peer::{Change, Connected, ExecWatchKind, PeerError, Subject};
use witgate_testkit::child::Actor;

use crate::scene::{Scene, runs, until};

const CHANGED: PeerError = PeerError::SubjectChanged { change: Change::Program };

fn image() -> FactSet {
    [FactName::ExecutableInfo].into_iter().collect()
}

/// Its answer to a challenge, as if it had come.
fn answer(subject: &Subject<Connected>) -> Result<(), PeerError> {
    let challenge = subject.challenge()?.unwrap();
    subject.answered(challenge)
}

// #11
#[tokio::test]
async fn an_exec_between_the_facts_and_the_answer_is_seen() {
    let scene = Scene::new();
    let program = scene.program("trusted");
    let (actor, subject) = scene.guest(Actor::spawn());
    let facts = subject.collect(image(), &scene.reader).await.unwrap();
    assert_eq!(subject.exec_watch(), Some(ExecWatchKind::Event));
    let bound = subject.bind(facts);
    actor.exec(&program, &["1000"]);
    until("exec", || runs(actor.pid(), &program));
    let error = subject.confirm(bound).unwrap_err();
    assert!(matches!(error, PeerError::SubjectChanged { .. }), "{error}");
    // And for good: what it is now did not connect.
    let facts = subject.collect(image(), &scene.reader).await.unwrap();
    assert_eq!(subject.confirm(subject.bind(facts)).unwrap_err(), CHANGED);
}

// #11: the same file again, so that neither its name nor its number differs.
#[tokio::test]
async fn an_exec_of_the_same_file_is_seen_too() {
    let scene = Scene::new();
    let (go, shell) = (scene.path().join("go"), std::fs::canonicalize("/bin/sh").unwrap());
    nix::unistd::mkfifo(&go, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let actor = Actor::spawn().connect(&scene.socket);
    let script = format!("read x <{0}; exec /bin/sh -c 'read x <{0}'", go.display());
    actor.exec("/bin/sh", &["-c", &script]);
    until("exec", || runs(actor.pid(), &shell));
    let subject = scene.accept().unwrap();
    let bound = subject.bind(subject.collect(image(), &scene.reader).await.unwrap());
    std::fs::write(&go, "go\n").unwrap();
    subject.changed_program().await;
    until("exec", || runs(actor.pid(), &shell));
    assert!(subject.is_alive());
    assert_eq!(subject.confirm(bound).unwrap_err(), CHANGED);
}

// #12: whoever compares the memory sees that of before, for another process keeps it.
#[tokio::test]
async fn an_exec_beside_a_process_that_shares_the_memory_is_seen() {
    let scene = Scene::new();
    let program = scene.program("trusted");
    for answers in [false, true] {
        let (actor, subject) = scene.guest(Actor::spawn());
        let challenge = subject.challenge().unwrap().unwrap();
        let bound = subject.bind(subject.collect(image(), &scene.reader).await.unwrap());
        let mut memory = std::fs::File::open(format!("/proc/{}/maps", actor.pid())).unwrap();
        actor.share_memory();
        actor.fix_addresses();
        actor.exec(&program, &["1000"]);
        until("exec", || runs(actor.pid(), &program));
        assert_ne!(memory.read(&mut [0; 64]).unwrap(), 0, "the memory of before lives on");
        if answers {
            assert_eq!(subject.answered(challenge).unwrap_err(), CHANGED);
        }
        let error = subject.confirm(bound).unwrap_err();
        assert!(matches!(error, PeerError::SubjectChanged { .. }), "{error}");
        let facts = subject.collect(image(), &scene.reader).await.unwrap();
        assert_eq!(subject.confirm(subject.bind(facts)).unwrap_err(), CHANGED);
    }
}

#[tokio::test]
async fn exec_and_exit_wake_whoever_waits() {
    let scene = Scene::new();
    let program = scene.program("other");
    for exits in [false, true] {
        let (actor, subject) = scene.guest(Actor::spawn());
        subject.watch_exec().unwrap();
        let early = tokio::time::timeout(Duration::from_millis(20), subject.changed_program());
        assert!(early.await.is_err());
        match exits {
            true => actor.exit(0),
            false => actor.exec(&program, &["1000"]),
        }
        subject.changed_program().await;
        assert_eq!(subject.is_alive(), !exits);
    }
}

#[tokio::test]
async fn a_child_that_becomes_another_program_is_none_of_its_business() {
    let scene = Scene::new();
    let (actor, subject) = scene.guest(Actor::spawn());
    let bound = subject.bind(subject.collect(image(), &scene.reader).await.unwrap());
    let child = actor.fork();
    child.exec(scene.program("other"), &["1000"]);
    until("exec", || runs(child.pid(), &scene.path().join("other")));
    subject.confirm(bound).unwrap();
}

// #10
#[tokio::test]
async fn what_a_process_runs_is_worth_more_once_it_has_answered() {
    let scene = Scene::new();
    let (actor, subject) = scene.guest(Actor::spawn());
    let worth = async || {
        let facts = subject.collect(image(), &scene.reader).await.unwrap();
        facts.assurance(FactName::ExecutableInfo)
    };
    assert_eq!((subject.challenged(), worth().await), (false, Assurance::Claimed));
    answer(&subject).unwrap();
    assert_eq!((subject.challenged(), worth().await), (true, Assurance::Image));
    assert!(subject.challenge().unwrap().is_none(), "once is enough");
    let bound = subject.bind(subject.collect(image(), &scene.reader).await.unwrap());
    actor.exec(scene.program("trusted"), &["1000"]);
    until("exec", || runs(actor.pid(), &scene.path().join("trusted")));
    assert!(subject.confirm(bound).is_err());
}

// #10: it became the trusted program after it was asked, or before; it never answered as that.
#[tokio::test]
async fn an_answer_after_an_exec_is_none() {
    let scene = Scene::new();
    let (actor, subject) = scene.guest(Actor::spawn());
    let challenge = subject.challenge().unwrap().unwrap();
    actor.exec(scene.program("trusted"), &["1000"]);
    until("exec", || runs(actor.pid(), &scene.path().join("trusted")));
    assert_eq!(subject.answered(challenge).unwrap_err(), CHANGED);
    assert!(!subject.challenged());
}

#[tokio::test]
async fn a_challenge_belongs_to_one_subject() {
    let scene = Scene::new();
    let (_a, first) = scene.guest(Actor::spawn());
    let (_b, second) = scene.guest(Actor::spawn());
    let challenge = first.challenge().unwrap().unwrap();
    assert_eq!(second.answered(challenge).unwrap_err(), PeerError::OtherSubject);
    assert!(!first.challenged() && !second.challenged());
    let nonces: std::collections::HashSet<_> =
        (0..1000).map(|_| first.challenge().unwrap().unwrap().nonce()).collect();
    assert_eq!(nonces.len(), 1000);
}
