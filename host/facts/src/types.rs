use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Blob;

/// Who the process is to the kernel, captured by the socket at connect (unix(7), `SO_PEERCRED`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Supplementary group ids, ascending.
    pub groups: Vec<u32>,
}

/// Names of [`Credentials`] in the host's user database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Of `uid`.
    pub user: Option<String>,
    /// Of `gid`.
    pub group: Option<String>,
    /// Of `groups`, in the same order.
    pub groups: Vec<Option<String>>,
}

/// What the process may still do (proc(5) `status`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privileges {
    /// 0 none, 1 strict, 2 filter.
    pub seccomp: u8,
    /// `PR_SET_NO_NEW_PRIVS` has been set.
    pub no_new_privs: bool,
    /// Inheritable capabilities, a bit each.
    pub inheritable: u64,
    /// Permitted capabilities.
    pub permitted: u64,
    /// Effective capabilities.
    pub effective: u64,
    /// Bounding set.
    pub bounding: u64,
    /// Ambient capabilities.
    pub ambient: u64,
}

/// One cgroup hierarchy, as far as only root could have made the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupTrust {
    /// Hierarchy number, 0 for v2.
    pub hierarchy: u32,
    /// Controllers, or `name=…`.
    pub controllers: Vec<String>,
    /// Longest prefix whose every directory belongs to root alone.
    pub prefix: String,
    /// The path goes on below `prefix`.
    pub delegated: bool,
    /// The hierarchy is mounted here, so ownership could be checked.
    pub mounted: bool,
}

/// One line of proc(5) `cgroup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupClaim {
    /// Hierarchy number, 0 for v2.
    pub hierarchy: u32,
    /// Controllers, or `name=…`.
    pub controllers: Vec<String>,
    /// The whole path.
    pub path: String,
}

/// One namespace (namespaces(7)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// `mnt`, `pid`, `user` and so on.
    pub kind: String,
    /// Names it until the next boot.
    pub inode: u64,
    /// It is the daemon's own.
    pub host: bool,
}

/// What `/proc/<pid>/exe` leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutableInfo {
    /// Path in the process's mount namespace, made printable.
    pub path: String,
    /// Device of the file system.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// The file has no name any more.
    pub deleted: bool,
    /// The path leads to this same file in our mount namespace.
    pub same_on_host: bool,
}

/// What speaks against taking a process for the program that `/proc/<pid>/exe` names. None is no
/// proof: a careful process of the same uid shows none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// The file has no name any more.
    Deleted,
    /// Nothing of the file is mapped: the link was set to it.
    ExeNotMapped,
    /// Its path leads to another file, or to none, in the daemon's mount namespace.
    ForeignMount,
    /// The file is memory (memfd_create(2)), which never had a name.
    Memfd,
    /// It lives in a user namespace other than the daemon's, where anybody may set the link.
    NestedUserns,
    /// Another process traces it (ptrace(2)), and can make it do anything.
    Traced,
}

impl Doubt {
    /// All of them, by name.
    pub const ALL: [Self; 6] = [
        Self::Deleted,
        Self::ExeNotMapped,
        Self::ForeignMount,
        Self::Memfd,
        Self::NestedUserns,
        Self::Traced,
    ];

    /// The word in WIT.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::ExeNotMapped => "exe_not_mapped",
            Self::ForeignMount => "foreign_mount",
            Self::Memfd => "memfd",
            Self::NestedUserns => "nested_userns",
            Self::Traced => "traced",
        }
    }

    /// Whether the link may be a forgery, so that nothing is said about the file behind it.
    #[must_use]
    pub const fn withholds(self) -> bool {
        matches!(self, Self::ExeNotMapped | Self::NestedUserns)
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One ancestor of the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ancestor {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// The name it gives itself.
    pub comm: Blob,
    /// Path of its executable, if readable.
    pub executable: Option<String>,
    /// Clock ticks from boot to its start.
    pub start_time: u64,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; only in a directory's list.
    Symlink,
    /// A device, a socket, a pipe.
    Other,
}

impl FileKind {
    /// The word in WIT.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Symlink => "symlink",
            Self::Other => "other",
        }
    }
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DirectoryEntry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
}

/// What the file system says about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStatus {
    /// What it is.
    pub kind: FileKind,
    /// Bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Owner, as the daemon sees it.
    pub uid: u32,
    /// Group, as the daemon sees it.
    pub gid: u32,
    /// Last change of the content, in seconds since 1970.
    pub modified: i64,
}

/// The systemd unit of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemdUnit {
    /// `nginx.service`.
    pub id: String,
    /// Path of its unit file.
    pub fragment_path: Option<String>,
    /// Its slice.
    pub slice: Option<String>,
    /// `active` and so on.
    pub active_state: String,
    /// `running` and so on.
    pub sub_state: String,
    /// New with each start of the unit.
    pub invocation_id: Option<String>,
    /// `User=`.
    pub user: Option<String>,
}

/// What a subject lives in, by names that are never used again before the next boot. Something that
/// is kept under such a name can outlive a request without ever being taken for another's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Lifetimes {
    /// The process itself; none if this source has no such name for it.
    pub process: Option<String>,
    /// Its control groups, as far as only root could have made them.
    pub cgroup: Option<String>,
}
