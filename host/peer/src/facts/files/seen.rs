use std::os::fd::AsFd as _;

use rustix::{fs::FileType, io::Errno};
use witgate_facts::{DirectoryEntry, FactError, FactResult, FileKind, FileStatus};

use super::Named;
use crate::{
    bounded_read,
    error::fact_error,
    limits,
    sys::{FileStat, Sys},
};

/// What was seen under a path, all at once.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) status: FileStatus,
    /// Of a regular file; nothing else is opened.
    pub(super) content: FactResult<Vec<u8>>,
    /// Of a directory; none for anything else.
    pub(super) entries: FactResult<Option<Vec<DirectoryEntry>>>,
}

impl Seen {
    /// Where it may not be read, only what the file system says about it.
    pub(super) fn of(sys: &dyn Sys, named: &Named, may_read: bool) -> Self {
        let status = status(&named.stat);
        let (content, entries) = match status.kind {
            _ if !may_read => (Err(FactError::Denied), Err(FactError::Denied)),
            FileKind::File => (content(sys, named), Ok(None)),
            FileKind::Directory => (not_a_file("a directory"), entries(sys, named)),
            FileKind::Symlink | FileKind::Other => {
                (not_a_file("a device, a pipe or a socket"), Ok(None))
            }
        };
        Self { status, content, entries }
    }
}

fn not_a_file(kind: &str) -> FactResult<Vec<u8>> {
    Err(FactError::Io(format!("it is {kind}, not a regular file")))
}

fn status(stat: &FileStat) -> FileStatus {
    let kind = match FileType::from_raw_mode(stat.mode) {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        _ => FileKind::Other,
    };
    FileStatus {
        kind,
        size: stat.size,
        mode: stat.mode & 0o7777,
        uid: stat.uid,
        gid: stat.gid,
        modified: stat.modified,
    }
}

/// Its length is not asked for first: it may grow, and files in `/proc` have none.
fn content(sys: &dyn Sys, named: &Named) -> FactResult<Vec<u8>> {
    let file = sys.reopen(named.fd.as_fd()).map_err(fact_error)?;
    match bounded_read::start(sys, file.as_fd(), limits::FILE) {
        Ok((content, true)) => Ok(content),
        Ok((_, false)) => Err(FactError::TooLarge),
        Err(errno) => Err(fact_error(errno)),
    }
}

fn entries(sys: &dyn Sys, named: &Named) -> FactResult<Option<Vec<DirectoryEntry>>> {
    let found = match sys.list(named.fd.as_fd(), limits::DIRECTORY_ENTRIES) {
        Ok(found) => found,
        Err(Errno::TOOBIG) => return Err(FactError::TooLarge),
        // Removed since it was named.
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(fact_error(errno)),
    };
    let in_text = |(name, kind)| Some(DirectoryEntry { name: String::from_utf8(name).ok()?, kind });
    let mut entries: Vec<_> = found.into_iter().filter_map(in_text).collect();
    entries.sort_unstable();
    Ok(Some(entries))
}
