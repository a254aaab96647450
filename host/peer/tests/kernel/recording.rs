use std::{
    fs,
    process::{Command, Stdio},
    sync::Arc,
};

use witgate_facts::{
    Capabilities, Capability, FactSource as _, FileRoot, Recorder, Redaction, fixture::Recorded,
};
use witgate_testkit::child::Actor;

use crate::scene::{Root, Scene, Started, until};

fn granted(words: &[&str]) -> Capabilities {
    words.iter().map(|word| word.parse::<Capability>().unwrap()).collect()
}

#[tokio::test]
async fn a_process_that_was_recorded_can_be_asked_the_same() {
    let scene = Scene::new();
    let root = Root::new(scene.path());
    root.write("etc/os-release", "ID=inside\n");
    root.write("data/file", "");
    let child = root.start();
    let facts = scene.observe(child.pid()).await;
    let granted = granted(&[
        "executable",
        "ancestry",
        "cmdline",
        "systemd",
        "environ:PATH",
        "environ:NO_SUCH",
        "files.workload:/etc/os-release",
        "files.workload:/data/",
        "files.host:/etc/hostname",
    ]);
    let recorder = Recorder::new(Arc::clone(&facts) as Arc<_>).with_redaction(Redaction::Keep);
    let recorded = recorder.finish(&granted, String::new()).await;
    let text = serde_json::to_string(&recorded).unwrap();
    drop(child);

    let replayed: Recorded = serde_json::from_str(&text).unwrap();
    assert_eq!(replayed.credentials(), facts.credentials());
    assert_eq!(replayed.cgroups_trusted(), facts.cgroups_trusted());
    assert_eq!(replayed.namespaces(), facts.namespaces());
    assert_eq!(replayed.executable(), facts.executable());
    assert_eq!(replayed.executable_sha256().await, facts.executable_sha256().await);
    assert_eq!(replayed.ancestry().await, facts.ancestry().await);
    assert_eq!(replayed.cmdline().await, facts.cmdline().await);
    assert_eq!(replayed.systemd_unit().await, facts.systemd_unit().await);
    for name in ["PATH", "NO_SUCH"] {
        assert_eq!(replayed.variable(name).await, facts.variable(name).await);
    }
    let path = "/etc/os-release";
    let content = replayed.file(FileRoot::Workload, path).await;
    assert_eq!(content, Ok(Some(b"ID=inside\n".to_vec())));
    let status = replayed.status(FileRoot::Workload, path).await;
    assert_eq!(status, facts.status(FileRoot::Workload, path).await);
    let entries = replayed.entries(FileRoot::Workload, "/data").await.unwrap().unwrap();
    assert_eq!((entries.len(), &*entries[0].name), (1, "file"));
}

#[tokio::test]
async fn a_recording_has_no_secret_of_the_process() {
    let scene = Scene::new();
    let mut command = Command::new("/bin/sh");
    // Waits by itself, so that nothing is left when it is killed.
    command.args(["-c", "read line", "sh", "--password=hunter2"]).env("TOKEN", "hunter2");
    command.stdin(Stdio::piped());
    let child = Started(command.spawn().unwrap());
    let line = format!("/proc/{}/cmdline", child.pid());
    until("exec", || fs::read(&line).is_ok_and(|line| line.ends_with(b"hunter2\0")));
    let facts = scene.observe(child.pid()).await;
    let recorder = Recorder::new(facts);
    let recorded = recorder.finish(&granted(&["cmdline", "environ:TOKEN"]), "sh".to_owned()).await;
    assert_eq!(recorded.about, "sh (2 values redacted)");
    let text = serde_json::to_string(&recorded).unwrap();
    assert!(text.contains("--password=<redacted, 7 bytes>") && !text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn what_was_not_granted_is_not_read_of_the_process() {
    let scene = Scene::new();
    let actor = Actor::spawn();
    let facts = scene.observe(actor.pid()).await;
    let recorded = Recorder::new(facts).finish(&Capabilities::new(), String::new()).await;
    assert!(recorded.credentials.is_some() && recorded.comm.is_some());
    assert!(recorded.cmdline.is_none() && recorded.executable.is_none());
}
