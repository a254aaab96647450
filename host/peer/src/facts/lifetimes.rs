//! Names for what the process lives in, under which something may be kept longer than a request.
//!
//! They are good within one life of the daemon, for it holds the roots of the cgroup hierarchies
//! open: as long as it does, the kernel does not begin to number their directories anew. No boot id
//! is in them, so they must never be written down.

use std::os::fd::AsFd as _;

use witgate_facts::{CgroupTrust, Lifetimes};

use super::pinned::Pinned;
use crate::{cgroups::Trusted, probe::Tier, subject::Snapshot};

/// The magic number of the file system that pidfds are on since Linux 6.9, where each process of a
/// boot has an inode of its own. Before, all pidfds have the same one.
const PIDFS: u64 = 0x5049_4446;

/// Inode numbers have 64 bits, so they are never used again. With 32 the kernel cuts them off.
const WHOLE_INODES: bool = cfg!(target_pointer_width = "64");

/// None of either where it has exited or stands elsewhere by now: then a name would be that of what
/// came after it.
pub(super) fn of(
    pinned: &Pinned,
    tier: Tier,
    trusted: Option<&Trusted>,
    snapshot: &Snapshot,
) -> Lifetimes {
    // A kernel of tier C may be one whose cgroup inodes have 32 bits (before 5.5).
    if !WHOLE_INODES || tier == Tier::C {
        return Lifetimes::default();
    }
    let process = process(pinned);
    let cgroup = match trusted {
        Some(trusted) => cgroup(trusted),
        None => cgroup(&pinned.reader.0.hierarchies.trusted(pinned.sys(), &snapshot.cgroup.text)),
    };
    let cgroup = cgroup.filter(|_| snapshot.cgroup.is_same(pinned.sys()) == Ok(true));
    if pinned.ensure_alive().is_err() {
        return Lifetimes::default();
    }
    Lifetimes { process, cgroup }
}

fn process(pinned: &Pinned) -> Option<String> {
    let pidfd = pinned.pidfd.as_fd();
    let on_pidfs = pinned.sys().file_system(pidfd) == Ok(PIDFS);
    let stat = on_pidfs.then(|| pinned.sys().stat_at(pidfd, c""))?.ok()?;
    Some(format!("{:x}", stat.inode))
}

/// The prefixes that only root could have made, with the inodes of their directories: one that was
/// removed and made again has another. None if they are the roots of the hierarchies, which hold
/// everything.
fn cgroup(trusted: &Trusted) -> Option<String> {
    let named = |(trust, inode): (&CgroupTrust, &Option<u64>)| {
        let inode = (*inode)?;
        // No prefix has a control character in it.
        Some(format!("{}:{inode:x}:{}\n", trust.hierarchy, trust.prefix))
    };
    let name: String = trusted.entries.iter().zip(&trusted.inodes).filter_map(named).collect();
    (!name.is_empty()).then_some(name)
}
