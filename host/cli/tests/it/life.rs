//! Start, reload, stop; and what is in the way.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
};

use nix::sys::signal::Signal;
use witgate_client::Client;
use witgate_testkit::daemon::{is_socket, text};

use crate::folder;

#[test]
fn an_empty_folder_is_enough() {
    let daemon = folder().serve();
    let dir = daemon.folder.path();
    for (path, mode) in [("public/api.sock", 0o666), ("admin/admin.sock", 0o660)] {
        let path = dir.join(path);
        assert!(is_socket(&path), "{}", path.display());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
    }
    assert_eq!(fs::metadata(dir.join("state")).unwrap().mode() & 0o777, 0o700);
    let entries: Vec<_> = fs::read_dir(dir.join("entries.d")).unwrap().collect();
    assert_eq!(entries.len(), 1);

    // The example is written only if there is no entry file at all.
    let (status, folder) = daemon.stop();
    assert!(status.success());
    assert!(!folder.socket().exists() && !folder.admin_socket().exists());
    let example = folder.path().join("entries.d/example.toml");
    fs::rename(&example, example.with_file_name("mine.toml")).unwrap();
    let daemon = folder.serve();
    assert!(!example.exists());
    assert!(Client::new(daemon.socket()).attest().is_ok());
}

// #58: the second one exits, the first is untouched.
#[test]
fn a_second_daemon_leaves_the_first_alone() {
    let daemon = folder().serve();
    let inode = fs::metadata(daemon.socket()).unwrap().ino();
    let second = daemon.run(&["serve"]);
    assert_eq!(second.status.code(), Some(69));
    assert!(text(&second).contains("another daemon is listening here"), "{}", text(&second));
    assert_eq!(fs::metadata(daemon.socket()).unwrap().ino(), inode);
    assert!(Client::new(daemon.socket()).attest().is_ok());
}

// #55: a stale socket is replaced, anything else is not touched.
#[test]
fn what_is_in_the_way_is_named() {
    let stale = folder();
    fs::create_dir_all(stale.path().join("public")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(stale.socket()).unwrap());
    let daemon = stale.serve();
    assert!(Client::new(daemon.socket()).attest().is_ok());

    let blocked = folder();
    blocked.write("public/api.sock", "precious");
    let output = blocked.run(&["serve"]);
    assert!(!output.status.success());
    assert!(text(&output).contains("a file that is not a socket"), "{}", text(&output));
    assert_eq!(fs::read(blocked.socket()).unwrap(), b"precious");

    for (what, make) in [("a folder", true), ("a symbolic link", false)] {
        let blocked = folder();
        fs::create_dir_all(blocked.path().join("public")).unwrap();
        if make {
            fs::create_dir(blocked.socket()).unwrap();
        } else {
            std::os::unix::fs::symlink("/tmp/elsewhere", blocked.socket()).unwrap();
        }
        let output = blocked.run(&["serve"]);
        assert_eq!(output.status.code(), Some(69));
        assert!(text(&output).contains(what), "{}", text(&output));
    }

    let foreign = folder();
    fs::create_dir_all(foreign.path().join("public")).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(foreign.socket()).unwrap();
    let output = foreign.run(&["serve"]);
    assert_eq!(output.status.code(), Some(69));
    let owner = format!("process {} of uid 0 listens here", std::process::id());
    assert!(text(&output).contains(&owner), "{}", text(&output));
    drop(listener);
    assert!(Client::new(foreign.serve().socket()).attest().is_ok());

    let swapped = folder();
    fs::create_dir_all(swapped.path().join("public")).unwrap();
    fs::set_permissions(swapped.path().join("public"), fs::Permissions::from_mode(0o777)).unwrap();
    let output = swapped.run(&["serve"]);
    assert!(text(&output).contains("or others may write here"), "{}", text(&output));

    let long = folder();
    let config =
        format!("[listen.public]\npath = \"{}/{}.sock\"\n", long.path().display(), "x".repeat(120));
    long.write("witgate.toml", config);
    let output = long.run(&["serve"]);
    assert!(text(&output).contains("has at most 107"), "{}", text(&output));
}

#[test]
fn broken_at_start_says_everything_and_starts_nothing() {
    let folder = folder();
    folder.write("witgate.toml", "trust_domian = \"x\"\n[limits]\nrequest_burst = 0\n");
    let output = folder.run(&["serve"]);
    assert_eq!(output.status.code(), Some(78));
    let said = text(&output);
    assert!(
        said.contains("did you mean trust_domain?") && said.contains("limits.request_burst"),
        "{said}"
    );
    folder.write("witgate.toml", "");
    folder.write(
        "entries.d/a.toml",
        "[[entry]]\nname = \"a\"\nidentity = \"/a\"\nmatch = { unix.uidd = 0 }\n[[entry]]\nname = \"b\"\nidentity = \"/b\"\n",
    );
    folder.write("entries.d/b.toml", "[[entry]\nname = 1\n");
    let output = folder.run(&["serve"]);
    assert_eq!(output.status.code(), Some(78));
    let said = text(&output);
    for part in ["a.toml:4", "unix.uid", "a.toml:5", "b.toml:1"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(
        !folder.socket().exists() && !folder.admin_socket().exists(),
        "nothing is half-started"
    );
    let check = folder.run(&["entry", "check"]);
    // A start also logs, in lines of JSON.
    let said: String = said.split_inclusive('\n').filter(|line| !line.starts_with('{')).collect();
    assert_eq!(
        (check.status.code(), text(&check)),
        (Some(78), said),
        "check says what a start says"
    );
}

#[test]
fn a_broken_plugin_at_start_is_an_error_of_the_configuration() {
    let folder = folder();
    folder.write("plugins/bad.wasm", "not a component");
    folder.write(
        "witgate.toml",
        "[plugins.bad]\nsource = \"bad.wasm\"\n[plugins.none]\nsource = \"builtin:none\"\n[plugins.unix]\nsource = \"builtin:unix\"\nsettings = { surprise = 1 }\n",
    );
    let output = folder.run(&["serve"]);
    assert_eq!(output.status.code(), Some(78));
    let said = text(&output);
    for part in ["bad", "there is no built-in \"none\"", "surprise"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(!folder.socket().exists());
}

#[test]
fn a_broken_reload_keeps_what_was_loaded() {
    let daemon = folder().serve();
    let before = Client::new(daemon.socket()).attest().unwrap();
    daemon.folder.write("entries.d/broken.toml", "[[entry]]\nname = \"x\"\n");
    let reload = daemon.run(&["reload"]);
    assert_eq!(reload.status.code(), Some(78));
    assert!(text(&reload).contains("broken.toml"), "{}", text(&reload));
    let after = Client::new(daemon.socket()).attest().unwrap();
    assert_eq!(before.policy_revision, after.policy_revision);
    let status = daemon.run(&["status"]);
    assert!(status.status.success(), "ready with a warning");
    assert!(text(&status).contains("reload        FAILED"), "{}", text(&status));

    // SIGHUP reloads as well, and a good set of entries ends the warning.
    fs::remove_file(daemon.folder.path().join("entries.d/broken.toml")).unwrap();
    daemon.folder.write(
        "entries.d/more.toml",
        "[[entry]]\nname = \"more\"\nidentity = \"/more\"\nmatch = { unix.uid = 0, unix.gid = 0 }\n",
    );
    daemon.signal(Signal::SIGHUP);
    daemon.eventually("the reload", || {
        Client::new(daemon.socket()).attest().unwrap().identities.len() == 2
    });
    assert!(!text(&daemon.run(&["status"])).contains("FAILED"));
}

// #60: nobody who asked is left without an answer.
#[test]
fn sigterm_drains() {
    let daemon = folder().serve();
    let socket = daemon.socket();
    let busy = std::thread::spawn(move || {
        let mut answered = 0;
        loop {
            match Client::new(&socket).attest() {
                Ok(_) => answered += 1,
                // Refused because it drains, or nobody is there any more; never half an answer.
                Err(error) => break (answered, error.to_string()),
            }
        }
    });
    std::thread::sleep(std::time::Duration::from_millis(200));
    let (status, _folder) = daemon.stop();
    assert!(status.success());
    let (answered, error) = busy.join().unwrap();
    assert!(answered > 0, "{error}");
}

#[test]
fn the_log_of_a_whole_life_is_in_order() {
    let daemon = folder().serve();
    for _ in 0..20 {
        assert!(Client::new(daemon.socket()).attest().is_ok());
    }
    let (status, folder) = daemon.stop();
    assert!(status.success());
    let verify = folder.run(&["audit", "verify"]);
    assert!(verify.status.success(), "{}", text(&verify));
    assert!(text(&verify).contains("the log is in order"));
    let head = text(&verify)
        .lines()
        .find_map(|line| line.strip_prefix("head ").map(str::to_owned))
        .unwrap();
    assert!(folder.run(&["audit", "verify", "--head", &head]).status.success());

    // #87: one changed byte is found and named.
    let dir = folder.path().join("state/audit");
    let log = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.extension().is_some_and(|extension| extension == "jsonl" || extension == "log")
        })
        .expect("a log file");
    let changed = fs::read_to_string(&log).unwrap().replacen("dev/root", "dev/evil", 1);
    fs::write(&log, changed).unwrap();
    let verify = folder.run(&["audit", "verify"]);
    assert_eq!(verify.status.code(), Some(1));
    assert!(
        text(&verify).contains(log.file_name().unwrap().to_str().unwrap()),
        "{}",
        text(&verify)
    );
}

#[test]
fn init_writes_what_serve_reads() {
    let folder = folder();
    let init = folder.run(&["init", "--trust-domain", "corp.example"]);
    assert!(init.status.success(), "{}", text(&init));
    let again = folder.run(&["init", "--trust-domain", "corp.example"]);
    assert_eq!(again.status.code(), Some(78), "nothing is overwritten");
    assert_eq!(folder.run(&["init", "--trust-domain", "NOT OK"]).status.code(), Some(64));
    assert!(folder.path().join("witgate.schema.json").exists());
    assert!(folder.run(&["entry", "check"]).status.success());
    let daemon = folder.serve();
    let answer = Client::new(daemon.socket()).attest().unwrap();
    assert_eq!(answer.identity.trust_domain(), "corp.example");
}

// #54: no room for a grant's record means no grant; it is said, and it heals by itself.
#[test]
fn without_room_for_its_record_no_identity_is_given() {
    let folder = folder();
    let state = folder.path().join("state");
    let audit = state.join("audit");
    fs::create_dir_all(&audit).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    let small = SmallDisk::mount(&audit);
    let daemon = folder.serve();
    assert!(Client::new(daemon.socket()).attest().is_ok());
    let ballast = audit.join("ballast");
    // Fills what is left, to the last page.
    let _ = fs::write(&ballast, vec![0; SmallDisk::BYTES]);
    daemon.eventually("the refusal", || {
        let answer = crate::json(&daemon.run(&["attest", "--json"]));
        answer["reason"] == "unavailable" && answer["status"] == 503
    });
    let ready = crate::admin::get(&daemon, "/readyz");
    assert!(ready.contains("\"ready\":false") && ready.contains("audit log"), "{ready}");
    fs::remove_file(&ballast).unwrap();
    daemon.eventually("recovery", || Client::new(daemon.socket()).attest().is_ok());
    daemon.eventually("readiness", || {
        crate::admin::get(&daemon, "/readyz").contains("\"ready\":true")
    });
    let (_, folder) = daemon.stop();
    let verify = folder.run(&["audit", "verify"]);
    assert!(verify.status.success(), "{}", text(&verify));
    drop(small);
}

// #54: where nothing can be written nothing is served, and it is said where.
#[test]
fn a_read_only_state_is_no_start() {
    let folder = folder();
    let state = folder.path().join("state");
    fs::create_dir_all(state.join("audit")).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    let disk = SmallDisk::mount(&state.join("audit"));
    disk.make(nix::mount::MsFlags::MS_RDONLY);
    let output = folder.run(&["serve"]);
    assert!(!output.status.success());
    let said = text(&output);
    assert!(said.contains("state/audit") && said.contains("Read-only"), "{said}");
    assert!(!folder.socket().exists() && !folder.admin_socket().exists());

    disk.make(nix::mount::MsFlags::empty());
    let daemon = folder.serve();
    assert!(Client::new(daemon.socket()).attest().is_ok());
}

/// A tiny file system at a folder, unmounted when this is dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    const BYTES: usize = 256 * 1024;

    fn mount(at: &std::path::Path) -> Self {
        let options = format!("size={},mode=0700", Self::BYTES);
        let flags = nix::mount::MsFlags::empty();
        nix::mount::mount(Some("tmpfs"), at, Some("tmpfs"), flags, Some(options.as_str())).unwrap();
        Self(at.to_path_buf())
    }

    /// Mounts it again with these flags.
    fn make(&self, flags: nix::mount::MsFlags) {
        let flags = flags | nix::mount::MsFlags::MS_REMOUNT;
        nix::mount::mount(None::<&str>, &self.0, None::<&str>, flags, None::<&str>).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(&self.0, nix::mount::MntFlags::MNT_DETACH);
    }
}
