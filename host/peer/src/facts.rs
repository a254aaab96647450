//! The facts about one process, each read at most once.

mod ancestry;
mod cmdline;
mod digest;
mod doubts;
mod environ;
mod executable;
mod files;
mod lifetimes;
mod pinned;

use std::sync::{Arc, OnceLock};

use tokio::sync::OnceCell;
use witgate_facts::{
    Ancestor, CgroupClaim, CgroupTrust, Credentials, DirectoryEntry, Doubt, ExecutableInfo,
    FactError, FactFuture, FactName, FactResult, FactSet, FactSource, FileRoot, FileStatus,
    Lifetimes, Names, Namespace, Privileges, SystemdUnit,
};
use witgate_identity::Assurance;

pub(crate) use self::digest::Digests;
use self::{
    environ::Environment,
    executable::Executable,
    files::Files,
    pinned::{Account, Pinned},
};
use crate::{
    cgroups::{self, Trusted},
    error::{PeerError, fact_error},
    limits, namespaces,
    parse::{self, Stat},
    probe::Tier,
    process_directory::ProcessDirectory,
    reader::FactReader,
    subject::{Snapshot, Subject, SubjectId},
};

/// What a process is, in short: for the `you` block of an answer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Its number.
    pub pid: i32,
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// What it runs, in its own mount namespace, if we may know.
    pub exe: Option<String>,
    /// Its path in the cgroup hierarchy that tells most; as claimed, so for people only.
    pub cgroup: Option<String>,
}

impl Summary {
    fn of<S>(subject: &Subject<S>, exe: Option<String>, snapshot: &Snapshot) -> Self {
        Self {
            pid: subject.pid().as_raw(),
            uid: subject.uid(),
            gid: subject.gid(),
            exe,
            cgroup: cgroups::summary(&snapshot.cgroup.text),
        }
    }
}

/// Facts that were collected from a live process.
///
/// What the kernel makes was read before this exists; files, the process's memory (its arguments and
/// environment) and its parents are read when first asked for, on threads that may hang.
///
/// It holds three descriptors, so keep it no longer than the request; [`ProcessFacts::summary`] is
/// plain data.
#[derive(Debug)]
pub struct ProcessFacts {
    subject: SubjectId,
    wanted: FactSet,
    challenged: bool,
    summary: Summary,
    label: FactResult<String>,
    names: FactResult<Names>,
    stat: FactResult<Stat>,
    privileges: FactResult<Privileges>,
    trusted: FactResult<Trusted>,
    claimed: FactResult<Vec<CgroupClaim>>,
    namespaces: FactResult<Vec<Namespace>>,
    executable: FactResult<Executable>,
    sha256: OnceCell<FactResult<String>>,
    ancestry: OnceCell<FactResult<Vec<Ancestor>>>,
    cmdline: OnceCell<FactResult<Vec<Vec<u8>>>>,
    environment: OnceCell<FactResult<Environment>>,
    files: Files,
    lifetimes: OnceLock<Lifetimes>,
    tier: Tier,
    snapshot: Arc<Snapshot>,
    pinned: Pinned,
}

/// The facts that come from the file `stat`.
const OF_STAT: [FactName; 3] =
    [FactName::ProcessComm, FactName::ProcessStartTime, FactName::ProcessState];
/// The facts that threads read which may hang.
const MAY_HANG: [FactName; 3] =
    [FactName::CmdlineArguments, FactName::EnvironVariables, FactName::FilesWorkload];
/// The facts that rest upon which file is run.
const OF_IMAGE: [FactName; 3] =
    [FactName::ExecutableDoubts, FactName::ExecutableInfo, FactName::ExecutableSha256];

impl ProcessFacts {
    pub(crate) async fn collect<S>(
        subject: &Subject<S>,
        wanted: FactSet,
        reader: &FactReader,
    ) -> Result<Self, PeerError> {
        let directory = &subject.directory()?;
        let any = |facts: &[FactName]| facts.iter().any(|fact| wanted.contains(*fact));
        let when = |fact: FactName| Wish(wanted.contains(fact));

        let cgroup = subject.fresh_cgroup()?;
        let mount_namespace = subject.attestable()?;
        let namespaces = when(FactName::NamespacesAll)
            .read(|| reader.0.namespaces.all(directory, mount_namespace));
        let stat = Wish(any(&OF_STAT)).read(|| stat(directory));
        let privileges = when(FactName::ProcessPrivileges).read(|| privileges(directory));
        let trusted = when(FactName::CgroupsTrusted)
            .read(|| Ok(reader.0.hierarchies.trusted(directory.sys(), &cgroup.text)));
        let claimed = when(FactName::CgroupsClaimed).read(|| Ok(cgroups::claimed(&cgroup.text)));
        if any(&OF_IMAGE) {
            // Before the first look at what it runs.
            subject.watch_exec()?;
        }
        let link = directory.link(c"exe");
        let exe = link.as_deref().ok().map(|link| parse::printable(link, true));
        let user_namespace = user_namespace(directory, wanted, &namespaces);
        let account = Account::of(subject.uid(), user_namespace, reader);
        let executable = if any(&OF_IMAGE) {
            Executable::read(directory, reader, link.map_err(fact_error), account).await
        } else {
            Err(FactError::Unsupported)
        };
        subject.ensure_alive()?;
        let names = if wanted.contains(FactName::ProcessNames) {
            reader.0.names.of(subject.credentials()).await
        } else {
            Err(FactError::Unsupported)
        };

        let snapshot = Arc::new(Snapshot {
            // What a fact says is compared, also where the first look at it was in vain.
            mount_namespace: mount_namespace.or_else(|| in_facts(&namespaces, "mnt")),
            user_namespace,
            other_namespaces: namespaces
                .as_deref()
                .map(namespaces::that_can_change)
                .unwrap_or_default(),
            privileges: privileges.as_ref().ok().cloned(),
            image: executable.as_ref().ok().map(|executable| executable.image.clone()),
            cgroup,
        });
        Ok(Self {
            subject: subject.id(),
            wanted,
            challenged: subject.challenged(),
            summary: Summary::of(subject, exe, &snapshot),
            label: subject.label().clone(),
            names,
            stat,
            privileges,
            trusted,
            claimed,
            namespaces,
            executable,
            sha256: OnceCell::new(),
            ancestry: OnceCell::new(),
            cmdline: OnceCell::new(),
            environment: OnceCell::new(),
            files: Files::default(),
            lifetimes: OnceLock::new(),
            tier: subject.tier(),
            snapshot,
            pinned: Pinned {
                directory: Arc::clone(directory),
                pidfd: Arc::clone(subject.pidfd()),
                reader: reader.clone(),
                account,
                credentials: Arc::new(subject.credentials().clone()),
            },
        })
    }

    /// What the process is, in short.
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The facts that were asked for.
    #[must_use]
    pub const fn wanted(&self) -> FactSet {
        self.wanted
    }

    pub(crate) const fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    pub(crate) const fn subject(&self) -> SubjectId {
        self.subject
    }

    fn if_wanted<T>(&self, fact: FactName, value: T) -> FactResult<T> {
        if self.wanted.contains(fact) { Ok(value) } else { Err(FactError::Unsupported) }
    }
}

/// The inode of its user namespace, if something is wanted that depends on it and it can be read.
fn user_namespace(
    directory: &ProcessDirectory,
    wanted: FactSet,
    namespaces: &FactResult<Vec<Namespace>>,
) -> Option<u64> {
    let needed = || OF_IMAGE.iter().chain(&MAY_HANG).any(|fact| wanted.contains(*fact));
    match in_facts(namespaces, "user") {
        Some(inode) => Some(inode),
        None if needed() => namespaces::inode(directory, c"ns/user").ok(),
        None => None,
    }
}

/// The inode of its namespace of this kind, if that is among the facts.
fn in_facts(namespaces: &FactResult<Vec<Namespace>>, kind: &str) -> Option<u64> {
    let mut all = namespaces.iter().flatten();
    all.find(|namespace| namespace.kind == kind).map(|namespace| namespace.inode)
}

/// Whether a fact is to be read.
struct Wish(bool);

impl Wish {
    fn read<T>(self, read: impl FnOnce() -> FactResult<T>) -> FactResult<T> {
        if self.0 { read() } else { Err(FactError::Unsupported) }
    }
}

fn stat(directory: &ProcessDirectory) -> FactResult<Stat> {
    let text = directory.read(c"stat", limits::STAT_FILE).map_err(fact_error)?;
    parse::stat(&text).ok_or_else(malformed)
}

pub(crate) fn privileges(directory: &ProcessDirectory) -> FactResult<Privileges> {
    let text = directory.read(c"status", limits::STATUS_FILE).map_err(fact_error)?;
    parse::privileges(&text).ok_or_else(malformed)
}

fn malformed() -> FactError {
    FactError::Io("not as proc(5) has it".to_owned())
}

fn borrow<T>(fact: &FactResult<T>) -> FactResult<&T> {
    fact.as_ref().map_err(Clone::clone)
}

impl FactSource for ProcessFacts {
    fn assurance(&self, fact: FactName) -> Assurance {
        match fact.best_assurance() {
            // A program may have replaced itself between connect and accept.
            Assurance::Image if !self.challenged => Assurance::Claimed,
            best => best,
        }
    }

    fn credentials(&self) -> FactResult<&Credentials> {
        self.if_wanted(FactName::ProcessCredentials, &*self.pinned.credentials)
    }

    fn names(&self) -> FactResult<&Names> {
        borrow(&self.names)
    }

    fn label(&self) -> FactResult<&str> {
        self.if_wanted(FactName::ProcessLabel, ())?;
        borrow(&self.label).map(String::as_str)
    }

    fn privileges(&self) -> FactResult<&Privileges> {
        borrow(&self.privileges)
    }

    fn state(&self) -> FactResult<char> {
        self.if_wanted(FactName::ProcessState, ())?;
        borrow(&self.stat).map(|stat| stat.state)
    }

    fn start_time(&self) -> FactResult<u64> {
        self.if_wanted(FactName::ProcessStartTime, ())?;
        borrow(&self.stat).map(|stat| stat.start_time)
    }

    fn comm(&self) -> FactResult<&[u8]> {
        self.if_wanted(FactName::ProcessComm, ())?;
        borrow(&self.stat).map(|stat| stat.comm.as_slice())
    }

    fn cgroups_trusted(&self) -> FactResult<&[CgroupTrust]> {
        borrow(&self.trusted).map(|trusted| trusted.entries.as_slice())
    }

    fn cgroups_claimed(&self) -> FactResult<&[CgroupClaim]> {
        borrow(&self.claimed).map(Vec::as_slice)
    }

    fn namespaces(&self) -> FactResult<&[Namespace]> {
        borrow(&self.namespaces).map(Vec::as_slice)
    }

    fn executable(&self) -> FactResult<&ExecutableInfo> {
        self.if_wanted(FactName::ExecutableInfo, ())?;
        borrow(&self.executable)?.unwithheld()
    }

    fn doubts(&self) -> FactResult<&[Doubt]> {
        // With any fact of the image, so that the why of a decision about one has them.
        borrow(&self.executable).map(|executable| executable.doubts.as_slice())
    }

    fn executable_sha256(&self) -> FactFuture<'_, String> {
        Box::pin(async {
            self.if_wanted(FactName::ExecutableSha256, ())?;
            let executable = borrow(&self.executable)?;
            executable.unwithheld()?;
            let read = || digest::sha256(&self.pinned, executable);
            self.sha256.get_or_init(read).await.clone()
        })
    }

    fn ancestry(&self) -> FactFuture<'_, Vec<Ancestor>> {
        Box::pin(async {
            self.if_wanted(FactName::AncestryParents, ())?;
            self.ancestry.get_or_init(|| ancestry::parents(&self.pinned)).await.clone()
        })
    }

    fn cmdline(&self) -> FactFuture<'_, Vec<Vec<u8>>> {
        Box::pin(async {
            self.if_wanted(FactName::CmdlineArguments, ())?;
            self.cmdline.get_or_init(|| cmdline::arguments(&self.pinned)).await.clone()
        })
    }

    fn variable<'a>(&'a self, name: &'a str) -> FactFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            self.if_wanted(FactName::EnvironVariables, ())?;
            let environment = self.environment.get_or_init(|| Environment::read(&self.pinned));
            borrow(environment.await)?.variable(name)
        })
    }

    fn file<'a>(&'a self, root: FileRoot, path: &'a str) -> FactFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            self.if_wanted(root.fact(), ())?;
            self.files.content(&self.pinned, root, path).await
        })
    }

    fn entries<'a>(
        &'a self,
        root: FileRoot,
        path: &'a str,
    ) -> FactFuture<'a, Option<Vec<DirectoryEntry>>> {
        Box::pin(async move {
            self.if_wanted(root.fact(), ())?;
            self.files.entries(&self.pinned, root, path).await
        })
    }

    fn status<'a>(&'a self, root: FileRoot, path: &'a str) -> FactFuture<'a, Option<FileStatus>> {
        Box::pin(async move {
            self.if_wanted(root.fact(), ())?;
            self.files.status(&self.pinned, root, path).await
        })
    }

    /// Nothing here asks the service manager yet.
    fn systemd_unit(&self) -> FactFuture<'_, Option<SystemdUnit>> {
        Box::pin(async { Err(FactError::Unsupported) })
    }

    fn lifetimes(&self) -> Lifetimes {
        let names =
            || lifetimes::of(&self.pinned, self.tier, self.trusted.as_ref().ok(), &self.snapshot);
        self.lifetimes.get_or_init(names).clone()
    }
}
