//! What the process has for a root.

use std::os::fd::AsFd as _;

use rustix::io::Errno;
use witgate_facts::{Credentials, FactError, FactResult};

use super::{Named, no_such};
use crate::{
    error::fact_error,
    file_systems, limits,
    process_directory::ProcessDirectory,
    sys::{Below, FileStat, Open},
};

/// Names the file. Links are followed as the process would follow them, so never out of its root.
///
/// Only where files are kept: what is in `/proc` is made for whoever reads it, so a link to
/// `/proc/self/environ` would show the daemon's own.
pub(super) fn open(process: &ProcessDirectory, path: &str) -> FactResult<Option<Named>> {
    let sys = process.sys();
    // The directory is pinned, so this is the root of the process and of no other: once it has
    // been reaped there is no such link. That it has not exited is looked at when all is read.
    let root = sys.open_at(process.as_fd(), c"root", Open::Name).map_err(fact_error)?;
    let relative = path.trim_start_matches('/');
    let relative = if relative.is_empty() { "." } else { relative };
    let mut tries = 0;
    let fd = loop {
        match sys.open_below(root.as_fd(), relative, Below::AsRoot) {
            Ok(fd) => break fd,
            Err(Errno::AGAIN) if tries < limits::PATH_TRIES => tries += 1,
            Err(errno) => return no_such(errno).map(|()| None),
        }
    };
    let magic = sys.file_system(fd.as_fd()).map_err(fact_error)?;
    if !file_systems::keeps_files(magic) {
        return Err(FactError::Denied);
    }
    Named::of(sys, fd).map(Some)
}

/// Whether the process may read it, by the bits of its mode. We may read more than it may: without
/// this, whoever may write at a granted path could link it to a file that is kept from them, and
/// have us read that.
pub(super) fn may_read(process: &Credentials, stat: &FileStat) -> bool {
    let bits = if process.uid == stat.uid {
        stat.mode >> 6
    } else if process.gid == stat.gid || process.groups.contains(&stat.gid) {
        stat.mode >> 3
    } else {
        stat.mode
    };
    process.uid == 0 || bits & 0o4 != 0
}
