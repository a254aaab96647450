//! Brokers: who passes a descriptor, and asks who is behind it.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, IoSlice, Read as _, Write as _},
    mem::MaybeUninit,
    net::{TcpListener, TcpStream},
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::{
            fs::PermissionsExt as _,
            net::{UnixListener, UnixStream},
            process::CommandExt as _,
        },
    },
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use nix::{libc, sys::signal::Signal};
use rustix::{
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
    process::{Pid, PidfdFlags, pidfd_open},
};
use serde_json::Value;
use witgate_client::{BROKER_SOCKET, Client, ClientError, protocol::Reason};
use witgate_testkit::{
    child::Actor,
    daemon::{Daemon, Started, text},
    fuse::SlowFile,
};

use crate::{folder, json, take_over::records};

/// Who may ask: the test itself, a user and a group.
const BROKERS: &str = "[listen.broker]\nuids = [0, 2001]\ngids = [2002]\n";

const ENTRIES: &str = r#"
[[entry]]
name = "web"
identity = "/web"
match = { unix.uid = "3001" }

[[entry]]
name = "itself"
identity = "/itself"
match = { unix.uid = "3002" }
require = ["challenged"]

[[entry]]
name = "program"
identity = "/program"
match = { unix.uid = "3003" }
like = { unix.path = "/**" }
"#;

fn serve() -> Daemon {
    let folder = folder();
    folder.write("witgate.toml", BROKERS);
    folder.write("entries.d/brokers.toml", ENTRIES);
    folder.serve()
}

fn socket(daemon: &Daemon) -> PathBuf {
    daemon.folder.path().join(BROKER_SOCKET)
}

fn client(daemon: &Daemon) -> Client {
    Client::new(socket(daemon))
}

fn pidfd(actor: &Actor) -> OwnedFd {
    pidfd_open(Pid::from_raw(actor.pid()).unwrap(), PidfdFlags::empty()).unwrap()
}

fn workload(uid: u32) -> Actor {
    Actor::spawn().groups(&[]).gid(uid).uid(uid)
}

/// The socket of an agent, on which anybody can connect.
fn agent(daemon: &Daemon) -> UnixListener {
    let path = daemon.folder.path().join("agent");
    let listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
    listener
}

/// Sends bytes and this many copies of a descriptor.
fn pass(broker: &UnixStream, bytes: &[u8], fd: BorrowedFd<'_>, count: usize) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = vec![fd; count];
    if count > 0 {
        assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    }
    let sent = sendmsg(broker, &[IoSlice::new(bytes)], &mut control, SendFlags::empty());
    assert_eq!(sent.unwrap(), bytes.len());
}

/// What a broker that sends this is answered.
fn answered(daemon: &Daemon, bytes: &[u8], fd: BorrowedFd<'_>, count: usize) -> Value {
    let mut broker = UnixStream::connect(socket(daemon)).unwrap();
    pass(&broker, bytes, fd, count);
    parse(&read_all(&mut broker))
}

/// Everything that comes. Whoever sends more than a question finds the connection reset behind the answer.
fn read_all(stream: &mut UnixStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn parse(answer: &[u8]) -> Value {
    serde_json::from_slice(answer)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(answer)))
}

fn refusal(result: Result<impl std::fmt::Debug, ClientError>) -> Reason {
    match result {
        Err(ClientError::Refused(problem)) => problem.reason,
        other => panic!("{other:?}"),
    }
}

fn why(daemon: &Daemon, answer: &Value) -> Value {
    json(&daemon.run(&["why", answer["decision_id"].as_str().unwrap(), "--json"]))
}

#[test]
fn both_are_named_and_the_identity_is_that_of_whom_it_asked_about() {
    let daemon = serve();
    let web = workload(3001);
    // It has connected to the broker, who hands the connection on.
    let listener = agent(&daemon);
    let web = web.connect(daemon.folder.path().join("agent"));
    let connection = listener.accept().unwrap().0;
    for about in [pidfd(&web), connection.into()] {
        // Brokers by uid and by supplementary group.
        for broker in [workload(2001), Actor::spawn().groups(&[2002]).gid(9).uid(2999)] {
            let broker = broker.connect(socket(&daemon));
            broker.pass(b"attest\n", about.as_fd());
            let answer = parse(&broker.receive_to_end());
            assert_eq!(answer["identity"], "spiffe://dev.internal/web", "{answer}");
            assert_eq!(
                (&answer["you"]["pid"], &answer["you"]["uid"]),
                (&web.pid().into(), &3001.into())
            );
            assert_eq!(answer["broker"]["pid"], broker.pid());
            assert_eq!(answer["challenged"], false);
            let why = why(&daemon, &answer);
            assert_eq!((&why["protocol"], &why["verdict"]), (&"broker".into(), &"allow".into()));
            assert_eq!(
                (&why["you"]["pid"], &why["broker"]["pid"]),
                (&web.pid().into(), &broker.pid().into())
            );
        }
    }
    let told = text(&daemon.run(&["why", "--last"]));
    assert!(told.contains("asked about it") && told.contains("uid 2999"), "{told}");
    let (_, folder) = daemon.stop();
    let grants: Vec<_> =
        records(&folder).into_iter().filter(|record| record["kind"] == "grant").collect();
    // On the account of who asked.
    let accounts: Vec<_> = grants.iter().map(|grant| grant["uid"].as_u64().unwrap()).collect();
    assert_eq!(accounts, [2001, 2999, 2001, 2999]);
    assert!(grants.iter().all(|grant| grant["body"]["broker"]["exe"].is_string()), "{grants:?}");
}

#[test]
fn the_command_asks_for_a_descriptor_that_it_was_given() {
    let daemon = serve();
    let web = workload(3001);
    let ask = |arguments: &[&str], fd: OwnedFd| {
        let arguments = [&["attest", "--for-fd", "0"], arguments].concat();
        daemon.folder.command(&arguments).stdin(Stdio::from(fd)).output().unwrap()
    };
    let answer = json(&ask(&["--json"], pidfd(&web)));
    assert_eq!(
        (&answer["identity"], &answer["you"]["pid"]),
        (&"spiffe://dev.internal/web".into(), &web.pid().into())
    );
    let named = socket(&daemon).display().to_string();
    let told = text(&ask(&["--socket", &named], pidfd(&web)));
    assert!(told.contains("asked about\nprocess   pid"), "{told}");
    let (pipe, _end) = rustix::pipe::pipe().unwrap();
    let refused = ask(&[], pipe);
    assert_eq!(refused.status.code(), Some(64), "{}", text(&refused));
    assert!(text(&refused).contains("leads to a process, pipe:["), "{}", text(&refused));
    let refused = daemon.folder.command(&["attest", "--for-fd", "77"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(64), "{}", text(&refused));
    let status = text(&daemon.run(&["status"]));
    assert!(status.contains(&format!("broker socket {named}")), "{status}");
    assert!(text(&daemon.run(&["doctor"])).contains("uids [0, 2001], gids [2002]"));
}

#[test]
fn the_asynchronous_client_asks_the_same() {
    let daemon = serve();
    let web = workload(3001);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = witgate_client::AsyncClient::new(socket(&daemon));
    let answer = runtime.block_on(client.attest_for(pidfd(&web))).unwrap();
    assert_eq!(answer.you.pid, u32::try_from(web.pid()).unwrap());
    assert_eq!(answer.broker.unwrap().pid, std::process::id());
}

#[test]
fn who_is_not_listed_is_told_so_and_nothing_of_it_is_read() {
    let daemon = serve();
    let web = workload(3001);
    for stranger in [workload(3001), workload(65_534)] {
        // It says everything before it is looked at.
        daemon.signal(Signal::SIGSTOP);
        let stranger = stranger.connect(socket(&daemon));
        stranger.pass(b"attest\n", pidfd(&web).as_fd());
        daemon.signal(Signal::SIGCONT);
        assert_eq!(parse(&stranger.receive())["reason"], "not_a_broker");
    }
    // Who may ask is what the files say now; root is a user like others here.
    daemon.folder.write("witgate.toml", "[listen.broker]\nuids = [2001]\n");
    assert!(daemon.run(&["reload"]).status.success());
    assert_eq!(refusal(client(&daemon).attest_for(pidfd(&web))), Reason::NotABroker);
    daemon.folder.write("witgate.toml", "");
    let reload = text(&daemon.run(&["reload"]));
    assert!(
        reload.contains("listen.broker.path and mode was changed and needs a restart"),
        "{reload}"
    );
    let broker = workload(2001).connect(socket(&daemon));
    assert_eq!(parse(&broker.receive_to_end())["reason"], "not_a_broker");
    // On the public socket a descriptor is nobody's business.
    let none = folder().serve();
    assert!(!none.folder.path().join("broker").exists());
    assert!(text(&none.run(&["attest", "--for-fd", "0"])).contains("not running"));
}

#[test]
fn nobody_else_is_answered_as_if_it_had_asked() {
    let daemon = serve();
    // What asks for a challenge is not for brokers.
    assert_eq!(
        refusal(client(&daemon).attest_for(pidfd(&workload(3002)))),
        Reason::NoMatchingEntry
    );
    let refused = client(&daemon).decide_for(pidfd(&workload(3002))).unwrap();
    let refused = serde_json::to_value(refused).unwrap();
    assert_eq!(refused["broker"]["pid"], std::process::id());
    // And what it runs is worth what it is worth of somebody who was not challenged.
    let program = workload(3003);
    let answer = client(&daemon).attest_for(pidfd(&program)).unwrap();
    let why = why(&daemon, &serde_json::to_value(answer).unwrap());
    assert_eq!((&why["challenged"], &why["exec_watch"]), (&false.into(), &"event".into()));
    let attestors = why["attestors"].as_array().unwrap();
    let mut selectors =
        attestors.iter().flat_map(|attestor| attestor["selectors"].as_array().unwrap());
    let path = selectors.find(|selector| selector["key"] == "path").unwrap();
    assert_eq!(path["assurance"], "claimed");
}

#[test]
fn only_attest_is_asked() {
    let daemon = serve();
    let web = workload(3001);
    let (web, about) = (web.pid(), pidfd(&web));
    for request in [
        "whoami\n",
        "watch\n",
        "ping\n",
        "attest challenge=yes\n",
        "attest pid=1\n",
        "GET /v1/attest HTTP/1.1\r\n",
    ] {
        let answer = answered(&daemon, request.as_bytes(), about.as_fd(), 1);
        assert_eq!(answer["reason"], "bad_request", "{request}: {answer}");
    }
    let answer = answered(&daemon, &[b'a'; 3000], about.as_fd(), 1);
    assert_eq!(answer["reason"], "too_large");
    // In pieces, the descriptor with any of them.
    let mut broker = UnixStream::connect(socket(&daemon)).unwrap();
    pass(&broker, b"att", about.as_fd(), 0);
    std::thread::sleep(Duration::from_millis(20));
    pass(&broker, b"est\r\n", about.as_fd(), 1);
    let mut answer = String::new();
    broker.read_to_string(&mut answer).unwrap();
    assert_eq!(parse(answer.as_bytes())["you"]["pid"], web);
    // For people.
    let mut broker = UnixStream::connect(socket(&daemon)).unwrap();
    pass(&broker, b"\n", about.as_fd(), 1);
    let mut answer = String::new();
    broker.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("asked about\nprocess"), "{answer}");
}

// #1, #6, #16
#[test]
fn who_is_gone_or_another_is_nobody() {
    let daemon = serve();
    let listener = agent(&daemon);
    let connect = |actor: Actor| {
        let actor = actor.connect(daemon.folder.path().join("agent"));
        (actor, listener.accept().unwrap().0)
    };
    let (reaped, zombie) = (workload(3001), workload(3001));
    let (gone, (zombie, connection)) = (pidfd(&reaped), connect(zombie));
    reaped.exit(0);
    reaped.reap();
    // Whoever has its number now is not it.
    let _victim = Actor::spawn_as(reaped.pid());
    zombie.exit(0);
    for about in [gone, pidfd(&zombie), connection.into()] {
        assert_eq!(refusal(client(&daemon).attest_for(about)), Reason::PeerExited);
    }
    let (changed, connection) = connect(Actor::spawn());
    let changed = changed.uid(3001);
    assert_eq!(refusal(client(&daemon).attest_for(connection)), Reason::CredentialsChanged);
    drop(changed);
}

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
        broker.connect_again(socket(&self.daemon));
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

// #14, #63: the answer does not go to what a broker became, or to who has its connection now.
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

// #9
#[test]
fn what_another_process_writes_is_not_the_brokers_question() {
    let daemon = serve();
    let web = workload(3001);
    let broker = workload(2001).connect(socket(&daemon));
    let other = broker.fork();
    other.pass(b"attest\n", pidfd(&web).as_fd());
    let answer = parse(&broker.receive_to_end());
    assert_eq!(answer["reason"], "sender_differs", "{answer}");
    let why = why(&daemon, &answer);
    assert_eq!(
        (&why["you"]["pid"], &why["sender"]["pid"]),
        (&broker.pid().into(), &other.pid().into())
    );
    // Nor if it is only the end of it.
    let broker = workload(2001).connect(socket(&daemon));
    let other = broker.fork();
    broker.pass(b"att", pidfd(&web).as_fd());
    other.send(b"est\n");
    assert_eq!(parse(&broker.receive_to_end())["reason"], "sender_differs");
}

/// What leads nowhere, with what the daemon calls it.
fn nowhere(daemon: &Daemon) -> Vec<(OwnedFd, &'static str, Box<dyn std::any::Any>)> {
    let (pipe, end) = rustix::pipe::pipe().unwrap();
    let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::empty()).unwrap();
    let family = rustix::net::AddressFamily::UNIX;
    let unconnected = rustix::net::socket(family, rustix::net::SocketType::STREAM, None).unwrap();
    let listening = UnixListener::bind(daemon.folder.path().join("listening")).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
    let thread = PidfdFlags::from_bits_retain(libc::PIDFD_THREAD);
    let thread = pidfd_open(rustix::process::getpid(), thread).unwrap();
    let directory = File::open("/proc/self").unwrap();
    vec![
        (pipe, "pipe:[", Box::new(end)),
        (event, "anon_inode:[eventfd]", Box::new(())),
        (unconnected, "", Box::new(())),
        (listening.into(), "socket:[", Box::new(())),
        (connected.into(), "socket:[", Box::new(tcp)),
        (thread, "a pidfd of one thread", Box::new(())),
        (directory.into(), "/proc/", Box::new(())),
        (File::open("/dev/null").unwrap().into(), "/dev/null", Box::new(())),
    ]
}

#[test]
fn what_leads_nowhere_is_told_by_its_name() {
    let daemon = serve();
    let before = descriptors(&daemon, "/dev/null");
    for (fd, name, _other_end) in nowhere(&daemon) {
        let answer = answered(&daemon, b"attest\n", fd.as_fd(), 1);
        if name.is_empty() {
            assert_eq!(answer["reason"], "peer_unknown", "{answer}");
            continue;
        }
        assert_eq!(answer["reason"], "bad_request", "{answer}");
        let expected = format!("leads to a process, {name}");
        assert!(answer["detail"].as_str().unwrap().contains(&expected), "{answer}");
    }
    let null = File::open("/dev/null").unwrap();
    for (count, detail) in [(0, "no descriptor"), (2, "more than one"), (253, "more than one")] {
        let answer = answered(&daemon, b"attest\n", null.as_fd(), count);
        assert_eq!(answer["reason"], "bad_request");
        assert!(answer["detail"].as_str().unwrap().contains(detail), "{answer}");
    }
    // One with each half is two.
    let mut broker = UnixStream::connect(socket(&daemon)).unwrap();
    pass(&broker, b"att", null.as_fd(), 1);
    pass(&broker, b"est\n", null.as_fd(), 1);
    let answer = read_all(&mut broker);
    assert!(parse(&answer)["detail"].as_str().unwrap().contains("more than one"));
    daemon.eventually("everything is closed", || descriptors(&daemon, "/dev/null") == before);
    assert!(!daemon.log().contains("panic"), "{}", daemon.log());
}

/// How many descriptors of the daemon lead to what is called so.
fn descriptors(daemon: &Daemon, name: &str) -> usize {
    let links = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap();
    let link =
        |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_link(entry.ok()?.path()).ok();
    links.filter_map(link).filter(|link| link.to_string_lossy().starts_with(name)).count()
}

/// Threads that hang. Asked without starting a program, which would close what the test has open.
fn busy(daemon: &Daemon) -> u64 {
    let metrics = crate::admin::get(daemon, "/metrics");
    let line = metrics.lines().find_map(|line| line.strip_prefix("witgate_reads_busy ")).unwrap();
    line.parse().unwrap()
}

/// A TCP socket that has something unsent and waits for it, for an hour, when it is let go of.
fn lingering() -> (OwnedFd, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    rustix::net::sockopt::set_socket_linger(&ours, Some(Duration::from_secs(3600))).unwrap();
    ours.set_nonblocking(true).unwrap();
    while (&ours).write(&[0; 65536]).is_ok() {}
    (ours.into(), listener.accept().unwrap().0)
}

// #33, #48: threads and places of the one who passed it hang, and nobody else's. The daemon is stopped while
// it is passed, so that nobody but the daemon is the last to let go of it.
#[test]
fn descriptors_that_hang_keep_nobody_else_from_being_answered() {
    let place = tempfile::tempdir().unwrap();
    let slow = SlowFile::mount(place.path(), vec![1]).unwrap();
    let daemon = serve();
    let (web, hostile, stranger) = (workload(3001), workload(2001), workload(65_534));
    daemon.signal(Signal::SIGSTOP);
    hostile.connect_again(socket(&daemon));
    hostile.pass(b"attest\n", File::open(slow.path()).unwrap().as_fd());
    let mut other_ends = Vec::new();
    // One that is closed; three, of which one is let go of by the kernel; one that nobody receives; one of
    // somebody who may not ask.
    for (actor, count, bytes) in [
        (&hostile, 1, "attest\n"),
        (&hostile, 3, "a"),
        (&hostile, 1, "x\n and more"),
        (&stranger, 1, "attest\n"),
    ] {
        let (hangs, other_end) = lingering();
        actor.connect_again(socket(&daemon));
        (0..count).for_each(|_| actor.pass(bytes.as_bytes(), hangs.as_fd()));
        other_ends.push(other_end);
    }
    let hold = slow.hold();
    daemon.signal(Signal::SIGCONT);
    daemon.eventually("they hang", || busy(&daemon) >= 4);
    for _ in 0..40 {
        let answer = client(&daemon).attest_for(pidfd(&web)).unwrap();
        assert_eq!(answer.you.uid, 3001);
        assert!(Client::new(daemon.socket()).decide().is_ok());
    }
    drop(other_ends);
    hold.end();
    daemon.eventually("all is let go of", || busy(&daemon) == 0);
    let path = slow.path().to_str().unwrap();
    daemon.eventually("nothing is left", || descriptors(&daemon, path) == 0);
}

// #48, #49: brokers that say nothing hold their own places, and for so long.
#[test]
fn a_broker_that_hoards_is_cut() {
    let daemon = serve();
    let (web, hoarder) = (workload(3001), workload(2001));
    let silent = || {
        hoarder.connect_again(socket(&daemon));
        UnixStream::from(hoarder.give_connection())
    };
    let held: Vec<_> = (0..17).map(|_| silent()).collect();
    // Somebody else has places left.
    assert!(client(&daemon).attest_for(pidfd(&web)).is_ok());
    let mut reasons = Vec::new();
    for mut silent in held {
        reasons.push(parse(&read_all(&mut silent))["reason"].as_str().unwrap().to_owned());
    }
    let count = |word: &str| reasons.iter().filter(|reason| *reason == word).count();
    assert!(count("rate_limited") >= 1 && count("timeout") >= 1, "{reasons:?}");
    assert_eq!(count("rate_limited") + count("timeout"), 17, "{reasons:?}");
}

// #57
#[test]
fn a_successor_goes_on_with_brokers() {
    let mut daemon = serve();
    let web = workload(3001);
    let silent = workload(2001).connect(socket(&daemon));
    // What it has passed already waits with it; of the one who asks by itself, too.
    let workload = Actor::spawn().connect(daemon.socket());
    daemon.eventually("both are let in", || {
        crate::admin::get(&daemon, "/metrics").contains("witgate_connections 2\n")
    });
    assert!(daemon.follow(daemon.successor()).success());
    silent.pass(b"attest\n", pidfd(&web).as_fd());
    let answer = parse(&silent.receive_to_end());
    assert_eq!(
        (&answer["you"]["pid"], &answer["broker"]["pid"]),
        (&web.pid().into(), &silent.pid().into())
    );
    workload.send(b"attest\n");
    assert_eq!(parse(&workload.receive_to_end())["you"]["pid"], workload.pid());
    // The socket still takes descriptors.
    assert!(client(&daemon).attest_for(pidfd(&web)).is_ok());
    // Without it, it is another daemon.
    daemon.folder.write("witgate.toml", "");
    let mut other = daemon.successor();
    assert_eq!(other.wait().unwrap().code(), Some(78), "{}", daemon.log());
    assert!(client(&daemon).attest_for(pidfd(&web)).is_ok());
}
