//! What the process has for a root.

use std::os::fd::AsFd as _;

use rustix::{fs::FileType, io::Errno};
use witgate_facts::{FactError, FactResult};

use super::{
    Named,
    access::{Access, READ, SEARCH},
    no_such,
};
use crate::{error::fact_error, file_systems, limits, sys::Open};

/// Names the file, as the process would come to it: one step at a time, each only where the process
/// itself may take it, and never out of its root.
///
/// Only where files are kept: what is in `/proc` is made for whoever reads it, so a link to
/// `/proc/self/environ` would show the daemon's own.
pub(super) fn open(access: &Access<'_>, path: &str) -> FactResult<Option<Named>> {
    let mut walk = Walk::begin(access)?;
    walk.plan(path.as_bytes())?;
    while let Some(step) = walk.ahead.pop() {
        if !walk.take(&step)? {
            return Ok(None);
        }
    }
    Ok(Some(walk.here))
}

/// Whether the process may read it. Where a list does not say what its entries are, they are looked
/// up, so for a list it must be allowed that too.
pub(super) fn may_read(access: &Access<'_>, named: &Named) -> bool {
    access.may(if named.is(FileType::Directory) { READ | SEARCH } else { READ }, named)
}

/// Somewhere on a path.
///
/// The way is held, directory by directory. So a step up leads to where the walk came from, a
/// directory that the process was let through, whoever moves it meanwhile: there is no way out of the
/// root. The process could hold the same directories, so it learns nothing that it could not.
#[derive(Debug)]
struct Walk<'a> {
    access: &'a Access<'a>,
    /// From the root to the one above `here`.
    above: Vec<Named>,
    here: Named,
    /// Steps, the next one last.
    ahead: Vec<Vec<u8>>,
    planned: usize,
    links: usize,
}

impl<'a> Walk<'a> {
    fn begin(access: &'a Access<'a>) -> FactResult<Self> {
        let (process, sys) = (access.process, access.process.sys());
        // The directory is pinned, so this is the root of the process and of no other: once it has
        // been reaped there is no such link. That it has not exited is looked at when all is read.
        let root = sys.open_at(process.as_fd(), c"root", Open::Name).map_err(fact_error)?;
        let here = where_files_are_kept(Named::of(sys, root, None)?)?;
        Ok(Self { access, above: Vec::new(), here, ahead: Vec::new(), planned: 0, links: 0 })
    }

    /// An empty step asks for a directory, as a slash at the end does.
    fn plan(&mut self, path: &[u8]) -> FactResult<()> {
        let steps = path.split(|byte| *byte == b'/');
        self.planned += steps.clone().count();
        if self.planned > limits::PATH_STEPS {
            return Err(FactError::Io(format!("more than {} steps", limits::PATH_STEPS)));
        }
        self.ahead.extend(steps.rev().map(<[u8]>::to_vec));
        Ok(())
    }

    /// False if it leads nowhere. That is said only where the process may search the directory, so
    /// of what is below any other nobody learns whether it exists.
    fn take(&mut self, step: &[u8]) -> FactResult<bool> {
        if !self.here.is(FileType::Directory) {
            return Ok(false);
        }
        if !self.access.may(SEARCH, &self.here) {
            return Err(FactError::Denied);
        }
        match step {
            b"" | b"." => Ok(true),
            b".." => self.back(self.above.len().saturating_sub(1)).map(|()| true),
            name => self.down(name),
        }
    }

    /// To the directory that has so many above it.
    fn back(&mut self, above: usize) -> FactResult<()> {
        self.above.truncate(above + 1);
        if let Some(directory) = self.above.pop() {
            // It was left some time ago, which a slow file system may have made long.
            self.here = directory.looked_at_again(self.access.process.sys())?;
        }
        Ok(())
    }

    fn down(&mut self, name: &[u8]) -> FactResult<bool> {
        let sys = self.access.process.sys();
        let found = match sys.open_below(self.here.fd.as_fd(), name) {
            Ok(fd) => where_files_are_kept(Named::of(sys, fd, Some(&self.here))?)?,
            Err(errno) => return no_such(errno).map(|()| false),
        };
        if found.is(FileType::Symlink) {
            return self.follow(&found).map(|()| true);
        }
        if self.above.len() >= limits::PATH_DEPTH {
            return Err(FactError::Io(format!("deeper than {}", limits::PATH_DEPTH)));
        }
        self.above.push(std::mem::replace(&mut self.here, found));
        Ok(true)
    }

    fn follow(&mut self, link: &Named) -> FactResult<()> {
        self.links += 1;
        if self.links > limits::LINKS || !self.trusts(link) {
            return Err(FactError::Denied);
        }
        let mut text = [0; limits::LINK];
        let sys = self.access.process.sys();
        let length = sys.read_link_at(link.fd.as_fd(), c"", &mut text).map_err(fact_error)?;
        let text = text.get(..length).filter(|text| text.len() < limits::LINK);
        let text = text.ok_or_else(|| fact_error(Errno::NAMETOOLONG))?;
        if text.starts_with(b"/") {
            self.back(0)?;
        }
        self.plan(text)
    }

    /// Where all may put links, only one's own and those of the directory's owner are followed, as
    /// the kernel has it (`/proc/sys/fs/protected_symlinks`).
    fn trusts(&self, link: &Named) -> bool {
        let anybodys = self.here.stat.mode & 0o1002 == 0o1002;
        !anybodys || [self.access.credentials.uid, self.here.stat.uid].contains(&link.stat.uid)
    }
}

fn where_files_are_kept(named: Named) -> FactResult<Named> {
    if file_systems::keeps_files(named.file_system) { Ok(named) } else { Err(FactError::Denied) }
}
