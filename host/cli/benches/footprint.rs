//! Processor time per decision, memory, and the time to the first answer, of the real daemon beside
//! the floor: `cargo bench --workspace --bench footprint`.
//!
//! Floor and daemon take turns in short rounds, so that whatever else the machine does meets both;
//! the ratios are medians over the rounds.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has to stop")]
#![expect(clippy::print_stdout, reason = "the table is the result")]

mod floor;
mod workload;

use std::time::{Duration, Instant};

use floor::Floor;
use witgate_testkit::daemon::Daemon;
use workload::{
    ATTEST, ATTEST_HTTP, ATTEST_HTTP_ONCE, Held, PING, ask, ask_challenged, folder,
    folder_about_image, says,
};

/// How much is done.
struct Effort {
    /// Turns of each server.
    rounds: usize,
    /// Requests in one turn.
    requests: u32,
    /// Starts of the daemon.
    starts: usize,
    /// Decisions before memory is looked at again.
    decisions: u32,
}

const MEASURE: Effort = Effort { rounds: 40, requests: 500, starts: 15, decisions: 10_000 };
/// That it works.
const TRY: Effort = Effort { rounds: 1, requests: 10, starts: 1, decisions: 10 };

fn main() {
    floor::serve_if_asked();
    let effort = if std::env::args().any(|arg| arg == "--bench") { MEASURE } else { TRY };
    costs(&effort);
    start(&effort);
    memory(&effort);
}

/// One way to be served, and what it took in each round.
struct Way {
    name: &'static str,
    pid: u32,
    serve: Box<dyn FnMut()>,
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Way {
    fn new(name: &'static str, pid: u32, serve: impl FnMut() + 'static) -> Self {
        Self { name, pid, serve: Box::new(serve), wall: Vec::new(), cpu: Vec::new() }
    }

    /// Microseconds per request of one turn, on the clock and on the server's processor time.
    fn turn(&mut self, requests: u32) {
        let (began, cpu_before) = (Instant::now(), cpu(self.pid));
        for _ in 0..requests {
            (self.serve)();
        }
        let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(requests);
        self.wall.push(each(began.elapsed()));
        self.cpu.push(each(cpu(self.pid).saturating_sub(cpu_before)));
    }
}

fn floor(answer_bytes: usize) -> Way {
    let (floor, mut answer) = (Floor::start(answer_bytes), Vec::new());
    let socket = floor.socket();
    Way::new("floor", floor.child.id(), move || {
        ask(&socket, ATTEST, &mut answer);
        assert_eq!(answer.len(), answer_bytes, "{}", floor.child.id());
    })
}

/// A connection for each request. Every way has a daemon of its own: the grants of one uid may
/// write 64 MiB of audit log a minute, which is some thirty thousand.
fn anew(name: &'static str, allow: bool, request: &'static [u8], expected: &'static str) -> Way {
    anew_at(name, folder(allow).serve(), request, expected)
}

fn anew_at(
    name: &'static str,
    daemon: Daemon,
    request: &'static [u8],
    expected: &'static str,
) -> Way {
    let mut answer = Vec::new();
    let socket = daemon.socket();
    Way::new(name, number(&daemon), move || {
        ask(&socket, request, &mut answer);
        assert!(says(&answer, expected), "{}{}", String::from_utf8_lossy(&answer), daemon.log());
    })
}

/// With one message more each way.
fn challenged(name: &'static str) -> Way {
    let (daemon, mut answer) = (folder_about_image().serve(), Vec::new());
    let socket = daemon.socket();
    Way::new(name, number(&daemon), move || {
        ask_challenged(&socket, &mut answer);
        assert!(says(&answer, "\"challenged\":true"), "{}", daemon.log());
    })
}

fn held(name: &'static str, request: &'static [u8]) -> Way {
    let daemon = folder(true).serve();
    let mut held = Held::connect(&daemon.socket());
    Way::new(name, number(&daemon), move || {
        assert!(says(held.ask(request), "spiffe://"), "{}", daemon.log());
    })
}

fn answer_bytes() -> usize {
    let mut answer = Vec::new();
    ask(&folder(true).serve().socket(), ATTEST, &mut answer);
    answer.len()
}

fn costs(effort: &Effort) {
    let bytes = answer_bytes();
    let mut ways = [
        floor(bytes),
        anew("attest", true, ATTEST, "spiffe://"),
        anew("attest, denied", false, ATTEST, "no_matching_entry"),
        anew("attest over HTTP", true, ATTEST_HTTP_ONCE, "spiffe://"),
        held("attest over HTTP, held", ATTEST_HTTP),
        anew("ping", true, PING, "ready"),
        anew_at("attest, image", folder_about_image().serve(), ATTEST, "/image"),
        challenged("attest, image, challenged"),
    ];
    for _ in 0..effort.rounds {
        for way in &mut ways {
            way.turn(effort.requests);
        }
    }
    println!(
        "{bytes} bytes in an answer; µs per request, medians of {} turns of {} requests",
        effort.rounds, effort.requests
    );
    println!("{:<26} {:>8} {:>8}   {:>12} {:>12}", "", "wall", "CPU", "wall ×floor", "CPU ×floor");
    let [floor, ..] = &ways;
    for way in &ways {
        let (wall, cpu) = (ratios(&way.wall, &floor.wall), ratios(&way.cpu, &floor.cpu));
        println!(
            "{:<26} {:>8.1} {:>8.1}   {:>12.2} {:>12.2}",
            way.name,
            median(&way.wall),
            median(&way.cpu),
            median(&wall),
            median(&cpu)
        );
    }
    let [.., unchallenged, challenged] = &ways;
    let wall = median(&ratios(&challenged.wall, &unchallenged.wall));
    let cpu = median(&ratios(&challenged.cpu, &unchallenged.cpu));
    println!("challenged × unchallenged: wall {wall:.2}, CPU {cpu:.2}");
}

/// Processor time of the threads of a process so far (`schedstat`, in nanoseconds: the ticks of
/// `stat` are too coarse for one turn). A thread that ends takes its time with it; of the many
/// turns that spoils one.
fn cpu(pid: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let nanoseconds = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// Round by round, so that both met the same machine.
fn ratios(these: &[f64], those: &[f64]) -> Vec<f64> {
    these.iter().zip(those).map(|(this, that)| this / that).collect()
}

fn start(effort: &Effort) {
    let mut folder = folder(true);
    let mut answer = Vec::new();
    let mut times = Vec::new();
    // The first one compiles the plugins.
    for _ in 0..=effort.starts {
        let began = Instant::now();
        let daemon = folder.serve();
        ask(&daemon.socket(), ATTEST, &mut answer);
        times.push(began.elapsed().as_secs_f64() * 1e3);
        assert!(says(&answer, "spiffe://"), "{}", String::from_utf8_lossy(&answer));
        folder = daemon.stop().1;
    }
    let (cold, warm) = times.split_first().unwrap();
    let slowest = warm.iter().copied().fold(0.0, f64::max);
    println!(
        "start to first decision: {:.1} ms, slowest of {} {slowest:.1} ms; compiling the plugins {cold:.0} ms",
        median(warm),
        warm.len(),
    );
}

fn memory(effort: &Effort) {
    let (status, folder) = folder(true).serve().stop();
    assert!(status.success());
    // The plugins are compiled now.
    let daemon = folder.serve();
    println!("resident memory, KiB: total, of that anonymous, of files");
    let report = |when: &str| {
        let [total, anonymous, files] =
            ["VmRSS", "RssAnon", "RssFile"].map(|key| kib(&daemon, key));
        println!("{when:<24} {total:>8} {anonymous:>8} {files:>8}");
    };
    report("after the start");
    let mut answer = Vec::new();
    for done in 1..=effort.decisions {
        ask(&daemon.socket(), ATTEST, &mut answer);
        if done == 1 || done == effort.decisions {
            report(&format!("after decision {done}"));
        }
    }
}

fn kib(daemon: &Daemon, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn number(daemon: &Daemon) -> u32 {
    u32::try_from(daemon.pid()).unwrap()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
