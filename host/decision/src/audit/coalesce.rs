//! Denials counted together, and every uid's share: what keeps any caller from filling the log.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde::Serialize;

use super::{AuditConfig, AuditError};

/// Causes of one uid that are told apart in a window. A service that fails has one or two.
const MAX_CAUSES: usize = 16;
/// Counters in all; with [`MAX_CAUSES`] at least 64 uids. Each is at most one short record a window.
const MAX_COUNTERS: usize = 1024;
/// Uids whose spent bytes are remembered in a window: one user namespace can bring 65536.
const MAX_UIDS: usize = 4096;
/// Where a denial is counted that is one too many to be told apart.
const OTHER: &str = "other";

/// How many denials one `coalesced` record stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Counter {
    /// Further denials, beyond the one that was written.
    pub(super) count: u64,
    /// The first of them.
    pub(super) first: Timestamp,
    /// The last of them.
    pub(super) last: Timestamp,
    /// The record that was written, and that they are like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) with: Option<u64>,
}

/// A counter with whom and what it counts; no uid if even uids were too many.
pub(super) type Counted = (Option<u32>, String, Counter);

#[derive(Debug, Default)]
struct Share {
    denial_bytes: u64,
    grant_bytes: u64,
    causes: HashMap<String, Counter>,
}

/// One window of time: counters and budgets, all cleared at its end.
#[derive(Debug)]
pub(super) struct Window {
    length: Duration,
    denial_limit: u64,
    all_denial_limit: u64,
    grant_limit: u64,
    started: Instant,
    shares: HashMap<Option<u32>, Share>,
    counters: usize,
    all_denial_bytes: u64,
}

/// What to do with a denial.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meeting {
    /// Write it, then say [`Window::wrote`], or [`Window::count`] if that failed.
    First,
    /// It has been counted, with this record if there is one.
    Again(Option<u64>),
}

impl Window {
    pub(super) fn new(config: &AuditConfig) -> Self {
        Self {
            length: config.window,
            denial_limit: config.denial_bytes,
            all_denial_limit: config.all_denial_bytes,
            grant_limit: config.grant_bytes,
            started: Instant::now(),
            shares: HashMap::new(),
            counters: 0,
            all_denial_bytes: 0,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.started.elapsed() >= self.length
    }

    /// Denials that are counted and not yet written.
    pub(super) fn pending(&self) -> u64 {
        let counters = self.shares.values().flat_map(|share| share.causes.values());
        counters.map(|counter| counter.count).sum()
    }

    /// Counts a denial that is like one before, without needing to know what it would say: in a
    /// flood this is all that is done.
    pub(super) fn meet_again(&mut self, uid: u32, cause: &str, now: Timestamp) -> Option<Meeting> {
        let share = self.shares.get_mut(&Some(uid))?;
        let counter = share.causes.get_mut(cause)?;
        counter.count += 1;
        counter.last = now;
        Some(Meeting::Again(counter.with))
    }

    /// A denial of `len` bytes.
    pub(super) fn meet(&mut self, uid: u32, cause: &str, len: usize, now: Timestamp) -> Meeting {
        if let Some(again) = self.meet_again(uid, cause, now) {
            return again;
        }
        let (spent, causes) = self
            .shares
            .get(&Some(uid))
            .map_or((0, 0), |share| (share.denial_bytes, share.causes.len()));
        let len = bytes(len);
        let affordable = spent.saturating_add(len) <= self.denial_limit
            && self.all_denial_bytes.saturating_add(len) <= self.all_denial_limit;
        let told_apart = causes < MAX_CAUSES
            && self.counters < MAX_COUNTERS
            && (causes > 0 || self.shares.len() < MAX_UIDS);
        if affordable && told_apart {
            return Meeting::First;
        }
        self.count(uid, cause, now);
        Meeting::Again(None)
    }

    /// The first denial of its kind was written.
    pub(super) fn wrote(&mut self, uid: u32, cause: &str, len: usize, seq: u64, now: Timestamp) {
        let share = self.shares.entry(Some(uid)).or_default();
        share.denial_bytes = share.denial_bytes.saturating_add(bytes(len));
        self.all_denial_bytes = self.all_denial_bytes.saturating_add(bytes(len));
        let counter = Counter { count: 0, first: now, last: now, with: Some(seq) };
        self.counters += usize::from(share.causes.insert(cause.to_owned(), counter).is_none());
    }

    /// A denial that is not written, be it for its budget, its cause's or the disk's.
    pub(super) fn count(&mut self, uid: u32, cause: &str, now: Timestamp) {
        let one = Counter { count: 1, first: now, last: now, with: None };
        self.add(Some(uid), cause, one);
    }

    fn add(&mut self, uid: Option<u32>, cause: &str, more: Counter) {
        let full = self.counters >= MAX_COUNTERS || self.shares.len() >= MAX_UIDS;
        let known = self.shares.get(&uid);
        let causes = known.map_or(0, |share| share.causes.len());
        let (uid, cause) = if known.is_some_and(|share| share.causes.contains_key(cause)) {
            (uid, cause)
        } else if full {
            (None, OTHER)
        } else if causes >= MAX_CAUSES {
            (uid, OTHER)
        } else {
            (uid, cause)
        };
        let causes = &mut self.shares.entry(uid).or_default().causes;
        if let Some(counter) = causes.get_mut(cause) {
            counter.count += more.count;
            counter.last = counter.last.max(more.last);
            counter.first = counter.first.min(more.first);
        } else {
            causes.insert(cause.to_owned(), more);
            self.counters += 1;
        }
    }

    /// Takes `len` bytes of a uid's share for grants.
    pub(super) fn spend_grant(&mut self, uid: u32, len: usize) -> Result<(), AuditError> {
        let key = if self.shares.len() < MAX_UIDS || self.shares.contains_key(&Some(uid)) {
            Some(uid)
        } else {
            None
        };
        let share = self.shares.entry(key).or_default();
        let spent = share.grant_bytes.saturating_add(bytes(len));
        if spent > self.grant_limit {
            let retry_after = self.length.saturating_sub(self.started.elapsed());
            return Err(AuditError::OverBudget { uid, retry_after });
        }
        share.grant_bytes = spent;
        Ok(())
    }

    /// Ends the window: everything that was counted, in order, and a new one begins.
    pub(super) fn turn(&mut self) -> Vec<Counted> {
        self.started = Instant::now();
        (self.counters, self.all_denial_bytes) = (0, 0);
        let mut counted: Vec<Counted> = std::mem::take(&mut self.shares)
            .into_iter()
            .flat_map(|(uid, share)| share.causes.into_iter().map(move |(c, n)| (uid, c, n)))
            .filter(|(_, _, counter)| counter.count > 0)
            .collect();
        counted.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        counted
    }

    /// What could not be written yet; nothing that was counted is ever forgotten.
    pub(super) fn restore(&mut self, counted: impl IntoIterator<Item = Counted>) {
        for (uid, cause, counter) in counted {
            self.add(uid, &cause, counter);
        }
    }
}

fn bytes(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window() -> Window {
        let limits =
            AuditConfig { denial_bytes: 1000, all_denial_bytes: 5000, ..AuditConfig::new("x") };
        Window::new(&limits)
    }

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn the_first_is_written_and_the_others_are_counted_with_it() {
        let mut window = window();
        assert_eq!(window.meet(1, "a", 10, NOW), Meeting::First);
        window.wrote(1, "a", 10, 7, NOW);
        assert_eq!(window.meet(1, "a", 10, NOW), Meeting::Again(Some(7)));
        assert_eq!(window.meet(2, "a", 10, NOW), Meeting::First, "another uid");
        assert_eq!(window.meet(1, "b", 10, NOW), Meeting::First, "another cause");
        let counter = Counter { count: 1, first: NOW, last: NOW, with: Some(7) };
        assert_eq!(window.turn(), [(Some(1), "a".to_owned(), counter)]);
        assert_eq!(window.meet(1, "a", 10, NOW), Meeting::First, "a new window");
    }

    #[test]
    fn a_share_of_grants_is_bounded_and_comes_back() {
        let config = AuditConfig { grant_bytes: 100, ..AuditConfig::new("x") };
        let mut window = Window::new(&config);
        assert!(window.spend_grant(1, 100).is_ok());
        assert!(matches!(window.spend_grant(1, 1), Err(AuditError::OverBudget { uid: 1, .. })));
        assert!(window.spend_grant(2, 100).is_ok());
        window.turn();
        assert!(window.spend_grant(1, 100).is_ok());
    }

    proptest! {
        /// However denials come, what is written is bounded and every one is counted or written.
        #[test]
        fn nothing_is_lost_and_nothing_grows(
            denials in proptest::collection::vec((0..6000u32, 0..40u32, 1..600usize), 0..3000),
            fails: bool,
        ) {
            let mut window = window();
            let (mut written, mut bytes) = (0, 0);
            for (uid, cause, len) in &denials {
                let cause = format!("c{cause}");
                if window.meet(*uid, &cause, *len, NOW) == Meeting::First {
                    if fails {
                        window.count(*uid, &cause, NOW);
                    } else {
                        window.wrote(*uid, &cause, *len, 1, NOW);
                        (written, bytes) = (written + 1, bytes + len);
                    }
                }
            }
            prop_assert!(bytes <= 5000);
            prop_assert!(window.counters <= MAX_COUNTERS + 1);
            let counted = window.turn();
            window.restore(counted);
            prop_assert_eq!(window.pending() + written, u64::try_from(denials.len()).unwrap());
        }
    }
}
