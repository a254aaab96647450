use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use witgate_facts::FactSource;

use crate::{Outcome, limits};

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
    /// at the end of a rest is alone: the next rest begins at once and ends with a good answer.
    pub(crate) fn admit(&self, now: Instant, share: impl FnOnce() -> Share) -> Result<(), Rest> {
        let mut state = self.lock();
        state.plugin.admit(now).map_err(|left| Rest {
            left,
            in_a_row: state.plugin.in_a_row,
            everybody: true,
        })?;
        if state.shares.is_empty() {
            return Ok(());
        }
        let Some(faults) = state.shares.get_mut(&share()) else { return Ok(()) };
        faults.admit(now).map_err(|left| Rest { left, in_a_row: faults.in_a_row, everybody: false })
    }

    /// Takes note of how a call ended.
    pub(crate) fn record(&self, outcome: &Outcome, now: Instant, share: impl FnOnce() -> Share) {
        let mut state = self.lock();
        match outcome {
            Outcome::OutOfTime { .. } | Outcome::OutOfMemory { .. } => {
                let share = share();
                if state.last.as_ref() != Some(&share) {
                    state.plugin.fail(now, limits::BREAKER_FAULTS);
                    state.last = Some(share.clone());
                }
                state.fail(share, now, limits::BREAKER_FAULTS);
            }
            Outcome::Trapped { .. } | Outcome::BadOutput { .. } => {
                state.fail(share(), now, limits::BREAKER_CHEAP_FAULTS);
            }
            // These say nothing about whether the plugin has recovered.
            Outcome::Gone | Outcome::Unavailable { .. } => {}
            _ if state.plugin.in_a_row == 0 && state.shares.is_empty() => {}
            _ => {
                (state.plugin, state.last) = (Faults::default(), None);
                state.shares.remove(&share());
            }
        }
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
    fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        let Some(until) = self.rests_until else { return Ok(()) };
        if now < until {
            return Err(until - now);
        }
        // The shortest: how it ends decides about the next one.
        self.rests_until = Some(now + limits::BREAKER_FIRST_REST);
        Ok(())
    }

    fn fail(&mut self, now: Instant, limit: u32) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.in_a_row >= limit {
            self.rests_until = Some(now + rest(self.in_a_row, limit));
        }
    }
}

fn rest(in_a_row: u32, limit: u32) -> Duration {
    let doublings = in_a_row.saturating_sub(limit).min(16);
    limits::BREAKER_FIRST_REST.saturating_mul(1 << doublings).min(limits::BREAKER_LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limit;

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
        assert_eq!(rest(u32::MAX, limits::BREAKER_FAULTS), limits::BREAKER_LONGEST_REST);
    }
}
