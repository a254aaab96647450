//! Who changes while a broker's question is decided.

use super::*;

/// Whoever is asked about is hashed, though nothing depends on it.
const HASHED: &str = r#"
[[entry]]
name = "hashed"
identity = "/hashed"
match = { unix.uid = "3001" }

[[entry]]
name = "another"
identity = "/another"
match = { unix.uid = "3009" }
like = { unix.sha256 = "*" }
"#;

/// Says that it is there, and does what it is told to. Perl is part of every Debian.
const OBEYS: &str = r#"
    $| = 1;
    print "up\n";
    my $order = <STDIN>;
    exec "/bin/sleep", "1000" if $order eq "exec\n";
"#;

/// A daemon that takes as long as a test wants it to between what it knows of a process and its answer.
struct Held {
    slow: SlowFile,
    daemon: Daemon,
    _place: tempfile::TempDir,
}

impl Held {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let slow = SlowFile::mount(place.path(), std::fs::read("/usr/bin/perl").unwrap()).unwrap();
        let folder = folder();
        folder.write("witgate.toml", BROKERS);
        folder.write("entries.d/hashed.toml", HASHED);
        Self { slow, daemon: folder.serve(), _place: place }
    }

    fn workload(&self) -> Started {
        let mut command = Command::new(self.slow.path());
        command.args(["-e", OBEYS]).uid(3001).gid(3001).current_dir("/");
        let mut child = Started::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        // What it still has to do itself needs no file system.
        drop(std::fs::read(self.slow.path()).unwrap());
        child
    }

    /// A broker asks; something happens while the answer is being worked out; what it is answered.
    fn meanwhile(&self, broker: &Actor, happens: impl FnOnce(&mut Started)) -> Value {
        let mut workload = self.workload();
        let pid = Pid::from_raw(i32::try_from(workload.id()).unwrap()).unwrap();
        let about = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let hold = self.slow.hold();
        invite(broker, &self.daemon);
        let mut connection = UnixStream::from(broker.give_connection());
        broker.pass(b"attest\n", about.as_fd());
        self.daemon.eventually("it is hashed", || self.slow.waiting() >= 1);
        happens(&mut workload);
        hold.end();
        let answer = read_all(&mut connection);
        if answer.is_empty() { Value::Null } else { parse(&answer) }
    }
}

fn is_asleep(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n")
}

// #2, #3, #11
#[test]
fn who_changes_while_it_is_decided_about_is_not_told_of() {
    let held = Held::new();
    let broker = workload(2001);
    let answer = held.meanwhile(&broker, |_| ());
    assert_eq!(answer["identity"], "spiffe://dev.internal/hashed", "{answer}");
    let answer = held.meanwhile(&broker, |workload| {
        workload.kill().unwrap();
        workload.wait().unwrap();
    });
    assert_eq!(answer["reason"], "peer_exited", "{answer}");
    let answer = held.meanwhile(&broker, |workload| {
        workload.stdin.as_mut().unwrap().write_all(b"exec\n").unwrap();
        held.daemon.eventually("exec", || is_asleep(workload.id()));
    });
    assert_eq!(answer["reason"], "subject_changed", "{answer}");
    let detail = &why(&held.daemon, &answer)["detail"];
    assert!(!detail.as_str().unwrap().contains("broker"), "{detail}");
}

// #11: the answer does not go to what a broker became, or to who has its connection now.
#[test]
fn a_broker_that_changes_is_told_nothing() {
    let held = Held::new();
    let broker = workload(2001);
    let pid = u32::try_from(broker.pid()).unwrap();
    let answer = held.meanwhile(&broker, |_| {
        broker.exec("/bin/sleep", &["1000"]);
        held.daemon.eventually("exec", || is_asleep(pid));
    });
    assert_eq!(answer["reason"], "subject_changed", "{answer}");
    let why = why(&held.daemon, &answer);
    assert_eq!((&why["verdict"], &why["broker"]["pid"]), (&"withheld".into(), &pid.into()));
    assert!(why["detail"].as_str().unwrap().starts_with("of the broker: "), "{why}");
    let broker = workload(2001);
    let answer = held.meanwhile(&broker, |_| broker.exit(0));
    assert!(!answer.to_string().contains("spiffe://"), "{answer}");
}
