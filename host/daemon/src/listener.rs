//! A Unix socket that is never open with the wrong mode, never unlinked under a client, and never
//! taken from a daemon that is still there.
//!
//! It is bound in a private folder beside its final place, given its mode, and renamed there: a
//! client finds the old socket or the new one, and nothing in between. Whether a daemon is still
//! there is decided by a lock file, not by connecting to see.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::{
    fs::FlockOperation,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};

use crate::config::ListenConfig;

/// Connections that may wait for `accept`; the kernel cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// Longer than it takes to make a socket and rename it.
const BIND: std::time::Duration = std::time::Duration::from_secs(60);

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
    /// A process that is no daemon of ours listens here.
    #[error("{}: process {pid} of uid {uid} listens here; stop it, or use another path", path.display())]
    Live {
        /// The socket.
        path: PathBuf,
        /// Who listens.
        pid: i32,
        /// Whose process that is.
        uid: u32,
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
    /// What another daemon handed over is not what is to be served.
    #[error("{}: what was handed over is not {what}", path.display())]
    NotIt {
        /// The socket.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
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
    lock: File,
    /// Whether it is ours and not another daemon's, to be removed at the end.
    owned: AtomicBool,
}

impl Listener {
    /// Binds, in a folder of this mode if there is none yet; must be called within a runtime.
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
        remove_left_over(dir);
        check_place(path)?;
        check_stale(path)?;
        let socket = bind_and_rename(path, dir, listen.mode)?;
        Self::at(path, socket, lock, true)
    }

    /// Takes the socket of another daemon, which handed it over together with its lock; it stays the other
    /// one's until [`Self::own`]. Must be called within a runtime.
    ///
    /// # Errors
    /// [`ListenError`], if it is not such a socket, or not safe where it is.
    pub fn inherit(
        listen: &ListenConfig,
        socket: OwnedFd,
        lock: File,
    ) -> Result<Self, ListenError> {
        let path = &listen.path;
        let io = |source: io::Error| ListenError::Io { path: path.clone(), source };
        let dir = path.parent().ok_or_else(|| io(io::Error::other("a socket has a folder")))?;
        check_ancestors(dir)?;
        check_place(path)?;
        hold(path, &lock)?;
        if !is_ours(&socket).map_err(|errno| io(errno.into()))? {
            let what = "a socket that listens and marks senders";
            return Err(ListenError::NotIt { path: path.clone(), what });
        }
        // Whatever a newer version asks for; it holds for connections from now on.
        witgate_peer::mark_senders(&socket).map_err(io)?;
        Self::at(path, socket.into(), lock, false)
    }

    fn at(
        path: &Path,
        socket: std::os::unix::net::UnixListener,
        lock: File,
        owned: bool,
    ) -> Result<Self, ListenError> {
        let io = |source| ListenError::Io { path: path.to_path_buf(), source };
        let metadata = fs::symlink_metadata(path).map_err(io)?;
        Ok(Self {
            path: path.to_path_buf(),
            socket: tokio::net::UnixListener::from_std(socket).map_err(io)?,
            inode: (metadata.dev(), metadata.ino()),
            lock,
            owned: AtomicBool::new(owned),
        })
    }

    /// What another daemon needs to go on with it: the socket, and the lock that goes with the open
    /// file.
    #[must_use]
    pub fn rights(&self) -> [BorrowedFd<'_>; 2] {
        [self.socket.as_fd(), self.lock.as_fd()]
    }

    /// From now on it is ours, although another daemon made it.
    pub fn own(&self) {
        self.owned.store(true, Ordering::Relaxed);
    }

    /// From now on it is another daemon's: it stays where it is.
    pub fn disown(&self) {
        self.owned.store(false, Ordering::Relaxed);
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
        if ours && self.owned.load(Ordering::Relaxed) {
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
    let path = lock_of(socket);
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
    lock_open(socket, &file)?;
    Ok(file)
}

fn lock_of(socket: &Path) -> PathBuf {
    let mut path = socket.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

fn lock_open(socket: &Path, file: &File) -> Result<(), ListenError> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(ListenError::InUse { path: socket.to_path_buf() })
        }
        Err(errno) => Err(ListenError::Io { path: lock_of(socket), source: errno.into() }),
    }
}

/// A lock goes with the open file, so one that was handed over is held already: that it is this
/// place's lock, and held by nobody else, is checked.
fn hold(socket: &Path, lock: &File) -> Result<(), ListenError> {
    let path = lock_of(socket);
    let io = |source| ListenError::Io { path: path.clone(), source };
    let here = fs::symlink_metadata(&path).map_err(io)?;
    let handed = lock.metadata().map_err(io)?;
    if (here.dev(), here.ino()) != (handed.dev(), handed.ino()) {
        return Err(ListenError::NotIt { path, what: "the lock of this socket" });
    }
    lock_open(socket, lock)
}

fn is_ours(socket: &OwnedFd) -> rustix::io::Result<bool> {
    use rustix::net::sockopt::{socket_acceptconn, socket_domain, socket_passcred, socket_type};
    Ok(socket_domain(socket)? == AddressFamily::UNIX
        && socket_type(socket)? == SocketType::STREAM
        && socket_acceptconn(socket)?
        && socket_passcred(socket)?)
}

fn check_place(path: &Path) -> Result<(), ListenError> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    let kind = metadata.file_type();
    let what = if kind.is_socket() {
        return Ok(());
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_dir() {
        "a folder"
    } else {
        "a file that is not a socket"
    };
    Err(ListenError::InTheWay { path: path.to_path_buf(), what })
}

/// Whoever has the lock finds the socket of a daemon that is dead, which is replaced; or one of somebody
/// who knows nothing of the lock, which is not.
fn check_stale(path: &Path) -> Result<(), ListenError> {
    let io = |errno: rustix::io::Errno| ListenError::Io { path: path.into(), source: errno.into() };
    if fs::symlink_metadata(path).is_err() || path.as_os_str().len() > MAX_SOCKET_PATH {
        return Ok(());
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(io)?;
    let address = SocketAddrUnix::new(path).map_err(io)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) => {
            let peer = rustix::net::sockopt::socket_peercred(&socket).map_err(io)?;
            let (pid, uid) = (peer.pid.as_raw_nonzero().get(), peer.uid.as_raw());
            Err(ListenError::Live { path: path.into(), pid, uid })
        }
        // Its queue is full: somebody listens, and does not accept.
        Err(rustix::io::Errno::AGAIN) => Err(ListenError::InUse { path: path.into() }),
        Err(_) => Ok(()),
    }
}

/// What a private folder of ours is called: as short as can be, for the socket in it must fit into a
/// socket address, too.
const PRIVATE: &str = ".w";

/// Private folders of daemons that were killed before they could rename. Whoever has the lock of one
/// socket here may find another's that is just being made, so only what is older than any bind goes.
fn remove_left_over(dir: &Path) {
    let old = |metadata: &fs::Metadata| {
        metadata.modified().is_ok_and(|time| time.elapsed().is_ok_and(|age| age > BIND))
    };
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let private = entry.file_name().to_string_lossy().starts_with(PRIVATE);
        if private && entry.metadata().is_ok_and(|m| m.is_dir() && old(&m)) {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn bind_and_rename(
    path: &Path,
    dir: &Path,
    mode: u32,
) -> Result<std::os::unix::net::UnixListener, ListenError> {
    let io = |source: io::Error| ListenError::Io { path: path.to_path_buf(), source };
    let private =
        tempfile::Builder::new().prefix(PRIVATE).rand_bytes(3).tempdir_in(dir).map_err(io)?;
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
