use std::{
    fs, io,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{error::StoreError, limits};

const KEY_FILE: &str = "store.key";
const KEY_LEN: usize = 32;
const TAG_LEN: usize = 32;
/// Of the directory and of the files in it.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Machine code of components, compiled ahead of time.
///
/// Whatever comes out of here runs in this process, outside of any sandbox, so it must be what our
/// own compiler put in:
///
/// - The directory belongs to us and is closed to everybody else; that is checked, not assumed, and
///   links are not followed.
/// - Each entry ends with an HMAC-SHA256 over its name and content under a key that lives in the
///   same directory. Against somebody who can read the directory it helps nothing, but a damaged
///   disk, a half-written file, an entry under another's name, or one brought along from another
///   machine by a restored backup is not taken for ours: it is compiled again.
/// - What was checked is what runs: an entry is read once, and the bytes in memory are both.
///
/// The name of an entry is the digest of the component and the engine's compatibility hash, so
/// another version, setting or processor never finds it.
#[derive(Debug)]
pub(crate) struct Store {
    directory: PathBuf,
    key: [u8; KEY_LEN],
    engine: String,
}

impl Store {
    /// Opens the directory, making it and its key if need be.
    pub(crate) fn open(directory: &Path, engine: String) -> Result<Self, StoreError> {
        make_directory(directory)?;
        check_private(directory, "0700")?;
        let key = read_key(directory)?;
        Ok(Self { directory: directory.to_owned(), key, engine })
    }

    /// The machine code of a component, if it is there and unharmed.
    pub(crate) fn get(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(digest);
        let mut entry = match open_to_read(&path) {
            Ok(file) => read_all(file, &path, limits::COMPILED_BYTES + TAG_LEN)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // A link, a directory, a file that we may not read: not something we wrote.
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "Ignoring a compiled component");
                return Ok(None);
            }
        };
        let Some(at) = entry.len().checked_sub(TAG_LEN) else { return Ok(self.damaged(&path)) };
        let tag = entry.split_off(at);
        match self.tag(digest, &entry).verify_slice(&tag) {
            Ok(()) => Ok(Some(entry)),
            Err(_) => Ok(self.damaged(&path)),
        }
    }

    /// Puts machine code in, in the place of what is there.
    pub(crate) fn put(&self, digest: &str, code: &[u8]) -> Result<(), StoreError> {
        let tag = self.tag(digest, code).finalize().into_bytes();
        let temporary = temporary_name(&self.directory);
        let path = self.path(digest);
        let write = || {
            // Left over by a crashed process with our number.
            let _ = fs::remove_file(&temporary);
            let mut file = create_new(&temporary)?;
            file.write_all(code)?;
            file.write_all(&tag)?;
            fs::rename(&temporary, &path)
        };
        write().map_err(|source| {
            let _ = fs::remove_file(&temporary);
            StoreError::Io { operation: "write", path: path.clone(), source }
        })?;
        self.prune(limits::STORE_BYTES);
        Ok(())
    }

    /// Removes the oldest entries until what is left fits. An entry that is in use is in memory, so
    /// it may go; what cannot be looked at or removed stays.
    fn prune(&self, limit: u64) {
        let Ok(listing) = fs::read_dir(&self.directory) else { return };
        let mut entries: Vec<_> = listing
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "cwasm"))
            .filter_map(|path| {
                let found = fs::symlink_metadata(&path).ok()?;
                Some((found.modified().ok()?, found.len(), path))
            })
            .collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.0));
        let mut kept = 0_u64;
        for (_, size, path) in entries {
            kept = kept.saturating_add(size);
            if kept > limit && fs::remove_file(&path).is_ok() {
                tracing::debug!(path = %path.display(), "Removed an old compiled component");
            }
        }
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.directory.join(format!("{digest}-{}.cwasm", self.engine))
    }

    fn tag(&self, digest: &str, code: &[u8]) -> Hmac<Sha256> {
        // HMAC takes a key of any length.
        let mut tag = Hmac::<Sha256>::new_from_slice(&self.key).unwrap_or_else(|_| unreachable!());
        tag.update(format!("{digest}-{}\n", self.engine).as_bytes());
        tag.update(code);
        tag
    }

    fn damaged(&self, path: &Path) -> Option<Vec<u8>> {
        tracing::warn!(
            path = %path.display(),
            "A compiled component is damaged or not ours; it is compiled again"
        );
        None
    }
}

fn read_key(directory: &Path) -> Result<[u8; KEY_LEN], StoreError> {
    let path = directory.join(KEY_FILE);
    let failed = |operation, source| StoreError::Io { operation, path: path.clone(), source };
    let mut key = [0; KEY_LEN];
    match open_to_read(&path) {
        Ok(file) => {
            check_private(&path, "0600")?;
            let text = read_all(file, &path, KEY_LEN)?;
            if let Ok(known) = text.try_into() {
                return Ok(known);
            }
            tracing::warn!(path = %path.display(), "The key of the store is damaged; making another");
            fs::remove_file(&path).map_err(|source| failed("remove", source))?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(failed("read", source)),
    }
    getrandom::fill(&mut key).map_err(|error| StoreError::Random { cause: error.to_string() })?;
    match put_key(directory, &path, &key) {
        Ok(()) => Ok(key),
        // Another one was faster; theirs is the key now, and it is complete.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read_key(directory),
        Err(source) => Err(failed("write", source)),
    }
}

/// Puts a key in place whole, and only if there is none.
fn put_key(directory: &Path, path: &Path, key: &[u8]) -> io::Result<()> {
    let temporary = temporary_name(directory);
    let linked = create_new(&temporary)
        .and_then(|mut file| file.write_all(key))
        .and_then(|()| fs::hard_link(&temporary, path));
    let _ = fs::remove_file(&temporary);
    linked
}

/// A name that nobody else in this folder uses now: one counter for the whole process, because it
/// may have several stores in one folder.
fn temporary_name(directory: &Path) -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Relaxed);
    directory.join(format!(".new-{}-{number}", std::process::id()))
}

fn read_all(file: fs::File, path: &Path, limit: usize) -> Result<Vec<u8>, StoreError> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    // One more than the limit: what is too long then fails its check.
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| StoreError::Io { operation: "read", path: path.to_owned(), source })?;
    Ok(bytes)
}

#[cfg(unix)]
fn make_directory(directory: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory);
    made.map_err(|source| StoreError::Io { operation: "make", path: directory.to_owned(), source })
}

#[cfg(not(unix))]
fn make_directory(directory: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(directory).map_err(|source| StoreError::Io {
        operation: "make",
        path: directory.to_owned(),
        source,
    })
}

/// Ours, and closed to everybody else.
#[cfg(unix)]
fn check_private(path: &Path, mode: &'static str) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt as _;
    let found = fs::symlink_metadata(path).map_err(|source| StoreError::Io {
        operation: "look at",
        path: path.to_owned(),
        source,
    })?;
    let uid = rustix::process::geteuid().as_raw();
    if found.uid() == uid && found.mode() & 0o077 == 0 && !found.is_symlink() {
        Ok(())
    } else {
        Err(StoreError::Exposed { path: path.to_owned(), uid, mode })
    }
}

#[cfg(not(unix))]
fn check_private(_: &Path, _: &'static str) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(unix)]
fn open_to_read(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file =
        fs::OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

#[cfg(not(unix))]
fn open_to_read(path: &Path) -> io::Result<fs::File> {
    fs::File::open(path)
}

#[cfg(unix)]
fn create_new(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
}

#[cfg(not(unix))]
fn create_new(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    const DIGEST: &str = "00ff";

    fn opened(root: &Path) -> Store {
        Store::open(&root.join("store"), "e".to_owned()).unwrap()
    }

    #[test]
    fn what_was_put_in_comes_out_and_is_closed_to_others() {
        let root = tempfile::tempdir().unwrap();
        let store = opened(root.path());
        assert_eq!(store.get(DIGEST).unwrap(), None);
        store.put(DIGEST, b"code").unwrap();
        assert_eq!(opened(root.path()).get(DIGEST).unwrap().as_deref(), Some(&b"code"[..]));
        let modes = fs::read_dir(root.path().join("store"))
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().mode() & 0o7777);
        assert_eq!(modes.collect::<Vec<_>>(), [FILE_MODE, FILE_MODE]);
        assert_eq!(
            fs::metadata(root.path().join("store")).unwrap().mode() & 0o7777,
            DIRECTORY_MODE
        );
    }

    #[test]
    fn a_damaged_moved_or_foreign_entry_is_not_trusted() {
        let root = tempfile::tempdir().unwrap();
        let store = opened(root.path());
        store.put(DIGEST, b"code").unwrap();
        let whole = fs::read(store.path(DIGEST)).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(store.path(DIGEST), bytes).unwrap();
            assert_eq!(store.get(DIGEST).unwrap(), None, "byte {at}");
            fs::write(store.path(DIGEST), &whole[..at]).unwrap();
            assert_eq!(store.get(DIGEST).unwrap(), None, "cut at {at}");
        }
        fs::write(store.path("11ff"), &whole).unwrap();
        assert_eq!(store.get("11ff").unwrap(), None, "under another's name");
        let other = tempfile::tempdir().unwrap();
        fs::write(opened(other.path()).path(DIGEST), &whole).unwrap();
        assert_eq!(opened(other.path()).get(DIGEST).unwrap(), None, "from another store");
    }

    #[test]
    fn the_oldest_go_when_it_is_full() {
        let root = tempfile::tempdir().unwrap();
        let store = opened(root.path());
        let hour = std::time::Duration::from_secs(3600);
        for (age, digest) in [(3, "aa"), (1, "bb"), (2, "cc")] {
            store.put(digest, b"code").unwrap();
            let file = fs::File::options().write(true).open(store.path(digest)).unwrap();
            file.set_modified(std::time::SystemTime::now() - age * hour).unwrap();
        }
        store.prune(2 * (4 + TAG_LEN as u64));
        let left = ["aa", "bb", "cc"].map(|digest| store.get(digest).unwrap().is_some());
        assert_eq!(left, [false, true, true]);
    }

    #[test]
    fn links_and_pipes_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let store = opened(root.path());
        store.put(DIGEST, b"code").unwrap();
        fs::rename(store.path(DIGEST), root.path().join("elsewhere")).unwrap();
        symlink(root.path().join("elsewhere"), store.path(DIGEST)).unwrap();
        assert_eq!(store.get(DIGEST).unwrap(), None);
        fs::remove_file(store.path(DIGEST)).unwrap();
        fs::create_dir(store.path(DIGEST)).unwrap();
        assert_eq!(store.get(DIGEST).unwrap(), None);
    }

    #[test]
    fn a_directory_or_key_that_others_can_reach_is_refused() {
        let root = tempfile::tempdir().unwrap();
        drop(opened(root.path()));
        let directory = root.path().join("store");
        let open = || Store::open(&directory, "e".to_owned());
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o710)).unwrap();
        assert!(matches!(open(), Err(StoreError::Exposed { .. })));
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
        let key = directory.join(KEY_FILE);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(open(), Err(StoreError::Exposed { .. })));
        fs::remove_file(&key).unwrap();
        assert!(open().is_ok());
        let linked = root.path().join("linked");
        symlink(&directory, &linked).unwrap();
        assert!(matches!(Store::open(&linked, String::new()), Err(StoreError::Exposed { .. })));
    }
}
