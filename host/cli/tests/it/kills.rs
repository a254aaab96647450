//! Killed at any moment, the daemon starts again, and what it gave is on record.

use std::{
    collections::BTreeSet,
    path::Path,
    process::Stdio,
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

use crate::{
    converse, folder,
    take_over::{FAST, records, scaled},
};

/// Asks again and again, and remembers what was answered whole.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn begin(daemon: &Daemon) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ask = |_| {
            let (stop, socket) = (Arc::clone(&stop), daemon.socket());
            std::thread::spawn(move || granted_until(&stop, &socket))
        };
        let threads = (0..3).map(ask).collect();
        Self { stop, threads }
    }

    fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    }
}

fn granted_until(stop: &AtomicBool, socket: &Path) -> Vec<String> {
    let mut granted = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        // The daemon dies somewhere in here.
        let Ok(answer) = std::panic::catch_unwind(|| converse(socket, b"attest\n")) else { break };
        let Ok(answer) = serde_json::from_slice::<Value>(&answer) else { continue };
        granted.extend(answer["decision_id"].as_str().map(str::to_owned));
    }
    granted
}

/// Nothing is there by half: neither of the sockets, nor of what is written.
fn expect_nothing_by_half(folder: &Folder) {
    for dir in ["public", "admin", "state", "state/audit"] {
        let names = std::fs::read_dir(folder.path().join(dir)).into_iter().flatten();
        for name in names.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
            assert!(!name.ends_with(".new"), "{dir}/{name}");
        }
    }
}

// #53
#[test]
fn killed_at_any_moment_it_starts_again_and_nothing_that_was_given_is_lost() {
    let mut folder = folder();
    folder.write("witgate.toml", FAST);
    let mut given = BTreeSet::new();
    for round in 0..u64::try_from(scaled("WITGATE_KILLS", 12) / 2).unwrap() {
        // At its start: before there is a socket, while plugins are compiled and loaded, and after.
        if round % 3 == 0 {
            let _ = std::fs::remove_dir_all(folder.path().join("state/compiled"));
        }
        let mut serve = folder.command(&["serve"]);
        let mut child = Started::spawn(serve.stdout(Stdio::null()).stderr(Stdio::null()));
        std::thread::sleep(Duration::from_millis(3 + round * 37 % 300));
        child.kill().unwrap();
        child.wait().unwrap();

        // At work: in the midst of decisions and their records, and of a reload.
        let daemon = folder.serve();
        let load = Load::begin(&daemon);
        assert!(Client::new(daemon.socket()).attest().is_ok());
        if round % 2 == 0 {
            let entry = format!(
                "[[entry]]\nname = \"e{round}\"\nidentity = \"/e{round}\"\nmatch = {{ unix.uid = 0, unix.gid = 0 }}\n"
            );
            daemon.folder.write("entries.d/more.toml", entry);
            daemon.signal(Signal::SIGHUP);
        }
        std::thread::sleep(Duration::from_micros(1 + round * 7919 % 60_000));
        folder = daemon.kill();
        given.extend(load.end());
    }
    let daemon = folder.serve();
    expect_nothing_by_half(&daemon.folder);
    let (status, folder) = daemon.stop();
    assert!(status.success());
    let verify = folder.run(&["audit", "verify"]);
    assert!(verify.status.success(), "{}", text(&verify));
    let recorded = records(&folder);
    let recorded: BTreeSet<_> = recorded
        .iter()
        .filter(|record| record["kind"] == "grant")
        .filter_map(|record| record["body"]["id"].as_str())
        .collect();
    let lost: Vec<_> = given.iter().filter(|id| !recorded.contains(id.as_str())).collect();
    assert!(!given.is_empty() && lost.is_empty(), "{lost:?} of {}", given.len());
}

// #55, #56, #58: who races for a place gets it alone, and nobody ever finds it with another mode.
#[test]
fn of_many_that_start_at_once_one_serves() {
    let folder = folder();
    let (mut served, mut turned_away) = (0, 0);
    for _ in 0..scaled("WITGATE_RACES", 3) {
        let start = |_| {
            let mut serve = folder.command(&["serve"]);
            Started::spawn(serve.stdout(Stdio::null()).stderr(Stdio::null()))
        };
        let mut all: Vec<_> = (0..4).map(start).collect();
        let client = Client::new(folder.socket());
        let mut ended = Vec::new();
        while ended.len() < all.len() - 1 {
            for (number, child) in all.iter_mut().enumerate() {
                if !ended.contains(&number)
                    && let Some(status) = child.try_wait().unwrap()
                {
                    assert_eq!(status.code(), Some(69));
                    ended.push(number);
                }
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        turned_away += ended.len();
        let asked = std::iter::repeat_with(|| {
            std::thread::sleep(Duration::from_millis(10));
            client.attest().is_ok()
        });
        served += usize::from(asked.take(1000).any(|answered| answered));
        for child in &mut all {
            let _ = child.kill();
            child.wait().unwrap();
        }
    }
    assert_eq!(turned_away, served * 3);
}

// #56: with every umask, from the first moment on.
#[test]
fn nobody_connects_before_the_mode_is_final() {
    use std::os::unix::{fs::PermissionsExt as _, process::CommandExt as _};
    let folder = folder();
    folder.write("witgate.toml", "[listen.public]\nmode = \"0600\"\n");
    let (socket, stop) = (folder.socket(), Arc::new(AtomicBool::new(false)));
    let (seen, stopped) = (socket.clone(), Arc::clone(&stop));
    let modes = std::thread::spawn(move || {
        let mut modes = BTreeSet::new();
        while !stopped.load(Ordering::Relaxed) {
            if let Ok(metadata) = std::fs::metadata(&seen) {
                modes.insert(metadata.permissions().mode() & 0o777);
            }
        }
        modes
    });
    for umask in [0o000, 0o077, 0o177] {
        let mut serve = folder.command(&["serve"]);
        serve.stdout(Stdio::null()).stderr(Stdio::null());
        // Of a shell that passes it on, for a process has one umask for all its threads.
        let program = serve.get_program().to_owned();
        let mut shell = std::process::Command::new("sh");
        shell.arg("-c").arg(format!("umask {umask:o}; exec \"$0\" \"$@\"")).arg(program);
        shell.args(serve.get_args()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut child = Started::spawn(&mut shell);
        while Client::new(&socket).attest().is_err() {
            assert!(child.try_wait().unwrap().is_none(), "it ended");
            std::thread::sleep(Duration::from_millis(5));
        }
        let stranger = std::panic::catch_unwind(|| {
            Actor::spawn().groups(&[]).gid(1000).uid(1000).connect(&socket)
        });
        assert!(stranger.is_err(), "somebody else got in");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    assert_eq!(modes.join().unwrap(), BTreeSet::from([0o600]));
}
