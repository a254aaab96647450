//! The files that an endpoint needs: tokens, authorities, certificates and keys.
//!
//! They are looked at before each use, which is one `stat` each, and read again when they changed:
//! a kubelet's token lives an hour, its certificate a month, and no reload should be needed for
//! either. A link is followed, since that is how mounted secrets are replaced. The files are the
//! operator's, small and local, so they are read where we stand and not on a thread of their own;
//! whatever is not a regular file is refused before it is opened.

use std::{
    fmt,
    fs::{File, Metadata},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::fs::{Mode, OFlags};

use crate::limits;

/// Why a file that an endpoint needs cannot be used. No content is ever in the message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It does not hold what it should.
    #[error("`{key}` {path:?} {hint}")]
    Content {
        /// The key that names it.
        key: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What is wrong, as the rest of a sentence.
        hint: &'static str,
    },
    /// It is a directory, a device, a pipe or a socket.
    #[error("`{key}` {path:?} is not a regular file")]
    NotRegular {
        /// The key that names it.
        key: &'static str,
        /// Where it is.
        path: PathBuf,
    },
    /// It is not there, or we may not read it.
    #[error("`{key}` {path:?} cannot be read: {source}")]
    Read {
        /// The key that names it.
        key: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// TLS cannot be set up with what the files hold.
    #[error("TLS cannot be set up: {source}")]
    Tls {
        /// What the library says.
        source: rustls::Error,
    },
    /// It is over its limit.
    #[error("`{key}` {path:?} is larger than {limit} bytes")]
    TooLarge {
        /// The key that names it.
        key: &'static str,
        /// Where it is.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
}

/// One file: the key that names it, where it is, how large it may be.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) key: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) limit: u64,
}

/// A file that was read.
pub(crate) struct Content<'a> {
    source: &'a Source,
    pub(crate) bytes: Vec<u8>,
}

/// What is made of some files, kept until one of them changes.
pub(crate) struct Kept<T> {
    sources: Vec<Source>,
    make: fn(&[Content<'_>]) -> Result<T, FileError>,
    last: Mutex<Option<(Vec<Stamp>, T)>>,
}

/// What tells one content of a path from the next.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl<T: Clone> Kept<T> {
    pub(crate) fn new(
        sources: Vec<Source>,
        make: fn(&[Content<'_>]) -> Result<T, FileError>,
    ) -> Self {
        Self { sources, make, last: Mutex::new(None) }
    }

    /// What the files hold now.
    pub(crate) fn now(&self) -> Result<T, FileError> {
        self.at(SystemTime::now())
    }

    fn at(&self, now: SystemTime) -> Result<T, FileError> {
        let stamps = self.sources.iter().map(Source::stamp).collect::<Result<Vec<_>, _>>()?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((kept, value)) = &*last
            && *kept == stamps
        {
            return Ok(value.clone());
        }
        let read = self.sources.iter().map(Source::read).collect::<Result<Vec<_>, _>>()?;
        let (stamps, contents): (Vec<_>, Vec<_>) = read.into_iter().unzip();
        let value = (self.make)(&contents)?;
        *last = stamps.iter().all(|stamp| stamp.settled(now)).then(|| (stamps, value.clone()));
        Ok(value)
    }
}

impl<T> fmt::Debug for Kept<T> {
    /// Without what they hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("sources", &self.sources).finish_non_exhaustive()
    }
}

impl Source {
    pub(crate) fn new(key: &'static str, path: &Path, limit: u64) -> Self {
        Self { key, path: path.to_path_buf(), limit }
    }

    fn stamp(&self) -> Result<Stamp, FileError> {
        let metadata = std::fs::metadata(&self.path).map_err(|source| self.unreadable(source))?;
        self.check(&metadata)
    }

    fn read(&self) -> Result<(Stamp, Content<'_>), FileError> {
        // It was regular when it was looked at; should it have become a pipe, opening it must not
        // wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = rustix::fs::open(&self.path, flags, Mode::empty())
            .map_err(|errno| self.unreadable(errno.into()))?;
        let file = File::from(file);
        let stamp = self.check(&file.metadata().map_err(|source| self.unreadable(source))?)?;
        let mut bytes = Vec::new();
        file.take(self.limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| self.unreadable(source))?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length <= self.limit) {
            Ok((stamp, Content { source: self, bytes }))
        } else {
            Err(self.too_large())
        }
    }

    fn check(&self, metadata: &Metadata) -> Result<Stamp, FileError> {
        if !metadata.is_file() {
            return Err(FileError::NotRegular { key: self.key, path: self.path.clone() });
        }
        if metadata.len() > self.limit {
            return Err(self.too_large());
        }
        Ok(Stamp {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    fn unreadable(&self, source: io::Error) -> FileError {
        FileError::Read { key: self.key, path: self.path.clone(), source }
    }

    fn too_large(&self) -> FileError {
        FileError::TooLarge { key: self.key, path: self.path.clone(), limit: self.limit }
    }
}

impl Content<'_> {
    /// That it does not hold what it should, without a word of what it holds.
    pub(crate) fn wrong(&self, hint: &'static str) -> FileError {
        FileError::Content { key: self.source.key, path: self.source.path.clone(), hint }
    }
}

impl Stamp {
    /// Whether a later write is sure to have another stamp.
    fn settled(&self, now: SystemTime) -> bool {
        let changed = u64::try_from(self.changed.0).unwrap_or(u64::MAX);
        UNIX_EPOCH
            .checked_add(Duration::from_secs(changed).saturating_add(limits::SETTLED))
            .is_some_and(|settled| settled < now)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::symlink,
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
    };

    use super::*;

    fn kept(path: &Path) -> Kept<Vec<u8>> {
        Kept::new(vec![Source::new("token_file", path, 16)], |contents| {
            Ok(contents.iter().flat_map(|content| content.bytes.clone()).collect())
        })
    }

    /// Long after whatever a test has just written.
    fn later() -> SystemTime {
        SystemTime::now() + Duration::from_secs(3600)
    }

    #[test]
    fn a_change_is_seen_however_it_is_made() {
        for now in [SystemTime::now, later] {
            let dir = tempfile::tempdir().unwrap();
            let in_dir = |name: &str| dir.path().join(name);
            fs::write(in_dir("first"), "one").unwrap();
            fs::write(in_dir("second"), "two").unwrap();
            symlink("first", in_dir("link")).unwrap();
            let token = kept(&in_dir("link"));
            assert_eq!(token.at(now()).unwrap(), b"one");
            symlink("second", in_dir("next")).unwrap();
            fs::rename(in_dir("next"), in_dir("link")).unwrap();
            assert_eq!(token.at(now()).unwrap(), b"two");
            fs::write(in_dir("second"), "three").unwrap();
            assert_eq!(token.at(now()).unwrap(), b"three");
            fs::remove_file(in_dir("link")).unwrap();
            assert!(matches!(token.at(now()), Err(FileError::Read { .. })));
        }
    }

    #[test]
    fn what_has_settled_is_read_once_and_what_has_not_each_time() {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "one").unwrap();
        let kept = Kept::new(vec![Source::new("token_file", &path, 16)], |_| {
            Ok(MADE.fetch_add(1, Relaxed))
        });
        // A second write of the same length might have the same stamp still.
        let early = SystemTime::now();
        assert_eq!([kept.at(early).unwrap(), kept.at(early).unwrap()], [0, 1]);
        assert_eq!([kept.at(later()).unwrap(), kept.at(later()).unwrap()], [2, 2]);
    }

    #[test]
    fn only_regular_files_of_bounded_size_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            Mode::from(0o600),
            0,
        )
        .unwrap();
        for path in [pipe.as_path(), dir.path(), Path::new("/dev/zero")] {
            assert!(matches!(kept(path).now(), Err(FileError::NotRegular { .. })), "{path:?}");
        }
        // Says that it is empty, and goes on.
        assert!(matches!(
            kept(Path::new("/proc/self/status")).now(),
            Err(FileError::TooLarge { .. })
        ));
        let large = dir.path().join("large");
        fs::write(&large, "x".repeat(17)).unwrap();
        assert!(matches!(kept(&large).now(), Err(FileError::TooLarge { limit: 16, .. })));
        fs::write(&large, "x".repeat(16)).unwrap();
        assert_eq!(kept(&large).now().unwrap().len(), 16);
    }
}
