//! The daemon's own root, as far as nobody but root (or the daemon's user) can have written it.

use std::os::fd::AsFd as _;

use rustix::fs::FileType;
use witgate_facts::{FactError, FactResult};

use super::{Named, no_such};
use crate::{error::fact_error, file_systems, sys::Sys};

/// Names the file, one step at a time: each directory is checked before a name is looked up in it,
/// through the descriptor that was checked.
pub(super) fn open(sys: &dyn Sys, path: &str) -> FactResult<Option<Named>> {
    let own_uid = sys.own_uid();
    let mut here = Named::of(sys, sys.open_named(c"/").map_err(fact_error)?, None)?;
    for step in path.split('/').filter(|step| !step.is_empty()) {
        check(&here, own_uid)?;
        here = match sys.open_below(here.fd.as_fd(), step.as_bytes()) {
            Ok(fd) => Named::of(sys, fd, Some(&here))?,
            Err(errno) => return no_such(errno).map(|()| None),
        };
    }
    check(&here, own_uid)?;
    Ok(Some(here))
}

/// A sticky bit does not help: whoever may write a directory may put a new name there. Nor do access
/// lists hide anything: where a file has one, the bits of its group are the most that any name on
/// the list is given (acl(5), the mask). But owner and mode are what the file system says, and on a
/// foreign one that is whoever answers for it: a user who mounts one of their own says root.
fn check(named: &Named, own_uid: u32) -> FactResult<()> {
    let owned = named.stat.uid == 0 || named.stat.uid == own_uid;
    let plain = !named.is(FileType::Symlink) && !file_systems::is_foreign(named.file_system);
    if owned && plain && named.stat.mode & 0o022 == 0 { Ok(()) } else { Err(FactError::Denied) }
}
