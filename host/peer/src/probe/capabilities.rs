//! What a host lets the daemon do besides identifying peers; each with its price when missing.

use std::{ffi::CStr, os::fd::AsFd as _};

use super::{Capability, Tier};
use crate::{cgroups::Hierarchies, namespaces, parse, pid::Pid, sys::Sys};

/// Numbers of capabilities(7).
const DAC_READ_SEARCH: u32 = 2;
const SYS_PTRACE: u32 = 19;
const SYS_ADMIN: u32 = 21;
const PERFMON: u32 = 38;

pub(super) fn list(
    sys: &dyn Sys,
    tier: Tier,
    labels: bool,
    refuses_rights: bool,
) -> Vec<Capability> {
    let mut list = Vec::from(peer(tier, labels));
    list.push(Capability {
        name: "refuse-descriptors",
        present: refuses_rights,
        cost: "descriptors that somebody sends along are dropped while we read: a few that hang when \
               they are closed hold up every decision (Linux 6.16 and later do not let them come)",
        found: yes(refuses_rights),
    });
    list.extend(own_place(sys));
    list.extend(reading(sys));
    list.extend(host(sys));
    list
}

fn peer(tier: Tier, labels: bool) -> [Capability; 3] {
    [
        Capability {
            name: "peer-pidfd",
            present: tier <= Tier::B,
            cost: "a peer that exits before it is looked at can be taken for its successor (Linux \
                   6.5 and later do not have this)",
            found: format!("tier {tier}"),
        },
        Capability {
            name: "pidfd-info",
            present: tier == Tier::A,
            cost: "ids are read from /proc between two looks at the pidfd: about 20 µs more for \
                   each decision",
            found: format!("tier {tier}"),
        },
        Capability {
            name: "socket-label",
            present: labels,
            cost: "the fact process.label is missing; nothing tells two programs of one uid apart \
                   that the kernel vouches for",
            found: yes(labels),
        },
    ]
}

fn own_place(sys: &dyn Sys) -> Vec<Capability> {
    let rows = [
        ("initial-pid-namespace", "pid", "peers outside the daemon's pid namespace are refused"),
        ("initial-user-namespace", "user", "peers whose uid has no number here are refused"),
        (
            "initial-cgroup-namespace",
            "cgroup",
            "cgroup paths above the daemon's own cgroup cannot be seen",
        ),
    ];
    let row = |(name, kind, cost)| {
        let present = namespaces::is_initial(sys, kind);
        Capability { name, present, cost, found: yes(present) }
    };
    rows.map(row).into()
}

fn reading(sys: &dyn Sys) -> [Capability; 4] {
    let effective = effective(sys);
    let visible = sys.open_named(c"/proc/1/.").is_ok();
    let has = |capability: u32| effective & (1 << capability) != 0;
    // Tried, for modules such as Landlock say no whatever the capabilities are; on two, for one
    // may be under a protection of its own, or ourselves.
    let others =
        [c"/proc/1/.", c"/proc/2/."].into_iter().any(|path| namespaces_readable(sys, path))
            || (std::process::id() == 1 && has(SYS_PTRACE));
    let perf = sys.host_file(c"/proc/sys/kernel/perf_event_paranoid").ok();
    // Tried on ourselves, which a host may forbid to all but the privileged; on other uids it takes
    // one of these besides.
    let others_watched = has(PERFMON) || has(SYS_ADMIN) || has(SYS_PTRACE);
    let watch = own_pid().is_some_and(|own| sys.exec_event(own).is_ok()) && others_watched;
    [
        Capability {
            name: "see-all-processes",
            present: visible,
            cost: "/proc is mounted with hidepid: processes of other uids cannot be attested",
            found: yes(visible),
        },
        Capability {
            name: "read-other-processes",
            present: others,
            cost: "without CAP_SYS_PTRACE, namespaces and executables of other uids are not read: \
                   unix.host and path selectors are unknown for them",
            found: yes(others),
        },
        Capability {
            name: "read-any-executable",
            present: has(DAC_READ_SEARCH),
            cost: "without CAP_DAC_READ_SEARCH, an executable that others may not read has no \
                   sha256",
            found: format!("CapEff {effective:016x}"),
        },
        Capability {
            name: "exec-watch",
            present: watch,
            cost: "a process that becomes another program is found by comparing its auxiliary vector, \
                   not by an event; where that cannot be read either, it cannot be challenged and \
                   what it runs is claimed",
            found: perf.map_or_else(
                || "no perf events in this kernel".to_owned(),
                |level| format!("perf_event_paranoid {}", String::from_utf8_lossy(&level).trim()),
            ),
        },
    ]
}

fn namespaces_readable(sys: &dyn Sys, process: &CStr) -> bool {
    sys.open_named(process)
        .is_ok_and(|directory| sys.read_link_at(directory.as_fd(), c"ns/mnt", &mut [0; 64]).is_ok())
}

fn host(sys: &dyn Sys) -> [Capability; 2] {
    let mounted = Hierarchies::new(sys).count();
    let spaces = sys.host_file(c"/proc/sys/user/max_user_namespaces").unwrap_or_default();
    let none = spaces.is_empty() || spaces.trim_ascii() == b"0";
    [
        Capability {
            name: "cgroup-hierarchies",
            present: mounted > 0,
            cost: "no cgroup directory can be looked at, so no container or unit is recognised",
            found: format!("{mounted} mounted"),
        },
        Capability {
            name: "no-unprivileged-user-namespaces",
            present: none,
            cost: "any user can forge the link to its executable, so paths and digests tell \
                   well-behaved programs apart and nothing more",
            found: format!("max_user_namespaces {}", String::from_utf8_lossy(&spaces).trim()),
        },
    ]
}

fn own_pid() -> Option<Pid> {
    i32::try_from(std::process::id()).ok().and_then(Pid::new)
}

pub(super) fn effective(sys: &dyn Sys) -> u64 {
    let status = sys.host_file(c"/proc/thread-self/status").unwrap_or_default();
    parse::privileges(&status).map_or(0, |privileges| privileges.effective)
}

fn yes(present: bool) -> String {
    if present { "yes" } else { "no" }.to_owned()
}
