//! What a workload can make a reader wait for, for ever.

use std::{fs, os::unix::process::CommandExt as _, path::Path, process::Command, time::Duration};

use futures_util::future::join_all;
use witgate_facts::{FactError, FactSource as _};
use witgate_peer::{ReadSettings, Reads};
use witgate_testkit::{child::Actor, fuse::SlowFile};

use crate::scene::{Scene, Started, runs, until};

fn impatient() -> Scene {
    let mut settings = ReadSettings::default();
    settings.deadline = Duration::from_millis(300);
    Scene::with(settings)
}

/// A file system with a program that waits.
fn slow(scene: &Scene) -> SlowFile {
    let place = scene.path().join("slow");
    fs::create_dir(&place).unwrap();
    SlowFile::mount(&place, fs::read("/bin/sleep").unwrap()).unwrap()
}

fn run(program: &Path, uid: u32) -> Started {
    let child = Started(Command::new(program).arg("1000").uid(uid).spawn().unwrap());
    until("exec", || runs(child.pid(), program));
    child
}

fn late() -> FactError {
    FactError::Io("no answer within 300 ms".to_owned())
}

// #33, #34
#[tokio::test]
async fn a_program_on_a_file_system_that_hangs_costs_its_digest_and_a_thread() {
    let scene = impatient();
    let slow = slow(&scene);
    let child = run(slow.path(), 1000);
    let hold = slow.hold();
    let facts = scene.observe(child.pid()).await;
    assert!(facts.executable().unwrap().same_on_host, "it is looked at without asking anybody");
    assert_eq!(facts.executable_sha256().await, Err(late()));
    assert_eq!(scene.reader.reads().overdue, 1);
    hold.end();
    until("the thread is back", || scene.reader.reads().busy == 0);
    assert_eq!(scene.reader.reads().overdue, 0);
    // Nor is it hashed when it answers: it may answer each reader with something else.
    let facts = scene.observe(child.pid()).await;
    assert_eq!(facts.executable_sha256().await, Err(FactError::Unsupported));
}

/// #33, two hundred times: one uid has its share of the threads and no other's.
#[tokio::test]
async fn two_hundred_that_hang_are_nobody_elses_matter() {
    let scene = impatient();
    let slow = slow(&scene);
    let hostile: Vec<_> = (0..200).map(|_| run(slow.path(), 1001)).collect();
    let hold = slow.hold();
    let mut facts = Vec::new();
    for child in &hostile {
        facts.push(scene.observe(child.pid()).await);
    }
    let hanging = join_all(facts.iter().map(|facts| facts.executable_sha256()));
    let others = async {
        for _ in 0..50 {
            let (_actor, subject) = scene.guest(Actor::spawn().uid(1002));
            let facts = scene.all(&subject).await;
            assert_eq!(facts.executable_sha256().await.unwrap().len(), 64);
            assert!(!facts.cmdline().await.unwrap().is_empty());
            subject.confirm(subject.bind(facts)).unwrap();
        }
        scene.reader.reads()
    };
    let (hung, reads) = tokio::join!(hanging, others);
    assert!(hung.iter().all(Result::is_err), "{hung:?}");
    let Reads { busy, threads, .. } = reads;
    let share = ReadSettings::default().threads_per_uid;
    assert!(busy >= share && threads <= 2 * share, "{reads:?}");
    assert!(scene.reader.reads().overdue >= share);
    hold.end();
    until("the threads are back", || scene.reader.reads().busy == 0);
}

/// Every decision that wants the image takes a thread for a moment: as many as one uid may have
/// connections must not be in each other's way.
#[tokio::test]
async fn a_crowd_of_one_uid_is_served() {
    let scene = Scene::new();
    let (_actor, subject) = scene.guest(Actor::spawn().uid(1003));
    let crowd = join_all((0..256).map(|_| scene.all(&subject))).await;
    assert!(crowd.iter().all(|facts| facts.executable().is_ok()));
}

// #35
#[tokio::test]
async fn a_command_line_on_a_file_system_that_hangs_is_nobody_elses_matter() {
    let scene = impatient();
    let slow = slow(&scene);
    let actor = Actor::spawn().uid(1001);
    actor.show_arguments(slow.path());
    let _hold = slow.hold();
    let (_actor, subject) = scene.guest(actor);
    let facts = scene.all(&subject).await;
    // Linux 4.17 and later read memory that is no file's, or none.
    assert!(facts.cmdline().await.is_ok_and(|all| all.is_empty()), "{:?}", facts.cmdline().await);
    let (_other, subject) = scene.guest(Actor::spawn().uid(1001));
    assert!(!scene.all(&subject).await.cmdline().await.unwrap().is_empty());
    assert_eq!(scene.reader.reads().overdue, 0);
}
