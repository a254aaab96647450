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
use witgate_client::{
    BROKER_SOCKET, Client, ClientError,
    protocol::{Invitation, Reason},
};
use witgate_testkit::{
    child::Actor,
    daemon::{Daemon, Started, text},
    fuse::SlowFile,
};

use crate::{folder, json, take_over::records};

mod changing;
mod hostile;

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

fn is_invitation(line: &[u8]) -> bool {
    serde_json::from_slice::<Invitation>(line).is_ok()
}

/// A connection of this process, when it may pass something.
fn invited(daemon: &Daemon) -> UnixStream {
    let broker = UnixStream::connect(socket(daemon)).unwrap();
    let (mut line, mut byte) = (Vec::new(), [0]);
    while line.last() != Some(&b'\n') {
        assert_eq!((&broker).read(&mut byte).unwrap(), 1, "{}", daemon.log());
        line.push(byte[0]);
    }
    assert!(is_invitation(&line), "{}", String::from_utf8_lossy(&line));
    broker
}

/// The same of another.
fn invite(actor: &Actor, daemon: &Daemon) {
    actor.connect_again(socket(daemon));
    let line = actor.receive();
    assert!(is_invitation(&line), "{}", String::from_utf8_lossy(&line));
}

/// Stops the daemon, and returns when none of its threads runs any more.
fn stop(daemon: &Daemon) {
    daemon.signal(Signal::SIGSTOP);
    daemon.eventually("it stands still", || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap();
        let status = |task: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.unwrap().path().join("status"))
        };
        tasks.map(status).all(|status| status.is_ok_and(|status| status.contains("State:\tT")))
    });
}

/// What a broker that sends this is answered.
fn answered(daemon: &Daemon, bytes: &[u8], fd: BorrowedFd<'_>, count: usize) -> Value {
    let mut broker = invited(daemon);
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
            invite(&broker, &daemon);
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
        stop(&daemon);
        let stranger = stranger.connect(socket(&daemon));
        let refused = stranger.try_pass(b"attest\n", pidfd(&web).as_fd()).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EPERM), "by the kernel");
        stranger.send(b"attest\n");
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
    let mut broker = invited(&daemon);
    pass(&broker, b"att", about.as_fd(), 0);
    std::thread::sleep(Duration::from_millis(20));
    pass(&broker, b"est\r\n", about.as_fd(), 1);
    let mut answer = String::new();
    broker.read_to_string(&mut answer).unwrap();
    assert_eq!(parse(answer.as_bytes())["you"]["pid"], web);
    // For people.
    let mut broker = invited(&daemon);
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

// #9
#[test]
fn what_another_process_writes_is_not_the_brokers_question() {
    let daemon = serve();
    let web = workload(3001);
    let broker = workload(2001);
    invite(&broker, &daemon);
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
    let broker = workload(2001);
    invite(&broker, &daemon);
    let other = broker.fork();
    broker.pass(b"att", pidfd(&web).as_fd());
    other.send(b"est\n");
    assert_eq!(parse(&broker.receive_to_end())["reason"], "sender_differs");
}

// #57
#[test]
fn a_successor_goes_on_with_brokers() {
    let mut daemon = serve();
    let web = workload(3001);
    let silent = workload(2001);
    invite(&silent, &daemon);
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
