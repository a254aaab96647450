//! Where the process stands in the cgroup hierarchies, and which part of that only root could have
//! arranged.
//!
//! Whoever may write a directory can name its children as it likes, and whoever may write one of
//! the files that move processes can put its own in. So a name counts only as far as every
//! directory from the root downwards, and each of those files in it, can be written by root alone.

#[cfg(test)]
mod fuzz;
mod walk;

use std::{
    ffi::CString,
    os::fd::{AsFd, OwnedFd},
};

use witgate_facts::{CgroupClaim, CgroupTrust};

use crate::{
    limits,
    parse::{self, CgroupLine, Mount},
    sys::Sys,
};

/// Whose limits a request counts against.
///
/// The uid alone would put every container's root into the bucket of the host's root.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bucket {
    /// Effective user id.
    pub uid: u32,
    /// The first directory below the root of the hierarchy that tells most: v2, else systemd's,
    /// else the first in which the process is not at the root. `/` if there is none.
    pub cgroup: Box<str>,
}

impl Bucket {
    pub(crate) fn new(uid: u32, text: &[u8]) -> Self {
        let first = telling(text).and_then(|line| line.components().next());
        let cgroup = first.map_or_else(
            || "/".into(),
            |name| format!("/{}", parse::printable(name, false)).into_boxed_str(),
        );
        Self { uid, cgroup }
    }
}

/// The line of the hierarchy that tells most about where the process belongs.
fn telling(text: &[u8]) -> Option<CgroupLine<'_>> {
    let below = || parse::cgroups(text).filter(|line| line.components().next().is_some());
    below()
        .find(|line| line.hierarchy == 0)
        .or_else(|| below().find(|line| line.controllers == "name=systemd"))
        .or_else(|| below().min_by_key(|line| line.hierarchy))
}

/// Its path for people: where it belongs, as far as one line can say.
pub(crate) fn summary(text: &[u8]) -> Option<String> {
    telling(text).map(|line| parse::printable(line.path, false))
}

/// Fact `cgroups.claimed`.
pub(crate) fn claimed(text: &[u8]) -> Vec<CgroupClaim> {
    parse::cgroups(text)
        .map(|line| CgroupClaim {
            hierarchy: line.hierarchy,
            controllers: line.controllers(),
            path: parse::printable(line.path, false),
        })
        .collect()
}

/// The hierarchies mounted here, as found at start.
#[derive(Debug)]
pub(crate) struct Hierarchies(Vec<Hierarchy>);

#[derive(Debug)]
struct Hierarchy {
    /// As the second field of proc(5) `cgroup` has them; empty for v2.
    controllers: Vec<String>,
    /// Its root directory, held open: what is mounted over it later does not matter.
    root: OwnedFd,
}

impl Hierarchies {
    /// Those whose root is mounted in our mount namespace. One of which only a part is mounted (a
    /// bind mount into a container) does not count: what lies above cannot be looked at.
    pub(crate) fn new(sys: &dyn Sys) -> Self {
        let text = sys.host_file(c"/proc/thread-self/mountinfo").unwrap_or_default();
        let mounts = parse::mounts(&text).filter(|mount| mount.root == b"/");
        Self(mounts.filter_map(|mount| Hierarchy::open(sys, &mount)).collect())
    }

    /// How many are mounted.
    pub(crate) const fn count(&self) -> usize {
        self.0.len()
    }

    fn find(&self, line: &CgroupLine<'_>) -> Option<&Hierarchy> {
        let named = |hierarchy: &&Hierarchy| {
            if line.hierarchy == 0 {
                return hierarchy.is_v2();
            }
            let mut wanted = line.controllers.split(',');
            wanted.all(|name| hierarchy.controllers.iter().any(|mounted| mounted == name))
        };
        self.0.iter().find(named)
    }

    /// Fact `cgroups.trusted`.
    pub(crate) fn trusted(&self, sys: &dyn Sys, text: &[u8]) -> Trusted {
        let (entries, inodes) = parse::cgroups(text).map(|line| self.trust(sys, &line)).unzip();
        Trusted { entries, inodes }
    }

    fn trust(&self, sys: &dyn Sys, line: &CgroupLine<'_>) -> (CgroupTrust, Option<u64>) {
        let hierarchy = self.find(line);
        let owned = hierarchy.filter(|_| !line.is_root()).and_then(|hierarchy| {
            let parts = line.components().take(limits::CGROUP_DEPTH);
            walk::owned_prefix(sys, hierarchy.root.as_fd(), hierarchy.is_v2(), parts)
        });
        let (prefix, inode) = owned.unzip();
        let trust = CgroupTrust {
            hierarchy: line.hierarchy,
            controllers: line.controllers(),
            delegated: prefix.as_ref().map(String::as_bytes) != Some(line.path) && !line.is_root(),
            prefix: prefix.unwrap_or_else(|| "/".to_owned()),
            mounted: hierarchy.is_some(),
        };
        (trust, inode)
    }
}

/// Where only root can have put the process.
#[derive(Debug)]
pub(crate) struct Trusted {
    /// One for each hierarchy.
    pub(crate) entries: Vec<CgroupTrust>,
    /// In the same order, the inode of the directory that `prefix` leads to, as it was when its owner
    /// was looked at; none for the root.
    pub(crate) inodes: Vec<Option<u64>>,
}

/// Magic numbers of statfs(2).
const CGROUP2: u64 = 0x6367_7270;
const CGROUP: u64 = 0x0027_e0eb;

impl Hierarchy {
    fn open(sys: &dyn Sys, mount: &Mount) -> Option<Self> {
        let (magic, controllers) = match mount.kind.as_str() {
            "cgroup2" => (CGROUP2, Vec::new()),
            "cgroup" => (CGROUP, mount.options.split(',').map(str::to_owned).collect()),
            _ => return None,
        };
        let path = CString::new(mount.point.clone()).ok()?;
        let root = sys.open_named(&path).ok()?;
        // Another file system may be mounted over it.
        let stat = sys.stat_at(root.as_fd(), c"").ok()?;
        let same = stat.device == rustix::fs::makedev(mount.major, mount.minor)
            && sys.file_system(root.as_fd()) == Ok(magic);
        same.then_some(Self { controllers, root })
    }

    const fn is_v2(&self) -> bool {
        self.controllers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_the_first_directory_of_the_hierarchy_that_tells_most() {
        let bucket = |text: &[u8]| Bucket::new(7, text).cgroup.into_string();
        assert_eq!(
            bucket(b"2:cpu:/docker/a\n1:name=systemd:/x\n0::/system.slice/a.service\n"),
            "/system.slice"
        );
        assert_eq!(bucket(b"2:cpu:/docker/a\n1:name=systemd:/x/y\n0::/\n"), "/x");
        assert_eq!(bucket(b"2:cpu:/docker/a\n1:name=systemd:/\n0::/\n"), "/docker");
        assert_eq!(bucket(b"0::/\n"), "/");
        assert_eq!(bucket(b"0::/../..\n"), "/");
        assert_eq!(bucket(b""), "/");
    }
}
