use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{Outcome, limits};

/// Rests a plugin that keeps running out of time or memory.
///
/// Only these two count. They cost 50 ms of a processor or 64 MiB a call, which is what has to be
/// protected; a trap or bad output costs microseconds, and a workload that knows how to provoke one
/// must not be able to switch the plugin off for everybody else. For the same reason one good
/// answer forgets all faults. While a plugin rests its keys are *unknown*, never *no*.
///
/// After each rest one call is let through; if it fails too, the rest doubles.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<Faults>);

#[derive(Debug, Default)]
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
    /// It rests for so long.
    Resting(Duration),
}

impl Breaker {
    /// Whether the plugin may be called now, else how long it still rests. Whoever is let through
    /// at the end of a rest is alone: the next rest begins at once and ends with a good answer.
    pub(crate) fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut faults = self.lock();
        let Some(until) = faults.rests_until else { return Ok(()) };
        if now < until {
            return Err(until - now);
        }
        faults.rests_until = Some(now + rest(faults.in_a_row));
        Ok(())
    }

    /// Takes note of how a call ended.
    pub(crate) fn record(&self, outcome: &Outcome, now: Instant) {
        let mut faults = self.lock();
        match outcome {
            Outcome::OutOfTime { .. } | Outcome::OutOfMemory { .. } => {
                faults.in_a_row = faults.in_a_row.saturating_add(1);
                if faults.in_a_row >= limits::BREAKER_FAULTS {
                    faults.rests_until = Some(now + rest(faults.in_a_row));
                }
            }
            // These say nothing about whether the plugin has recovered.
            Outcome::Gone | Outcome::Unavailable { .. } => {}
            _ => *faults = Faults::default(),
        }
    }

    pub(crate) fn state(&self, now: Instant) -> BreakerState {
        match self.lock().rests_until {
            Some(until) if until > now => BreakerState::Resting(until - now),
            _ => BreakerState::Working,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Faults> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn rest(in_a_row: u32) -> Duration {
    let doublings = in_a_row.saturating_sub(limits::BREAKER_FAULTS).min(16);
    limits::BREAKER_FIRST_REST.saturating_mul(1 << doublings).min(limits::BREAKER_LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limit;

    const SLOW: Outcome = Outcome::OutOfTime { limit: Limit::CallTime };

    fn tripped(now: Instant) -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..limits::BREAKER_FAULTS {
            assert_eq!(breaker.admit(now), Ok(()));
            breaker.record(&SLOW, now);
        }
        breaker
    }

    #[test]
    fn a_plugin_that_runs_out_of_time_again_and_again_rests_longer_and_longer() {
        let start = Instant::now();
        let breaker = tripped(start);
        assert_eq!(breaker.admit(start), Err(limits::BREAKER_FIRST_REST));
        let later = start + limits::BREAKER_FIRST_REST;
        assert_eq!(breaker.admit(later), Ok(()));
        assert!(breaker.admit(later).is_err(), "one call is let through, not all");
        breaker.record(&SLOW, later);
        assert_eq!(breaker.state(later), BreakerState::Resting(2 * limits::BREAKER_FIRST_REST));
    }

    #[test]
    fn one_good_answer_forgets_all_faults() {
        let start = Instant::now();
        let breaker = tripped(start);
        let later = start + limits::BREAKER_LONGEST_REST;
        assert_eq!(breaker.admit(later), Ok(()));
        breaker.record(&Outcome::Reported, later);
        assert_eq!(breaker.admit(later), Ok(()));
        assert_eq!(breaker.state(later), BreakerState::Working);
    }

    #[test]
    fn a_workload_that_provokes_traps_cannot_switch_a_plugin_off() {
        let now = Instant::now();
        let breaker = Breaker::default();
        for _ in 0..1000 {
            breaker.record(&Outcome::Trapped { reason: String::new() }, now);
            breaker.record(&Outcome::BadOutput { reason: String::new() }, now);
            assert_eq!(breaker.admit(now), Ok(()));
        }
    }

    #[test]
    fn no_rest_is_longer_than_the_longest() {
        assert_eq!(rest(u32::MAX), limits::BREAKER_LONGEST_REST);
    }
}
