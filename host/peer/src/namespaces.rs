//! Namespaces are named by the inode in the text of a link: `mnt:[4026531841]`.

use std::ffi::CStr;

use rustix::io::Errno;
use witgate_facts::{FactResult, Namespace};

use crate::{error::fact_error, process_directory::ProcessDirectory, sys::Sys};

/// The kinds, with their links below `/proc/<pid>`.
const KINDS: [(&str, &CStr); 8] = [
    ("cgroup", c"ns/cgroup"),
    ("ipc", c"ns/ipc"),
    ("mnt", c"ns/mnt"),
    ("net", c"ns/net"),
    ("pid", c"ns/pid"),
    ("time", c"ns/time"),
    ("user", c"ns/user"),
    ("uts", c"ns/uts"),
];

/// The inodes of the namespaces that this kernel starts with: part of its interface
/// (`linux/nsfs.h`), never given to another.
const INITIAL: [(&str, u64); 3] =
    [("cgroup", 0xEFFF_FFFB), ("pid", 0xEFFF_FFFC), ("user", 0xEFFF_FFFD)];

fn of_text(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.split_once(":[")?.1.strip_suffix(']')?.parse().ok()
}

/// The inode of one of its namespaces.
pub(crate) fn inode(directory: &ProcessDirectory, link: &CStr) -> Result<u64, Errno> {
    read(directory.sys(), directory.as_fd(), link)
}

fn read(sys: &dyn Sys, directory: std::os::fd::BorrowedFd<'_>, link: &CStr) -> Result<u64, Errno> {
    let mut text = [0; 64];
    let length = sys.read_link_at(directory, link, &mut text)?;
    text.get(..length).and_then(of_text).ok_or(Errno::BADMSG)
}

/// The daemon's own namespaces, which on a host are the host's.
#[derive(Debug, Default)]
pub(crate) struct OwnNamespaces([Option<u64>; KINDS.len()]);

impl OwnNamespaces {
    pub(crate) fn new(sys: &dyn Sys) -> Self {
        let mut own = Self::default();
        let Ok(directory) = sys.open_named(c"/proc/thread-self/.") else { return own };
        for (inode, (_, link)) in own.0.iter_mut().zip(KINDS) {
            *inode = read(sys, std::os::fd::AsFd::as_fd(&directory), link).ok();
        }
        own
    }

    /// Whether this inode is that of the daemon's user namespace. Not, if the daemon could not read
    /// its own.
    pub(crate) fn is_own_user(&self, inode: u64) -> bool {
        let own = self.0.iter().zip(KINDS).find(|(_, (kind, _))| *kind == "user");
        own.is_some_and(|(own, _)| *own == Some(inode))
    }

    /// All namespaces of a process that exist on this kernel, of which that of mounts is known.
    pub(crate) fn all(
        &self,
        directory: &ProcessDirectory,
        mount: Option<u64>,
    ) -> FactResult<Vec<Namespace>> {
        let mut all = Vec::with_capacity(KINDS.len());
        for (own, (kind, link)) in self.0.iter().zip(KINDS) {
            let Some(own) = own else { continue };
            let inode = match mount.filter(|_| kind == "mnt") {
                Some(inode) => inode,
                None => inode(directory, link).map_err(fact_error)?,
            };
            all.push(Namespace { kind: kind.to_owned(), inode, host: inode == *own });
        }
        Ok(all)
    }
}

/// Of those that a process can leave, and that are not compared in any case, the links and inodes. A
/// process has one pid namespace for life.
pub(crate) fn that_can_change(all: &[Namespace]) -> Vec<(&'static CStr, u64)> {
    let always = |kind: &str| matches!(kind, "mnt" | "pid" | "user");
    let link = |namespace: &Namespace| {
        let mut kinds = KINDS.iter().filter(|(kind, _)| !always(kind));
        let (_, link) = kinds.find(|(kind, _)| *kind == namespace.kind)?;
        Some((*link, namespace.inode))
    };
    all.iter().filter_map(link).collect()
}

/// Whether the daemon lives in the namespace of this kind that the kernel started with.
pub(crate) fn is_initial(sys: &dyn Sys, kind: &str) -> bool {
    let own = KINDS.iter().find(|(name, _)| *name == kind).and_then(|(_, link)| {
        let directory = sys.open_named(c"/proc/thread-self/.").ok()?;
        read(sys, std::os::fd::AsFd::as_fd(&directory), link).ok()
    });
    own.is_some() && own == INITIAL.iter().find(|(name, _)| *name == kind).map(|(_, inode)| *inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inode_is_the_number_in_brackets() {
        assert_eq!(of_text(b"mnt:[4026531841]"), Some(4_026_531_841));
        for bad in [&b"mnt:[]"[..], b"mnt:[-1]", b"mnt:[1", b"", b"\xff:[1]"] {
            assert_eq!(of_text(bad), None);
        }
    }
}

#[cfg(test)]
mod fuzz {
    use witgate_testkit::fuzz_target;

    use super::of_text;

    #[test]
    fn namespace() {
        let words = &[":[", "]", "-1", "18446744073709551616", "mnt", "\0"];
        fuzz_target!("namespace").words(words).check(|input| {
            let read = of_text(input);
            let text = String::from_utf8_lossy(input);
            let digits = text.split_once(":[").and_then(|(_, rest)| rest.strip_suffix(']'));
            let plain = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
            if let Some(inode) = read {
                let written = inode.to_string();
                assert!(
                    digits
                        .is_some_and(|d| d.trim_start_matches(['0', '+']) == written || inode == 0)
                );
            } else if str::from_utf8(input).is_ok() {
                assert!(plain.is_none_or(|digits| digits.parse::<u64>().is_err()));
            }
        });
    }
}
