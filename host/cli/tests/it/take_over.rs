//! `serve --take-over`: no connect fails, no answer is half an answer, the log goes on.

use std::{
    fs,
    io::Read as _,
    os::unix::{fs::MetadataExt as _, net::UnixStream},
    path::Path,
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use nix::sys::signal::Signal;
use serde_json::Value;
use witgate_client::Client;
use witgate_testkit::{
    child::Actor,
    daemon::{Daemon, Folder, Started, text},
};

use crate::folder;

/// Nobody is turned away for asking too often.
pub(crate) const FAST: &str = "[limits]\nrequests_per_second = 1000000\nrequest_burst = 1000000\n";

fn fast() -> Folder {
    let folder = folder();
    folder.write("witgate.toml", FAST);
    folder
}

/// A number that the environment may raise, for a campaign.
pub(crate) fn scaled(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).map_or(otherwise, |number| number.parse().unwrap())
}

/// A process that asks again and again until it is told to stop.
pub(crate) struct Asking {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Asking {
    /// Every answer must be whole, and the one that this uid gets.
    pub(crate) fn begin(daemon: &Daemon, uid: u32) -> Self {
        let (socket, stop) = (daemon.socket(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let actor = Actor::spawn().groups(&[]).gid(uid).uid(uid);
        let thread = std::thread::spawn(move || {
            let mut answered = 0;
            while !stopped.load(Ordering::Relaxed) {
                expect_answer(&actor, &socket, uid);
                answered += 1;
            }
            answered
        });
        Self { stop, thread }
    }

    /// How often it was answered.
    pub(crate) fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }

    /// Nobody may have been there to answer.
    pub(crate) fn end_as_it_may(self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
    }
}

fn expect_answer(actor: &Actor, socket: &Path, uid: u32) {
    actor.connect_again(socket);
    actor.send(b"attest\n");
    let answer = actor.receive_to_end();
    actor.disconnect();
    let said: Value = serde_json::from_slice(&answer)
        .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&answer)));
    match uid {
        0 => assert_eq!(said["decision"], "allow", "{said}"),
        _ => assert_eq!(said["reason"], "no_matching_entry", "{said}"),
    }
}

/// Every record of the audit log.
pub(crate) fn records(folder: &Folder) -> Vec<Value> {
    let dir = folder.path().join("state/audit");
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    let lines = files.iter().flat_map(|file| {
        let text = fs::read_to_string(file).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>()
    });
    lines.collect()
}

/// Stops the daemon; its log must be in order, and have as many grants as were given.
fn expect_whole_log(daemon: Daemon, grants: usize) {
    let (status, folder) = daemon.stop();
    assert!(status.success());
    let verify = folder.run(&["audit", "verify"]);
    assert!(verify.status.success(), "{}", text(&verify));
    let records = records(&folder);
    assert_eq!(records.iter().filter(|record| record["kind"] == "grant").count(), grants);
    let seqs = records.iter().map(|record| record["seq"].as_u64().unwrap());
    assert!(seqs.eq(1..=records.len() as u64), "nothing is missing in between");
}

// #57, #60
#[test]
fn nobody_notices_that_daemons_follow_one_another() {
    let mut daemon = fast().serve();
    let inode = fs::metadata(daemon.socket()).unwrap().ino();
    let asking: Vec<_> = [0, 0, 1000, 1001].map(|uid| (uid, Asking::begin(&daemon, uid))).into();
    // It has connected and says nothing until the end: it is passed on each time.
    let silent = UnixStream::connect(daemon.socket()).unwrap();
    for _ in 0..scaled("WITGATE_TAKEOVERS", 10) {
        let before = daemon.pid();
        let status = daemon.follow(daemon.successor());
        assert!(status.success(), "{status}: {}", daemon.log());
        assert_ne!(daemon.pid(), before);
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(silent);
    let mut grants = 0;
    for (uid, asking) in asking {
        let answered = asking.end();
        assert!(answered > 0, "uid {uid}");
        grants += if uid == 0 { answered } else { 0 };
    }
    assert_eq!(fs::metadata(daemon.socket()).unwrap().ino(), inode, "the same socket all along");
    expect_whole_log(daemon, grants);
}

#[test]
fn who_has_connected_and_said_nothing_is_passed_on() {
    let mut daemon = fast().serve();
    let many: Vec<_> = (0..40).map(|_| Actor::spawn().connect(daemon.socket())).collect();
    daemon.eventually("all are let in", || {
        let metrics = crate::admin::get(&daemon, "/metrics");
        metrics.contains("witgate_connections 40\n")
    });
    assert!(daemon.follow(daemon.successor()).success());
    for actor in &many {
        actor.send(b"attest\n");
        let answer: Value = serde_json::from_slice(&actor.receive_to_end()).unwrap();
        assert_eq!(answer["decision"], "allow");
        assert_eq!(answer["you"]["pid"], actor.pid());
    }
    assert!(daemon.log().contains("Taken over"));
}

#[test]
fn streams_end_with_a_reason_and_kept_connections_are_closed() {
    let mut daemon = fast().serve();
    let watching = Actor::spawn().connect(daemon.socket());
    watching.send(b"watch\n");
    assert!(String::from_utf8_lossy(&watching.receive()).contains("\"allow\""));
    let kept = Actor::spawn().connect(daemon.socket());
    kept.send(b"GET /v1/attest HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(String::from_utf8_lossy(&kept.receive()).contains("200 OK"));
    assert!(daemon.follow(daemon.successor()).success());
    let end = watching.receive_to_end();
    assert!(String::from_utf8_lossy(&end).contains("not_ready"), "{end:?}");
    assert_eq!(kept.receive_to_end(), b"");
}

#[test]
fn a_broken_configuration_leaves_the_one_that_serves_alone() {
    let daemon = fast().serve();
    for (file, content) in [
        ("witgate.toml", "trust_domian = \"x\"\n"),
        ("entries.d/x.toml", "[[entry]]\nname = \"x\"\n"),
        ("witgate.toml", "[listen.public]\nmode = \"0600\"\n"),
    ] {
        let good = fs::read(daemon.folder.path().join(file)).ok();
        daemon.folder.write(file, content);
        let output = daemon.run(&["serve", "--take-over"]);
        assert_eq!(output.status.code(), Some(78), "{content}: {}", text(&output));
        match good {
            Some(good) => daemon.folder.write(file, good),
            None => fs::remove_file(daemon.folder.path().join(file)).unwrap(),
        }
        assert!(Client::new(daemon.socket()).attest().is_ok());
    }
    expect_whole_log(daemon, 3);
}

#[test]
fn only_root_and_the_daemons_own_user_may_take_over() {
    let folder = fast();
    folder.write("witgate.toml", "[listen.admin]\nadmin = { uids = [1000] }\n");
    let daemon = folder.serve();
    for uid in [1000, 1001] {
        let stranger =
            Actor::spawn().groups(&[]).gid(0).uid(uid).connect(daemon.folder.admin_socket());
        stranger.send(b"take-over {}\n");
        let answer: Value = serde_json::from_slice(&stranger.receive_to_end()).unwrap();
        assert!(answer["refused"].as_str().unwrap().contains("only root"), "{answer}");
    }
    // Root may, but has to say what it wants, and to go through with it.
    for (request, answer) in [
        ("take-over {}\n", "not understood"),
        ("take-over {\"sockets\":[],\"audit\":\"/nowhere\"}\n", "differs"),
    ] {
        let said = crate::converse(&daemon.folder.admin_socket(), request.as_bytes());
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains(answer), "{said}");
    }
    assert!(Client::new(daemon.socket()).attest().is_ok());
}

#[test]
fn where_nobody_serves_it_starts_as_usual() {
    let folder = fast();
    let mut serve = folder.command(&["serve", "--take-over"]);
    let mut child = Started::spawn(serve.stdout(Stdio::piped()));
    let mut said = [0; 7];
    child.stdout.take().unwrap().read_exact(&mut said).unwrap();
    assert_eq!(&said, b"witgate");
    let client = Client::new(folder.socket());
    let asked = std::iter::repeat_with(|| client.attest().is_ok()).take(100).any(|ok| ok);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(asked);
}

/// Waits until a take-over has begun that many times, and a little longer.
fn into_take_over(daemon: &Daemon, times: usize, moment: usize) {
    // All of it takes a few milliseconds, so it is looked for without a pause.
    daemon.eventually("a take-over", || {
        let begun = || daemon.log().matches("Take-over begins").count() >= times;
        std::iter::repeat_with(begun).take(1000).any(|begun| begun)
    });
    std::thread::sleep(Duration::from_micros(500) * u32::try_from(moment).unwrap());
}

/// What a successor of this daemon has to say first.
fn request(daemon: &Daemon) -> String {
    let path = |name| daemon.folder.path().join(name).display().to_string();
    let holdings = serde_json::json!({
        "sockets": [
            { "path": path("public/api.sock"), "mode": 0o666 },
            { "path": path("admin/admin.sock"), "mode": 0o660 },
        ],
        "audit": path("state/audit"),
    });
    format!("take-over {holdings}\n")
}

// #53: a successor that ends, step by step. Who asks meanwhile waits, and is answered.
#[test]
fn whatever_a_successor_got_before_it_ended_the_one_before_goes_on() {
    let daemon = fast().serve();
    let steps: [&[&str]; 3] = [&[], &["api.sock"], &["api.sock", "connections"]];
    for steps in steps {
        let successor = Actor::spawn().connect(daemon.folder.admin_socket());
        successor.send(request(&daemon).as_bytes());
        for (step, expected) in steps.iter().enumerate() {
            if step == 1 {
                successor.send(b"ready\n");
            }
            let said = successor.receive();
            assert!(String::from_utf8_lossy(&said).contains(expected), "{said:?}");
        }
        let waiting = Actor::spawn().connect(daemon.socket());
        waiting.send(b"attest\n");
        if steps.len() < 2 {
            // Nothing was given away yet.
            assert!(Client::new(daemon.socket()).attest().is_ok());
        }
        successor.kill();
        successor.reap();
        let answer: Value = serde_json::from_slice(&waiting.receive_to_end()).unwrap();
        assert_eq!(answer["decision"], "allow", "{answer}");
    }
    // And after all that it can still be taken over.
    let mut daemon = daemon;
    assert!(daemon.follow(daemon.successor()).success());
    let grants = 2 + 3;
    expect_whole_log(daemon, grants);
}

// One at a time; whoever does not go through with it stops nobody.
#[test]
fn a_successor_that_dawdles_keeps_nothing_from_being_answered() {
    let daemon = fast().serve();
    let frozen = Actor::spawn().connect(daemon.folder.admin_socket());
    frozen.send(request(&daemon).as_bytes());
    assert!(!frozen.receive().is_empty());
    let second = crate::converse(&daemon.folder.admin_socket(), request(&daemon).as_bytes());
    assert_eq!(String::from_utf8(second).unwrap(), "\"busy\"\n");
    assert!(Client::new(daemon.socket()).attest().is_ok());
}

// #53: one that was given everything and stands still is ended, and the one before goes on.
#[test]
fn a_successor_that_hangs_with_everything_is_ended() {
    let daemon = fast().serve();
    let hanging = Actor::spawn().connect(daemon.folder.admin_socket());
    hanging.send(request(&daemon).as_bytes());
    assert!(!hanging.receive().is_empty());
    hanging.send(b"ready\n");
    hanging.reap();
    daemon.eventually("an answer", || Client::new(daemon.socket()).attest().is_ok());
    assert!(daemon.log().contains("did not serve in time"), "{}", daemon.log());
    let (_, folder) = daemon.stop();
    let verify = folder.run(&["audit", "verify"]);
    assert!(verify.status.success(), "{}", text(&verify));
}

// #53: the successor is killed at any point of the take-over: the one before goes on, unless the
// other served by then. Nobody who asks meanwhile is left without an answer.
#[test]
fn a_successor_that_is_killed_gives_everything_back() {
    let mut daemon = fast().serve();
    let mut begun = 0;
    for moment in 0..scaled("WITGATE_KILLS", 12) {
        let asking = Asking::begin(&daemon, 1000);
        let mut successor = daemon.successor();
        begun += 1;
        into_take_over(&daemon, begun, moment % 12);
        successor.kill().unwrap();
        successor.wait().unwrap();
        let mut goes_on = None;
        daemon.eventually("an end of the take-over", || {
            goes_on = match Client::new(daemon.socket()).attest() {
                Ok(_) => Some(true),
                Err(_) => daemon.has_ended().then_some(false),
            };
            goes_on.is_some()
        });
        if goes_on == Some(true) {
            assert!(asking.end() > 0);
        } else {
            asking.end_as_it_may();
            daemon = daemon.kill().serve();
        }
    }
    let (_, folder) = daemon.stop();
    let verify = folder.run(&["audit", "verify"]);
    assert!(verify.status.success(), "{}", text(&verify));
}

// #53: the one that serves is killed at any point of a take-over: the other one serves, or a plain
// start does.
#[test]
fn whoever_is_killed_in_handing_over_leaves_a_place_that_can_be_served() {
    let mut daemon = fast().serve();
    for moment in 0..scaled("WITGATE_KILLS", 12) {
        let load = Asking::begin(&daemon, 1000);
        let mut successor = daemon.successor();
        into_take_over(&daemon, 1, moment % 12);
        daemon.signal(Signal::SIGKILL);
        let served = said(&mut successor).contains("operators");
        let folder = if served {
            assert!(Client::new(daemon.socket()).attest().is_ok());
            successor.kill().unwrap();
            daemon.kill()
        } else {
            let folder = daemon.kill();
            assert_eq!(successor.wait().unwrap().code(), Some(69), "{}", folder.log());
            folder
        };
        successor.wait().unwrap();
        load.end_as_it_may();
        fs::remove_file(folder.path().with_file_name("log")).unwrap();
        daemon = folder.serve();
        assert!(Client::new(daemon.socket()).attest().is_ok());
    }
    let (_, folder) = daemon.stop();
    let verify = folder.run(&["audit", "verify"]);
    assert!(verify.status.success(), "{}", text(&verify));
}

/// What a program prints until it says that it listens, or ends.
fn said(child: &mut Child) -> String {
    let (mut out, mut said, mut chunk) = (child.stdout.take().unwrap(), Vec::new(), [0; 256]);
    loop {
        let length = out.read(&mut chunk).unwrap();
        said.extend_from_slice(&chunk[..length]);
        let text = String::from_utf8_lossy(&said);
        if length == 0 || text.contains("operators") {
            return text.into_owned();
        }
    }
}
