//! A Docker engine of the test's own: its folders, its sockets, and no network.

use std::{
    fs,
    os::unix::{fs::symlink, net::UnixStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use witgate_testkit::daemon::{Started, text};

/// How long the engine may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// The one image there is: a shell, and netcat with what it is linked to.
const IMAGE: &str = "tools";

pub(crate) struct Dockerd {
    child: Started,
    dir: TempDir,
}

impl Dockerd {
    pub(crate) fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("wgd").tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let mut dockerd = Command::new("dockerd");
        dockerd
            .args(["--iptables=false", "--ip6tables=false", "--bridge=none"])
            .args(["--storage-driver=vfs", "--data-root", &at("data"), "--exec-root", &at("exec")])
            .args(["--pidfile", &at("pid"), "--host", &format!("unix://{}", at("docker.sock"))])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.path().join("log")).unwrap());
        let this = Self { child: Started::spawn(&mut dockerd), dir };
        let started = Instant::now();
        while UnixStream::connect(this.socket()).is_err() || !this.try_docker(&["version"]) {
            assert!(started.elapsed() < PATIENCE, "no Docker: {}", this.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        this.import();
        this
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut docker = Command::new("docker");
        docker.arg("--host").arg(format!("unix://{}", self.socket().display())).args(arguments);
        docker.stdin(Stdio::null()).env("DOCKER_CONFIG", self.dir.path());
        docker
    }

    fn try_docker(&self, arguments: &[&str]) -> bool {
        self.command(arguments).output().is_ok_and(|output| output.status.success())
    }

    /// Runs `docker …` and gives what it printed.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}\n{}", text(&output), self.log());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Starts a container that waits; its id.
    pub(crate) fn run(&self, options: &[&str]) -> String {
        let fixed = ["run", "--detach", "--network", "none", "--init=false"];
        let command = [IMAGE, "sleep", "1000"];
        self.docker(&[&fixed, options, &command].concat())
    }

    /// What a shell in the container prints.
    pub(crate) fn shell(&self, container: &str, script: &str) -> String {
        self.docker(&["exec", container, "sh", "-c", script])
    }

    /// Sends the engine a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    fn import(&self) {
        let root = self.dir.path().join("root");
        make_root(&root);
        let tar = self.dir.path().join("root.tar");
        let made = Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg(".").status();
        assert!(made.unwrap().success());
        self.docker(&["import", &tar.display().to_string(), IMAGE]);
        fs::remove_dir_all(root).unwrap();
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        let all = self.command(&["ps", "--all", "--quiet"]).output();
        let all = all.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        for container in all.unwrap_or_default().split_whitespace() {
            self.try_docker(&["rm", "--force", container]);
        }
        let _ = kill(Pid::from_raw(self.child.id().try_into().unwrap_or(0)), Signal::SIGTERM);
        let started = Instant::now();
        while started.elapsed() < PATIENCE && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A shell, its tools and netcat.
fn make_root(root: &Path) {
    fs::create_dir_all(root.join("bin")).unwrap();
    fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    for tool in ["sh", "sleep", "mkdir", "echo", "cat", "rmdir", "mount"] {
        symlink("busybox", root.join("bin").join(tool)).unwrap();
    }
    let netcat =
        fs::canonicalize("/usr/bin/nc.openbsd").or_else(|_| fs::canonicalize("/bin/nc.openbsd"));
    let netcat = netcat.unwrap();
    fs::copy(&netcat, root.join("bin/nc")).unwrap();
    let linked = Command::new("ldd").arg(&netcat).output().unwrap();
    for library in String::from_utf8(linked.stdout).unwrap().split_whitespace() {
        if !library.starts_with('/') {
            continue;
        }
        let place = root.join(library.trim_start_matches('/'));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(library, place).unwrap();
    }
}
