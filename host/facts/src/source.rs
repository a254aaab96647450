use std::{future::Future, pin::Pin};

use witgate_identity::Assurance;

use crate::{
    Ancestor, CgroupClaim, CgroupTrust, Credentials, DirectoryEntry, Doubt, ExecutableInfo,
    FactError, FactName, FileRoot, FileStatus, Lifetimes, Names, Namespace, Privileges,
    SystemdUnit,
};

/// A fact, or why it is not there.
pub type FactResult<T> = Result<T, FactError>;

/// A fact that has to be waited for.
pub type FactFuture<'a, T> = Pin<Box<dyn Future<Output = FactResult<T>> + Send + 'a>>;

/// The facts about the one subject of a request.
///
/// Every fact is read at most once per request and shared by all plugins; asking again gives the
/// same answer. Cheap facts are read before the plugins run, so their functions return at once;
/// those that touch file content or memory that the workload controls are futures, because they
/// run on threads that may hang.
///
/// A fact that the daemon did not collect, because no live entry needs it, is
/// [`FactError::Unsupported`].
#[expect(clippy::missing_errors_doc, reason = "every fact fails as FactError says")]
pub trait FactSource: Send + Sync + std::fmt::Debug {
    /// What this fact is worth in this request; at most [`FactName::best_assurance`].
    fn assurance(&self, fact: FactName) -> Assurance;

    /// `process.credentials`.
    fn credentials(&self) -> FactResult<&Credentials>;
    /// `process.names`.
    fn names(&self) -> FactResult<&Names>;
    /// `process.label`.
    fn label(&self) -> FactResult<&str>;
    /// `process.privileges`.
    fn privileges(&self) -> FactResult<&Privileges>;
    /// `process.state`.
    fn state(&self) -> FactResult<char>;
    /// `process.start-time`.
    fn start_time(&self) -> FactResult<u64>;
    /// `process.comm`.
    fn comm(&self) -> FactResult<&[u8]>;
    /// `cgroups.trusted`.
    fn cgroups_trusted(&self) -> FactResult<&[CgroupTrust]>;
    /// `cgroups.claimed`.
    fn cgroups_claimed(&self) -> FactResult<&[CgroupClaim]>;
    /// `namespaces.all`.
    fn namespaces(&self) -> FactResult<&[Namespace]>;
    /// `executable.info`.
    fn executable(&self) -> FactResult<&ExecutableInfo>;
    /// `executable.doubts`, by name.
    fn doubts(&self) -> FactResult<&[Doubt]>;

    /// `executable.sha256`, in lower-case hexadecimal.
    fn executable_sha256(&self) -> FactFuture<'_, String>;
    /// `ancestry.parents`, nearest first.
    fn ancestry(&self) -> FactFuture<'_, Vec<Ancestor>>;
    /// `cmdline.arguments`.
    fn cmdline(&self) -> FactFuture<'_, Vec<Vec<u8>>>;
    /// `environ.variables`: one variable; none if the process has no such variable.
    fn variable<'a>(&'a self, name: &'a str) -> FactFuture<'a, Option<Vec<u8>>>;
    /// `files.host` or `files.workload`: content of a regular file; none if there is no such file.
    /// The path has been checked with [`crate::is_plain_path`], and that it was granted.
    fn file<'a>(&'a self, root: FileRoot, path: &'a str) -> FactFuture<'a, Option<Vec<u8>>>;
    /// What is in a directory, by name.
    fn entries<'a>(
        &'a self,
        root: FileRoot,
        path: &'a str,
    ) -> FactFuture<'a, Option<Vec<DirectoryEntry>>>;
    /// What the file system says about a file.
    fn status<'a>(&'a self, root: FileRoot, path: &'a str) -> FactFuture<'a, Option<FileStatus>>;
    /// `systemd.unit`; none if the process is in no unit.
    fn systemd_unit(&self) -> FactFuture<'_, Option<SystemdUnit>>;

    /// Names for what may be kept about the subject longer than a request.
    fn lifetimes(&self) -> Lifetimes;
}
