//! How much of anything is read on behalf of one peer. No configuration switches one off.

use std::time::Duration;

/// Supplementary groups: the kernel's own limit (`NGROUPS_MAX`).
pub const GROUPS: usize = 65_536;

/// Room for groups in the first try, enough for nearly everybody.
pub(crate) const GROUPS_FIRST_TRY: usize = 64;

/// Groups whose names are looked up: each may be a round trip to a directory server.
pub const NAMED_GROUPS: usize = 1_024;

/// Bytes of an LSM label: SELinux contexts of services have about 60.
pub(crate) const LABEL: usize = 1_024;

/// Bytes of `/proc/<pid>/cgroup`: a path has at most 4096, and there are at most about 16
/// hierarchies, all of which but one or two are short in life.
pub const CGROUP_FILE: usize = 32 * 1024;

/// Bytes of `/proc/<pid>/stat`: 52 numbers.
pub(crate) const STAT_FILE: usize = 2 * 1024;

/// Bytes of `/proc/<pid>/status`, whose long line is the groups.
pub const STATUS_FILE: usize = 1024 * 1024;

/// Bytes of `/proc/<pid>/auxv`: the kernel keeps about 50 pairs of words (`AT_VECTOR_SIZE`).
pub(crate) const AUXV_FILE: usize = 4 * 1024;

/// Bytes of `/proc/<pid>/maps` in which the program file must appear to count as mapped: some 600
/// mappings, and it is the first of all programs but the oddest.
pub const MAPS_FILE: usize = 64 * 1024;

/// Bytes of `/proc/<pid>/mountinfo`: a node with a thousand containers has some 500 KiB.
pub(crate) const MOUNTINFO_FILE: usize = 2 * 1024 * 1024;

/// Bytes of a link below `/proc/<pid>` (`PATH_MAX`, and the suffix of a deleted file).
pub(crate) const LINK: usize = 4096 + 16;

/// Bytes of the command line, as WIT `cmdline` says; the rest is cut off.
pub const CMDLINE: usize = 4096;

/// Bytes of the environment that are looked at: a pod with a thousand services in its namespace has
/// less. A variable behind that is too large, never "not there".
pub const ENVIRON: usize = 256 * 1024;

/// Bytes of one variable's value, as WIT `environ` says.
pub const ENVIRON_VALUE: usize = 4096;

/// Bytes of a file, as WIT `files` says.
pub const FILE: usize = 256 * 1024;

/// Entries of a directory, as WIT `files` says.
pub const DIRECTORY_ENTRIES: usize = 1024;

/// Different paths in one request, all plugins together: what is seen under each is kept until the
/// request ends, at most 16 MiB of content. A plugin looks at a handful.
pub const PATHS: usize = 64;

/// Symbolic links on one path: as many as the kernel follows.
pub const LINKS: usize = 40;

/// Steps of one path with all its links: as many as the longest path has (`PATH_MAX`).
pub const PATH_STEPS: usize = 2_048;

/// Directories on one path, each held while it is walked: a descriptor each, for every thread that
/// may hang.
pub const PATH_DEPTH: usize = 64;

/// Parents, as WIT `ancestry` says.
pub const ANCESTORS: usize = 16;

/// Directories of a cgroup path whose owners are looked at.
pub const CGROUP_DEPTH: usize = 64;

/// Bytes of an executable that is hashed, by length and by allocated blocks: large enough for a
/// browser, small enough for a second of one core.
pub const HASHED_FILE: u64 = 256 * 1024 * 1024;

/// Digests kept: about 200 bytes each.
pub const CACHED_DIGESTS: usize = 4_096;

/// User and group names kept.
pub const CACHED_NAMES: usize = 8_192;

/// How long a name is good for; a renamed account is rare, a lookup may cross the network.
pub const NAME_AGE: Duration = Duration::from_secs(60);

/// How long a file must have been left alone before its digest is kept: longer than the coarsest
/// clock a file system stamps with.
pub const SETTLED: Duration = Duration::from_secs(2);

/// Threads that may hang on file content or memory of workloads. They are started when there is work,
/// so what they cost is paid only where somebody makes them hang.
pub const EXPENDABLE_THREADS: usize = 64;

/// How many of them one uid may keep busy.
pub const EXPENDABLE_THREADS_PER_UID: usize = 4;

/// Whose share of those threads processes in other user namespaces use: that of `nobody`.
pub(crate) const NESTED_SHARE: u32 = 65_534;

/// Threads that may hang on receiving and closing what brokers pass: those are few, and each takes one for
/// a moment.
pub const PASSING_THREADS: usize = 16;

/// How many of them one uid may keep busy.
pub const PASSING_PER_UID: usize = 4;

/// Threads for the user database.
pub(crate) const NAME_THREADS: usize = 2;

/// Jobs that may wait for a thread.
pub(crate) const WAITING_JOBS: usize = 4_096;

/// How many of them may be one uid's: a decision about what is run takes a thread for a moment, and one
/// uid may have 256 connections.
pub(crate) const WAITING_JOBS_PER_UID: usize = 256;

/// How long an idle thread stays.
pub(crate) const IDLE_THREAD: Duration = Duration::from_secs(10);

/// How long a request waits for a read that may hang.
pub const READ_DEADLINE: Duration = Duration::from_secs(2);
