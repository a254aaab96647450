//! Which privilege buys which fact: the table of `witgate doctor`, tried by taking each one away.
//!
//! Started as root, this starts itself again as another user with some capabilities, for every set of
//! them; so it has a `main` of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]
#![expect(clippy::panic, reason = "as above")]
#![expect(clippy::print_stdout, reason = "says what it did, as tests do")]

use std::{
    collections::BTreeSet,
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, Command},
};

use witgate_facts::{FactError, FactName, FactSet, FactSource as _, FileRoot};
use witgate_peer::{
    ExecWatchKind, FactReader, Kernel, Need, Observed, Pid, Privilege, ReadSettings, Subject,
};

/// Who attests, and whom. Neither owns anything else here.
const ATTESTOR: &str = "2001";
const WORKLOAD: u32 = 3001;
const RECORD: &str = "--record";

type Denied = BTreeSet<String>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [RECORD, pid, own_file, host_file] =
        arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(record(pid.parse().unwrap(), own_file, host_file));
    }
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // A copy, for nobody else may look into the folder that the test was built in.
    let program = folder.path().join("privileges");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    // Files that anybody may read, and files that others may not.
    for (private, mode, host_file) in [(false, 0o755, "/etc/passwd"), (true, 0o700, "/etc/shadow")]
    {
        let (workload, file) = workload(folder.path(), mode);
        let asked = [workload.0.id().to_string(), file, host_file.to_owned()];
        for held in subsets() {
            let met = |need: &&Need| !need.is_met(&held) && (private || !need.is_private());
            let expected: Denied =
                Need::ALL.iter().filter(met).map(|need| need.what().into()).collect();
            assert_eq!(under(&program, &held, &asked), expected, "{held:?}, {mode:o}");
        }
    }
    println!("test each_privilege_buys_what_the_table_says ... ok");
}

/// Every set of privileges.
fn subsets() -> impl Iterator<Item = Vec<Privilege>> {
    let all = Privilege::ALL;
    let member =
        move |set: u32| all.into_iter().enumerate().filter(move |(i, _)| set & 1 << i != 0);
    (0..1 << all.len()).map(move |set| member(set).map(|(_, one)| one).collect())
}

/// Kills what the test started.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process, and the file that it runs.
fn workload(folder: &Path, mode: u32) -> (Started, String) {
    let program = folder.join(format!("sleep-{mode:o}"));
    fs::copy("/bin/sleep", &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
    std::os::unix::fs::chown(&program, Some(WORKLOAD), Some(WORKLOAD)).unwrap();
    let mut command = Command::new(&program);
    command.arg("1000").env("GREETING", "hello").uid(WORKLOAD).gid(WORKLOAD).current_dir("/");
    let child = Started(command.spawn().unwrap());
    while fs::read_link(format!("/proc/{}/exe", child.0.id())).unwrap() != program {
        std::thread::yield_now();
    }
    (child, program.to_str().unwrap().to_owned())
}

/// What whoever holds these privileges, and nothing else, is denied of a process.
fn under(program: &Path, held: &[Privilege], asked: &[String]) -> Denied {
    let name = |one: &Privilege| one.as_str().to_lowercase().replace("cap_", ",+");
    let set = format!("-all{}", held.iter().map(name).collect::<String>());
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", ATTESTOR, "--regid", ATTESTOR, "--clear-groups", "--no-new-privs"])
        .args(["--inh-caps", &set, "--ambient-caps", &set, "--bounding-set", &set])
        .arg(program)
        .arg(RECORD)
        .args(asked);
    let output = command.current_dir("/").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(ToOwned::to_owned).collect()
}

/// Asks for everything, and prints what was denied.
async fn record(pid: i32, own_file: &str, host_file: &str) {
    let kernel = Kernel::probe().unwrap();
    let reader = FactReader::new(&kernel, ReadSettings::default());
    let subject = Subject::<Observed>::observe(Pid::new(pid).unwrap(), &kernel).unwrap();
    if subject.watch_exec().unwrap() != ExecWatchKind::Event {
        println!("exec-watch");
    }
    let facts = subject.collect(FactSet::all(), &reader).await.unwrap();
    let show = |fact: FactName, error: Option<FactError>| match error {
        Some(FactError::Denied) => println!("{fact}"),
        // Which this machine has for nobody.
        Some(FactError::Unsupported) => {
            assert!([FactName::ProcessLabel, FactName::SystemdUnit].contains(&fact), "{fact}");
        }
        Some(error) => panic!("{fact}: {error}"),
        None => {}
    };
    for fact in FactName::ALL {
        let error = match fact {
            FactName::AncestryParents => facts.ancestry().await.err(),
            FactName::CgroupsClaimed => facts.cgroups_claimed().err(),
            FactName::CgroupsTrusted => facts.cgroups_trusted().err(),
            FactName::CmdlineArguments => facts.cmdline().await.err(),
            FactName::EnvironVariables => facts.variable("GREETING").await.err(),
            FactName::ExecutableDoubts => facts.doubts().err(),
            FactName::ExecutableInfo => facts.executable().err(),
            FactName::ExecutableSha256 => facts.executable_sha256().await.err(),
            FactName::FilesHost => facts.file(FileRoot::Host, host_file).await.err(),
            FactName::FilesWorkload => facts.file(FileRoot::Workload, own_file).await.err(),
            // Asked of somebody else.
            FactName::HttpResponse => None,
            FactName::NamespacesAll => facts.namespaces().err(),
            FactName::ProcessComm => facts.comm().err(),
            FactName::ProcessCredentials => facts.credentials().err(),
            FactName::ProcessLabel => facts.label().err(),
            FactName::ProcessNames => facts.names().err(),
            FactName::ProcessPrivileges => facts.privileges().err(),
            FactName::ProcessStartTime => facts.start_time().err(),
            FactName::ProcessState => facts.state().err(),
            FactName::SystemdUnit => facts.systemd_unit().await.err(),
        };
        show(*fact, error);
    }
}
