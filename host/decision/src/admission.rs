//! Who may open a connection, and who may ask: decided before anything that costs.
//!
//! A *bucket* is a uid together with the shallowest cgroup of the process, because every container's
//! root shares a uid with the host's. Both the bucket and the uid alone have a cap on open
//! connections; new connections and requests of a bucket are rate-limited. What a caller is refused
//! for costs one hash look-up.
//!
//! When all places are taken, whoever holds the most gives one up for whoever holds fewer: the newest
//! connection of the greediest uid is closed. So several uids together cannot keep another one out.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock};
use tokio::sync::Notify;
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
    /// Connections of brokers of one uid.
    pub brokers_per_uid: usize,
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
    watches: Counts<Bucket>,
    brokers: Counts<u32>,
}

/// How many connections are open, and whose.
#[derive(Debug, Default)]
struct Open {
    total: usize,
    /// Each uid's, in the order in which they came.
    by_uid: HashMap<u32, BTreeMap<u64, Held>>,
    by_bucket: HashMap<Bucket, usize>,
    /// How many there ever were.
    ever: u64,
}

/// One open connection.
#[derive(Debug)]
struct Held {
    bucket: Bucket,
    evicted: Arc<Notify>,
}

impl Open {
    fn of_uid(&self, uid: u32) -> usize {
        self.by_uid.get(&uid).map_or(0, BTreeMap::len)
    }

    fn of_bucket(&self, bucket: &Bucket) -> usize {
        self.by_bucket.get(bucket).copied().unwrap_or_default()
    }

    fn add(&mut self, bucket: &Bucket, evicted: &Arc<Notify>) -> u64 {
        self.total += 1;
        self.ever += 1;
        *self.by_bucket.entry(bucket.clone()).or_default() += 1;
        let held = Held { bucket: bucket.clone(), evicted: Arc::clone(evicted) };
        self.by_uid.entry(bucket.uid).or_default().insert(self.ever, held);
        self.ever
    }

    /// Nothing if it was evicted before.
    fn remove(&mut self, uid: u32, number: u64) -> Option<Held> {
        let of_uid = self.by_uid.get_mut(&uid)?;
        let held = of_uid.remove(&number)?;
        if of_uid.is_empty() {
            self.by_uid.remove(&uid);
        }
        self.total -= 1;
        release(&mut self.by_bucket, &held.bucket);
        Some(held)
    }

    /// Takes the newest connection of the uid with the most, if those are more than `than`.
    fn evict(&mut self, than: usize) -> bool {
        let most = self.by_uid.iter().max_by_key(|(_, of_uid)| of_uid.len());
        let newest = most
            .filter(|(_, of_uid)| of_uid.len() > than)
            .and_then(|(uid, of_uid)| Some((*uid, *of_uid.last_key_value()?.0)));
        let Some(held) = newest.and_then(|(uid, number)| self.remove(uid, number)) else {
            return false;
        };
        held.evicted.notify_one();
        true
    }
}

/// An open connection's place; given back when this is dropped.
#[derive(Debug)]
pub struct Permit {
    uid: u32,
    number: u64,
    evicted: Arc<Notify>,
    open: Arc<Mutex<Open>>,
}

impl Permit {
    /// Waits until the place was given to somebody who holds fewer; the connection is to be closed
    /// then.
    pub async fn evicted(&self) {
        self.evicted.notified().await;
    }
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
            brokers: Arc::default(),
            limits,
        }
    }

    /// A connection was accepted.
    ///
    /// # Errors
    /// [`Shed`] if the caller has too many open, or opens them too fast.
    pub fn connect(&self, bucket: &Bucket) -> Result<Permit, Shed> {
        check_rate(&self.connections, bucket)?;
        let mut open = lock(&self.open);
        let max = self.limits.connections_per_bucket;
        let of_uid = open.of_uid(bucket.uid);
        if of_uid >= max.saturating_mul(UID_SHARE) || open.of_bucket(bucket) >= max {
            return Err(Shed::Connections);
        }
        // Only from who has more even after this one has one more: two never take from each other.
        if open.total >= self.limits.connections_total && !open.evict(of_uid + 1) {
            return Err(Shed::Connections);
        }
        let evicted = Arc::new(Notify::new());
        let number = open.add(bucket, &evicted);
        Ok(Permit { uid: bucket.uid, number, evicted, open: Arc::clone(&self.open) })
    }

    /// Takes the newest connection of whoever has the most, for want of descriptors; false if nobody
    /// has more than one.
    #[must_use]
    pub fn evict(&self) -> bool {
        lock(&self.open).evict(1)
    }

    /// A connection wants to be told of changes.
    ///
    /// # Errors
    /// [`Shed::Connections`] if its bucket has too many such streams.
    pub fn watch(&self, bucket: &Bucket) -> Result<WatchPermit, Shed> {
        CountedPermit::of(&self.watches, bucket.clone(), self.limits.watches_per_bucket)
    }

    /// A connection is that of a broker, which holds more than others do.
    ///
    /// # Errors
    /// [`Shed::Connections`] if this uid has too many such connections.
    pub fn broker(&self, uid: u32) -> Result<BrokerPermit, Shed> {
        CountedPermit::of(&self.brokers, uid, self.limits.brokers_per_uid)
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
        lock(&self.open).total
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        lock(&self.open).remove(self.uid, self.number);
    }
}

type Counts<K> = Arc<Mutex<HashMap<K, usize>>>;

/// A stream's place; given back when this is dropped.
pub type WatchPermit = CountedPermit<Bucket>;
/// The place of a broker's connection; given back when this is dropped.
pub type BrokerPermit = CountedPermit<u32>;

/// One of so many places of a kind.
#[derive(Debug)]
pub struct CountedPermit<K: Eq + Hash> {
    key: K,
    counts: Counts<K>,
}

impl<K: Eq + Hash + Clone> CountedPermit<K> {
    fn of(counts: &Counts<K>, key: K, most: usize) -> Result<Self, Shed> {
        let mut held = lock(counts);
        let count = held.entry(key.clone()).or_default();
        if *count >= most {
            return Err(Shed::Connections);
        }
        *count += 1;
        Ok(Self { key, counts: Arc::clone(counts) })
    }
}

impl<K: Eq + Hash> Drop for CountedPermit<K> {
    fn drop(&mut self) {
        release(&mut lock(&self.counts), &self.key);
    }
}

/// Takes one off, and forgets who has none left: the maps are as large as what is open.
fn release<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
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
            brokers_per_uid: 2,
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

    // #47, #48: uids that hold everything together give way to one that holds less, the greediest
    // first and its newest; and those who hold as much as each other do not push each other out.
    #[tokio::test]
    async fn when_all_is_taken_the_greediest_gives_way() {
        let admission = admission(10, 6, 100);
        let connect = |uid| admission.connect(&bucket(uid, "/"));
        let four: Vec<_> = (0..4).map(|_| connect(1).unwrap()).collect();
        let _two: Vec<_> = (0..2).map(|_| connect(2).unwrap()).collect();
        let newcomer = connect(3).unwrap();
        four[3].evicted().await;
        assert_eq!(admission.open_connections(), 6);
        let _second = connect(3).unwrap();
        four[2].evicted().await;
        assert_eq!(connect(3).unwrap_err(), Shed::Connections, "two each");
        assert_eq!(connect(1).unwrap_err(), Shed::Connections, "two each");
        // What an evicted one gave up is not given back a second time.
        drop(four);
        assert_eq!(admission.open_connections(), 4);
        drop(newcomer);
        assert_eq!(admission.open_connections(), 3);
    }

    // #51
    #[test]
    fn for_want_of_descriptors_only_who_has_several_gives_one_up() {
        let admission = admission(10, 6, 100);
        let _one = admission.connect(&bucket(1, "/")).unwrap();
        let _two: Vec<_> = (0..2).map(|_| admission.connect(&bucket(2, "/")).unwrap()).collect();
        assert!(admission.evict());
        assert!(!admission.evict());
        assert_eq!(admission.open_connections(), 2);
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
    fn brokers_of_one_uid_leave_places_for_those_of_another() {
        let admission = admission(10, 10, 10);
        let [first, _second] = [1, 1].map(|uid| admission.broker(uid).unwrap());
        assert_eq!(admission.broker(1).unwrap_err(), Shed::Connections);
        let _other = admission.broker(2).unwrap();
        drop(first);
        let _third = admission.broker(1).unwrap();
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
