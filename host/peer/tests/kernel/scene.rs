use std::{
    fs,
    os::fd::OwnedFd,
    os::unix::{
        ffi::OsStrExt as _,
        fs::PermissionsExt as _,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{Arc, OnceLock},
};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with};
use witgate_facts::FactSet;
use witgate_peer::{
    BrokerStream, Connected, FactReader, Kernel, OtherSenders, PeerError, PeerStream, Pid,
    ProcessFacts, ReadSettings, Subject,
};
use witgate_testkit::child::Actor;

/// A daemon's side of a socket that anybody may connect to.
pub(crate) struct Scene {
    dir: tempfile::TempDir,
    pub(crate) socket: PathBuf,
    listener: UnixListener,
    broker: OnceLock<UnixListener>,
    pub(crate) kernel: Kernel,
    pub(crate) reader: FactReader,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(ReadSettings::default())
    }

    pub(crate) fn with(settings: ReadSettings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let socket = dir.path().join("s");
        let listener = listen(&socket, |socket| witgate_peer::mark_senders(socket));
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
        let kernel = Kernel::probe().unwrap();
        let reader = FactReader::new(&kernel, settings);
        Self { dir, socket, listener, broker: OnceLock::new(), kernel, reader }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn stream(&self) -> UnixStream {
        self.listener.accept().unwrap().0
    }

    pub(crate) fn accept(&self) -> Result<Subject<Connected>, PeerError> {
        Subject::accept(self.stream(), &self.kernel)
    }

    /// The same, with the connection to read from.
    pub(crate) fn accept_stream(&self, others: OtherSenders) -> (Subject<Connected>, PeerStream) {
        let socket = self.stream();
        socket.set_nonblocking(true).unwrap();
        let socket = tokio::net::UnixStream::from_std(socket).unwrap();
        let subject = Subject::accept_with(&socket, &self.kernel, others).unwrap();
        let stream = subject.stream(socket);
        (subject, stream)
    }

    pub(crate) fn broker_socket(&self) -> PathBuf {
        let path = self.path().join("b");
        self.broker.get_or_init(|| listen(&path, |socket| witgate_peer::mark_senders(socket)));
        path
    }

    /// A broker that has connected.
    pub(crate) fn accept_broker(&self) -> (Subject<Connected>, BrokerStream) {
        let socket = self.broker.get().unwrap().accept().unwrap().0;
        socket.set_nonblocking(true).unwrap();
        let stream = BrokerStream::new(tokio::net::UnixStream::from_std(socket).unwrap());
        stream.invite().unwrap();
        (Subject::accept(&stream, &self.kernel).unwrap(), stream)
    }

    /// Somebody who has connected, and who that is.
    pub(crate) fn guest(&self, actor: Actor) -> (Actor, Subject<Connected>) {
        let actor = actor.connect(&self.socket);
        let subject = self.accept().unwrap();
        (actor, subject)
    }

    pub(crate) async fn all<S>(&self, subject: &Subject<S>) -> Arc<ProcessFacts> {
        subject.collect(FactSet::all(), &self.reader).await.unwrap()
    }

    /// All facts of somebody who did not connect.
    pub(crate) async fn observe(&self, pid: i32) -> Arc<ProcessFacts> {
        let subject = Subject::observe(Pid::new(pid).unwrap(), &self.kernel).unwrap();
        self.all(&subject).await
    }

    /// A program that waits, under any name.
    pub(crate) fn program(&self, name: impl AsRef<Path>) -> PathBuf {
        let path = self.path().join(name);
        copy("/bin/sleep", &path);
        path
    }
}

/// A listener as the daemon has it, for those whom `mark` is for.
fn listen(path: &Path, mark: fn(&OwnedFd) -> std::io::Result<()>) -> UnixListener {
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap();
    mark(&socket).unwrap();
    bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    rustix::net::listen(&socket, 64).unwrap();
    UnixListener::from(socket)
}

/// Copies a program that is run afterwards. By another process: what this one has open for writing, even
/// for a moment, a child that another test starts has open for a moment longer, and then it cannot be run.
pub(crate) fn copy(program: &str, to: &Path) {
    assert!(Command::new("cp").arg(program).arg(to).status().unwrap().success());
}

/// A directory that a program can live in, with no other root.
pub(crate) struct Root(PathBuf);

impl Root {
    /// Below `parent`, with a program that waits and the libraries that it takes.
    pub(crate) fn new(parent: &Path) -> Self {
        let root = Self(parent.join("root"));
        let listed = Command::new("ldd").arg("/bin/sleep").output().unwrap().stdout;
        let listed = String::from_utf8(listed).unwrap();
        let libraries = listed.split_whitespace().filter(|word| word.starts_with('/'));
        for file in libraries.chain(["/bin/sleep"]) {
            let to = root.path().join(file.trim_start_matches('/'));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            copy(file, &to);
        }
        root
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A process that has it for its root.
    pub(crate) fn start(&self) -> Started {
        let mut command = Command::new("chroot");
        command.arg(&self.0).args(["/bin/sleep", "1000"]);
        let child = Started(command.spawn().unwrap());
        let program = self.0.join("bin/sleep");
        until("chroot", || runs(child.pid(), &program));
        child
    }
}

/// Kills what the test started.
pub(crate) struct Started(pub(crate) Child);

impl Started {
    pub(crate) fn pid(&self) -> i32 {
        self.0.id().try_into().unwrap()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Looks again and again: for what the kernel does in its own time, after it was asked to.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed().as_secs() < 20, "not in 20 s: {what}");
        std::thread::yield_now();
    }
}

/// Whether it runs this program, and no longer begins to.
pub(crate) fn runs(pid: i32, program: &Path) -> bool {
    runs_one(pid, |path| path == program)
}

/// Whether it runs such a program: the link leads to it, and then, a moment later, it is mapped.
pub(crate) fn runs_one(pid: i32, is: impl Fn(&Path) -> bool) -> bool {
    let Ok(link) = fs::read_link(format!("/proc/{pid}/exe")) else { return false };
    let maps = fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
    let name = link.as_os_str().as_bytes();
    is(&link) && maps.windows(name.len()).any(|part| part == name)
}

/// The state letter of a process.
pub(crate) fn state(pid: i32) -> char {
    let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
    let text = String::from_utf8_lossy(&stat);
    text.rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap_or('?')
}
