//! What it costs to know who connected, beside the bare system calls that any daemon must make.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

use std::{
    ffi::{CStr, CString},
    hint::black_box,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    sync::Arc,
};

use criterion::{Criterion, criterion_group, criterion_main};
use nix::sys::socket::{getsockopt, sockopt};
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{AtFlags, Mode, OFlags, StatxFlags},
};
use witgate_facts::{FactName, FactSet};
use witgate_peer::{FactReader, Kernel, ReadSettings, Subject};
use witgate_testkit::child::Actor;

/// What the first-party plugins want of every process.
const USUAL: [FactName; 5] = [
    FactName::ProcessCredentials,
    FactName::ProcessNames,
    FactName::CgroupsTrusted,
    FactName::NamespacesAll,
    FactName::ExecutableInfo,
];

fn alive(pidfd: &impl AsFd) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    poll(&mut fds, Some(&rustix::time::Timespec::default())).unwrap() == 0
}

/// The same things asked of the kernel, nothing checked, kept or compared but that the process
/// lives.
fn bare(stream: &UnixStream, cgroups: &[CString]) {
    let ids = getsockopt(stream, sockopt::PeerCredentials).unwrap();
    let pidfd = getsockopt(stream, sockopt::PeerPidfd).unwrap();
    assert!(alive(&pidfd));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let path = format!("/proc/{}", ids.pid());
    let dir = rustix::fs::open(path, flags, Mode::empty()).unwrap();
    assert!(alive(&pidfd));
    for links in [COLLECTED, CONFIRMED] {
        let file = rustix::fs::openat(&dir, c"cgroup", OFlags::CLOEXEC, Mode::empty()).unwrap();
        let mut text = [0; 4096];
        black_box(rustix::io::read(&file, &mut text).unwrap());
        for link in links {
            black_box(rustix::fs::readlinkat_raw(&dir, *link, &mut text).unwrap());
        }
        stat(&dir, c"exe");
    }
    for path in cgroups {
        stat(&dir, path);
    }
    assert!(alive(&pidfd));
}

const COLLECTED: &[&CStr] = &[
    c"ns/cgroup",
    c"ns/ipc",
    c"ns/mnt",
    c"ns/net",
    c"ns/pid",
    c"ns/time",
    c"ns/user",
    c"ns/uts",
    c"exe",
];
const CONFIRMED: &[&CStr] = &[c"ns/mnt", c"ns/user", c"exe"];

fn stat(dir: &OwnedFd, path: &CStr) {
    let flags = AtFlags::STATX_DONT_SYNC;
    black_box(rustix::fs::statx(dir, path, flags, StatxFlags::BASIC_STATS).unwrap());
}

/// The directories that a process is in, and the files that let others in.
fn cgroups(pid: i32) -> Vec<CString> {
    let lines = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let mut paths = Vec::new();
    for line in lines.lines().filter(|line| !line.ends_with(":/")) {
        let mut fields = line.splitn(3, ':').skip(1);
        let name = match fields.next().unwrap() {
            "" => "unified",
            controllers => controllers.trim_start_matches("name="),
        };
        let mut directory = format!("/sys/fs/cgroup/{name}");
        for part in fields.next().unwrap().split('/') {
            directory = format!("{directory}/{part}");
            let movers = ["", "cgroup.procs", "tasks", "cgroup.threads"];
            let files = movers.map(|file| format!("{}/{file}", directory.trim_end_matches('/')));
            paths.extend(files.into_iter().filter(|file| std::fs::exists(file).unwrap()));
        }
    }
    paths.into_iter().map(|path| CString::new(path).unwrap()).collect()
}

fn identify(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let actor = Actor::spawn().connect(&socket);
    let (stream, _) = listener.accept().unwrap();
    let kernel = Kernel::probe().unwrap();
    let reader = FactReader::new(&kernel, ReadSettings::default());
    let usual: FactSet = USUAL.into_iter().collect();
    // Names and the path of the executable are in memory from the first time on.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let subject = Subject::accept(&stream, &kernel).unwrap();
    let facts = runtime.block_on(subject.collect(usual, &reader)).unwrap();

    let cgroups = cgroups(actor.pid());
    let mut group = c.benchmark_group("identify");
    group.bench_function("bare kernel calls", |b| b.iter(|| bare(&stream, &cgroups)));
    group.bench_function("accept, collect, confirm", |b| {
        b.iter(|| {
            let subject = Subject::accept(stream.as_fd(), &kernel).unwrap();
            let facts = runtime.block_on(subject.collect(usual, &reader)).unwrap();
            subject.confirm(subject.bind(facts)).unwrap()
        });
    });
    group.bench_function("accept", |b| b.iter(|| Subject::accept(&stream, &kernel).unwrap()));
    group.bench_function("bucket", |b| b.iter(|| subject.bucket().unwrap()));
    group.bench_function("confirm", |b| {
        b.iter(|| subject.confirm(subject.bind(Arc::clone(&facts))).unwrap());
    });
    for fact in USUAL {
        let wanted: FactSet = [fact].into_iter().collect();
        group.bench_function(format!("collect {fact}"), |b| {
            b.iter(|| runtime.block_on(subject.collect(wanted, &reader)).unwrap());
        });
    }
    group.bench_function("collect nothing", |b| {
        b.iter(|| runtime.block_on(subject.collect(FactSet::EMPTY, &reader)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, identify);
criterion_main!(benches);
