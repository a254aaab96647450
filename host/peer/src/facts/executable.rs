//! The program file. What a link says and what it leads to are two things, and neither is proof:
//! see `executable.wit`.

use std::{
    ffi::CString,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use rustix::io::Errno;
use witgate_facts::{Doubt, ExecutableInfo, FactResult};

use super::{
    doubts::{self, Look},
    pinned::Account,
};
use crate::{
    error::fact_error, parse, process_directory::ProcessDirectory, reader::FactReader,
    subject::Image, sys::FileStat,
};

/// What the kernel puts behind the path of a file that has no name any more. Files may be *called*
/// so, too; the number of names tells.
const DELETED: &[u8] = b" (deleted)";

/// The file that a process runs, as of one look.
#[derive(Debug, Clone)]
pub(super) struct Executable {
    info: ExecutableInfo,
    pub(super) doubts: Vec<Doubt>,
    pub(super) stat: FileStat,
    pub(super) image: Image,
}

impl Executable {
    /// `link` was read before; between that and the look at the file the process may have begun
    /// another program, so both are compared again at the end.
    ///
    /// `account` is whose share of the threads that may hang it takes.
    pub(super) async fn read(
        directory: &Arc<ProcessDirectory>,
        reader: &FactReader,
        link: FactResult<Vec<u8>>,
        account: Account,
    ) -> FactResult<Self> {
        let link = link?;
        let stat = directory.stat(c"exe").map_err(fact_error)?;
        let deleted = stat.links == 0;
        let path = if deleted { link.strip_suffix(DELETED).unwrap_or(&link) } else { &link };
        let same_on_host = !deleted && same_on_host(directory, account, reader, path, &stat).await;
        let look = look(directory, reader, account, stat).await?;
        let doubts = doubts::all(&look, account.nested, &link, stat.links, same_on_host);
        let info = ExecutableInfo {
            path: parse::printable(path, true),
            device: stat.device,
            inode: stat.inode,
            size: stat.size,
            deleted,
            same_on_host,
        };
        let image = Image { device: stat.device, inode: stat.inode, link };
        Ok(Self { info, doubts, stat, image })
    }

    /// What is known of the file, unless the link to it may be a forgery.
    pub(super) fn unwithheld(&self) -> FactResult<&ExecutableInfo> {
        doubts::withheld(&self.doubts).map(|()| &self.info)
    }
}

/// On a thread that may hang.
async fn look(
    directory: &Arc<ProcessDirectory>,
    reader: &FactReader,
    account: Account,
    stat: FileStat,
) -> FactResult<Look> {
    let directory = Arc::clone(directory);
    let look = move || Look::at(&directory, &stat);
    reader.0.workers.run(account.share(), reader.0.settings.deadline, look).await?
}

/// Whether the path leads to the same file in our mount namespace.
///
/// The mount namespaces themselves are not compared: a hardened service has one of its own and runs
/// the same file, and a different file has another device or inode.
async fn same_on_host(
    directory: &Arc<ProcessDirectory>,
    account: Account,
    reader: &FactReader,
    path: &[u8],
    stat: &FileStat,
) -> bool {
    let Ok(path) = CString::new(path) else { return false };
    if !path.to_bytes().starts_with(b"/") {
        return false;
    }
    let leads_there = |file: &OwnedFd, directory: &ProcessDirectory| {
        let found = directory.sys().stat_at(file.as_fd(), c"");
        found.is_ok_and(|found| (found.device, found.inode) == (stat.device, stat.inode))
    };
    match directory.sys().open_cached(&path) {
        Ok(file) => leads_there(&file, directory),
        // Some step of the path must be asked of a file system, which may hang. (EINVAL: a kernel
        // without this flag, before 5.12.)
        Err(Errno::AGAIN | Errno::INVAL) => {
            let named = Arc::clone(directory);
            let open = move || named.sys().open_named(&path).ok();
            let file =
                reader.0.workers.run(account.share(), reader.0.settings.deadline, open).await;
            file.ok().flatten().is_some_and(|file| leads_there(&file, directory))
        }
        Err(_) => false,
    }
}
