//! Who may open a connection, and who may ask: decided before anything that costs.
//!
//! A *bucket* is a uid together with the shallowest cgroup of the process, because every container's
//! root shares a uid with the host's. Both the bucket and the uid alone have a cap on open
//! connections; new connections and requests of a bucket are rate-limited. What a caller is refused
//! for costs one hash look-up.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock};
use witgate_peer::Bucket;

/// Buckets that the rate limiters remember. A caller that can make buckets (by making cgroups) must
/// not be able to make us remember without end; over this, idle ones are forgotten, and if none is
/// idle, strangers share the bucket of their uid.
const MAX_BUCKETS: usize = 16_384;

/// How many full buckets one uid may have. More than one, or the root of one container would take
/// the places of every other root; few, because whoever can make cgroups can make buckets.
pub(crate) const UID_SHARE: usize = 4;

/// What admission lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Open connections of one bucket; one uid may have four times as many.
    pub connections_per_bucket: usize,
    /// Open connections in all.
    pub connections_total: usize,
    /// Watch streams of one bucket; they are held for hours.
    pub watches_per_bucket: usize,
    /// New connections, and requests, of one bucket in a second.
    pub per_second: u32,
    /// How many of them may come at once.
    pub burst: u32,
}

/// Why a caller was not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Shed {
    /// Too many new connections or requests in too short a time.
    #[error("too many requests; the next one may come in {} s", retry_after.as_secs().max(1))]
    Rate {
        /// When the next one may come.
        retry_after: Duration,
    },
    /// Too many connections at once, of this caller or in all.
    #[error("too many open connections")]
    Connections,
}

impl Shed {
    /// Whole seconds after which it is worth asking again, at least one.
    #[must_use]
    pub fn retry_after_seconds(self) -> u32 {
        match self {
            Self::Rate { retry_after } => {
                u32::try_from(retry_after.as_secs()).unwrap_or(u32::MAX).max(1)
            }
            Self::Connections => 1,
        }
    }
}

/// Decides who may come in.
#[derive(Debug)]
pub struct Admission {
    limits: AdmissionLimits,
    connections: DefaultKeyedRateLimiter<Bucket>,
    requests: DefaultKeyedRateLimiter<Bucket>,
    open: Arc<Mutex<Open>>,
    watches: Arc<Mutex<HashMap<Bucket, usize>>>,
}

/// How many connections are open, and whose.
#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_uid: HashMap<u32, usize>,
    by_bucket: HashMap<Bucket, usize>,
}

/// An open connection's place; given back when this is dropped.
#[derive(Debug)]
pub struct Permit {
    bucket: Bucket,
    open: Arc<Mutex<Open>>,
}

impl Admission {
    /// Nobody is in yet.
    #[must_use]
    pub fn new(limits: AdmissionLimits) -> Self {
        let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(limits.per_second))
            .allow_burst(at_least_one(limits.burst));
        Self {
            connections: DefaultKeyedRateLimiter::keyed(quota),
            requests: DefaultKeyedRateLimiter::keyed(quota),
            open: Arc::default(),
            watches: Arc::default(),
            limits,
        }
    }

    /// A connection was accepted.
    ///
    /// # Errors
    /// [`Shed`] if the caller has too many open, or opens them too fast.
    pub fn connect(&self, bucket: &Bucket) -> Result<Permit, Shed> {
        check_rate(&self.connections, bucket)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let max = self.limits.connections_per_bucket;
        let of_uid = open.by_uid.get(&bucket.uid).copied().unwrap_or_default();
        let of_bucket = open.by_bucket.get(bucket).copied().unwrap_or_default();
        let max_of_uid = max.saturating_mul(UID_SHARE);
        if open.total >= self.limits.connections_total || of_uid >= max_of_uid || of_bucket >= max {
            return Err(Shed::Connections);
        }
        open.total += 1;
        *open.by_uid.entry(bucket.uid).or_default() += 1;
        *open.by_bucket.entry(bucket.clone()).or_default() += 1;
        Ok(Permit { bucket: bucket.clone(), open: Arc::clone(&self.open) })
    }

    /// A connection wants to be told of changes.
    ///
    /// # Errors
    /// [`Shed::Connections`] if its bucket has too many such streams.
    pub fn watch(&self, bucket: &Bucket) -> Result<WatchPermit, Shed> {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let count = watches.entry(bucket.clone()).or_default();
        if *count >= self.limits.watches_per_bucket {
            return Err(Shed::Connections);
        }
        *count += 1;
        Ok(WatchPermit { bucket: bucket.clone(), watches: Arc::clone(&self.watches) })
    }

    /// A request arrived on an open connection.
    ///
    /// # Errors
    /// [`Shed::Rate`] if the caller asks too fast.
    pub fn request(&self, bucket: &Bucket) -> Result<(), Shed> {
        check_rate(&self.requests, bucket)
    }

    /// Connections open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

fn check_rate(limiter: &DefaultKeyedRateLimiter<Bucket>, bucket: &Bucket) -> Result<(), Shed> {
    let shared;
    let mut bucket = bucket;
    if limiter.len() >= MAX_BUCKETS {
        limiter.retain_recent();
        if limiter.len() >= MAX_BUCKETS {
            shared = Bucket { uid: bucket.uid, cgroup: "*".into() };
            bucket = &shared;
        }
    }
    limiter.check_key(bucket).map_err(|not_until| Shed::Rate {
        retry_after: not_until.wait_time_from(governor::clock::DefaultClock::default().now()),
    })
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total = open.total.saturating_sub(1);
        release(&mut open.by_uid, &self.bucket.uid);
        release(&mut open.by_bucket, &self.bucket);
    }
}

/// A stream's place; given back when this is dropped.
#[derive(Debug)]
pub struct WatchPermit {
    bucket: Bucket,
    watches: Arc<Mutex<HashMap<Bucket, usize>>>,
}

impl Drop for WatchPermit {
    fn drop(&mut self) {
        release(&mut self.watches.lock().unwrap_or_else(PoisonError::into_inner), &self.bucket);
    }
}

/// Takes one off, and forgets who has none left: the maps are as large as what is open.
fn release<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, total: usize, burst: u32) -> Admission {
        Admission::new(AdmissionLimits {
            connections_per_bucket: connections,
            connections_total: total,
            watches_per_bucket: 2,
            per_second: 1,
            burst,
        })
    }

    fn bucket(uid: u32, cgroup: &str) -> Bucket {
        Bucket { uid, cgroup: cgroup.into() }
    }

    // #48: one uid cannot hold more than its share, and what it gives back is there again.
    #[test]
    fn open_connections_are_capped_by_bucket_and_by_uid() {
        let admission = admission(2, 100, 100);
        let connect = |uid, cgroup: &str| admission.connect(&bucket(uid, cgroup));
        let first = connect(1, "/a").unwrap();
        let _second = connect(1, "/a").unwrap();
        assert_eq!(connect(1, "/a").unwrap_err(), Shed::Connections, "the bucket is full");
        let mut held: Vec<_> =
            (0..2 * UID_SHARE - 2).map(|n| connect(1, &format!("/b{n}")).unwrap()).collect();
        assert_eq!(connect(1, "/c").unwrap_err(), Shed::Connections, "the uid has its share");
        held.push(connect(2, "/a").unwrap());
        drop(first);
        held.push(connect(1, "/c").unwrap());
        assert_eq!(admission.open_connections(), held.len() + 1);
    }

    #[test]
    fn the_total_is_capped() {
        let admission = admission(10, 2, 100);
        let _held: Vec<_> =
            (0..2).map(|uid| admission.connect(&bucket(uid, "/")).unwrap()).collect();
        assert_eq!(admission.connect(&bucket(9, "/")).unwrap_err(), Shed::Connections);
    }

    // #46: a flood of one bucket is refused; its neighbour in another cgroup is not, though it has
    // the same uid.
    #[test]
    fn a_flood_costs_only_its_own_bucket() {
        let admission = admission(10, 10, 3);
        let flood = bucket(0, "/docker/a");
        let passed = (0..100).filter(|_| admission.request(&flood).is_ok()).count();
        assert!((3..=4).contains(&passed), "{passed}");
        assert!(matches!(admission.request(&flood), Err(Shed::Rate { .. })));
        assert_eq!(admission.request(&bucket(0, "/docker/b")), Ok(()));
    }

    #[test]
    fn strangers_cannot_make_it_remember_without_end() {
        let admission = admission(10, 10, 1);
        for n in 0..2 * MAX_BUCKETS {
            let _ = admission.request(&bucket(7, &format!("/made-up/{n}")));
        }
        assert!(admission.requests.len() <= MAX_BUCKETS + 1, "{}", admission.requests.len());
    }
}
