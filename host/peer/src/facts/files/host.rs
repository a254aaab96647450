//! The daemon's own root, as far as nobody but root (or the daemon's user) can have written it.

use std::os::fd::AsFd as _;

use witgate_facts::{FactError, FactResult};

use super::{Named, no_such};
use crate::{
    error::fact_error,
    sys::{Below, FileStat, Sys},
};

/// Names the file, one step at a time: each directory is checked before a name is looked up in it,
/// through the descriptor that was checked.
pub(super) fn open(sys: &dyn Sys, path: &str) -> FactResult<Option<Named>> {
    let own_uid = sys.own_uid();
    let mut here = Named::of(sys, sys.open_named(c"/").map_err(fact_error)?)?;
    for step in path.split('/').filter(|step| !step.is_empty()) {
        check(&here.stat, own_uid)?;
        here = match sys.open_below(here.fd.as_fd(), step, Below::Plain) {
            Ok(fd) => Named::of(sys, fd)?,
            Err(errno) => return no_such(errno).map(|()| None),
        };
    }
    check(&here.stat, own_uid)?;
    Ok(Some(here))
}

/// A sticky bit does not help: whoever may write a directory may put a new name there. Nor do access
/// lists hide anything: where a file has one, the bits of its group are the most that any name on
/// the list is given (acl(5), the mask).
fn check(stat: &FileStat, own_uid: u32) -> FactResult<()> {
    let owned = stat.uid == 0 || stat.uid == own_uid;
    if owned && stat.mode & 0o022 == 0 { Ok(()) } else { Err(FactError::Denied) }
}
