//! Somebody who is not root records a process of their own.
//!
//! Started as root, this starts itself again as another user; so it has a `main` of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]
#![expect(clippy::print_stdout, reason = "says what it did, as tests do")]

use std::{
    fs,
    os::unix::process::CommandExt as _,
    process::{Child, Command},
    sync::Arc,
};

use witgate_facts::{
    Capability, FactError, FactSet, FactSource as _, FileRoot, Recorder, Redaction,
    fixture::{Fact, Recorded},
};
use witgate_peer::{FactReader, Kernel, Observed, Pid, ReadSettings, Subject};

const USER: u32 = 1000;
const AS_USER: &str = "--as-user";

fn main() {
    if std::env::args().any(|argument| argument == AS_USER) {
        return as_user();
    }
    // A copy, for nobody else may look into the folder that the test was built in.
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let program = folder.path().join("unprivileged");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::os::unix::fs::chown(folder.path(), Some(USER), None).unwrap();
    let mut command = Command::new(program);
    command.arg(AS_USER).uid(USER).gid(USER).current_dir("/");
    let status = command.status().unwrap();
    assert!(status.success(), "{status}");
    println!("test an_unprivileged_user_records_a_process_of_their_own ... ok");
}

/// Kills what the test started.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn as_user() {
    assert_eq!(rustix::process::geteuid().as_raw(), USER);
    let mut command = Command::new("/bin/sleep");
    let child = Started(command.arg("1000").env("GREETING", "hello").spawn().unwrap());
    let exe = format!("/proc/{}/exe", child.0.id());
    let sleep = fs::canonicalize("/bin/sleep").unwrap();
    while fs::read_link(&exe).unwrap() != sleep {
        std::thread::yield_now();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        check(&record(child.0.id()).await).await;
        somebody_elses(1).await;
    });
}

/// All that it takes.
async fn record(pid: u32) -> Recorded {
    let kernel = Kernel::probe().unwrap();
    let reader = FactReader::new(&kernel, ReadSettings::default());
    let pid = Pid::new(pid.try_into().unwrap()).unwrap();
    let subject = Subject::<Observed>::observe(pid, &kernel).unwrap();
    let facts = subject.collect(FactSet::all(), &reader).await.unwrap();
    let granted = [
        "executable",
        "ancestry",
        "cmdline",
        "environ:GREETING",
        "files.host:/etc/hostname",
        "files.workload:/etc/passwd",
    ];
    let granted = granted.iter().map(|word| word.parse::<Capability>().unwrap()).collect();
    let recorder = Recorder::new(Arc::clone(&facts) as Arc<_>).with_redaction(Redaction::Keep);
    recorder.finish(&granted, String::new()).await
}

async fn check(recorded: &Recorded) {
    assert_eq!(recorded.credentials().unwrap().uid, USER);
    assert_eq!(recorded.variable("GREETING").await, Ok(Some(b"hello".to_vec())));
    assert_eq!(recorded.cmdline().await.unwrap()[1], b"1000");
    assert!(recorded.executable().unwrap().same_on_host);
    assert_eq!(recorded.executable_sha256().await.unwrap().len(), 64);
    assert!(recorded.namespaces().is_ok() && recorded.cgroups_trusted().is_ok());
    for (root, path) in [(FileRoot::Workload, "/etc/passwd"), (FileRoot::Host, "/etc/hostname")] {
        let content = recorded.file(root, path).await;
        assert_eq!(content, Ok(Some(fs::read(path).unwrap())), "{path}");
    }
}

/// Is denied, fact by fact, and nothing else fails.
async fn somebody_elses(pid: u32) {
    let recorded = record(pid).await;
    assert_eq!(recorded.environ["GREETING"], Fact::Err(FactError::Denied));
    assert_eq!(recorded.executable(), Err(FactError::Denied));
    let content = recorded.file(FileRoot::Workload, "/etc/passwd").await;
    assert_eq!(content, Err(FactError::Denied));
    assert_eq!(recorded.credentials().unwrap().uid, 0);
}
