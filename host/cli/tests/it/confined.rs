//! What the daemon and the compile child have given up, looked at from outside.

use std::{
    fs,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    process::{Child, Command, Output, Stdio},
};

use nix::libc;
use seccompiler::{SeccompAction, SeccompFilter, apply_filter};
use witgate_client::Client;
use witgate_testkit::daemon::{Daemon, Folder, text};

use crate::{folder, json};

/// A user who is nobody else in these tests.
const USER: u32 = 1000;

/// One line for each thread of a process: what stands there about filters.
fn filters(pid: i32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let status = |task: std::io::Result<fs::DirEntry>| {
        // Threads come and go.
        let status = fs::read_to_string(task.unwrap().path().join("status")).ok()?;
        let lines = status.lines().filter(|line| line.starts_with("Seccomp"));
        Some(lines.collect::<Vec<_>>().join(" "))
    };
    tasks.filter_map(status).collect()
}

#[test]
fn every_thread_is_filtered_whatever_it_is_for() {
    let daemon = folder().serve();
    let socket = daemon.socket();
    let busy = |_| {
        let socket = socket.clone();
        std::thread::spawn(move || (0..50).all(|_| Client::new(&socket).attest().is_ok()))
    };
    let busy: Vec<_> = (0..4).map(busy).collect();
    let mut most = 0;
    // A plugin is compiled by the reload, in a child that lives under the same filter and its own.
    daemon.folder.write("witgate.toml", "[plugins.unix]\nsource = \"builtin:unix\"\n");
    while busy.iter().any(|thread| !thread.is_finished()) {
        let threads = filters(daemon.pid());
        most = most.max(threads.len());
        for thread in threads {
            assert_eq!(thread, "Seccomp:\t2 Seccomp_filters:\t2");
        }
    }
    assert!(busy.into_iter().all(|thread| thread.join().unwrap()));
    assert!(daemon.run(&["reload"]).status.success());
    assert!(most > 2, "{most} threads were seen");
    let confinement = &json(&daemon.run(&["status", "--json"]))["confinement"];
    assert_eq!(confinement["filtered_threads"], confinement["threads"]);
    assert_eq!(
        (&confinement["memory_private"], &confinement["no_core"]),
        (&true.into(), &true.into())
    );
    let said = text(&daemon.run(&["status"]));
    assert!(said.contains("memory private") && !said.contains("NOT CONFINED"), "{said}");
}

/// Tries to get at a process as another process of the same user, and says which way was open.
fn intrude(pid: u32) -> Vec<String> {
    // Perl attaches by a number, and opens without reading: what may be opened may be read.
    const WAYS: &str = r#"
        my ($pid, $ptrace) = @ARGV;
        for my $file ("environ", "mem", "auxv", "maps") {
            print "$file\n" if open(my $open, "<", "/proc/$pid/$file");
        }
        print "exe\n" if defined readlink("/proc/$pid/exe");
        print "fd\n" if opendir(my $open, "/proc/$pid/fd");
        print "ptrace\n" if syscall($ptrace + 0, 0x4206, $pid + 0, 0, 0) == 0;
    "#;
    let mut perl = Command::new("perl");
    perl.arg("-e").arg(WAYS).arg(pid.to_string()).arg(libc::SYS_ptrace.to_string());
    let output = perl.uid(USER).gid(USER).current_dir("/").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    text(&output).lines().map(ToOwned::to_owned).collect()
}

/// Kills what the test started.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

// #86: nor does it leave a core.
#[test]
fn nobody_of_the_same_user_gets_at_the_daemon() {
    let daemon = folder().serve_as(USER);
    let pid = daemon.pid().unsigned_abs();
    assert_eq!(intrude(pid), [""; 0]);
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    // It serves all the same, and any other program of that user is an open book.
    let mut owner = daemon.folder.command(&["attest"]);
    let answer = owner.uid(USER).gid(USER).current_dir("/").output().unwrap();
    assert!(answer.status.success(), "{}", text(&answer));
    assert!(daemon.run(&["status"]).status.success());
    let mut sleep = Command::new("sleep");
    let open = Started(sleep.arg("1000").uid(USER).gid(USER).current_dir("/").spawn().unwrap());
    assert_eq!(intrude(open.0.id()), ["environ", "mem", "auxv", "maps", "exe", "fd", "ptrace"]);
}

#[test]
fn the_compile_child_has_neither_privilege_nor_way_out() {
    let folder = folder();
    let mut compile = folder.command(&["compile-component"]);
    compile.uid(USER).gid(USER).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null());
    let child = Started(compile.spawn().unwrap());
    let proc = format!("/proc/{}", child.0.id());
    // It waits for its component once it has given up everything.
    let status = loop {
        let status = fs::read_to_string(format!("{proc}/status")).unwrap();
        if status.contains("Seccomp_filters:\t2") {
            break status;
        }
        std::thread::yield_now();
    };
    for line in
        ["Seccomp:\t2", "NoNewPrivs:\t1", "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000"]
    {
        assert!(status.contains(line), "{line} is not in {status}");
    }
    assert_eq!(fs::metadata(format!("{proc}/environ")).unwrap().uid(), 0, "it is not dumpable");
    assert_eq!(intrude(child.0.id()), [""; 0]);
}

/// Starts `witgate serve` where the kernel takes no filter.
fn serve_where_nothing_can_be_filtered(folder: &Folder) -> Output {
    let mut serve = folder.command(&["serve"]);
    let start = move || {
        let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
        let rules = [(libc::SYS_seccomp, vec![])].into();
        let arch = std::env::consts::ARCH.try_into().unwrap();
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, arch).unwrap();
        apply_filter(&seccompiler::BpfProgram::try_from(filter).unwrap()).unwrap();
        serve.output().unwrap()
    };
    // What a thread is denied, what it starts is denied.
    std::thread::spawn(start).join().unwrap()
}

#[test]
fn a_filter_that_cannot_be_had_is_a_daemon_that_does_not_start() {
    let folder = folder();
    let output = serve_where_nothing_can_be_filtered(&folder);
    assert_eq!(output.status.code(), Some(69), "{}", text(&output));
    let said = text(&output);
    assert!(said.contains("filter of calls") && said.contains("process.seccomp"), "{said}");
    assert!(!folder.socket().exists());

    folder.write("witgate.toml", "[process]\nseccomp = \"off\"\n");
    let daemon: Daemon = folder.serve();
    assert!(filters(daemon.pid()).iter().all(|thread| thread.starts_with("Seccomp:\t0")));
    assert!(text(&daemon.run(&["status"])).contains("NOT CONFINED: seccomp on 0 of"));
    assert!(Client::new(daemon.socket()).attest().is_ok());
    daemon.folder.write("witgate.toml", "[process]\nseccomp = \"no\"\n");
    let reload = daemon.run(&["reload"]);
    assert!(text(&reload).contains("it is \"required\" or \"off\""), "{}", text(&reload));
}
