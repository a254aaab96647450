//! Case 74, the file: swapped, truncated, a symbolic link, and other things that are not files.

use std::{
    fs::{self, File, Permissions},
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use witgate_provenance::{
    Component, Digest, Owner, ReadError, limits, read_component, read_signature,
};

fn read(path: &Path, max_bytes: usize) -> Result<Component, ReadError> {
    read_component(path, max_bytes, Owner::Anyone)
}

#[test]
fn what_is_read_is_what_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("os.wasm");
    fs::write(&path, b"good").unwrap();
    let component = read(&path, 4).unwrap();
    fs::write(&path, b"evil").unwrap();
    assert_eq!(component.sha256(), Digest::of(b"good"));
    assert_eq!(component.into_bytes(), b"good", "nothing goes back to the path");
}

#[test]
fn a_file_that_is_swapped_all_the_time_is_one_of_the_two_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("os.wasm");
    let (a, b) = (vec![b'a'; 300_000], vec![b'b'; 200_000]);
    fs::write(&path, &a).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for next in [&b, &a].into_iter().cycle().take_while(|_| !stop.load(Relaxed)) {
                let new = folder.path().join("new");
                fs::write(&new, next).unwrap();
                fs::rename(new, &path).unwrap();
            }
        });
        for _ in 0..300 {
            let component = read(&path, 300_000).unwrap();
            assert!(component.bytes() == a || component.bytes() == b);
            assert_eq!(component.sha256(), Digest::of(component.bytes()));
        }
        stop.store(true, Relaxed);
    });
}

#[test]
fn a_symbolic_link_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (link, target) = (folder.path().join("os.wasm"), folder.path().join("target"));
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let dangling = read(&link, 100).unwrap_err();
    assert!(matches!(dangling, ReadError::Link { .. }), "{dangling}");
    fs::write(&target, b"x").unwrap();
    let error = read(&link, 100).unwrap_err();
    assert!(error.to_string().ends_with("not followed; give the file itself"), "{error}");

    let component = folder.path().join("plain.wasm");
    std::os::unix::fs::symlink(&target, component.with_added_extension("minisig")).unwrap();
    let error = read_signature(&component, Owner::Anyone).unwrap_err();
    assert!(matches!(error, ReadError::Link { .. }), "{error}");
}

/// A pipe without a writer, which a naive reader would wait for, is refused at once.
#[test]
fn what_is_not_a_regular_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (pipe, socket) = (folder.path().join("pipe"), folder.path().join("socket"));
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let _listener = UnixListener::bind(&socket).unwrap();
    for (path, found) in [
        (pipe.as_path(), "a pipe or a device"),
        (Path::new("/dev/zero"), "a pipe or a device"),
        (folder.path(), "a folder"),
        (&socket, "a socket"),
    ] {
        let error = read(path, 100).unwrap_err();
        assert!(error.to_string().contains(&format!("is {found}, not a regular file")), "{error}");
    }
}

#[test]
fn sizes_are_bounded_whatever_the_file_says_of_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("os.wasm");
    fs::write(&path, b"12345").unwrap();
    assert!(read(&path, 5).is_ok());
    let error = read(&path, 4).unwrap_err().to_string();
    assert!(error.ends_with("has more than 4 bytes, which is the limit"), "{error}");

    File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(read(&path, 1 << 20), Err(ReadError::TooLarge { .. })), "a sparse terabyte");
    // It says it has no bytes, and has more.
    let error = read(Path::new("/proc/self/status"), 10).unwrap_err();
    assert!(matches!(error, ReadError::TooLarge { limit: 10, .. }), "{error}");
}

#[test]
fn a_file_that_others_could_change_is_refused_where_that_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("os.wasm");
    fs::write(&path, b"x").unwrap();
    let strict = || read_component(&path, 10, Owner::RootOrUs);
    for (mode, whom) in [(0o664, "its group"), (0o646, "everybody"), (0o666, "everybody")] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let error = strict().unwrap_err().to_string();
        assert!(error.contains(&format!("may be written by {whom}")), "{error}");
        assert!(read(&path, 10).is_ok(), "an author's own folder is an author's own affair");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert!(strict().is_ok());
    // Only root can give a file away; for others the rule itself is tested beside its code.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        let error = strict().unwrap_err().to_string();
        assert!(error.contains("may be written by another user (owner 65534"), "{error}");
    }
}

#[test]
fn a_signature_is_small_text_or_absent() {
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("os.wasm");
    let beside = folder.path().join("os.wasm.minisig");
    let read = || read_signature(&component, Owner::Anyone);
    assert_eq!(read().unwrap(), None);
    fs::write(&beside, "text").unwrap();
    assert_eq!(read().unwrap().as_deref(), Some("text"));
    fs::write(&beside, [0xff]).unwrap();
    assert!(matches!(read(), Err(ReadError::NotText { .. })));
    fs::write(&beside, vec![b'x'; limits::SIGNATURE_BYTES + 1]).unwrap();
    assert!(matches!(read(), Err(ReadError::TooLarge { .. })));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = read(Path::new("/nowhere/os.wasm"), 10).unwrap_err();
    assert_eq!(error.to_string(), "cannot read /nowhere/os.wasm");
    assert!(std::error::Error::source(&error).is_some());
}
