//! Every system call of this crate, behind one trait.
//!
//! The trait is private, so nobody outside can implement it. There are these implementations:
//! [`Linux`], and in the tests one that answers like older or exhausted kernels; and one that is all
//! made up, so that anything can happen at any moment.

#[cfg(test)]
pub(crate) mod scripted;
#[cfg(test)]
pub(crate) mod simulated;
mod unsafe_calls;

use std::{
    ffi::CStr,
    ffi::OsStr,
    fmt::Debug,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    sync::Arc,
};

use nix::sys::socket::{getsockopt, sockopt};
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, StatxFlags},
    io::Errno,
    process::{PidfdFlags, pidfd_open},
    time::Timespec,
};

use witgate_facts::FileKind;

pub(crate) use self::unsafe_calls::{ExecEvent, receive, watch};
use crate::{limits, pid::Pid};

/// Ids as `SO_PEERCRED` has them; the pid is 0 for a process that we cannot see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SocketCredentials {
    pub(crate) pid: i32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Ids of a process now, from `PIDFD_GET_INFO` or the status file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) tgid: u32,
    pub(crate) ruid: u32,
    pub(crate) euid: u32,
    pub(crate) suid: u32,
    pub(crate) rgid: u32,
    pub(crate) egid: u32,
    pub(crate) sgid: u32,
}

/// As much of statx(2) as is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileStat {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) links: u32,
    pub(crate) size: u64,
    pub(crate) blocks: u64,
    /// Seconds and nanoseconds since 1970.
    pub(crate) changed: (i64, u32),
    /// Last change of the content, in seconds since 1970.
    pub(crate) modified: i64,
    /// Names the mount it was looked at through, for ever (`STATX_MNT_ID_UNIQUE`); none before Linux
    /// 6.8. Unlike a device number it is never given to another file system.
    pub(crate) mount: Option<u64>,
}

/// How to open a file below a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    /// To read it.
    Read,
    /// Only to name it: nothing is asked of its file system.
    Name,
}

/// What a descriptor is, as far as it is told without asking whoever serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It names a process.
    Pidfd,
    /// A Unix socket of a connection.
    Connection,
    /// Neither; what the kernel calls it.
    Other(Vec<u8>),
}

/// The kernel.
pub(crate) trait Sys: Send + Sync + Debug {
    fn peer_credentials(&self, socket: BorrowedFd<'_>) -> Result<SocketCredentials, Errno>;
    fn peer_groups(&self, socket: BorrowedFd<'_>) -> Result<Vec<u32>, Errno>;
    fn peer_label(&self, socket: BorrowedFd<'_>) -> Result<Vec<u8>, Errno>;
    fn peer_pidfd(&self, socket: BorrowedFd<'_>) -> Result<OwnedFd, Errno>;
    fn pidfd_open(&self, pid: Pid) -> Result<OwnedFd, Errno>;
    /// What a descriptor is that somebody passed. Cannot hang, whatever it is.
    fn kind(&self, fd: BorrowedFd<'_>) -> Result<Kind, Errno>;
    /// The number that a pidfd names, in our pid namespace: 0 if it has none there, -1 if it was reaped.
    fn number_of(&self, pidfd: BorrowedFd<'_>) -> Result<i32, Errno>;
    /// Opens a counter that ends when this process begins another program.
    fn exec_event(&self, pid: Pid) -> Result<Arc<ExecEvent>, Errno>;
    /// `poll` says that the counter has ended: exec or exit.
    fn exec_happened(&self, event: &ExecEvent) -> Result<bool, Errno>;
    /// `poll` says readable: the whole process has exited.
    fn pidfd_exited(&self, pidfd: BorrowedFd<'_>) -> Result<bool, Errno>;
    fn pidfd_ids(&self, pidfd: BorrowedFd<'_>) -> Result<Ids, Errno>;
    /// Opens `/proc/<pid>`.
    fn open_process(&self, pid: Pid) -> Result<OwnedFd, Errno>;
    fn open_at(&self, dir: BorrowedFd<'_>, path: &CStr, how: Open) -> Result<OwnedFd, Errno>;
    /// Opens by absolute path, only to name it, and only if the kernel has the whole path in memory
    /// (`EAGAIN` otherwise): no file system is asked, so this cannot hang.
    fn open_cached(&self, path: &CStr) -> Result<OwnedFd, Errno>;
    /// The same, asking file systems where needed: may hang.
    fn open_named(&self, path: &CStr) -> Result<OwnedFd, Errno>;
    /// Opens what has this name in a directory, only to name it: neither a device nor a pipe notices,
    /// and a symbolic link is opened itself, not followed (openat2(2)). May hang.
    fn open_below(&self, dir: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno>;
    /// Opens to read the very file that `named` names, without looking its name up again. Only for
    /// regular files and directories. May hang.
    fn reopen(&self, named: BorrowedFd<'_>) -> Result<OwnedFd, Errno>;
    /// Whether what `named` names has an access list (acl(5)). May hang.
    fn has_access_list(&self, named: BorrowedFd<'_>) -> Result<bool, Errno>;
    /// Names and kinds of what is in a directory, without `.` and `..`; `E2BIG` if there is more
    /// than `limit`. May hang.
    fn list(&self, dir: BorrowedFd<'_>, limit: usize) -> Result<Vec<(Vec<u8>, FileKind)>, Errno>;
    /// The daemon's effective user id.
    fn own_uid(&self) -> u32;
    /// A file of the host that concerns no peer, as a whole.
    fn host_file(&self, path: &CStr) -> Result<Vec<u8>, Errno>;
    fn read(&self, file: BorrowedFd<'_>, into: &mut [u8]) -> Result<usize, Errno>;
    /// From the beginning again, whatever was read before.
    fn read_again(&self, file: BorrowedFd<'_>, into: &mut [u8]) -> Result<usize, Errno>;
    fn read_link_at(
        &self,
        dir: BorrowedFd<'_>,
        path: &CStr,
        into: &mut [u8],
    ) -> Result<usize, Errno>;
    /// statx(2) of what `path` leads to, magic links followed, without asking a network or user
    /// space file system for fresh values. An empty path means `dir` itself.
    fn stat_at(&self, dir: BorrowedFd<'_>, path: &CStr) -> Result<FileStat, Errno>;
    /// The number that `mountinfo` has for the mount that it was opened through.
    fn mount_id(&self, file: BorrowedFd<'_>) -> Result<u64, Errno>;
    /// The magic number of its file system (statfs(2)). May hang.
    fn file_system(&self, file: BorrowedFd<'_>) -> Result<u64, Errno>;
}

/// The real one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Linux;

fn of_nix(errno: nix::errno::Errno) -> Errno {
    Errno::from_raw_os_error(errno as i32)
}

impl Sys for Linux {
    // nix and not rustix here and below: rustix's `UCred` has a pid that cannot be 0, and the
    // kernel does say 0.
    fn peer_credentials(&self, socket: BorrowedFd<'_>) -> Result<SocketCredentials, Errno> {
        let ids = getsockopt(&socket, sockopt::PeerCredentials).map_err(of_nix)?;
        Ok(SocketCredentials { pid: ids.pid(), uid: ids.uid(), gid: ids.gid() })
    }

    fn peer_groups(&self, socket: BorrowedFd<'_>) -> Result<Vec<u32>, Errno> {
        let mut groups = vec![0_u32; limits::GROUPS_FIRST_TRY];
        let bytes = match unsafe_calls::socket_option(socket, libc::SO_PEERGROUPS, &mut groups) {
            Err((Errno::RANGE, needed)) if needed / 4 <= limits::GROUPS => {
                groups.resize(needed / 4, 0);
                unsafe_calls::socket_option(socket, libc::SO_PEERGROUPS, &mut groups)
            }
            other => other,
        };
        groups.truncate(bytes.map_err(|(errno, _)| errno)? / size_of::<u32>());
        Ok(groups)
    }

    fn peer_label(&self, socket: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
        let mut label = vec![0_u8; limits::LABEL];
        let bytes = unsafe_calls::socket_option(socket, libc::SO_PEERSEC, &mut label);
        label.truncate(bytes.map_err(|(errno, _)| errno)?);
        while label.last() == Some(&0) {
            label.pop();
        }
        Ok(label)
    }

    fn peer_pidfd(&self, socket: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
        getsockopt(&socket, sockopt::PeerPidfd).map_err(of_nix)
    }

    fn pidfd_open(&self, pid: Pid) -> Result<OwnedFd, Errno> {
        pidfd_open(pid.of_kernel(), PidfdFlags::empty())
    }

    fn kind(&self, fd: BorrowedFd<'_>) -> Result<Kind, Errno> {
        let link = rustix::fs::readlink(magic_link(fd), Vec::new())?.into_bytes();
        // Names of files begin with a slash, so nobody else can have these.
        if link == b"anon_inode:[pidfd]" || link.starts_with(b"pidfd:[") {
            return Ok(if is_of_process(fd)? { Kind::Pidfd } else { Kind::Other(THREAD.to_vec()) });
        }
        if link.starts_with(b"socket:[") && is_connection(fd)? {
            return Ok(Kind::Connection);
        }
        Ok(Kind::Other(link))
    }

    fn number_of(&self, pidfd: BorrowedFd<'_>) -> Result<i32, Errno> {
        let text = std::fs::read(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        let number = crate::parse::status_field(&text, b"Pid").and_then(|text| text.parse().ok());
        number.ok_or(Errno::BADMSG)
    }

    fn exec_event(&self, pid: Pid) -> Result<Arc<ExecEvent>, Errno> {
        ExecEvent::open(pid).map(Arc::new)
    }

    fn exec_happened(&self, event: &ExecEvent) -> Result<bool, Errno> {
        let mut fds = [PollFd::new(event, PollFlags::IN)];
        Ok(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? != 0)
    }

    fn pidfd_exited(&self, pidfd: BorrowedFd<'_>) -> Result<bool, Errno> {
        let mut fds = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
        Ok(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? != 0)
    }

    fn pidfd_ids(&self, pidfd: BorrowedFd<'_>) -> Result<Ids, Errno> {
        let info = unsafe_calls::pidfd_info(pidfd)?;
        let wanted = u64::from(libc::PIDFD_INFO_PID | libc::PIDFD_INFO_CREDS);
        if info.mask & wanted != wanted {
            return Err(Errno::NODATA);
        }
        Ok(Ids {
            tgid: info.tgid,
            ruid: info.ruid,
            euid: info.euid,
            suid: info.suid,
            rgid: info.rgid,
            egid: info.egid,
            sgid: info.sgid,
        })
    }

    fn open_process(&self, pid: Pid) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        rustix::fs::openat(CWD, format!("/proc/{pid}"), flags, Mode::empty())
    }

    fn open_at(&self, dir: BorrowedFd<'_>, path: &CStr, how: Open) -> Result<OwnedFd, Errno> {
        let flags = match how {
            Open::Read => OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY,
            Open::Name => OFlags::PATH,
        };
        rustix::fs::openat(dir, path, flags | OFlags::CLOEXEC, Mode::empty())
    }

    fn open_cached(&self, path: &CStr) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::CACHED | ResolveFlags::NO_MAGICLINKS;
        rustix::fs::openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
    }

    fn open_named(&self, path: &CStr) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::NO_MAGICLINKS;
        rustix::fs::openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
    }

    fn open_below(&self, dir: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        rustix::fs::openat2(dir, name, flags, Mode::empty(), resolve)
    }

    fn reopen(&self, named: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
        // The one way there is to read what an `O_PATH` descriptor names: a magic link, which leads
        // to that file whatever has its name by now.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        rustix::fs::openat(CWD, magic_link(named), flags, Mode::empty())
    }

    fn has_access_list(&self, named: BorrowedFd<'_>) -> Result<bool, Errno> {
        const LIST: &CStr = c"system.posix_acl_access";
        // fgetxattr(2) takes no `O_PATH` descriptor. To open a directory by its `.`, which is itself
        // and nothing else, is cheaper than the magic link that there is for all.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let length = match rustix::fs::openat(named, c".", flags, Mode::empty()) {
            Ok(directory) => rustix::fs::fgetxattr_query(directory, LIST),
            Err(_) => rustix::fs::getxattr_query(magic_link(named), LIST),
        };
        match length {
            Ok(_length) => Ok(true),
            Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    fn list(&self, dir: BorrowedFd<'_>, limit: usize) -> Result<Vec<(Vec<u8>, FileKind)>, Errno> {
        let mut found = Vec::new();
        // A file system of user space may list `.` for ever: so two more, and every entry counts.
        for (index, entry) in rustix::fs::Dir::new(self.reopen(dir)?)?.enumerate() {
            let entry = entry?;
            if index >= limit + 2 {
                return Err(Errno::TOOBIG);
            }
            let name = entry.file_name();
            if name != c"." && name != c".." {
                found.push((name.to_bytes().to_vec(), kind_of_entry(dir, &entry)?));
            }
        }
        if found.len() > limit { Err(Errno::TOOBIG) } else { Ok(found) }
    }

    fn own_uid(&self) -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn host_file(&self, path: &CStr) -> Result<Vec<u8>, Errno> {
        let path = OsStr::from_bytes(path.to_bytes());
        std::fs::read(path).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
    }

    fn read(&self, file: BorrowedFd<'_>, into: &mut [u8]) -> Result<usize, Errno> {
        rustix::io::read(file, into)
    }

    fn read_again(&self, file: BorrowedFd<'_>, into: &mut [u8]) -> Result<usize, Errno> {
        rustix::io::pread(file, into, 0)
    }

    fn read_link_at(
        &self,
        dir: BorrowedFd<'_>,
        path: &CStr,
        into: &mut [u8],
    ) -> Result<usize, Errno> {
        rustix::fs::readlinkat_raw(dir, path, into)
    }

    fn stat_at(&self, dir: BorrowedFd<'_>, path: &CStr) -> Result<FileStat, Errno> {
        let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
        let wanted = StatxFlags::BASIC_STATS | MNT_ID_UNIQUE;
        let stat = rustix::fs::statx(dir, path, flags, wanted)?;
        let unique = stat.stx_mask & MNT_ID_UNIQUE.bits() != 0;
        Ok(FileStat {
            device: rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor),
            inode: stat.stx_ino,
            mode: u32::from(stat.stx_mode),
            uid: stat.stx_uid,
            gid: stat.stx_gid,
            links: stat.stx_nlink,
            size: stat.stx_size,
            blocks: stat.stx_blocks,
            changed: (stat.stx_ctime.tv_sec, stat.stx_ctime.tv_nsec),
            modified: stat.stx_mtime.tv_sec,
            mount: unique.then_some(stat.stx_mnt_id),
        })
    }

    fn mount_id(&self, file: BorrowedFd<'_>) -> Result<u64, Errno> {
        let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
        let stat = rustix::fs::statx(file, c"", flags, StatxFlags::MNT_ID)?;
        let has_it = stat.stx_mask & StatxFlags::MNT_ID.bits() != 0;
        if has_it { Ok(stat.stx_mnt_id) } else { Err(Errno::NOSYS) }
    }

    fn file_system(&self, file: BorrowedFd<'_>) -> Result<u64, Errno> {
        #[expect(clippy::cast_sign_loss, reason = "a magic number is a bit pattern")]
        Ok(rustix::fs::fstatfs(file)?.f_type as u64)
    }
}

/// linux/stat.h, Linux 6.8.
const MNT_ID_UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);

/// A pidfd may name one thread (`PIDFD_THREAD`, Linux 6.9, which is `O_EXCL`): what ends with that
/// says nothing about the process.
fn is_of_process(pidfd: BorrowedFd<'_>) -> Result<bool, Errno> {
    Ok(!rustix::fs::fcntl_getfl(pidfd)?.contains(OFlags::EXCL))
}

const THREAD: &[u8] = b"a pidfd of one thread";

/// Whether it is a Unix socket of the kind that connects once, at the end of who accepted it: a socket
/// that listens, and the end of who connected, would name whoever made it listen. Only what was accepted
/// has the name of a socket that listens; the end of who connected has none, unless it was given one.
fn is_connection(socket: BorrowedFd<'_>) -> Result<bool, Errno> {
    use rustix::net::{AddressFamily, SocketType, getsockname, sockopt};
    if sockopt::socket_domain(socket)? != AddressFamily::UNIX
        || !matches!(sockopt::socket_type(socket)?, SocketType::STREAM | SocketType::SEQPACKET)
        || sockopt::socket_acceptconn(socket)?
    {
        return Ok(false);
    }
    let name = rustix::net::SocketAddrUnix::try_from(getsockname(socket)?);
    // However one without a name is written.
    let any = |bytes: &[u8]| bytes.iter().any(|byte| *byte != 0);
    let named = |name: rustix::net::SocketAddrUnix| {
        name.path_bytes().is_some_and(any) || name.abstract_name().is_some_and(any)
    };
    Ok(name.is_ok_and(named))
}

fn magic_link(named: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", named.as_raw_fd())
}

/// What an entry of a directory is; asked of the file system where the list does not say.
fn kind_of_entry(dir: BorrowedFd<'_>, entry: &rustix::fs::DirEntry) -> Result<FileKind, Errno> {
    let kind = match entry.file_type() {
        FileType::Unknown => {
            match rustix::fs::statat(dir, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                // Gone since it was listed.
                Err(Errno::NOENT) => FileType::Unknown,
                Err(errno) => return Err(errno),
            }
        }
        known => known,
    };
    Ok(match kind {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Symlink,
        _ => FileKind::Other,
    })
}

/// Has every message on connections of this listener carry its sender, and lets none carry a
/// descriptor where the kernel knows how (Linux 6.16). Elsewhere the kernel drops them when the message
/// is read, on the thread that reads it, and one that hangs when it is closed could hold that up.
///
/// To be called before `listen`: connections take both over from the listener, and what is written
/// before they could be set on the connection itself would arrive without its sender.
///
/// # Errors
/// As setsockopt(2).
pub fn mark_senders(listener: impl AsFd) -> std::io::Result<()> {
    let listener = listener.as_fd();
    unsafe_calls::set_socket_option(listener, libc::SO_PASSCRED, 1)?;
    take_rights(listener, false)?;
    Ok(())
}

/// Whether messages on this connection may carry descriptors from now on; false if the kernel has no
/// say in that, and they always may.
pub(crate) fn take_rights(socket: BorrowedFd<'_>, may: bool) -> Result<bool, Errno> {
    match unsafe_calls::set_socket_option(socket, SO_PASSRIGHTS, i32::from(may)) {
        Ok(()) => Ok(true),
        Err(Errno::NOPROTOOPT | Errno::OPNOTSUPP) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// asm-generic/socket.h, Linux 6.16.
const SO_PASSRIGHTS: i32 = 83;
