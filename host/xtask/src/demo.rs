//! `cargo xtask run`: the daemon on its embedded defaults, and real processes that ask it.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    daemon::Daemon,
    shell::{build_witgate, target_dir},
};

/// An unprivileged uid; it needs no account.
const SOMEBODY: u32 = 1000;
/// What a container runtime would call the control group of a container.
const CONTAINER: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

/// The entries of the demonstration.
const ENTRIES: &str = r#"
# Root of the host itself.
[[entry]]
name = "host-root"
identity = "/host/{unix.user}"
match = { unix.uid = 0, unix.host = "true" }

# Whatever runs in a Docker container of this host.
[[entry]]
name = "containers"
identity = "/container/{container.id}"
match = { container.runtime = "docker" }
"#;

/// Starts the daemon and keeps it until it is interrupted.
pub fn stay() -> Result<()> {
    let binary = build_witgate()?;
    let dir = target_dir().join("witgate");
    fs::create_dir_all(&dir)?;
    let dir = dir.canonicalize()?;
    let mut daemon = Daemon::start(&binary, &dir)?;
    let (witgate, socket) = (binary.display(), dir.join("public/api.sock"));
    let (dir, socket) = (dir.display(), socket.display());
    println!(
        "\nThe daemon is up. In another terminal:\n\n  \
         curl --unix-socket {socket} http://localhost/v1/attest\n  \
         echo | nc -U {socket}\n  \
         echo attest | nc -U {socket}\n  \
         {witgate} attest --dir {dir}\n  \
         {witgate} why --dir {dir} --last\n  \
         {witgate} status --dir {dir}\n\nEntries are in {dir}/entries.d; Ctrl-C stops it.\n"
    );
    daemon.wait()
}

/// Starts the daemon, lets three processes with different identities ask, and stops it.
pub fn once() -> Result<()> {
    let built = build_witgate()?;
    let dir = std::env::temp_dir().join(format!("witgate-once-{}", std::process::id()));
    let outcome = show(&built, &dir);
    fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())?;
    outcome
}

fn show(built: &Path, dir: &Path) -> Result<()> {
    // Not `create_dir_all`: nobody may have put something of theirs at this path.
    fs::create_dir(dir)?;
    fs::create_dir(dir.join("entries.d"))?;
    // Another uid must be able to reach the socket and to run the client.
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    let binary = dir.join("witgate");
    fs::copy(built, &binary)?;
    // Without root there is one asker, and the daemon's own example entry is about them.
    if is_root() {
        fs::write(dir.join("entries.d/demo.toml"), ENTRIES)?;
    }
    let mut daemon = Daemon::start(&binary, dir)?;

    let attest = || {
        let mut attest = Command::new(&binary);
        attest.args(["attest", "--json", "--dir"]).arg(dir);
        attest
    };
    ask("the one who started the daemon", &binary, dir, &mut attest(), "allow")?;
    if is_root() {
        ask("uid 1000", &binary, dir, attest().uid(SOMEBODY).gid(SOMEBODY), "deny")?;
        match ContainerGroup::make()? {
            Some(group) => {
                let command = &mut group.inside(attest());
                ask(
                    "a process in a control group named as a container",
                    &binary,
                    dir,
                    command,
                    "allow",
                )?;
            }
            None => println!(
                "--- no cgroup hierarchy is mounted and writable; the container is left out"
            ),
        }
    } else {
        println!("--- not root: another uid and a control group need it, so they are left out");
    }
    daemon.stop()?;
    println!("--- the daemon drained and stopped");
    Ok(())
}

fn is_root() -> bool {
    // The owner of /proc/self is our effective uid; no system call wrapper needed for that.
    fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

/// One process asks; its answer and the why of it are printed.
fn ask(who: &str, binary: &Path, dir: &Path, command: &mut Command, expected: &str) -> Result<()> {
    println!("--- {who}");
    let Output { stdout, stderr, .. } = command.output().with_context(|| format!("{command:?}"))?;
    let answer = String::from_utf8_lossy(&stdout);
    let field = |name: &str| {
        let key = format!("\"{name}\":\"");
        answer
            .replace("\": \"", "\":\"")
            .split_once(&key)
            .and_then(|(_, rest)| rest.split('"').next().map(str::to_owned))
    };
    let Some(id) = field("decision_id") else {
        bail!("no decision in the answer: {answer}{}", String::from_utf8_lossy(&stderr));
    };
    let why = Command::new(binary).args(["why", &id, "--dir"]).arg(dir).output()?;
    print!("{}", String::from_utf8_lossy(&why.stdout));
    if !why.status.success() {
        bail!("witgate why {id} failed: {}", String::from_utf8_lossy(&why.stderr));
    }
    let decision = field("decision").unwrap_or_else(|| "deny".to_owned());
    if expected != decision {
        bail!("{who}: expected {expected}, got {decision}");
    }
    Ok(())
}

/// A control group named as a container's, removed when this is dropped.
struct ContainerGroup(PathBuf);

impl ContainerGroup {
    /// Makes it in the first hierarchy that lets us; none if no hierarchy does.
    fn make() -> Result<Option<Self>> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let hierarchies = mounts.lines().filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (at, kind) = (fields.next()?, fields.next()?);
            matches!(kind, "cgroup" | "cgroup2").then(|| PathBuf::from(at))
        });
        for hierarchy in hierarchies {
            // cpuset refuses processes until it is configured; every other one takes them.
            if hierarchy.ends_with("cpuset") {
                continue;
            }
            let group = hierarchy.join("docker").join(CONTAINER);
            if fs::create_dir_all(&group).is_ok() {
                return Ok(Some(Self(group)));
            }
        }
        Ok(None)
    }

    /// The same command, run from inside the group.
    fn inside(&self, command: Command) -> Command {
        let mut shell = Command::new("sh");
        let procs = self.0.join("cgroup.procs");
        shell.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]).arg(procs);
        shell.arg(command.get_program()).args(command.get_args());
        shell
    }
}

impl Drop for ContainerGroup {
    fn drop(&mut self) {
        // The group empties a moment after its last process was reaped.
        for _ in 0..50 {
            if fs::remove_dir(&self.0).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.parent().map(fs::remove_dir);
    }
}
