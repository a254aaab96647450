use std::{cell::OnceCell, os::fd::AsFd as _};

use witgate_facts::Credentials;

use super::Named;
use crate::{limits, parse, process_directory::ProcessDirectory};

/// To look a name up in a directory, and so to go through it.
pub(super) const SEARCH: u32 = 0o1;
/// To read what is in it.
pub(super) const READ: u32 = 0o4;

/// The id that stands for all those that have no number here (`/proc/sys/kernel/overflowuid`).
const NOBODY: u32 = 65_534;

/// `CAP_DAC_OVERRIDE` and `CAP_DAC_READ_SEARCH`: either lets the process read everything.
const PAST_PERMISSIONS: u64 = 1 << 1 | 1 << 2;

/// What the process may do itself. We may do more than it may: without this, whoever may write at a
/// granted path, or put a mount there in a namespace of their own, could link it to a file that is
/// kept from them, and have us read that.
///
/// It is the check of the kernel (path_resolution(7)), or a stricter one where the kernel knows more
/// than we are told. What a server of a network keeps lists of, beside the mode that it tells, we
/// are not told at all; such a server asks for itself who we are.
#[derive(Debug)]
pub(super) struct Access<'a> {
    pub(super) process: &'a ProcessDirectory,
    pub(super) credentials: &'a Credentials,
    privileged: OnceCell<bool>,
}

impl<'a> Access<'a> {
    pub(super) const fn new(process: &'a ProcessDirectory, credentials: &'a Credentials) -> Self {
        Self { process, credentials, privileged: OnceCell::new() }
    }

    /// Whether all that is wanted is permitted.
    pub(super) fn may(&self, wanted: u32, named: &Named) -> bool {
        self.may_as_anybody(wanted, named) || *self.privileged.get_or_init(|| self.is_privileged())
    }

    fn may_as_anybody(&self, wanted: u32, named: &Named) -> bool {
        let (mode, uid, gid) = (named.stat.mode, named.stat.uid, named.stat.gid);
        let of = self.credentials;
        let is_named = uid != NOBODY && gid != NOBODY;
        let bits = if !is_named {
            // Its owner or group is not known, so nor is which of the three the process falls under.
            mode >> 6 & mode >> 3 & mode
        } else if of.uid == uid {
            mode >> 6
        } else if of.gid == gid || of.groups.contains(&gid) {
            mode >> 3
        } else {
            mode
        };
        let is_owner = is_named && of.uid == uid;
        bits & wanted == wanted && (is_owner || !self.may_have_access_list(named))
    }

    /// An access list may give a user or a group less than the mode shows, so where there is one
    /// that the kernel would go by, nothing is permitted. It goes by none for the owner, nor where the
    /// group's bits, which are the list's mask, are all clear (acl(5)).
    fn may_have_access_list(&self, named: &Named) -> bool {
        let counts = named.stat.mode & 0o070 != 0;
        counts && self.process.sys().has_access_list(named.fd.as_fd()).unwrap_or(true)
    }

    /// Whether it is root as we know root: who is so in a user namespace of their own has no rights to
    /// files outside, and who gave its capabilities away has none at all. Asked only where it makes
    /// the difference.
    fn is_privileged(&self) -> bool {
        self.credentials.uid == 0 && self.is_in_our_user_namespace() && self.is_capable()
    }

    fn is_in_our_user_namespace(&self) -> bool {
        let ours = self.process.sys().stat_at(self.process.as_fd(), c"/proc/self/ns/user");
        let its = self.process.stat(c"ns/user");
        matches!((ours, its), (Ok(ours), Ok(its))
            if (ours.device, ours.inode) == (its.device, its.inode))
    }

    fn is_capable(&self) -> bool {
        let status = self.process.read(c"status", limits::STATUS_FILE).ok();
        let privileges = status.and_then(|status| parse::privileges(&status));
        privileges.is_some_and(|privileges| privileges.effective & PAST_PERMISSIONS != 0)
    }
}
