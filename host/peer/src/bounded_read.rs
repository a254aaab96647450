//! Reading what somebody else determines the length of.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use crate::sys::Sys;

/// Content, and whether that is all of it.
pub(crate) type Read = Result<(Vec<u8>, bool), Errno>;

/// The first `limit` bytes of a file that the kernel makes as one record. One is given as a whole if
/// there is room for it, so less than there is room for is all: that saves asking for the end.
pub(crate) fn record(sys: &dyn Sys, file: BorrowedFd<'_>, limit: usize) -> Read {
    read(sys, file, limit, |read, room| read < room)
}

/// The first `limit` bytes of any file.
pub(crate) fn start(sys: &dyn Sys, file: BorrowedFd<'_>, limit: usize) -> Read {
    read(sys, file, limit, |read, _room| read == 0)
}

fn read(
    sys: &dyn Sys,
    file: BorrowedFd<'_>,
    limit: usize,
    ends: impl Fn(usize, usize) -> bool,
) -> Read {
    let mut content = vec![0; limit.min(4096)];
    let mut filled = 0;
    loop {
        let Some(room) = content.get_mut(filled..).filter(|room| !room.is_empty()) else {
            if filled >= limit {
                let more = sys.read(file, &mut [0])? != 0;
                return Ok((content, !more));
            }
            content.resize((filled * 2).min(limit), 0);
            continue;
        };
        let room_bytes = room.len();
        let bytes = sys.read(file, room)?;
        filled += bytes;
        if ends(bytes, room_bytes) {
            break;
        }
    }
    content.truncate(filled);
    Ok((content, true))
}
