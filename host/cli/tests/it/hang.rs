//! #33: two hundred callers that make their readers hang, and one who does not.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
};

use witgate_testkit::{child::Actor, daemon::Daemon, fuse::SlowFile};

use crate::{folder, json};

/// Whoever is asked about must be hashed.
const ENTRIES: &str = r#"
[[entry]]
name = "hashed"
identity = "/hashed"
match = { unix.uid = "1009" }
like = { unix.sha256 = "*" }
"#;

/// Connects and asks when it is told to: not before, for a connection without a first byte is closed
/// after a while. Perl is part of every Debian.
const CALLER: &str = r#"
    use Socket;
    syswrite STDOUT, "started\n";
    <STDIN>;
    socket(S, AF_UNIX, SOCK_STREAM, 0) and connect(S, sockaddr_un($ARGV[0])) or die $!;
    syswrite S, "attest\n";
    sleep 1000;
"#;

struct Caller(Child);

impl Caller {
    fn start(program: &SlowFile, uid: u32, daemon: &Daemon) -> Self {
        let mut command = Command::new(program.path());
        command.args(["-e", CALLER]).arg(daemon.socket()).uid(uid).gid(uid);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "started\n");
        Self(child)
    }

    fn ask(&mut self) {
        self.0.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn reads(daemon: &Daemon, of: &str) -> u64 {
    json(&daemon.run(&["status", "--json"]))["reads"][of].as_u64().unwrap()
}

#[test]
fn two_hundred_hung_callers_are_nobody_elses_matter() {
    let place = tempfile::tempdir().unwrap();
    let slow = SlowFile::mount(place.path(), std::fs::read("/usr/bin/perl").unwrap()).unwrap();
    let folder = folder();
    folder.write("entries.d/hashed.toml", ENTRIES);
    let daemon = folder.serve();
    let uids = (1001..1005).flat_map(|uid| [uid; 50]);
    let mut callers: Vec<_> = uids.map(|uid| Caller::start(&slow, uid, &daemon)).collect();
    // What they still have to do themselves needs no file system.
    drop(std::fs::read(slow.path()).unwrap());
    let hold = slow.hold();
    callers.iter_mut().for_each(Caller::ask);
    daemon.eventually("readers hang", || reads(&daemon, "busy") == 16);
    for _ in 0..30 {
        let other = Actor::spawn().gid(1009).uid(1009).connect(daemon.socket());
        other.send(b"attest\n");
        let answer = String::from_utf8(other.receive_to_end()).unwrap();
        assert!(answer.contains("spiffe://dev.internal/hashed"), "{answer}");
    }
    daemon.eventually("it shows", || reads(&daemon, "overdue") >= 16);
    let told = String::from_utf8(daemon.run(&["status"]).stdout).unwrap();
    assert!(told.contains(" hang, by what a workload does"), "{told}");
    hold.end();
    daemon.eventually("the threads are back", || reads(&daemon, "busy") == 0);
    assert_eq!(reads(&daemon, "overdue"), 0);
}
