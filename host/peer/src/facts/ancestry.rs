use std::{os::fd::AsFd, sync::Arc};

use rustix::io::Errno;
use witgate_facts::{Ancestor, Blob, FactResult};

use super::pinned::Pinned;
use crate::{error::fact_error, limits, parse, pid::Pid, process_directory::ProcessDirectory};

/// The parents, nearest first, as far as they hold still. Many small reads: not on a thread that
/// serves requests.
pub(super) async fn parents(pinned: &Pinned) -> FactResult<Vec<Ancestor>> {
    pinned.read(|process| climb(process).map_err(fact_error)).await
}

fn climb(process: &ProcessDirectory) -> Result<Vec<Ancestor>, Errno> {
    let mut parents = Vec::new();
    let mut child = None;
    while parents.len() < limits::ANCESTORS {
        let Some((directory, ancestor)) = parent(child.as_ref().unwrap_or(process))? else { break };
        parents.push(ancestor);
        child = Some(directory);
    }
    Ok(parents)
}

/// The parent, none above the first process. Once more if the parent exits meanwhile, and another
/// takes its place.
fn parent(child: &ProcessDirectory) -> Result<Option<(ProcessDirectory, Ancestor)>, Errno> {
    const TRIES: usize = 4;
    for _ in 0..TRIES {
        let Some(pid) = parent_pid(child)? else { return Ok(None) };
        match read(child, pid) {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) | Err(Errno::SRCH | Errno::NOENT) => (),
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::AGAIN)
}

fn parent_pid(child: &ProcessDirectory) -> Result<Option<Pid>, Errno> {
    let text = child.read(c"stat", limits::STAT_FILE)?;
    Ok(Pid::new(parse::stat(&text).ok_or(Errno::BADMSG)?.parent))
}

/// None if that process was not, or no longer, the parent.
fn read(child: &ProcessDirectory, pid: Pid) -> Result<Option<(ProcessDirectory, Ancestor)>, Errno> {
    let sys = child.shared_sys();
    let pidfd = sys.pidfd_open(pid)?;
    let directory = ProcessDirectory::new(sys.open_process(pid)?, Arc::clone(sys));
    let stat = directory.read(c"stat", limits::STAT_FILE)?;
    let status = directory.read(c"status", limits::STATUS_FILE)?;
    let executable = directory.link(c"exe").ok().map(|link| parse::printable(&link, true));
    let (stat, ids) = parse::stat(&stat).zip(parse::ids(&status)).ok_or(Errno::BADMSG)?;
    // Alive still, and still the parent: then it was when it was read, for a process gets a new
    // parent only when the old one exits.
    if sys.pidfd_exited(pidfd.as_fd())? || parent_pid(child)? != Some(pid) {
        return Ok(None);
    }
    let ancestor = Ancestor {
        uid: ids.euid,
        gid: ids.egid,
        comm: Blob(stat.comm),
        executable,
        start_time: stat.start_time,
    };
    Ok(Some((directory, ancestor)))
}
