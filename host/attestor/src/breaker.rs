use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use witgate_facts::FactSource;

use crate::{Limit, Outcome, limits};

/// Rests a plugin that keeps failing, so that it costs next to nothing while it is broken.
///
/// A workload can know how to make a plugin fail, and must not be able to switch it off for others.
/// So faults are counted for each *share*, a uid in a control group: after so many in a row the
/// plugin rests for that share alone. It rests for everybody only if it runs out of time or memory,
/// which costs 50 ms of a processor or 64 MiB a call, again and again, for one share and then
/// another; faults of one share alone count once. One good answer forgets all faults.
///
/// While a plugin rests its keys are *unknown*, never *no*. After each rest one call is let through;
/// if it fails too, the rest doubles.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    plugin: Faults,
    last: Option<Share>,
    shares: HashMap<Share, Faults>,
}

/// Whom faults are counted for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Share {
    uid: Option<u32>,
    cgroup: Option<String>,
}

impl Share {
    pub(crate) fn of(facts: &dyn FactSource) -> Self {
        let uid = facts.credentials().ok().map(|credentials| credentials.uid);
        Self { uid, cgroup: facts.lifetimes().cgroup }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    in_a_row: u32,
    /// How often it has rested since it last worked.
    rests: u32,
    rests_until: Option<Instant>,
}

/// Whether a plugin is being called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// It is.
    Working,
    /// It is, but not for so many shares (a uid in a control group), whose calls all failed.
    RestingFor(usize),
    /// It rests for so long.
    Resting(Duration),
}

/// Why a plugin is not called now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rest {
    left: Duration,
    in_a_row: u32,
    everybody: bool,
}

impl fmt::Display for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { left, in_a_row, everybody } = self;
        let whom = if *everybody {
            "it ran out of time or memory"
        } else {
            "it failed for such processes"
        };
        write!(f, "{whom} {in_a_row} times in a row and rests for another {} ms", left.as_millis())
    }
}

impl Breaker {
    /// Whether the plugin may be called now, else how long it still rests. Whoever is let through
    /// at the end of a rest is alone: the next rest begins at once and ends with a good answer. So
    /// nobody begins it who is not let through after all.
    pub(crate) fn admit(&self, now: Instant, share: impl FnOnce() -> Share) -> Result<(), Rest> {
        let share = self.counts_any_share().then(share);
        let mut state = self.lock();
        let State { plugin, shares, .. } = &mut *state;
        let mut own = share.and_then(|share| shares.get_mut(&share));
        if let Some(own) = &own {
            own.check(now, false)?;
        }
        plugin.check(now, true)?;
        plugin.let_through(now);
        if let Some(own) = &mut own {
            own.let_through(now);
        }
        Ok(())
    }

    /// Takes note of how a call ended.
    pub(crate) fn record(&self, outcome: &Outcome, now: Instant, share: impl FnOnce() -> Share) {
        match outcome {
            // It waited for facts, and whoever they are about can make that last.
            Outcome::OutOfTime { limit: Limit::RequestDeadline } => {
                let share = share();
                self.lock().fail(share, now, limits::BREAKER_FAULTS);
            }
            Outcome::OutOfTime { .. } | Outcome::OutOfMemory { .. } => {
                let share = share();
                let mut state = self.lock();
                if state.last.as_ref() != Some(&share) {
                    state.plugin.fail(now, limits::BREAKER_FAULTS);
                    state.last = Some(share.clone());
                }
                state.fail(share, now, limits::BREAKER_FAULTS);
            }
            Outcome::Trapped { .. } | Outcome::BadOutput { .. } => {
                let share = share();
                self.lock().fail(share, now, limits::BREAKER_CHEAP_FAULTS);
            }
            // These say nothing about whether the plugin has recovered.
            Outcome::Gone | Outcome::Unavailable { .. } => {}
            _ => {
                let share = self.counts_any_share().then(share);
                let mut state = self.lock();
                (state.plugin, state.last) = (Faults::default(), None);
                if let Some(share) = share {
                    state.shares.remove(&share);
                }
            }
        }
    }

    /// Whether it matters who asks. To name a share takes system calls: it is done only then, and
    /// while nobody waits for the lock.
    fn counts_any_share(&self) -> bool {
        !self.lock().shares.is_empty()
    }

    pub(crate) fn state(&self, now: Instant) -> BreakerState {
        let state = self.lock();
        if let Some(until) = state.plugin.rests_until.filter(|until| *until > now) {
            return BreakerState::Resting(until - now);
        }
        let resting = state.shares.values().filter(|faults| faults.rests_until > Some(now)).count();
        if resting == 0 { BreakerState::Working } else { BreakerState::RestingFor(resting) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fail(&mut self, share: Share, now: Instant, limit: u32) {
        if self.shares.len() >= limits::BREAKER_SHARES && !self.shares.contains_key(&share) {
            // Rests that are over first; then whoever rests least.
            let least = self.shares.iter().min_by_key(|(_, faults)| faults.rests_until);
            if let Some(least) = least.map(|(share, _)| share.clone()) {
                self.shares.remove(&least);
            }
        }
        self.shares.entry(share).or_default().fail(now, limit);
    }
}

impl Faults {
    fn check(&self, now: Instant, everybody: bool) -> Result<(), Rest> {
        match self.rests_until.filter(|until| now < *until) {
            Some(until) => Err(Rest { left: until - now, in_a_row: self.in_a_row, everybody }),
            None => Ok(()),
        }
    }

    /// At the end of a rest begins the shortest: how this call ends decides about the next one.
    fn let_through(&mut self, now: Instant) {
        if self.rests_until.is_some() {
            self.rests_until = Some(now + limits::BREAKER_FIRST_REST);
        }
    }

    fn fail(&mut self, now: Instant, limit: u32) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.in_a_row >= limit {
            self.rests_until = Some(now + rest(self.rests));
            self.rests = self.rests.saturating_add(1);
        }
    }
}

/// Doubles with every rest before this one.
fn rest(before: u32) -> Duration {
    let first = limits::BREAKER_FIRST_REST;
    first.saturating_mul(1 << before.min(16)).min(limits::BREAKER_LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Outcome = Outcome::OutOfTime { limit: Limit::CallTime };

    fn trapped() -> Outcome {
        Outcome::Trapped { reason: String::new() }
    }

    fn uid(uid: u32) -> impl Fn() -> Share + Copy {
        move || Share { uid: Some(uid), cgroup: None }
    }

    fn fail(breaker: &Breaker, outcome: &Outcome, uids: impl Iterator<Item = u32>, now: Instant) {
        for number in uids {
            assert_eq!(breaker.admit(now, uid(number)), Ok(()));
            breaker.record(outcome, now, uid(number));
        }
    }

    #[test]
    fn a_plugin_that_runs_out_of_time_for_everybody_rests_longer_and_longer() {
        let start = Instant::now();
        let breaker = Breaker::default();
        fail(&breaker, &SLOW, 0..limits::BREAKER_FAULTS, start);
        let rest = breaker.admit(start, uid(99)).unwrap_err();
        assert_eq!((rest.left, rest.everybody), (limits::BREAKER_FIRST_REST, true));
        let later = start + limits::BREAKER_FIRST_REST;
        assert_eq!(breaker.admit(later, uid(99)), Ok(()));
        assert!(breaker.admit(later, uid(98)).is_err(), "one call is let through, not all");
        breaker.record(&SLOW, later, uid(99));
        assert_eq!(breaker.state(later), BreakerState::Resting(2 * limits::BREAKER_FIRST_REST));
    }

    #[test]
    fn one_good_answer_forgets_the_faults() {
        let start = Instant::now();
        let breaker = Breaker::default();
        fail(&breaker, &SLOW, 0..limits::BREAKER_FAULTS, start);
        let later = start + limits::BREAKER_LONGEST_REST;
        assert_eq!(breaker.admit(later, uid(0)), Ok(()));
        breaker.record(&Outcome::Reported, later, uid(0));
        assert_eq!(breaker.admit(later, uid(1)), Ok(()));
        assert_eq!(breaker.state(later), BreakerState::Working);
    }

    #[test]
    fn a_workload_that_makes_a_plugin_fail_switches_it_off_for_itself_alone() {
        let now = Instant::now();
        for (outcome, times) in
            [(SLOW, limits::BREAKER_FAULTS), (trapped(), limits::BREAKER_CHEAP_FAULTS)]
        {
            let breaker = Breaker::default();
            fail(&breaker, &outcome, std::iter::repeat_n(1000, times as usize), now);
            let rest = breaker.admit(now, uid(1000)).unwrap_err();
            assert!(!rest.everybody && rest.to_string().contains("for such processes"), "{rest}");
            assert_eq!(breaker.admit(now, uid(0)), Ok(()));
            assert_eq!(breaker.state(now), BreakerState::RestingFor(1));
        }
    }

    #[test]
    fn a_share_that_rests_does_not_use_up_the_one_call_that_is_let_through() {
        let start = Instant::now();
        let breaker = Breaker::default();
        // It rests for everybody, and for one share longer than that.
        fail(&breaker, &SLOW, 0..limits::BREAKER_FAULTS, start);
        for _ in 0..limits::BREAKER_FAULTS + 2 {
            breaker.record(&SLOW, start, uid(1000));
        }
        let later = breaker.lock().plugin.rests_until.unwrap();
        for _ in 0..3 {
            assert!(!breaker.admit(later, uid(1000)).unwrap_err().everybody);
        }
        assert_eq!(breaker.admit(later, uid(7)), Ok(()), "the first who is not at rest itself");
        assert!(breaker.admit(later, uid(8)).unwrap_err().everybody);
    }

    #[test]
    fn a_plugin_that_rests_does_not_use_up_the_call_of_a_share() {
        let start = Instant::now();
        let breaker = Breaker::default();
        for _ in 0..limits::BREAKER_FAULTS {
            breaker.record(&SLOW, start, uid(1000));
        }
        let later = start + limits::BREAKER_FIRST_REST;
        // One of them was the share's.
        fail(&breaker, &SLOW, 1..limits::BREAKER_FAULTS, later - limits::TICK);
        assert!(breaker.admit(later, uid(1000)).unwrap_err().everybody);
        breaker.lock().plugin = Faults::default();
        assert_eq!(breaker.admit(later, uid(1000)), Ok(()));
    }

    #[test]
    fn a_share_is_named_outside_of_the_lock_and_only_if_one_has_faults() {
        let (now, breaker) = (Instant::now(), Breaker::default());
        let named = || -> Share { panic!("nobody has failed yet") };
        assert_eq!(breaker.admit(now, named), Ok(()));
        breaker.record(&Outcome::Reported, now, named);
        let free = || {
            assert!(breaker.0.try_lock().is_ok(), "others would wait for the kernel");
            uid(1)()
        };
        breaker.record(&SLOW, now, free);
        breaker.record(&trapped(), now, free);
        assert_eq!(breaker.admit(now, free), Ok(()));
        breaker.record(&Outcome::Reported, now, free);
    }

    #[test]
    fn whoever_makes_it_wait_switches_it_off_for_nobody_else() {
        let (now, breaker) = (Instant::now(), Breaker::default());
        let waited = Outcome::OutOfTime { limit: Limit::RequestDeadline };
        for _ in 0..limits::BREAKER_FAULTS {
            fail(&breaker, &waited, 1..3, now);
        }
        assert!(!breaker.admit(now, uid(1)).unwrap_err().everybody);
        assert_eq!(breaker.admit(now, uid(3)), Ok(()));
    }

    #[test]
    fn traps_of_many_never_rest_the_plugin_for_everybody() {
        let now = Instant::now();
        let breaker = Breaker::default();
        for number in 0..2 * u32::try_from(limits::BREAKER_SHARES).unwrap() {
            breaker.record(&trapped(), now, uid(number));
        }
        assert_eq!(breaker.admit(now, uid(7)), Ok(()));
        assert!(breaker.lock().shares.len() <= limits::BREAKER_SHARES);
    }

    #[test]
    fn no_rest_is_longer_than_the_longest() {
        assert_eq!(rest(u32::MAX), limits::BREAKER_LONGEST_REST);
    }
}
