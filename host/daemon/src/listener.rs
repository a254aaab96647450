//! A Unix socket that is never open with the wrong mode, never unlinked under a client, and never
//! taken from a daemon that is still there.
//!
//! It is bound in a private folder beside its final place, given its mode, and renamed there: a
//! client finds the old socket or the new one, and nothing in between. Whether a daemon is still
//! there is decided by a lock file, not by connecting to see.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::FlockOperation,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};

use crate::config::ListenConfig;

/// Connections that may wait for `accept`; the kernel cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// Longest path that fits into a socket address (unix(7): 108 bytes with the end).
const MAX_SOCKET_PATH: usize = 107;

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Another daemon holds the lock.
    #[error("{}: another daemon is listening here; stop it first, or use another --dir", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something that is not a socket is in the way.
    #[error("{}: there is {what} in the way; remove it if it is not needed", path.display())]
    InTheWay {
        /// The socket.
        path: PathBuf,
        /// What is there.
        what: &'static str,
    },
    /// Somebody else could swap the folder.
    #[error("{}: uid {uid} or others may write here, and could put a socket of their own in place", path.display())]
    Writable {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// The path does not fit into a socket address.
    #[error("{}: {len} bytes; the path of a socket has at most {MAX_SOCKET_PATH}, use a shorter one", path.display())]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        len: usize,
    },
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// What it was about.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// A listening socket at its place, and the lock that goes with it.
#[derive(Debug)]
pub struct Listener {
    path: PathBuf,
    socket: tokio::net::UnixListener,
    /// The socket's own inode, so that at the end only our own is removed.
    inode: (u64, u64),
    _lock: File,
}

impl Listener {
    /// Binds; must be called within a runtime.
    ///
    /// # Errors
    /// [`ListenError`] says what is in the way.
    pub fn bind(listen: &ListenConfig, dir_mode: u32) -> Result<Self, ListenError> {
        let path = &listen.path;
        let io = |source: io::Error| ListenError::Io { path: path.clone(), source };
        let dir = path.parent().ok_or_else(|| io(io::Error::other("a socket has a folder")))?;
        make_dir(dir, dir_mode)?;
        check_ancestors(dir)?;
        let lock = lock(path)?;
        check_place(path)?;
        let socket = bind_and_rename(path, dir, listen.mode)?;
        let metadata = fs::symlink_metadata(path).map_err(io)?;
        let socket = tokio::net::UnixListener::from_std(socket).map_err(io)?;
        Ok(Self {
            path: path.clone(),
            socket,
            inode: (metadata.dev(), metadata.ino()),
            _lock: lock,
        })
    }

    /// The next connection.
    ///
    /// # Errors
    /// As accept(2).
    pub async fn accept(&self) -> io::Result<tokio::net::UnixStream> {
        self.socket.accept().await.map(|(stream, _)| stream)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.inode);
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn make_dir(dir: &Path, mode: u32) -> Result<(), ListenError> {
    let io = |source| ListenError::Io { path: dir.to_path_buf(), source };
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent).map_err(io)?;
    }
    fs::DirBuilder::new().mode(mode).create(dir).map_err(io)?;
    // The umask took its part of the mode.
    fs::set_permissions(dir, fs::Permissions::from_mode(mode)).map_err(io)
}

/// Every folder on the way must belong to root or to us, and be writable by nobody else; a sticky
/// one (`/tmp`) keeps others from renaming what is not theirs.
fn check_ancestors(dir: &Path) -> Result<(), ListenError> {
    let io = |source| ListenError::Io { path: dir.to_path_buf(), source };
    let own = rustix::process::geteuid().as_raw();
    let real = dir.canonicalize().map_err(io)?;
    for ancestor in real.ancestors() {
        let metadata = fs::symlink_metadata(ancestor).map_err(io)?;
        let (mode, uid) = (metadata.mode(), metadata.uid());
        let open =
            mode & 0o022 != 0 && mode & 0o1000 == 0 && !(mode & 0o002 == 0 && metadata.gid() == 0);
        if open || (uid != 0 && uid != own) {
            return Err(ListenError::Writable { path: ancestor.to_path_buf(), uid });
        }
    }
    Ok(())
}

/// The lock decides who owns the place; it is never removed, so that two daemons cannot each hold
/// a different one.
fn lock(socket: &Path) -> Result<File, ListenError> {
    let mut path = socket.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let io = |source| ListenError::Io { path: path.clone(), source };
    let nofollow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(nofollow)
        .open(&path)
        .map_err(io)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(ListenError::InUse { path: socket.to_path_buf() })
        }
        Err(errno) => Err(io(errno.into())),
    }
}

fn check_place(path: &Path) -> Result<(), ListenError> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    let kind = metadata.file_type();
    let what = if kind.is_socket() {
        return Ok(()); // Left over: whoever made it no longer holds the lock.
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_dir() {
        "a folder"
    } else {
        "a file that is not a socket"
    };
    Err(ListenError::InTheWay { path: path.to_path_buf(), what })
}

fn bind_and_rename(
    path: &Path,
    dir: &Path,
    mode: u32,
) -> Result<std::os::unix::net::UnixListener, ListenError> {
    let io = |source: io::Error| ListenError::Io { path: path.to_path_buf(), source };
    // The private folder's name is as short as can be: it must fit into a socket address, too.
    let private =
        tempfile::Builder::new().prefix(".w").rand_bytes(3).tempdir_in(dir).map_err(io)?;
    let hidden = private.path().join("s");
    let len = path.as_os_str().len().max(hidden.as_os_str().len());
    if len > MAX_SOCKET_PATH {
        return Err(ListenError::TooLong { path: path.to_path_buf(), len });
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(|errno| io(errno.into()))?;
    let address = SocketAddrUnix::new(&hidden).map_err(|errno| io(errno.into()))?;
    rustix::net::bind(&socket, &address).map_err(|errno| io(errno.into()))?;
    fs::set_permissions(&hidden, fs::Permissions::from_mode(mode)).map_err(io)?;
    witgate_peer::mark_senders(&socket).map_err(io)?;
    rustix::net::listen(&socket, BACKLOG).map_err(|errno| io(errno.into()))?;
    fs::rename(&hidden, path).map_err(io)?;
    Ok(socket.into())
}
