//! The floor: a server that makes the system calls which any daemon that knows its peers must make,
//! compares nothing, keeps nothing, and always answers the same.
//!
//! It is a process of its own, as the daemon is: this program again, started with other arguments.

use std::{
    ffi::{CStr, CString},
    hint::black_box,
    io::{Read as _, Write as _},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::{Child, Command},
};

use nix::sys::socket::{getsockopt, sockopt};
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{AtFlags, CWD, Mode, OFlags, StatxFlags},
};
use tempfile::TempDir;

/// The argument that makes this program a floor; the socket and the size of the answer follow.
const ARGUMENT: &str = "serve-as-floor";

/// A running floor; it is killed when this is dropped.
pub(crate) struct Floor {
    pub(crate) child: Child,
    dir: TempDir,
}

impl Floor {
    /// Starts one that answers with that many bytes.
    pub(crate) fn start(answer_bytes: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .arg(ARGUMENT)
            .arg(dir.path().join("s"))
            .arg(answer_bytes.to_string())
            .spawn()
            .unwrap();
        let floor = Self { child, dir };
        while UnixStream::connect(floor.socket()).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        floor
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves for ever, if this program was started as a floor.
pub(crate) fn serve_if_asked() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [first, socket, bytes] = &*arguments
        && first == ARGUMENT
    {
        serve(Path::new(socket), bytes.parse().unwrap());
    }
}

fn serve(socket: &Path, answer_bytes: usize) -> ! {
    let listener = UnixListener::bind(socket).unwrap();
    let mut answer = vec![b'x'; answer_bytes];
    answer[answer_bytes - 1] = b'\n';
    let mut groups = None;
    loop {
        let (mut stream, _) = listener.accept().unwrap();
        let (pidfd, process) = identify(&stream);
        let mut request = [0; 4096];
        // The first one only sees whether we are here.
        if stream.read(&mut request).unwrap() == 0 {
            continue;
        }
        let groups = groups.get_or_insert_with(|| control_groups(&process));
        look(&process, COLLECTED);
        for (hierarchy, path) in groups {
            stat(hierarchy, path);
        }
        assert!(alive(&pidfd));
        look(&process, CONFIRMED);
        assert!(alive(&pidfd));
        stream.write_all(&answer).unwrap();
    }
}

/// Who connected, and that it lives: before and after its directory is opened.
fn identify(stream: &UnixStream) -> (OwnedFd, OwnedFd) {
    let ids = getsockopt(stream, sockopt::PeerCredentials).unwrap();
    let pidfd = getsockopt(stream, sockopt::PeerPidfd).unwrap();
    assert!(alive(&pidfd));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let process = rustix::fs::open(format!("/proc/{}", ids.pid()), flags, Mode::empty()).unwrap();
    assert!(alive(&pidfd));
    (pidfd, process)
}

fn alive(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    poll(&mut fds, Some(&rustix::time::Timespec::default())).unwrap() == 0
}

/// The links that the two first-party attestors and the `you` block need.
const COLLECTED: &[&CStr] = &[
    c"ns/cgroup",
    c"ns/ipc",
    c"ns/mnt",
    c"ns/net",
    c"ns/pid",
    c"ns/time",
    c"ns/user",
    c"ns/uts",
    c"exe",
];
/// Those that are looked at again before the answer.
const CONFIRMED: &[&CStr] = &[c"ns/mnt", c"ns/user", c"exe"];

fn look(process: &OwnedFd, links: &[&CStr]) {
    black_box(read(process));
    for link in links {
        let mut text = [0; 4096];
        black_box(rustix::fs::readlinkat_raw(process, *link, &mut text).unwrap());
    }
    stat(process, c"exe");
}

fn read(process: &OwnedFd) -> Vec<u8> {
    let file = rustix::fs::openat(process, c"cgroup", OFlags::CLOEXEC, Mode::empty()).unwrap();
    let mut text = vec![0; 4096];
    let length = rustix::io::read(&file, &mut text).unwrap();
    text.truncate(length);
    text
}

fn stat(directory: impl AsFd, path: &CStr) {
    let flags = AtFlags::STATX_DONT_SYNC | AtFlags::EMPTY_PATH;
    black_box(rustix::fs::statx(directory, path, flags, StatxFlags::BASIC_STATS).unwrap());
}

/// The directories that a process is in, and the files that let others in, each below the root of
/// its hierarchy.
fn control_groups(process: &OwnedFd) -> Vec<(OwnedFd, CString)> {
    let text = String::from_utf8(read(process)).unwrap();
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.ends_with(":/")) {
        let mut fields = line.splitn(3, ':').skip(1);
        let root = match fields.next().unwrap() {
            "" if Path::new("/sys/fs/cgroup/unified").exists() => "/sys/fs/cgroup/unified".into(),
            "" => "/sys/fs/cgroup".to_owned(),
            names => format!("/sys/fs/cgroup/{}", names.trim_start_matches("name=")),
        };
        let mut directory = String::new();
        for part in fields.next().unwrap().split('/') {
            directory.push_str(part);
            for file in ["", "cgroup.procs", "tasks", "cgroup.threads"] {
                let separator = if directory.is_empty() || file.is_empty() { "" } else { "/" };
                let path = format!("{directory}{separator}{file}");
                if Path::new(&root).join(&path).exists() {
                    let flags = OFlags::PATH | OFlags::CLOEXEC;
                    let root = rustix::fs::openat(CWD, &*root, flags, Mode::empty()).unwrap();
                    found.push((root, CString::new(path).unwrap()));
                }
            }
            if !directory.is_empty() {
                directory.push('/');
            }
        }
    }
    found
}
