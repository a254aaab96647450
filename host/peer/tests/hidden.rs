//! #45: where `/proc` shows a process to its own user only (`hidepid`), and the daemon may not see the
//! others.
//!
//! The test starts itself three times: as root outside, as root where `/proc` is such a one, and there
//! as another user, who has the listener for its standard input.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

use std::{
    fs,
    os::{
        fd::AsFd as _,
        unix::{
            fs::{MetadataExt as _, PermissionsExt as _},
            net::{UnixListener, UnixStream},
        },
    },
    path::PathBuf,
    process::Command,
};

use witgate_facts::{FactName, FactSource as _};
use witgate_peer::{FactReader, Kernel, PeerError, ReadSettings, Subject};
use witgate_testkit::child::Actor;

const USER: u32 = 1000;
const OTHER: u32 = 2000;
const OPTION: &str = "WITGATE_HIDDEN_OPTION";
const STAGE: &str = "WITGATE_HIDDEN_STAGE";
const TEST: &str = "who_cannot_be_seen_is_refused_and_others_are_served";

#[test]
fn who_cannot_be_seen_is_refused_and_others_are_served() {
    match std::env::var(STAGE).as_deref() {
        Err(_) => outside(),
        Ok("root") => as_root(),
        Ok(_) => as_user(),
    }
}

fn outside() {
    // A copy, for nobody else may look into the folder that the test was built in; made by another
    // process, or it might be open for writing still when it is started.
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("hidden");
    let copied = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status();
    assert!(copied.unwrap().success());
    // Its folder is there and cannot be entered, or it is not there.
    for hidepid in ["hidepid=1", "hidepid=2"] {
        let mut command = Command::new("unshare");
        start(command.arg("--mount").arg(&program).env(OPTION, hidepid), "root");
    }
}

fn start(command: &mut Command, stage: &str) {
    let command = command.args(["--exact", TEST, "--nocapture"]).env(STAGE, stage);
    let status = command.current_dir("/").status().unwrap();
    assert!(status.success(), "{stage}: {status}");
}

fn as_root() {
    let flags = nix::mount::MsFlags::empty();
    let option = std::env::var(OPTION).unwrap();
    nix::mount::mount(Some("proc"), "/proc", Some("proc"), flags, Some(option.as_str())).unwrap();
    let program = std::env::current_exe().unwrap();
    let socket: PathBuf = program.with_file_name("s");
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    let connect = |uid| Actor::spawn().groups(&[]).gid(uid).uid(uid).connect(&socket);
    let [_other, user] = [connect(OTHER), connect(USER)];
    // Until then it is still what root had forked, which nobody else may look at.
    user.exec("/bin/sleep", &["1000"]);
    while fs::metadata(format!("/proc/{}", user.pid())).unwrap().uid() != USER {
        std::thread::yield_now();
    }
    let user = USER.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]);
    command.args(["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]).arg(program);
    start(command.stdin(std::os::fd::OwnedFd::from(listener)), "user");
}

fn as_user() {
    assert!(fs::read_dir("/proc/1").is_err(), "root is hidden");
    let listener = UnixListener::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    let accept = || -> UnixStream { listener.accept().unwrap().0 };
    let kernel = Kernel::probe().unwrap();
    let refused = Subject::accept(accept(), &kernel).unwrap_err();
    assert_eq!((refused.reason(), &refused), ("unattestable", &PeerError::Hidden));
    assert!(refused.to_string().contains("hidepid"), "{refused}");
    // Who can be seen is served as anywhere.
    let subject = Subject::accept(accept(), &kernel).unwrap();
    let reader = FactReader::new(&kernel, ReadSettings::default());
    let wanted = [FactName::ProcessComm, FactName::ExecutableInfo].into_iter().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let facts = runtime.block_on(subject.collect(wanted, &reader)).unwrap();
    assert!(facts.comm().is_ok(), "{facts:?}");
    assert_eq!(subject.uid(), USER);
    subject.confirm(subject.bind(facts)).unwrap();
}
