use std::{
    fs, io,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::{error::StoreError, limits};

const KEY_FILE: &str = "store.key";
const KEY_LEN: usize = blake3::KEY_LEN;
const TAG_LEN: usize = blake3::OUT_LEN;
/// How the names of files begin that are not complete.
const TEMPORARY: &str = ".new-";
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
/// - Each entry ends with a keyed BLAKE3 over its content and name under a key that lives in the
///   same directory. Against somebody who can read the directory it helps nothing, but a damaged
///   disk, a half-written file, an entry under another's name, or one brought along from another
///   machine by a restored backup is not taken for ours: it is compiled again.
/// - What was checked is what runs: the same open file is mapped, as a shared library is. Nobody
///   but us can write to it, and we do not: an entry is replaced by another file, never changed.
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

    /// The machine code of a component, if it is there and unharmed. If not, it is compiled again,
    /// so nothing here stops anybody.
    pub(crate) fn get(&self, digest: &str) -> Option<Entry> {
        let path = self.path(digest);
        let checked = open_to_read(&path).and_then(|file| self.unharmed(digest, file));
        match checked {
            Ok(Some(entry)) => Some(entry),
            Ok(None) => {
                tracing::warn!(
                    path = %path.display(),
                    "A compiled component is damaged or not ours; it is compiled again"
                );
                None
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // A link, a directory, a file that we may not read: not something we wrote. Or a disk
            // that fails.
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "Ignoring a compiled component");
                None
            }
        }
    }

    fn unharmed(&self, digest: &str, file: fs::File) -> io::Result<Option<Entry>> {
        let all = file.metadata()?.len();
        let Some(size) = all.checked_sub(TAG_LEN as u64) else { return Ok(None) };
        let Ok(size @ ..=limits::COMPILED_BYTES) = usize::try_from(size) else { return Ok(None) };
        let mut seal = self.seal();
        seal.update_reader((&file).take(size as u64))?;
        seal.update(self.name(digest).as_bytes());
        let mut tag = Vec::new();
        // One more than it should be: what has grown meanwhile then fails its check.
        (&file).take(TAG_LEN as u64 + 1).read_to_end(&mut tag)?;
        // Compared in constant time.
        let ours = blake3::Hash::from_slice(&tag).is_ok_and(|tag| seal.finalize() == tag);
        Ok(ours.then(|| Entry {
            file,
            #[cfg(not(target_os = "linux"))]
            path: self.path(digest),
            size,
        }))
    }

    /// Puts machine code in, in the place of what is there.
    pub(crate) fn put(&self, digest: &str, code: &[u8]) -> Result<(), StoreError> {
        let name = self.name(digest);
        let tag = self.seal().update(code).update(name.as_bytes()).finalize();
        let temporary = temporary_name(&self.directory);
        let path = self.path(digest);
        let write = || {
            // Left over by a crashed process with our number.
            let _ = fs::remove_file(&temporary);
            let mut file = create_new(&temporary)?;
            file.write_all(code)?;
            file.write_all(tag.as_bytes())?;
            fs::rename(&temporary, &path)
        };
        write().map_err(|source| {
            let _ = fs::remove_file(&temporary);
            StoreError::Io { operation: "write", path: path.clone(), source }
        })?;
        self.prune(limits::STORE_BYTES);
        Ok(())
    }

    /// Removes the oldest entries until what is left fits, and what a killed process left half
    /// written. A file that is in use is open or mapped, so its name may go; what cannot be looked
    /// at or removed stays.
    fn prune(&self, limit: u64) {
        let Ok(listing) = fs::read_dir(&self.directory) else { return };
        let mut entries: Vec<_> = listing
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| is_entry(path) || is_temporary(path))
            .filter_map(|path| {
                let found = fs::symlink_metadata(&path).ok()?;
                Some((found.modified().ok()?, found.len(), path))
            })
            .collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.0));
        let mut kept = 0_u64;
        for (modified, size, path) in entries {
            kept = kept.saturating_add(size);
            let abandoned = is_temporary(&path)
                && modified.elapsed().is_ok_and(|age| age > limits::STORE_ABANDONED);
            if (kept > limit || abandoned) && fs::remove_file(&path).is_ok() {
                tracing::debug!(path = %path.display(), "Removed an old compiled component");
            }
        }
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.directory.join(self.name(digest))
    }

    fn name(&self, digest: &str) -> String {
        format!("{digest}-{}.cwasm", self.engine)
    }

    /// To be fed the machine code, and then the name: the other way round, code would not lie on the
    /// boundaries on which BLAKE3 is fast.
    fn seal(&self) -> blake3::Hasher {
        blake3::Hasher::new_keyed(&self.key)
    }
}

/// A checked entry, open.
#[derive(Debug)]
pub(crate) struct Entry {
    file: fs::File,
    #[cfg(not(target_os = "linux"))]
    path: PathBuf,
    size: usize,
}

impl Entry {
    /// Bytes of machine code.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// A name of the very file that was checked, whatever its path leads to by now.
    pub(crate) fn open_path(&self) -> PathBuf {
        #[cfg(target_os = "linux")]
        {
            use std::os::fd::AsRawFd as _;
            format!("/proc/self/fd/{}", self.file.as_raw_fd()).into()
        }
        #[cfg(not(target_os = "linux"))]
        self.path.clone()
    }

    /// A copy of the machine code.
    pub(crate) fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.size);
        (&self.file).seek(SeekFrom::Start(0))?;
        (&self.file).take(self.size as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
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

fn is_entry(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "cwasm")
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes()))
}

/// A name that nobody else in this folder uses now: one counter for the whole process, because it
/// may have several stores in one folder.
fn temporary_name(directory: &Path) -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Relaxed);
    directory.join(format!("{TEMPORARY}{}-{number}", std::process::id()))
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

    fn got(store: &Store, digest: &str) -> Option<Vec<u8>> {
        store.get(digest).map(|entry| entry.bytes().unwrap())
    }

    #[test]
    fn what_was_put_in_comes_out_and_is_closed_to_others() {
        let root = tempfile::tempdir().unwrap();
        let store = opened(root.path());
        assert_eq!(got(&store, DIGEST), None);
        store.put(DIGEST, b"code").unwrap();
        assert_eq!(got(&opened(root.path()), DIGEST).as_deref(), Some(&b"code"[..]));
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
            assert_eq!(got(&store, DIGEST), None, "byte {at}");
            fs::write(store.path(DIGEST), &whole[..at]).unwrap();
            assert_eq!(got(&store, DIGEST), None, "cut at {at}");
        }
        fs::write(store.path("11ff"), &whole).unwrap();
        assert_eq!(got(&store, "11ff"), None, "under another's name");
        let other = tempfile::tempdir().unwrap();
        fs::write(opened(other.path()).path(DIGEST), &whole).unwrap();
        assert_eq!(got(&opened(other.path()), DIGEST), None, "from another store");
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
        let left = ["aa", "bb", "cc"].map(|digest| store.get(digest).is_some());
        assert_eq!(left, [false, true, true]);
    }

    #[test]
    fn what_a_killed_process_left_goes_and_what_is_being_written_stays() {
        let root = tempfile::tempdir().unwrap();
        let store = opened(root.path());
        let names = [".new-1-0", ".new-1-1", "notes.txt"].map(|name| store.directory.join(name));
        for (name, age) in names.iter().zip([2, 0, 2]) {
            let file = fs::File::create(name).unwrap();
            let age = age * limits::STORE_ABANDONED;
            file.set_modified(std::time::SystemTime::now() - age).unwrap();
        }
        store.put(DIGEST, b"code").unwrap();
        assert_eq!(names.map(|name| name.exists()), [false, true, true]);
    }

    #[test]
    fn links_and_pipes_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let store = opened(root.path());
        store.put(DIGEST, b"code").unwrap();
        fs::rename(store.path(DIGEST), root.path().join("elsewhere")).unwrap();
        symlink(root.path().join("elsewhere"), store.path(DIGEST)).unwrap();
        assert_eq!(got(&store, DIGEST), None);
        fs::remove_file(store.path(DIGEST)).unwrap();
        fs::create_dir(store.path(DIGEST)).unwrap();
        assert_eq!(got(&store, DIGEST), None);
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
