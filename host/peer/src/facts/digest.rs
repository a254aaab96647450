//! Digests of program files, kept while the file cannot have changed.

use std::{
    collections::HashMap,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use witgate_facts::{FactError, FactResult};

use super::{executable::Executable, pinned::Pinned};
use crate::{
    error::fact_error,
    file_systems, limits, parse,
    process_directory::ProcessDirectory,
    reader::ReadSettings,
    sys::{FileStat, Open, Sys},
};

/// Bytes hashed between two looks at the clock.
const CHUNK: usize = 256 * 1024;

/// The type bits of a mode, and those of a regular file.
const TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;

/// A file as it was when it was hashed: any write changes its ctime.
///
/// The mount says which file system it is: a device number is given to another one after that has
/// been unmounted, and anybody may mount one, in a user namespace, that shows any inode and ctime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Version {
    mount: u64,
    inode: u64,
    size: u64,
    changed: (i64, u32),
}

impl Version {
    /// None where the kernel does not name mounts for ever: nothing is kept there.
    fn of(stat: &FileStat) -> Option<Self> {
        let mount = stat.mount?;
        Some(Self { mount, inode: stat.inode, size: stat.size, changed: stat.changed })
    }

    /// Left alone for so long that a later write would show: a clock that stamps files may stand
    /// still for a tick.
    fn settled(&self) -> bool {
        let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else { return false };
        let changed = u64::try_from(self.changed.0).unwrap_or(u64::MAX);
        changed.checked_add(limits::SETTLED.as_secs()).is_some_and(|ready| ready < now.as_secs())
    }
}

/// The digests that are kept.
#[derive(Debug, Default)]
pub(crate) struct Digests(Mutex<HashMap<Version, Arc<str>>>);

impl Digests {
    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<Version, Arc<str>>> {
        // Only whole values are ever put in.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, version: &Version) -> Option<String> {
        self.map().get(version).map(ToString::to_string)
    }

    fn put(&self, version: Version, digest: &str) {
        let mut map = self.map();
        if map.len() >= limits::CACHED_DIGESTS {
            // Rare enough that whose digest is computed again does not matter.
            map.clear();
        }
        map.insert(version, digest.into());
    }
}

/// The digest of what the process runs: at once if it is kept, else from a thread that may hang.
pub(super) async fn sha256(pinned: &Pinned, executable: &Executable) -> FactResult<String> {
    let reader = &pinned.reader;
    let settings = &reader.0.settings;
    let stat = executable.stat;
    let version = Version::of(&stat);
    if let Some(digest) = version.and_then(|version| reader.0.digests.get(&version)) {
        return Ok(digest);
    }
    check_size(&stat, settings)?;
    let deadline = Instant::now() + settings.deadline;
    let reader_of_job = reader.clone();
    let job = move |directory: &ProcessDirectory| {
        let settled = version.filter(Version::settled);
        let digest = hash(directory, &stat, &reader_of_job.0.settings, deadline)?;
        if let Some(version) = settled {
            reader_of_job.0.digests.put(version, &digest);
        }
        Ok(digest)
    };
    pinned.read(job).await
}

fn check_size(stat: &FileStat, settings: &ReadSettings) -> FactResult<()> {
    if stat.mode & TYPE != REGULAR {
        return Err(FactError::Unsupported);
    }
    // By length, for a sparse file takes as long as a full one; and by blocks, for a file may have
    // some allocated beyond its end.
    if stat.size > settings.hashed_file || stat.blocks.saturating_mul(512) > settings.hashed_file {
        return Err(FactError::TooLarge);
    }
    Ok(())
}

/// On a thread that may hang.
fn hash(
    directory: &ProcessDirectory,
    expected: &FileStat,
    settings: &ReadSettings,
    deadline: Instant,
) -> FactResult<String> {
    let sys = directory.sys();
    let file = open_hashable(directory, sys)?;
    let before = sys.stat_at(file.as_fd(), c"").map_err(fact_error)?;
    unchanged(expected, &before)?;
    let digest = hash_content(sys, &file, settings.hashed_file, deadline)?;
    let after = sys.stat_at(file.as_fd(), c"").map_err(fact_error)?;
    unchanged(expected, &after)?;
    Ok(digest)
}

/// Named first, so that nothing is asked of a file system (FUSE, NFS) that somebody else answers for.
fn open_hashable(directory: &ProcessDirectory, sys: &dyn Sys) -> FactResult<OwnedFd> {
    let named = sys.open_at(directory.as_fd(), c"exe", Open::Name).map_err(fact_error)?;
    allowed(sys, &named)?;
    let file = sys.open_at(directory.as_fd(), c"exe", Open::Read).map_err(fact_error)?;
    // The process may have begun another program in between.
    if allowed(sys, &file)? == file_systems::OVERLAY {
        mounted_where_it_lives(directory, &file)?;
    }
    Ok(file)
}

/// The magic number of its file system.
fn allowed(sys: &dyn Sys, file: &OwnedFd) -> FactResult<u64> {
    let magic = sys.file_system(file.as_fd()).map_err(fact_error)?;
    if file_systems::is_own(magic) { Ok(magic) } else { Err(FactError::Unsupported) }
}

/// An overlay that anybody mounted may show files that somebody else answers for, and it can be run
/// from elsewhere by descriptor. One in the mount namespace of a process that lives in our user
/// namespace (others' executables are withheld) was mounted by root: nobody else may mount there.
fn mounted_where_it_lives(directory: &ProcessDirectory, file: &OwnedFd) -> FactResult<()> {
    let id = directory.sys().mount_id(file.as_fd()).map_err(fact_error)?;
    let text = directory.read_start(c"mountinfo", limits::MOUNTINFO_FILE).map_err(fact_error)?.0;
    let there = parse::mounts(&text).any(|mount| mount.id == id && mount.kind == "overlay");
    if there { Ok(()) } else { Err(FactError::Unsupported) }
}

fn unchanged(expected: &FileStat, now: &FileStat) -> FactResult<()> {
    let version = |stat: &FileStat| (stat.device, stat.inode, stat.size, stat.changed, stat.mount);
    if version(expected) == version(now) {
        return Ok(());
    }
    Err(FactError::Io("the executable changed while it was read".to_owned()))
}

fn hash_content(
    sys: &dyn Sys,
    file: &OwnedFd,
    limit: u64,
    deadline: Instant,
) -> FactResult<String> {
    use std::fmt::Write as _;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let mut length = 0_u64;
    loop {
        if Instant::now() > deadline {
            return Err(FactError::Io("not hashed within the deadline".to_owned()));
        }
        let bytes = match sys.read(file.as_fd(), &mut chunk) {
            Ok(0) => break,
            Ok(bytes) => chunk.get(..bytes).unwrap_or_default(),
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(fact_error(errno)),
        };
        length += bytes.len() as u64;
        if length > limit {
            return Err(FactError::TooLarge);
        }
        hasher.update(bytes);
    }
    let mut digest = String::with_capacity(64);
    for byte in hasher.finalize() {
        let _ = write!(digest, "{byte:02x}");
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    // #34
    #[test]
    fn only_file_systems_that_are_this_kernels_own_are_read() {
        let temporary = tempfile::tempfile().unwrap();
        assert!(allowed(&crate::sys::Linux, &temporary.into()).is_ok());
        let proc = std::fs::File::open("/proc/self/stat").unwrap();
        assert_eq!(allowed(&crate::sys::Linux, &proc.into()), Err(FactError::Unsupported));
    }

    #[test]
    fn a_file_that_was_just_written_has_not_settled() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
        let changed = |seconds| Version { mount: 1, inode: 1, size: 1, changed: (seconds, 0) };
        assert!(changed(now - 60).settled());
        assert!(!changed(now).settled() && !changed(now + 60).settled());
        assert!(
            !changed(now - 1).settled() && !changed(i64::MAX).settled() && !changed(-1).settled()
        );
    }

    #[test]
    fn digests_that_are_kept_are_bounded() {
        let digests = Digests::default();
        for inode in 0..=limits::CACHED_DIGESTS as u64 {
            digests.put(Version { mount: 1, inode, size: 1, changed: (0, 0) }, "0");
        }
        assert!(digests.map().len() <= limits::CACHED_DIGESTS);
    }
}
