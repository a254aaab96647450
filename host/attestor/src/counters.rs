use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::{Attestation, OutcomeKind};

/// What a plugin has done since it was loaded. Read at any time, without a lock.
#[derive(Debug, Default)]
pub struct Counters {
    outcomes: [AtomicU64; OutcomeKind::ALL.len()],
    elapsed_nanos: AtomicU64,
    longest_nanos: AtomicU64,
    memory_bytes: AtomicU64,
    host_calls: AtomicU64,
    retries: AtomicU64,
}

impl Counters {
    pub(crate) fn record(&self, attestation: &Attestation) {
        let nanos = u64::try_from(attestation.elapsed.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.outcomes.get(attestation.outcome.kind() as usize) {
            count.fetch_add(1, Relaxed);
        }
        self.elapsed_nanos.fetch_add(nanos, Relaxed);
        self.longest_nanos.fetch_max(nanos, Relaxed);
        self.memory_bytes.fetch_max(attestation.memory_bytes, Relaxed);
        self.host_calls.fetch_add(attestation.host_calls.into(), Relaxed);
    }

    pub(crate) fn count_retry(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    /// Calls that ended so.
    #[must_use]
    pub fn calls(&self, kind: OutcomeKind) -> u64 {
        self.outcomes.get(kind as usize).map_or(0, |count| count.load(Relaxed))
    }

    /// All calls.
    #[must_use]
    pub fn total_calls(&self) -> u64 {
        self.outcomes.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// Wall time of all calls together.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.elapsed_nanos.load(Relaxed))
    }

    /// Wall time of the longest call.
    #[must_use]
    pub fn longest(&self) -> Duration {
        Duration::from_nanos(self.longest_nanos.load(Relaxed))
    }

    /// Most linear memory that a call had, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes.load(Relaxed)
    }

    /// Calls of host functions.
    #[must_use]
    pub fn host_calls(&self) -> u64 {
        self.host_calls.load(Relaxed)
    }

    /// How often the plugin asked to be asked again, and was.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.retries.load(Relaxed)
    }
}
