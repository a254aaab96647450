//! Load: who takes too much gets less, who stops answering is let go, and all comes back.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use rustix::process::{Pid, Resource, Rlimit};
use serde_json::Value;
use witgate_client::Client;
use witgate_testkit::{
    child::Actor,
    daemon::{Daemon, Started, text},
};

use crate::{
    converse, folder,
    take_over::{FAST, scaled},
};

fn as_user(uid: u32) -> Actor {
    Actor::spawn().groups(&[]).gid(uid).uid(uid)
}

/// A value from the metrics; 0 if it is not there yet.
fn metric(daemon: &Daemon, name: &str) -> u64 {
    let metrics = crate::admin::get(daemon, "/metrics");
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_default()
}

fn open_connections(daemon: &Daemon) -> u64 {
    metric(daemon, "witgate_connections ")
}

/// What the daemon holds of others: connections, processes and their folders. How many files it has open
/// for itself changes with what it is doing.
fn descriptors(daemon: &Daemon) -> usize {
    let links = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap();
    let links = links.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    let names = links.map(|link| link.to_string_lossy().into_owned());
    names.filter(|name| ["socket:", "pidfd", "/proc/"].iter().any(|of| name.contains(of))).count()
}

fn all_descriptors(daemon: &Daemon) -> u64 {
    fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count().try_into().unwrap()
}

/// Processor time so far, in ticks of 10 ms.
fn ticks(daemon: &Daemon) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split(' ').collect();
    [fields[12], fields[13]].iter().map(|field| field.parse::<u64>().unwrap()).sum()
}

fn limit_descriptors(daemon: &Daemon, limit: Option<u64>) {
    let process = Pid::from_raw(daemon.pid());
    let now = rustix::process::getrlimit(Resource::Nofile);
    let limit = Rlimit { current: limit.or(now.maximum), maximum: now.maximum };
    rustix::process::prlimit(process, Resource::Nofile, limit).unwrap();
}

fn allowed(daemon: &Daemon) -> bool {
    Client::new(daemon.socket()).attest().is_ok()
}

// #51: descriptors run out while it serves. It sheds, it does not spin, and it recovers alone.
#[test]
fn without_descriptors_it_sheds_and_recovers() {
    let folder = folder();
    folder.write("witgate.toml", FAST);
    let daemon = folder.serve();
    assert!(allowed(&daemon));
    let before = descriptors(&daemon);
    limit_descriptors(&daemon, Some(all_descriptors(&daemon) + 24));
    let hoarders: Vec<_> = (1000..1003).map(as_user).collect();
    for _ in 0..20 {
        hoarders.iter().for_each(|hoarder| hoarder.connect_again(daemon.socket()));
    }
    let (began, ticks_before) = (Instant::now(), ticks(&daemon));
    // The newest connections of the greediest make room for somebody who asks.
    daemon.eventually("an answer all the same", || allowed(&daemon));
    while began.elapsed() < Duration::from_secs(2) {
        hoarders.iter().for_each(|hoarder| hoarder.connect_again(daemon.socket()));
        std::thread::sleep(Duration::from_millis(20));
    }
    // A loop without a pause would take all of one core. A hundred ticks are a second.
    let wall = u64::try_from(began.elapsed().as_millis() / 10).unwrap();
    let used = ticks(&daemon) - ticks_before;
    assert!(used < wall / 2, "{used} of {wall} ticks");

    limit_descriptors(&daemon, None);
    drop(hoarders);
    daemon.eventually("recovery", || allowed(&daemon));
    daemon.eventually("all descriptors", || descriptors(&daemon) <= before);
    assert!(metric(&daemon, "witgate_rate_limited_total{scope=\"accept\"} ") > 0);
    let said = daemon.log().matches("Accept failed").count();
    assert!((1..=10).contains(&said), "said {said} times");
}

// #51: with few descriptors from the start it takes few connections; with too few it says so.
#[test]
fn a_small_limit_is_lived_with_or_refused() {
    let few = |limit: &str| {
        let folder = folder();
        let serve = folder.command(&["serve"]);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")]);
        shell.arg(serve.get_program()).args(serve.get_args()).stdout(Stdio::null());
        shell.stderr(Stdio::piped());
        (shell, folder)
    };
    let (mut shell, _folder) = few("32");
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output).contains("32 file descriptors are too few"), "{}", text(&output));

    let (mut shell, folder) = few("64");
    let mut child = Started::spawn(shell.stderr(Stdio::null()));
    let client = Client::new(folder.socket());
    let answered = || {
        std::thread::sleep(Duration::from_millis(20));
        client.attest().is_ok()
    };
    assert!((0..500).any(|_| answered()));
    let hoarder = as_user(1000);
    (0..60).for_each(|_| hoarder.connect_again(folder.socket()));
    let under_load = (0..500).any(|_| answered());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(under_load);
}

// #47, #48: three uids hold every place; a fourth gets in, and they lose their newest.
#[test]
fn who_holds_the_most_makes_room() {
    let folder = folder();
    folder.write("witgate.toml", "[limits]\nconnections_total = 24\n");
    let daemon = folder.serve();
    let hoarders: Vec<_> = (1000..1003).map(as_user).collect();
    for _ in 0..8 {
        hoarders.iter().for_each(|hoarder| hoarder.connect_again(daemon.socket()));
    }
    daemon.eventually("all places are taken", || open_connections(&daemon) == 24);
    let modest: Vec<_> = (0..3).map(|_| Actor::spawn().connect(daemon.socket())).collect();
    for actor in &modest {
        actor.send(b"attest\n");
        let answer: Value = serde_json::from_slice(&actor.receive_to_end()).unwrap();
        assert_eq!(answer["decision"], "allow", "{answer}");
    }
    assert!(metric(&daemon, "witgate_rate_limited_total{scope=\"evicted\"} ") > 0);
}

// #47: many uids flood at once; each gets its share, within a factor of two.
#[test]
fn a_flood_of_many_uids_is_shared_out() {
    let folder = folder();
    folder.write("witgate.toml", "[limits]\nrequests_per_second = 1\nrequest_burst = 40\n");
    let daemon = folder.serve();
    let flood = |uid| {
        let (socket, actor) = (daemon.socket(), as_user(uid));
        std::thread::spawn(move || (0..120).filter(|_| is_decided(&actor, &socket)).count())
    };
    let floods: Vec<_> = (1000..1008).map(flood).collect();
    let decided: Vec<_> = floods.into_iter().map(|flood| flood.join().unwrap()).collect();
    let (least, most) = (decided.iter().min().unwrap(), decided.iter().max().unwrap());
    assert!(*least >= 20 && *most <= 2 * *least, "{decided:?}");
    assert!(allowed(&daemon), "somebody else is answered");
}

fn is_decided(actor: &Actor, socket: &Path) -> bool {
    actor.connect_again(socket);
    actor.send(b"attest\n");
    let answer: Value = serde_json::from_slice(&actor.receive_to_end()).unwrap();
    actor.disconnect();
    answer["reason"] == "no_matching_entry"
}

// #49, #52: frozen, one byte at a time, a head that never ends: cut off, and all is given back.
#[test]
fn whoever_stops_or_dawdles_is_let_go() {
    let daemon = folder().serve();
    let before = descriptors(&daemon);
    let frozen: Vec<_> = (0..30).map(|n| frozen(&daemon, 1000 + n, n)).collect();
    let dawdle = |begin: &'static [u8]| {
        let socket = daemon.socket();
        std::thread::spawn(move || dawdle(&socket, begin))
    };
    let slow = [dawdle(b"a"), dawdle(b"GET /v1/attest HTTP/1.1\r\nx: ")];
    assert!(allowed(&daemon));
    for slow in slow {
        assert!(slow.join().unwrap().contains("timeout"));
    }
    daemon.eventually("the end of all", || open_connections(&daemon) == 0);
    daemon.eventually("all descriptors", || descriptors(&daemon) <= before);
    drop(frozen);
}

/// A process that stands still: before it says anything, in the midst of it, or before it reads.
fn frozen(daemon: &Daemon, uid: u32, how: u32) -> Actor {
    let actor = as_user(uid).connect(daemon.socket());
    match how % 3 {
        0 => {}
        1 => actor.send(b"atte"),
        _ => actor.send(b"attest\n"),
    }
    let process = nix::unistd::Pid::from_raw(actor.pid());
    nix::sys::signal::kill(process, Signal::SIGSTOP).unwrap();
    actor
}

/// Writes a byte now and then; what it is told in the end.
fn dawdle(socket: &Path, begin: &[u8]) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(begin).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut said = String::new();
    for _ in 0..300 {
        // The read gives up after its time; what was said by then stays.
        let ended = stream.read_to_string(&mut said);
        if ended.is_ok() || stream.write_all(b"t").is_err() {
            break;
        }
    }
    said
}

// #62: many processes with an open stream end at once; nobody is forgotten.
#[test]
fn many_that_exit_at_once_are_all_noticed() {
    let folder = folder();
    folder.write("witgate.toml", FAST);
    let daemon = folder.serve();
    let count = u32::try_from(scaled("WITGATE_EXITS", 150)).unwrap();
    // A stream has no deadline: only the end of its process ends it.
    let watching = |n: u32| {
        let actor = as_user(1000 + n / 16).connect(daemon.socket());
        actor.send(b"watch\n");
        assert!(!actor.receive().is_empty());
        actor
    };
    let actors: Vec<_> = (0..count).map(watching).collect();
    assert_eq!(open_connections(&daemon), u64::from(count));
    // Their connections stay open elsewhere.
    let kept: Vec<_> = actors.iter().map(Actor::give_connection).collect();
    drop(actors);
    daemon.eventually("the end of all", || open_connections(&daemon) == 0);
    drop(kept);
}

// #60: whoever is answered while it stops is answered whole.
#[test]
fn stopping_under_load_cuts_no_answer_short() {
    let folder = folder();
    folder.write("witgate.toml", FAST);
    let daemon = folder.serve();
    let ask = |request: &'static [u8]| {
        let socket = daemon.socket();
        std::thread::spawn(move || answered_until_gone(&socket, request))
    };
    let http = b"GET /v1/attest HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let asking = [ask(b"attest\n"), ask(b"attest\n"), ask(http)];
    std::thread::sleep(Duration::from_millis(200));
    let (status, _folder) = daemon.stop();
    assert!(status.success());
    for asking in asking {
        assert!(asking.join().unwrap() > 0);
    }
}

fn answered_until_gone(socket: &Path, request: &[u8]) -> usize {
    let mut answered = 0;
    while UnixStream::connect(socket).is_ok() {
        let Ok(answer) = std::panic::catch_unwind(|| converse(socket, request)) else { break };
        // Empty: it waited in the queue when that was closed.
        if answer.is_empty() {
            continue;
        }
        let text = String::from_utf8(answer).unwrap();
        let body = text.find('{').map_or("", |at| &text[at..]);
        assert!(serde_json::from_str::<Value>(body).is_ok(), "{text:?}");
        answered += 1;
    }
    answered
}
