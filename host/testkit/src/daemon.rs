//! A real daemon on temporary sockets.

use std::{
    fs,
    io::Read as _,
    ops::{Deref, DerefMut},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// How long a daemon may take to be ready or to stop. Generous: machines are shared.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder that any uid can reach, for `serve --dir`.
#[derive(Debug)]
pub struct Folder {
    dir: TempDir,
    binary: PathBuf,
}

impl Folder {
    /// An empty folder, and a copy of the binary beside it that any uid can run.
    ///
    /// # Panics
    /// If there is no room for it.
    #[must_use]
    pub fn new(binary: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("wg").tempdir().expect("a temporary folder");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        let copy = dir.path().join("witgate");
        // Written by another process: a descriptor of ours that is open for writing would be
        // inherited by whatever a parallel test forks, and keep the kernel from running the file.
        let copied = Command::new("cp").arg(binary).arg(&copy).status().expect("cp");
        assert!(copied.success(), "cp {binary}");
        fs::create_dir(dir.path().join("d")).expect("mkdir");
        Self { dir, binary: copy }
    }

    /// The folder that is given to `--dir`.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("d")
    }

    /// Puts a file below the folder, whole from one moment to the next, and the folders on the way.
    ///
    /// # Panics
    /// If it cannot.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("mkdir");
        // A daemon that watches must not find half of it.
        let new = self.path().join(format!("{name}.new"));
        fs::write(&new, content).expect("write");
        fs::rename(new, path).expect("rename");
    }

    /// `witgate ... --dir <folder>`.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).arg("--dir").arg(self.path());
        for variable in ["WITGATE_SOCKET", "WITGATE_ADMIN_SOCKET", "WITGATE_DIR", "WITGATE_LOG"] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs `witgate ... --dir <folder>` to its end.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("witgate")
    }

    /// What its daemons wrote to standard error so far.
    ///
    /// # Panics
    /// If there was none.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).expect("log")
    }

    /// The log of every daemon of this folder, to be written at its end.
    fn open_log(&self) -> fs::File {
        let log = self.dir.path().join("log");
        fs::OpenOptions::new().create(true).append(true).open(log).expect("log")
    }

    /// The public socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.path().join("public/api.sock")
    }

    /// The admin socket.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        self.path().join("admin/admin.sock")
    }

    /// Starts the daemon and waits until it is ready.
    ///
    /// # Panics
    /// If it ends or is not ready in time.
    #[must_use]
    pub fn serve(self) -> Daemon {
        let serve = self.command(&["serve"]);
        Daemon::start(self, serve)
    }

    /// As [`Self::serve`], as another user, who is given the folder.
    ///
    /// # Panics
    /// If it ends or is not ready in time.
    #[must_use]
    pub fn serve_as(self, uid: u32) -> Daemon {
        std::os::unix::fs::chown(self.path(), Some(uid), Some(uid)).expect("chown");
        let mut serve = self.command(&["serve"]);
        serve.uid(uid).gid(uid);
        Daemon::start(self, serve)
    }

    /// As [`Self::serve_as`], begun by a command that makes that user of us, such as `setpriv`.
    ///
    /// # Panics
    /// If it ends or is not ready in time.
    #[must_use]
    pub fn serve_under(self, uid: u32, wrapper: &[String]) -> Daemon {
        std::os::unix::fs::chown(self.path(), Some(uid), Some(uid)).expect("chown");
        let plain = self.command(&["serve"]);
        let mut serve = Command::new(&wrapper[0]);
        serve.args(&wrapper[1..]).arg(plain.get_program()).args(plain.get_args());
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => serve.env(name, value),
                None => serve.env_remove(name),
            };
        }
        serve.stdin(Stdio::null());
        Daemon::start(self, serve)
    }
}

/// A daemon that serves; it is killed when this is dropped.
#[derive(Debug)]
pub struct Daemon {
    /// Its folder.
    pub folder: Folder,
    child: Started,
}

impl Daemon {
    fn start(folder: Folder, mut serve: Command) -> Self {
        serve.stdout(Stdio::piped()).stderr(folder.open_log());
        let child = Started::spawn(&mut serve);
        let mut daemon = Self { folder, child };
        daemon.wait_until_ready();
        daemon
    }

    /// Begins `witgate serve --take-over` for the same folder.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn successor(&self) -> Started {
        let mut serve = self.folder.command(&["serve", "--take-over"]);
        serve.stdout(Stdio::piped()).stderr(self.folder.open_log());
        Started::spawn(&mut serve)
    }

    /// Goes on with a successor, once it is ready, and says how the daemon before it ended.
    ///
    /// # Panics
    /// If it is never ready, or the one before it does not end.
    pub fn follow(&mut self, successor: Started) -> ExitStatus {
        let mut before = std::mem::replace(&mut self.child, successor);
        self.wait_until_ready();
        wait(&mut before, || self.folder.log())
    }

    /// Whether it has ended.
    ///
    /// # Panics
    /// If that cannot be known.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let process = nix::unistd::Pid::from_raw(self.pid());
        let flags = nix::sys::wait::WaitPidFlag::WEXITED
            | nix::sys::wait::WaitPidFlag::WNOHANG
            | nix::sys::wait::WaitPidFlag::WNOWAIT;
        let state = nix::sys::wait::waitid(nix::sys::wait::Id::Pid(process), flags);
        state.expect("wait") != nix::sys::wait::WaitStatus::StillAlive
    }

    /// Is killed at once, and reaped; what is left of it stays.
    ///
    /// # Panics
    /// If it cannot be.
    #[must_use]
    pub fn kill(mut self) -> Folder {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
        self.into_folder()
    }

    fn into_folder(mut self) -> Folder {
        let spare = Folder { dir: tempfile::tempdir().expect("tempdir"), binary: PathBuf::new() };
        std::mem::replace(&mut self.folder, spare)
    }

    fn wait_until_ready(&mut self) {
        // The daemon says where it listens once both sockets are open.
        let mut out = self.child.stdout.take().expect("piped");
        let mut said = Vec::new();
        let mut chunk = [0; 256];
        while !String::from_utf8_lossy(&said).contains("operators") {
            let length = out.read(&mut chunk).expect("standard output");
            if length == 0 {
                let status = self.child.wait().expect("wait");
                panic!("the daemon ended with {status}: {}", self.log());
            }
            said.extend_from_slice(&chunk[..length]);
        }
    }

    /// What it wrote to standard error so far.
    ///
    /// # Panics
    /// If there is no log.
    #[must_use]
    pub fn log(&self) -> String {
        self.folder.log()
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process number")
    }

    /// The public socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.socket()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// If it is gone.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), signal).expect("kill");
    }

    /// Asks it to stop, and waits.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn stop(mut self) -> (ExitStatus, Folder) {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        let status = wait(&mut self.child, || self.folder.log());
        (status, self.into_folder())
    }

    /// Runs a `witgate` command against it.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.folder.run(arguments)
    }

    /// Waits until something holds, and says what if it never does.
    ///
    /// # Panics
    /// If it never does.
    pub fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let started = Instant::now();
        while !holds() {
            assert!(started.elapsed() < PATIENCE, "{what} did not happen; log: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A process that a test started; it is killed when this is dropped.
#[derive(Debug)]
pub struct Started(Child);

impl Started {
    /// Starts it.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    #[track_caller]
    pub fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().expect("a process"))
    }
}

impl Deref for Started {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Started {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait(child: &mut Child, log: impl Fn() -> String) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("wait") {
            return status;
        }
        assert!(started.elapsed() < PATIENCE, "the daemon does not stop: {}", log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The text that a program printed.
#[must_use]
pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Whether a path is a socket.
#[must_use]
pub fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}
