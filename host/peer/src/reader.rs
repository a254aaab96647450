use std::{sync::Arc, time::Duration};

use crate::{
    cgroups::Hierarchies,
    facts::Digests,
    limits,
    names::AccountNames,
    namespaces::OwnNamespaces,
    probe::Kernel,
    workers::{Reads, Workers},
};

/// What an operator may set about reading facts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadSettings {
    /// An executable larger than this, by length or by allocated blocks, is not hashed, in bytes.
    pub hashed_file: u64,
    /// How long a request waits for a read that may hang.
    pub deadline: Duration,
    /// Threads that may hang on what workloads control.
    pub threads: usize,
    /// How many of them one uid may keep busy.
    pub threads_per_uid: usize,
}

impl Default for ReadSettings {
    fn default() -> Self {
        Self {
            hashed_file: limits::HASHED_FILE,
            deadline: limits::READ_DEADLINE,
            threads: limits::EXPENDABLE_THREADS,
            threads_per_uid: limits::EXPENDABLE_THREADS_PER_UID,
        }
    }
}

/// What reading facts of all subjects has in common: the daemon's own namespaces, where the cgroup
/// hierarchies are mounted, kept names and digests, the threads that may hang. Cheap to clone.
///
/// Namespaces and mounts are looked at once; a hierarchy that is mounted later counts as not mounted
/// until there is a new reader.
#[derive(Debug, Clone)]
pub struct FactReader(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) namespaces: OwnNamespaces,
    pub(crate) hierarchies: Hierarchies,
    pub(crate) names: AccountNames,
    pub(crate) digests: Digests,
    pub(crate) workers: Workers,
    /// For what brokers pass: of their own, so that whoever has the uid of a broker and makes reads hang
    /// does not keep the broker from asking.
    pub(crate) passing: Workers,
    pub(crate) settings: ReadSettings,
}

impl FactReader {
    /// Looks at the host. What cannot be read here is missing from the facts later, never assumed.
    #[must_use]
    pub fn new(kernel: &Kernel, settings: ReadSettings) -> Self {
        let workers = Workers::new("witgate-read", settings.threads, settings.threads_per_uid);
        Self(Arc::new(Inner {
            namespaces: OwnNamespaces::new(&*kernel.sys),
            hierarchies: Hierarchies::new(&*kernel.sys),
            names: AccountNames::new(settings.deadline),
            digests: Digests::default(),
            workers,
            passing: Workers::new("witgate-pass", limits::PASSING_THREADS, limits::PASSING_PER_UID),
            settings,
        }))
    }

    /// How busy the threads are that may hang; for metrics and `status`.
    #[must_use]
    pub fn reads(&self) -> Reads {
        self.0.workers.reads() + self.0.passing.reads()
    }
}
