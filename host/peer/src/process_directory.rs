use std::{
    ffi::CStr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use rustix::io::Errno;

use crate::{
    bounded_read, limits,
    subject::Image,
    sys::{FileStat, Open, Sys},
};

/// `/proc/<pid>` of one process, opened once. After the process was reaped everything in it is
/// `ESRCH`, even when the number is in use again.
#[derive(Debug)]
pub(crate) struct ProcessDirectory {
    fd: OwnedFd,
    sys: Arc<dyn Sys>,
}

impl ProcessDirectory {
    pub(crate) const fn new(fd: OwnedFd, sys: Arc<dyn Sys>) -> Self {
        Self { fd, sys }
    }

    pub(crate) fn sys(&self) -> &dyn Sys {
        &*self.sys
    }

    pub(crate) const fn shared_sys(&self) -> &Arc<dyn Sys> {
        &self.sys
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The content of a file that the kernel makes as one record (`cgroup`, `stat`, `status`);
    /// `E2BIG` if it has more than `limit` bytes.
    pub(crate) fn read(&self, name: &CStr, limit: usize) -> Result<Vec<u8>, Errno> {
        self.read_and_keep(name, limit).map(|(content, _file)| content)
    }

    /// The same, and the file, to be read again later.
    pub(crate) fn read_and_keep(
        &self,
        name: &CStr,
        limit: usize,
    ) -> Result<(Vec<u8>, OwnedFd), Errno> {
        let file = self.sys.open_at(self.fd.as_fd(), name, Open::Read)?;
        let (content, whole) = bounded_read::record(self.sys(), file.as_fd(), limit)?;
        if whole { Ok((content, file)) } else { Err(Errno::TOOBIG) }
    }

    /// At most the first `limit` bytes of any file, and whether that is all.
    pub(crate) fn read_start(&self, name: &CStr, limit: usize) -> Result<(Vec<u8>, bool), Errno> {
        let file = self.sys.open_at(self.fd.as_fd(), name, Open::Read)?;
        bounded_read::start(self.sys(), file.as_fd(), limit)
    }

    /// What a link says, without following it.
    pub(crate) fn link(&self, name: &CStr) -> Result<Vec<u8>, Errno> {
        let mut text = [0; limits::LINK];
        let length = self.sys.read_link_at(self.fd.as_fd(), name, &mut text)?;
        match text.get(..length) {
            Some(text) if length < limits::LINK => Ok(text.to_vec()),
            _ => Err(Errno::NAMETOOLONG),
        }
    }

    /// What a link leads to.
    pub(crate) fn stat(&self, name: &CStr) -> Result<FileStat, Errno> {
        self.sys.stat_at(self.fd.as_fd(), name)
    }

    /// What it runs, as far as it is compared at the end.
    pub(crate) fn image(&self) -> Result<Image, Errno> {
        let link = self.link(c"exe")?;
        let stat = self.stat(c"exe")?;
        Ok(Image { link, device: stat.device, inode: stat.inode })
    }
}
