use std::{
    ffi::{CStr, CString},
    os::fd::BorrowedFd,
};

use rustix::io::Errno;

use crate::sys::{FileStat, Sys};

/// The files of a directory through which processes are moved into it.
const MOVERS_V1: [&CStr; 2] = [c"cgroup.procs", c"tasks"];
const MOVERS_V2: [&CStr; 2] = [c"cgroup.procs", c"cgroup.threads"];

/// The longest path of which every directory belongs to root alone, and the inode of its last; none
/// if that is the root of the hierarchy, or not even that one does.
///
/// Every step is looked at in every request, nothing is remembered: giving away one of the files
/// leaves no trace in its directory that could be asked for instead.
pub(super) fn owned_prefix<'a>(
    sys: &dyn Sys,
    root: BorrowedFd<'_>,
    v2: bool,
    parts: impl Iterator<Item = &'a [u8]>,
) -> Option<(String, u64)> {
    let movers = if v2 { MOVERS_V2 } else { MOVERS_V1 };
    roots_own(sys, root, "", movers)?;
    let mut prefix = String::new();
    let mut last = None;
    for part in parts {
        // A name that cannot be shown as it is cannot be trusted as it is.
        let Ok(name) = std::str::from_utf8(part) else { break };
        if name.contains(char::is_control) {
            break;
        }
        let length = prefix.len();
        prefix.push('/');
        prefix.push_str(name);
        let Some(inode) = roots_own(sys, root, &prefix, movers) else {
            prefix.truncate(length);
            break;
        };
        last = Some(inode);
    }
    last.map(|inode| (prefix, inode))
}

/// The inode of a directory that belongs to root alone.
fn roots_own(sys: &dyn Sys, root: BorrowedFd<'_>, path: &str, movers: [&CStr; 2]) -> Option<u64> {
    // Relative to the root of the hierarchy; cgroup file systems have no links to be led away by.
    let below = path.strip_prefix('/').unwrap_or(path);
    let stat = |name: &CStr| -> Result<FileStat, Errno> {
        let mut relative = Vec::with_capacity(below.len() + name.count_bytes() + 2);
        relative.extend(below.bytes());
        if !below.is_empty() && !name.is_empty() {
            relative.push(b'/');
        }
        relative.extend(name.to_bytes());
        sys.stat_at(root, &CString::new(relative).map_err(|_| Errno::INVAL)?)
    };
    let directory = stat(c"").ok().filter(only_root_writes)?;
    let all = movers.iter().enumerate().all(|(index, name)| match stat(name) {
        Ok(stat) => only_root_writes(&stat),
        // Only the first is in every directory of every version.
        Err(errno) => errno == Errno::NOENT && index > 0,
    });
    all.then_some(directory.inode)
}

const fn only_root_writes(stat: &FileStat) -> bool {
    let group = stat.mode & 0o020 == 0 || stat.gid == 0;
    stat.uid == 0 && group && stat.mode & 0o002 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(uid: u32, gid: u32, mode: u32) -> FileStat {
        FileStat {
            device: 1,
            inode: 1,
            mode,
            uid,
            gid,
            links: 1,
            size: 0,
            blocks: 0,
            changed: (0, 0),
            modified: 0,
            mount: None,
        }
    }

    #[test]
    fn a_file_is_roots_if_nobody_else_can_write_it() {
        assert!(only_root_writes(&stat(0, 0, 0o40755)));
        assert!(only_root_writes(&stat(0, 0, 0o40775)));
        assert!(only_root_writes(&stat(0, 1000, 0o100_644)));
        assert!(!only_root_writes(&stat(1000, 0, 0o100_444)), "its owner may change the mode");
        assert!(!only_root_writes(&stat(0, 1000, 0o100_664)));
        assert!(!only_root_writes(&stat(0, 0, 0o100_646)));
    }
}
