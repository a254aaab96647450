use std::{
    ffi::CStr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use rustix::io::Errno;

use crate::{
    limits,
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
        // One record is given as a whole if there is room for it, so less than there is room for
        // is all: that saves asking for the end.
        let (content, whole) = self.read_until(&file, limit, |read, room| read < room)?;
        if whole { Ok((content, file)) } else { Err(Errno::TOOBIG) }
    }

    /// At most the first `limit` bytes of any file, and whether that is all.
    pub(crate) fn read_start(&self, name: &CStr, limit: usize) -> Result<(Vec<u8>, bool), Errno> {
        let file = self.sys.open_at(self.fd.as_fd(), name, Open::Read)?;
        self.read_until(&file, limit, |read, _| read == 0)
    }

    fn read_until(
        &self,
        file: &OwnedFd,
        limit: usize,
        ends: impl Fn(usize, usize) -> bool,
    ) -> Result<(Vec<u8>, bool), Errno> {
        let mut content = vec![0; limit.min(4096)];
        let mut filled = 0;
        loop {
            let Some(room) = content.get_mut(filled..).filter(|room| !room.is_empty()) else {
                if filled >= limit {
                    let more = self.sys.read(file.as_fd(), &mut [0])? != 0;
                    return Ok((content, !more));
                }
                content.resize((filled * 2).min(limit), 0);
                continue;
            };
            let room_bytes = room.len();
            let bytes = self.sys.read(file.as_fd(), room)?;
            filled += bytes;
            if ends(bytes, room_bytes) {
                break;
            }
        }
        content.truncate(filled);
        Ok((content, true))
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
