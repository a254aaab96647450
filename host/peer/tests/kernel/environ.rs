use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStrExt as _,
    process::Command,
};

use futures_util::FutureExt as _;
use witgate_facts::{FactError, FactSource as _};
use witgate_peer::limits;

use crate::scene::{Scene, Started, runs, until};

/// A process that was started with these variables and no other.
fn with(variables: &[(&str, OsString)]) -> Started {
    let mut command = Command::new("/bin/sleep");
    command.arg("1000").env_clear().envs(variables.iter().cloned());
    let child = Started(command.spawn().unwrap());
    let sleep = fs::canonicalize("/bin/sleep").unwrap();
    until("exec", || runs(child.pid(), &sleep));
    child
}

fn text(length: usize) -> OsString {
    "x".repeat(length).into()
}

#[tokio::test]
async fn a_variable_is_as_the_process_was_started_with_it() {
    let scene = Scene::new();
    let child = with(&[
        ("BYTES", OsStr::from_bytes(b"\xff=\n").to_owned()),
        ("EMPTY", OsString::new()),
        ("HOME", "/home/me".into()),
        ("LONGEST", text(limits::ENVIRON_VALUE)),
        ("TOO_LONG", text(limits::ENVIRON_VALUE + 1)),
    ]);
    let facts = scene.observe(child.pid()).await;
    assert_eq!(facts.variable("HOME").await, Ok(Some(b"/home/me".to_vec())));
    assert_eq!(facts.variable("BYTES").await, Ok(Some(b"\xff=\n".to_vec())));
    assert_eq!(facts.variable("EMPTY").await, Ok(Some(Vec::new())));
    assert_eq!(facts.variable("PATH").await, Ok(None));
    assert_eq!(facts.variable("HOM").await, Ok(None));
    let longest = facts.variable("LONGEST").await.unwrap().unwrap();
    assert_eq!(longest.len(), limits::ENVIRON_VALUE);
    assert_eq!(facts.variable("TOO_LONG").await, Err(FactError::TooLarge));
}

#[tokio::test]
async fn the_environment_is_read_once_in_a_request() {
    let scene = Scene::new();
    let child = with(&[("A", "1".into())]);
    let facts = scene.observe(child.pid()).await;
    assert_eq!(facts.variable("A").await, Ok(Some(b"1".to_vec())));
    drop(child);
    // No thread is asked again, and so nobody notices that it has exited.
    assert_eq!(facts.variable("A").now_or_never(), Some(Ok(Some(b"1".to_vec()))));
    assert_eq!(facts.variable("B").now_or_never(), Some(Ok(None)));
}

#[tokio::test]
async fn a_variable_behind_the_limit_is_too_large_and_not_missing() {
    let scene = Scene::new();
    // A string has at most 128 KiB.
    let child = with(&[
        ("A", "1".into()),
        ("B", text(100_000)),
        ("C", text(100_000)),
        ("D", text(100_000)),
        ("E", "2".into()),
    ]);
    let facts = scene.observe(child.pid()).await;
    assert_eq!(facts.variable("A").await, Ok(Some(b"1".to_vec())));
    for name in ["B", "D", "E", "F"] {
        assert_eq!(facts.variable(name).await, Err(FactError::TooLarge), "{name}");
    }
}
