//! The daemon's filter, tried on every call that there is.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

use std::{
    collections::BTreeMap,
    os::unix::process::ExitStatusExt as _,
    process::{Command, Output},
    thread,
};

use witgate_confine::{Confinement, Role, Trial, confine_this_thread, is_allowed, is_deadly};

/// More than any kernel has.
const CALLS: std::ops::Range<i64> = 0..1024;

/// `uretprobe` and `uprobe` of x86-64, by which the kernel returns to itself: no filter sees them, and
/// they kill any other caller.
const NOT_CALLS: [i64; 2] = [335, 336];

/// Makes calls with the arguments given, or with such as no call takes, and prints what became of
/// them. Perl can make any call by its number, and a Debian always has it.
const CALL: &str = r#"
    $| = 1; # One line for each, also if the next call is the last.
    for my $call (@ARGV) {
        my ($number, @given) = map { $_ + 0 } split /,/, $call;
        my @arguments = (@given, (-1) x (6 - @given));
        my $done = syscall($number, @arguments);
        print "$call ", ($done == -1 ? $! + 0 : 0), "\n";
    }
"#;

fn perl(calls: &[String]) -> Output {
    Command::new("perl").arg("-e").arg(CALL).args(calls).output().unwrap()
}

/// The same under the daemon's filter, which a program inherits.
fn filtered(calls: Vec<String>) -> Output {
    let run = move || {
        confine_this_thread(Role::Daemon).unwrap();
        perl(&calls)
    };
    thread::spawn(run).join().unwrap()
}

fn errors(output: &Output) -> BTreeMap<String, i32> {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let line = |line: &str| {
        let (call, error) = line.split_once(' ').unwrap();
        (call.to_owned(), error.parse().unwrap())
    };
    text.lines().map(line).collect()
}

#[test]
fn what_is_on_no_list_is_not_there() {
    let listed = |call| is_allowed(Role::Daemon, call) || is_deadly(Role::Daemon, call);
    let absent = |call: &i64| !listed(*call) && !NOT_CALLS.contains(call);
    let calls: Vec<String> = CALLS.filter(absent).map(|call| call.to_string()).collect();
    let found = errors(&filtered(calls.clone()));
    assert_eq!(found.len(), calls.len());
    assert!(found.values().all(|error| *error == libc::ENOSYS), "{found:?}");
    // These are in every kernel; so it was the filter.
    let some = [libc::SYS_symlinkat, libc::SYS_setxattr, libc::SYS_mlock, libc::SYS_setpriority];
    let there = errors(&perl(&some.map(|call| call.to_string())));
    assert!(there.values().all(|error| *error != libc::ENOSYS), "{there:?}");
    assert!(some.iter().all(|call| found.contains_key(&call.to_string())));
}

#[test]
fn what_only_an_intruder_does_ends_the_process() {
    let deadly: Vec<_> = CALLS.filter(|call| is_deadly(Role::Daemon, *call)).collect();
    assert!(deadly.len() > 50 && deadly.contains(&libc::SYS_ptrace), "{deadly:?}");
    for call in deadly {
        let output = filtered(vec![call.to_string()]);
        assert_eq!(output.status.signal(), Some(libc::SIGSYS), "call {call}: {output:?}");
    }
}

#[test]
fn what_is_allowed_depends_on_its_arguments() {
    let call = |number: i64, arguments: &str| format!("{number},{arguments}");
    let refused = [
        call(libc::SYS_socket, "16,3,0"),    // netlink
        call(libc::SYS_socket, "17,3,0"),    // packets
        call(libc::SYS_socket, "38,5,0"),    // the kernel's ciphers
        call(libc::SYS_clone, "268435473"),  // CLONE_NEWUSER | SIGCHLD
        call(libc::SYS_prctl, "35,0,0,0,0"), // PR_SET_MM: another name for what it runs
        call(libc::SYS_prctl, "1499557217"), // PR_SET_PTRACER
        call(libc::SYS_prctl, "4,1,0,0,0"),  // PR_SET_DUMPABLE: open to others of its user again
        call(libc::SYS_ioctl, "0,21522"),    // TIOCSTI: types for who sits at the terminal
        call(libc::SYS_prlimit64, "1,7"),    // of another process
    ];
    let found = errors(&filtered(refused.to_vec()));
    assert_eq!(found.len(), refused.len());
    assert!(found.values().all(|error| *error == libc::ENOSYS), "{found:?}");
    let granted = [
        call(libc::SYS_socket, "1,1,0"),
        call(libc::SYS_socket, "2,1,0"),
        call(libc::SYS_socket, "10,1,0"),
        call(libc::SYS_prctl, "3,0,0,0,0"), // PR_GET_DUMPABLE
        call(libc::SYS_prctl, "4,0,0,0,0"), // PR_SET_DUMPABLE: what it is already
        call(libc::SYS_prlimit64, "0,7,0,0"),
    ];
    let found = errors(&filtered(granted.to_vec()));
    // Whatever else the kernel says of them, such as that there is no IPv6 here.
    assert!(found.values().all(|error| *error != libc::ENOSYS), "{found:?}");
}

#[test]
fn a_trial_leaves_everybody_else_as_they_were() {
    assert_eq!(Trial::run().unwrap().no_filter, None);
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    assert!(status.contains("\nSeccomp:\t0\n"), "{status}");
    assert!(std::fs::read("/etc/passwd").is_ok());
    let this = Confinement::of_this_process().unwrap();
    assert!(!this.is_complete() && this.threads > this.filtered_threads, "{this:?}");
}
