use std::{
    future::poll_fn,
    pin::pin,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    task::{Poll, ready},
    time::{Duration, Instant},
};

use crate::{Limit, limits};

/// The time of one call: the guest's own, which is the ticks that it ran in and what it slept; the
/// wall clock without what it waited for us; and the deadline of the request. Whichever is over
/// first ends the call.
#[derive(Debug)]
pub(crate) struct CallClock {
    started: Instant,
    own: Duration,
    ticks: AtomicU32,
    deadline: Instant,
    waited: Pieces,
    slept: Pieces,
    aside: AtomicBool,
}

/// The guest waits for us; its clock stands still.
pub(crate) struct Waiting<'a>(&'a CallClock);

/// The guest lets others run. It does not sleep: it would go on.
pub(crate) struct Aside<'a>(&'a CallClock);

impl CallClock {
    /// Starts now; the guest may run for `own`.
    pub(crate) fn start(own: Duration, deadline: Instant) -> Self {
        let ticks = own.as_nanos() / limits::TICK.as_nanos();
        Self {
            started: Instant::now(),
            own,
            ticks: AtomicU32::new(u32::try_from(ticks).unwrap_or(u32::MAX)),
            deadline,
            waited: Pieces::default(),
            slept: Pieces::default(),
            aside: AtomicBool::new(false),
        }
    }

    /// Takes one of the ticks, if the guest has time left.
    pub(crate) fn use_tick(&self, now: Instant) -> bool {
        let has = !self.left_of_its_own(now).is_zero();
        let left = self.ticks.load(Relaxed);
        self.ticks.store(left.saturating_sub(1), Relaxed);
        has
    }

    fn left_of_its_own(&self, now: Instant) -> Duration {
        let ticks = limits::TICK * self.ticks.load(Relaxed);
        ticks.saturating_sub(self.slept.until(self.at(now)))
    }

    /// The time so far, without what the guest waited for us.
    pub(crate) fn on_the_wall(&self, now: Instant) -> Duration {
        let total = self.at(now);
        Duration::from_nanos(total).saturating_sub(self.waited.until(total))
    }

    fn left_on_the_wall(&self, now: Instant) -> Duration {
        (self.own * limits::WALL_FACTOR).saturating_sub(self.on_the_wall(now))
    }

    /// The limit that has been reached by the wall clock, or asleep.
    pub(crate) fn exceeded(&self, now: Instant) -> Option<Limit> {
        if now >= self.deadline {
            Some(Limit::RequestDeadline)
        } else if self.slept.goes_on() && self.left_of_its_own(now).is_zero() {
            Some(Limit::CallTime)
        } else if self.left_on_the_wall(now).is_zero() {
            Some(Limit::CallWallTime)
        } else {
            None
        }
    }

    /// What is left for the guest to run, at most.
    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        let left = self.left_of_its_own(now).min(self.left_on_the_wall(now));
        left.min(self.deadline.saturating_duration_since(now))
    }

    /// When [`CallClock::exceeded`] will say something, if the guest goes on with what it does now:
    /// waiting, sleeping or letting others run.
    fn alarm(&self, now: Instant) -> Instant {
        if self.waited.goes_on() {
            return self.deadline;
        }
        let own = if self.slept.goes_on() { self.left_of_its_own(now) } else { Duration::MAX };
        self.deadline.min(now + own.min(self.left_on_the_wall(now)))
    }

    /// Stops the guest's clock for as long as the result lives.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        self.waited.begin(self.at(Instant::now()));
        Waiting(self)
    }

    /// It lets others run for as long as the result lives.
    pub(crate) fn step_aside(&self) -> Aside<'_> {
        self.aside.store(true, Relaxed);
        Aside(self)
    }

    /// The guest does not run now. If neither we nor others are what it waits for, it sleeps.
    fn pause(&self, now: Instant) {
        if !self.waited.goes_on() && !self.aside.load(Relaxed) {
            self.slept.begin(self.at(now));
        }
    }

    /// The guest runs now.
    fn resume(&self) {
        if self.slept.goes_on() {
            self.slept.end(self.at(Instant::now()));
        }
    }

    /// Nanoseconds since the start.
    fn at(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.started).as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waited.end(self.0.at(Instant::now()));
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        self.0.aside.store(false, Relaxed);
    }
}

/// Time that passes in pieces. Everything is in nanoseconds since the start of the call.
#[derive(Debug, Default)]
struct Pieces {
    /// All pieces that are over.
    total: AtomicU64,
    /// When the current piece began, plus one; 0 is none.
    since: AtomicU64,
}

impl Pieces {
    fn begin(&self, at: u64) {
        self.since.store(at.saturating_add(1), Relaxed);
    }

    fn end(&self, at: u64) {
        let since = self.since.swap(0, Relaxed);
        if since != 0 {
            self.total.fetch_add(at.saturating_sub(since - 1), Relaxed);
        }
    }

    fn goes_on(&self) -> bool {
        self.since.load(Relaxed) != 0
    }

    fn until(&self, at: u64) -> Duration {
        let since = self.since.load(Relaxed);
        let current = if since == 0 { 0 } else { at.saturating_sub(since - 1) };
        Duration::from_nanos(self.total.load(Relaxed).saturating_add(current))
    }
}

/// Lets a call run until its clock says that it is over. The epochs stop a guest that computes;
/// this stops one that waits or sleeps.
pub(crate) async fn guard<F: Future>(clock: &CallClock, call: F) -> Result<F::Output, Limit> {
    let mut call = pin!(call);
    let mut alarm = pin!(tokio::time::sleep_until(clock.deadline.into()));
    let guarded = poll_fn(|context| {
        clock.resume();
        if let Poll::Ready(output) = call.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        clock.pause(Instant::now());
        loop {
            let now = Instant::now();
            if let Some(limit) = clock.exceeded(now) {
                return Poll::Ready(Err(limit));
            }
            let at = clock.alarm(now).into();
            if alarm.deadline() != at {
                alarm.as_mut().reset(at);
            }
            ready!(alarm.as_mut().poll(context));
        }
    });
    guarded.await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(600)
    }

    #[test]
    fn the_clock_stands_still_while_the_guest_waits() {
        let far = far();
        let clock = CallClock::start(Duration::from_secs(1), far);
        let waiting = clock.wait();
        let later = Instant::now() + Duration::from_secs(60);
        assert_eq!(clock.exceeded(later), None);
        drop(waiting);
        let later = Instant::now() + Duration::from_secs(60);
        assert_eq!(clock.exceeded(later), Some(Limit::CallWallTime));
        assert_eq!(clock.exceeded(far), Some(Limit::RequestDeadline));
        assert_eq!(clock.remaining(far), Duration::ZERO);
    }

    #[test]
    fn a_guest_has_its_ticks_and_no_more() {
        let clock = CallClock::start(3 * limits::TICK, far());
        let now = Instant::now();
        assert_eq!([0; 5].map(|_| clock.use_tick(now)), [true, true, true, false, false]);
        assert_eq!(clock.remaining(Instant::now()), Duration::ZERO);
    }

    #[test]
    fn what_a_guest_sleeps_is_taken_from_its_ticks() {
        let clock = CallClock::start(Duration::from_secs(3), far());
        let after = |seconds| clock.started + Duration::from_secs(seconds);
        clock.pause(after(0));
        assert_eq!((clock.exceeded(after(1)), clock.alarm(after(1))), (None, after(3)));
        assert_eq!(clock.exceeded(after(3)), Some(Limit::CallTime));
        clock.slept.end(clock.at(after(2)));
        assert_eq!(clock.remaining(after(2)), Duration::from_secs(1));
        clock.pause(after(10));
        assert_eq!(clock.exceeded(after(11)), Some(Limit::CallTime), "two and one are three");
    }

    #[tokio::test]
    async fn a_guest_that_sleeps_is_stopped_by_its_own_time_and_one_that_waits_by_the_deadline() {
        let never = std::future::pending::<()>;
        let clock = CallClock::start(limits::TICK, far());
        assert_eq!(guard(&clock, never()).await, Err(Limit::CallTime));

        let soon = Instant::now() + 20 * limits::TICK;
        let clock = CallClock::start(limits::TICK, soon);
        let waits = async {
            let _waiting = clock.wait();
            never().await;
        };
        assert_eq!(guard(&clock, waits).await, Err(Limit::RequestDeadline));
    }

    #[tokio::test]
    async fn short_sleeps_add_up() {
        let clock = CallClock::start(10 * limits::TICK, far());
        let sleeps = async {
            loop {
                tokio::time::sleep(limits::TICK).await;
            }
        };
        assert_eq!(guard(&clock, sleeps).await, Err::<(), _>(Limit::CallTime));
    }

    #[tokio::test]
    async fn who_lets_others_run_does_not_sleep() {
        let clock = CallClock::start(limits::TICK, far());
        let aside = async {
            let _aside = clock.step_aside();
            std::future::pending::<()>().await;
        };
        assert_eq!(guard(&clock, aside).await, Err(Limit::CallWallTime));
        assert!(!clock.slept.goes_on());
    }
}
