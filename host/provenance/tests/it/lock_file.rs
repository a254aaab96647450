//! The lock file on a real disk.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, symlink},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use witgate_identity::PluginName;
use witgate_provenance::{Digest, LockError, LockFile, Note, Owner, Pin, ReadError, parse_version};

fn lock(plugins: &[&str]) -> LockFile {
    let mut lock = LockFile::default();
    for plugin in plugins {
        let pin = Pin {
            name: PluginName::new(plugin).unwrap(),
            version: parse_version("1.0.0").unwrap(),
            sha256: Digest::of(plugin.as_bytes()),
            source: Note::new("here").unwrap(),
            signed_by: None,
        };
        lock.pin(pin, false).unwrap();
    }
    lock
}

#[test]
fn it_is_written_whole_and_everybody_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plugins.lock");
    assert_eq!(LockFile::read(&path, Owner::RootOrUs).unwrap(), LockFile::default());
    lock(&["os"]).write(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    lock(&["os", "zone"]).write(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o644);
    assert_eq!(LockFile::read(&path, Owner::RootOrUs).unwrap(), lock(&["os", "zone"]));
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing else is left behind: {left:?}");
}

#[test]
fn a_reader_never_sees_half_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plugins.lock");
    let (few, many) = (lock(&["os"]), lock(&["a", "b", "c", "os", "zone"]));
    few.write(&path).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !stop.load(Relaxed) {
                let seen = LockFile::read(&path, Owner::Anyone).unwrap();
                assert!(seen == few || seen == many, "{seen}");
            }
        });
        for next in [&many, &few].into_iter().cycle().take(100) {
            next.write(&path).unwrap();
        }
        stop.store(true, Relaxed);
        reader.join().unwrap();
    });
}

#[test]
fn a_symbolic_link_is_neither_read_nor_written() {
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = (folder.path().join("plugins.lock"), folder.path().join("target"));
    fs::write(&target, lock(&["os"]).to_string()).unwrap();
    symlink(&target, &path).unwrap();
    let read = LockFile::read(&path, Owner::Anyone).unwrap_err();
    assert!(matches!(read, LockError::Read(ReadError::Link { .. })), "{read}");
    let written = lock(&["zone"]).write(&path).unwrap_err();
    assert!(matches!(written, LockError::Link { .. }), "{written}");
    assert_eq!(fs::read_to_string(&target).unwrap(), lock(&["os"]).to_string());
    assert!(path.is_symlink(), "it is the operator who removes it");
}

/// Somebody who guesses the name of the file that is renamed gains nothing.
#[test]
fn a_link_in_the_place_of_the_temporary_file_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    fs::write(&target, "precious").unwrap();
    for number in 0..500 {
        let guess = format!(".plugins.lock-{}-{number}", std::process::id());
        symlink(&target, folder.path().join(guess)).unwrap();
    }
    let path = folder.path().join("plugins.lock");
    lock(&["os"]).write(&path).unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    assert_eq!(LockFile::read(&path, Owner::Anyone).unwrap(), lock(&["os"]));
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plugins.lock");
    fs::create_dir(&path).unwrap();
    let error = lock(&["os"]).write(&path).unwrap_err();
    assert!(matches!(error, LockError::Write { operation: "replace", .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let error = lock(&["os"]).write(&folder.path().join("none/plugins.lock")).unwrap_err();
    assert!(matches!(error, LockError::Write { operation: "write", .. }), "{error}");
}

#[test]
fn one_that_others_can_write_pins_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plugins.lock");
    lock(&["os"]).write(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    let error = LockFile::read(&path, Owner::RootOrUs).unwrap_err().to_string();
    assert!(error.contains("may be written by everybody"), "{error}");
}
