//! What one who takes all they can costs everybody else: `cargo bench --workspace --bench flood`.
//!
//! A flood of new connections by one uid and by many, idle connections by the thousand, one uid that
//! hoards, and processes that end: how long a bystander waits, what memory and descriptors it takes, and
//! what is given back.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has to stop")]
#![expect(clippy::print_stdout, reason = "the figures are the result")]

use std::{
    fs,
    io::Read as _,
    os::{
        fd::AsFd as _,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use witgate_testkit::{
    child::Actor,
    daemon::{Daemon, Folder, Started},
};

/// Names the socket, for a process that floods it.
const FLOOD: &str = "WITGATE_BENCH_FLOOD";
/// New connections a second, all flooding processes together.
const RATE: u32 = 10_000;

/// How much is done.
struct Effort {
    flood: Duration,
    uids: u32,
    idle: u32,
    exits: u32,
}

const MEASURE: Effort =
    Effort { flood: Duration::from_secs(60), uids: 50, idle: 4000, exits: 1000 };
/// That it works.
const TRY: Effort = Effort { flood: Duration::from_millis(300), uids: 3, idle: 60, exits: 10 };

fn main() {
    if let Some(socket) = std::env::var_os(FLOOD) {
        return flood(&PathBuf::from(socket));
    }
    let effort = if std::env::args().any(|arg| arg == "--bench") { MEASURE } else { TRY };
    flooded("one uid", 1, &effort);
    flooded("many uids", effort.uids, &effort);
    idle(&effort);
    hoarded();
    exits(&effort);
}

/// Connects and closes, at a steady pace, until it is killed.
fn flood(socket: &Path) {
    let pause = Duration::from_secs(1) * pace() / RATE;
    let mut next = Instant::now();
    loop {
        drop(UnixStream::connect(socket));
        next += pause;
        // Whoever is late catches up, but not on seconds.
        next = next.max(Instant::now().checked_sub(Duration::from_millis(100)).unwrap());
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Among how many processes the rate is shared.
fn pace() -> u32 {
    std::env::var("WITGATE_BENCH_FLOODERS").unwrap().parse().unwrap()
}

fn flooded(name: &str, uids: u32, effort: &Effort) {
    let daemon = daemon("");
    let mut calm = bystander(&daemon, effort.flood / 10);
    let (before, held) = (rss(&daemon), descriptors(&daemon));
    let program = daemon.folder.path().with_file_name("flood");
    assert!(
        Command::new("cp")
            .arg(std::env::current_exe().unwrap())
            .arg(&program)
            .status()
            .unwrap()
            .success()
    );
    let mut flooders: Vec<_> =
        (0..uids).map(|n| start_flood(&program, &daemon, 1000 + n, uids)).collect();
    let came = accepted(&daemon);
    let mut times = bystander(&daemon, effort.flood);
    let came = accepted(&daemon) - came;
    let during = rss(&daemon);
    for flooder in &mut flooders {
        flooder.kill().unwrap();
        flooder.wait().unwrap();
    }
    let ended = Instant::now();
    daemon.eventually("all descriptors", || descriptors(&daemon) <= held);
    println!(
        "flood of {name}: turned away {:.0} connections a second; bystander µs p50 {} p99 {} (without: {} {}) of {} requests, 0 errors; RSS KiB {before} before, {during} during, {} after; descriptors back after {} ms",
        came as f64 / effort.flood.as_secs_f64(),
        part(&mut times, 50),
        part(&mut times, 99),
        part(&mut calm, 50),
        part(&mut calm, 99),
        times.len(),
        rss(&daemon),
        ended.elapsed().as_millis(),
    );
}

fn start_flood(program: &Path, daemon: &Daemon, uid: u32, of: u32) -> Started {
    let mut flood = Command::new(program);
    flood.env(FLOOD, daemon.socket()).env("WITGATE_BENCH_FLOODERS", of.to_string());
    Started::spawn(flood.uid(uid).gid(uid).stdin(Stdio::null()))
}

/// A process of another uid that asks every 2 ms; how long each answer took, in µs.
fn bystander(daemon: &Daemon, time: Duration) -> Vec<u64> {
    let began = Instant::now();
    let mut times = Vec::new();
    while began.elapsed() < time {
        let asked = Instant::now();
        let answer = ask(&daemon.socket());
        times.push(u64::try_from(asked.elapsed().as_micros()).unwrap());
        assert!(answer.contains("spiffe://"), "{answer}");
        std::thread::sleep(Duration::from_millis(2));
    }
    times
}

fn ask(socket: &Path) -> String {
    use std::io::Write as _;
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(b"attest\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Connections of many uids that say nothing, and such that asked once over HTTP and are kept.
fn idle(effort: &Effort) {
    for (name, request) in
        [("silent", None), ("kept", Some(&b"GET /v1/health HTTP/1.1\r\nhost: x\r\n\r\n"[..]))]
    {
        let daemon = daemon("connections_total = 5000\n");
        ask(&daemon.socket());
        let (memory, held) = (anonymous(&daemon), descriptors(&daemon));
        let actors: Vec<_> = (0..effort.idle.div_ceil(60)).map(|n| as_user(1000 + n)).collect();
        for n in 0..effort.idle {
            let actor = &actors[usize::try_from(n / 60).unwrap()];
            actor.connect_again(daemon.socket());
            if let Some(request) = request {
                actor.send(request);
                assert!(!actor.receive().is_empty());
            }
        }
        daemon.eventually("all are in", || connections(&daemon) == u64::from(effort.idle));
        let each =
            |now: u64, before: u64| now.saturating_sub(before) as f64 / f64::from(effort.idle);
        println!(
            "{} {name} connections of {} uids: {:.1} KiB of anonymous memory and {:.2} descriptors each",
            effort.idle,
            actors.len(),
            each(anonymous(&daemon), memory),
            each(descriptors(&daemon), held),
        );
        drop(actors);
        daemon.eventually("all are gone", || connections(&daemon) == 0);
    }
}

fn hoarded() {
    let daemon = daemon("");
    let hoarder = as_user(1000);
    (0..500).for_each(|_| hoarder.connect_again(daemon.socket()));
    let mut times = bystander(&daemon, Duration::from_millis(500));
    println!(
        "one uid opens 500 connections: {} are open; bystander µs p50 {} p99 {}",
        connections(&daemon),
        part(&mut times, 50),
        part(&mut times, 99),
    );
}

/// From the end of a process to the end of its connection, which somebody else holds, too.
fn exits(effort: &Effort) {
    let daemon = daemon("");
    let mut times = Vec::new();
    for _ in 0..effort.exits {
        let actor = Actor::spawn().connect(daemon.socket());
        actor.send(b"watch\n");
        assert!(!actor.receive().is_empty());
        let kept = UnixStream::from(actor.give_connection());
        let began = Instant::now();
        actor.kill();
        let mut rest = Vec::new();
        (&kept).read_to_end(&mut rest).unwrap();
        times.push(u64::try_from(began.elapsed().as_micros()).unwrap());
        assert!(kept.as_fd().try_clone_to_owned().is_ok());
    }
    println!(
        "exit of the peer to the end of its connection, µs: p50 {} p99 {}",
        part(&mut times, 50),
        part(&mut times, 99)
    );
}

fn daemon(limits: &str) -> Daemon {
    let folder = Folder::new(env!("CARGO_BIN_EXE_witgate"));
    folder.write("witgate.toml", format!("[limits]\ndecision_ring_mib = 1\n{limits}"));
    folder.serve()
}

fn as_user(uid: u32) -> Actor {
    Actor::spawn().groups(&[]).gid(uid).uid(uid)
}

fn metric(daemon: &Daemon, name: &str) -> u64 {
    let output = Command::new("curl")
        .args(["--silent", "--unix-socket"])
        .arg(daemon.folder.admin_socket())
        .arg("http://localhost/metrics")
        .output()
        .unwrap();
    let metrics = String::from_utf8(output.stdout).unwrap();
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_default()
}

fn connections(daemon: &Daemon) -> u64 {
    metric(daemon, "witgate_connections ")
}

/// Connections that were turned away so far.
fn accepted(daemon: &Daemon) -> u64 {
    metric(daemon, "witgate_rate_limited_total{scope=\"connection\"} ")
}

fn descriptors(daemon: &Daemon) -> u64 {
    let links = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap();
    let links = links.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    let names = links.map(|link| link.to_string_lossy().into_owned());
    let of_others = ["socket:", "pidfd", "/proc/"];
    names.filter(|name| of_others.iter().any(|of| name.contains(of))).count().try_into().unwrap()
}

fn rss(daemon: &Daemon) -> u64 {
    kib(daemon, "VmRSS:")
}

fn anonymous(daemon: &Daemon) -> u64 {
    kib(daemon, "RssAnon:")
}

fn kib(daemon: &Daemon, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The value that so many of a hundred do not exceed.
fn part(values: &mut [u64], percent: usize) -> u64 {
    values.sort_unstable();
    values[(values.len() * percent / 100).min(values.len() - 1)]
}
