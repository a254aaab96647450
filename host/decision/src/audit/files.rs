//! The folder: its lock, its files by number, and what is only ever replaced whole.

use std::{
    fs::{DirBuilder, File, TryLockError},
    io::{self, Read as _, Write as _},
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};

use super::AuditError;

/// Held as long as somebody writes.
const LOCK: &str = "lock";
/// The last signed checkpoint, so that a log which ends before it was cut.
pub(super) const HEAD: &str = "head";
/// Everything that is read whole is smaller.
const SMALL: u64 = 64 * 1024;

/// The name of a numbered file.
pub(super) fn file_name(number: u64) -> String {
    format!("audit-{number:08}.jsonl")
}

fn number_of(name: &str) -> Option<u64> {
    let number = name.strip_prefix("audit-")?.strip_suffix(".jsonl")?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

/// The numbers of the files in a folder, in order.
pub(super) fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        found.extend(entry?.file_name().to_str().and_then(number_of));
    }
    found.sort_unstable();
    Ok(found)
}

/// The log's folder. Everything in it is opened through its descriptor, without following links.
#[derive(Debug)]
pub(super) struct LogDir {
    path: PathBuf,
    fd: OwnedFd,
}

impl LogDir {
    /// Creates the folder if need be, and checks that it is ours alone.
    pub(super) fn at(path: &Path) -> Result<Self, AuditError> {
        let error = |what, source| AuditError::Io { what, path: path.to_owned(), source };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|source| error("create", source))?;
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|source| error("open", source.into()))?;
        let folder = File::from(fd.try_clone().map_err(|source| error("open", source))?);
        ours(&folder, path)?;
        Ok(Self { path: path.to_owned(), fd })
    }

    /// Locks the folder for one writer; unlocked when the file is dropped.
    pub(super) fn lock(&self) -> Result<File, AuditError> {
        let lock = self
            .open(LOCK, OFlags::RDWR | OFlags::CREATE)
            .map_err(|source| self.error("open", LOCK, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => Err(AuditError::Busy { dir: self.path.clone() }),
            Err(TryLockError::Error(source)) => Err(self.error("lock", LOCK, source)),
        }
    }

    /// Holds the lock that another daemon passed on. It goes with the open file, so nobody can take
    /// it in between; that it is the lock of this folder, and held, is checked all the same.
    pub(super) fn hold(&self, lock: File) -> Result<File, AuditError> {
        let error = |source| self.error("lock", LOCK, source);
        let here = rustix::fs::statat(&self.fd, LOCK, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| error(errno.into()))?;
        let passed = lock.metadata().map_err(error)?;
        if (passed.dev(), passed.ino()) != (here.st_dev, here.st_ino) {
            return Err(error(io::Error::other("another folder's lock was passed on")));
        }
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => Err(AuditError::Busy { dir: self.path.clone() }),
            Err(TryLockError::Error(source)) => Err(error(source)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// An error about a file in here.
    pub(super) fn error(&self, what: &'static str, name: &str, source: io::Error) -> AuditError {
        AuditError::Io { what, path: self.path.join(name), source }
    }

    pub(super) fn open(&self, name: &str, flags: OFlags) -> io::Result<File> {
        open_at(&self.fd, name, flags)
    }

    /// A numbered file that exists, for appending.
    pub(super) fn append_to(&self, number: u64) -> io::Result<File> {
        self.open(&file_name(number), OFlags::RDWR | OFlags::APPEND)
    }

    /// A numbered file that does not.
    pub(super) fn create(&self, number: u64) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL;
        self.open(&file_name(number), flags)
    }

    pub(super) fn remove(&self, number: u64) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, file_name(number), rustix::fs::AtFlags::empty())?)
    }

    pub(super) fn numbers(&self) -> io::Result<Vec<u64>> {
        numbers(&self.path)
    }

    /// Bytes of a numbered file.
    pub(super) fn len(&self, number: u64) -> u64 {
        rustix::fs::statat(&self.fd, file_name(number), rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
            .map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or_default())
    }

    /// Puts a small file in place, whole or not at all.
    pub(super) fn replace(&self, name: &str, mode: Mode, bytes: &[u8]) -> io::Result<()> {
        let new = format!("{name}.new");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
        let mut file = self.open(&new, flags)?;
        rustix::fs::fchmod(&file, mode)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        rustix::fs::renameat(&self.fd, &new, &self.fd, name)?;
        self.sync()
    }

    pub(super) fn read_small(&self, name: &str) -> io::Result<Vec<u8>> {
        read_small(self.open(name, OFlags::RDONLY)?)
    }

    /// Makes names last.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.fd)?)
    }

    /// Bytes that an unprivileged process could still write here.
    pub(super) fn free(&self) -> io::Result<u64> {
        let stat = rustix::fs::fstatvfs(&self.fd)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    pub(super) fn check_ours(&self, file: &File, name: &str) -> Result<(), AuditError> {
        ours(file, &self.path.join(name))
    }
}

/// Reads a file that must be small.
pub(super) fn read_small(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(SMALL).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn open_at(dir: &OwnedFd, name: &str, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(dir, name, flags, Mode::RUSR | Mode::WUSR)?))
}

/// Refuses what another user could read or change.
fn ours(file: &File, path: &Path) -> Result<(), AuditError> {
    let path = path.to_owned();
    let meta = file.metadata().map_err(|source| AuditError::Io {
        what: "stat",
        path: path.clone(),
        source,
    })?;
    let (mode, owner) = (meta.mode() & 0o7777, meta.uid());
    let own = owner == rustix::process::geteuid().as_raw();
    if own && mode & 0o077 == 0 { Ok(()) } else { Err(AuditError::Unsafe { path, mode, owner }) }
}
