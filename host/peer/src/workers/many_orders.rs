//! The pool in many orders of its threads' steps, on threads that a scheduler of the test's own runs one
//! step at a time (`shuttle`). It is the pool's own source, with other locks.
//!
//! What holds in every order: no share ever runs more jobs than its own threads, all together no more
//! than there are; each job that was taken runs, also behind one that panics; and when there is nothing
//! to do, no thread stays. Each of these fails here: no wake-up when a job comes; leaving for having waited
//! long enough without another look; a share, a thread or an idle one that is not counted, or one too many
//! of a share. The wake-up when a job ends does not: the thread that ended it looks for another itself.
//! `WITGATE_ORDERS` says how many.

/// What the pool waits by here. A wait ends when it is notified, for no reason, or too late, which can be
/// as soon as it begins.
mod sync {
    use std::{cell::Cell, io};

    pub(super) use shuttle::sync::{Condvar, Mutex, MutexGuard};
    pub(super) use std::sync::PoisonError;

    use shuttle::{rand::Rng as _, thread};

    thread_local! {
        /// Whether every wait takes too long from now on. All threads here are one for the system.
        pub(super) static IN_VAIN: Cell<bool> = const { Cell::new(false) };
    }

    pub(super) fn wait<'a, T>(
        condition: &Condvar,
        mutex: &'a Mutex<T>,
        guard: MutexGuard<'a, T>,
    ) -> (MutexGuard<'a, T>, bool) {
        let way = if IN_VAIN.get() { 0 } else { shuttle::rand::thread_rng().gen_range(0..4) };
        if way > 1 {
            return (condition.wait(guard).unwrap(), false);
        }
        drop(guard);
        thread::yield_now();
        (mutex.lock().unwrap(), way == 0)
    }

    pub(super) fn spawn(_: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        thread::Builder::new().spawn(run).map(drop)
    }
}

#[expect(clippy::duplicate_mod, reason = "the same source upon other locks is what is tried")]
#[path = "pool.rs"]
mod pool;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use shuttle::thread;

use self::pool::{Job, Pool};

const THREADS: usize = 3;
const PER_SHARE: usize = 2;

/// What is seen of the jobs.
#[derive(Default)]
struct Seen {
    running: HashMap<u32, usize>,
    most_of_a_share: usize,
    most: usize,
    ended: usize,
}

impl Seen {
    fn begin(&mut self, share: u32) {
        let own = self.running.entry(share).or_default();
        *own += 1;
        self.most_of_a_share = self.most_of_a_share.max(*own);
        self.most = self.most.max(self.running.values().sum());
    }

    fn end(&mut self, share: u32) {
        *self.running.get_mut(&share).unwrap() -= 1;
        self.ended += 1;
    }
}

fn job(seen: &Arc<Mutex<Seen>>, share: u32, panics: bool) -> Job {
    let seen = Arc::clone(seen);
    let work = move || {
        seen.lock().unwrap().begin(share);
        thread::yield_now();
        seen.lock().unwrap().end(share);
        if panics {
            // Without a word: many would be said.
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    };
    Job { share, work: Box::new(work) }
}

/// Three who submit at once, one of them for two shares; then the end.
fn some_order() {
    let (pool, seen) = (Arc::new(Pool::new("model", THREADS, PER_SHARE)), Arc::default());
    sync::IN_VAIN.set(false);
    let submit = |shares: [u32; 3], panics| {
        let (pool, seen) = (Arc::clone(&pool), Arc::clone(&seen));
        thread::spawn(move || {
            for share in shares {
                assert!(pool.submit(job(&seen, share, panics)).is_ok());
            }
        })
    };
    for submitting in [submit([1, 1, 1], false), submit([1, 2, 2], true), submit([3, 1, 2], false)]
    {
        submitting.join().unwrap();
    }
    // One that is forgotten makes this go on for ever, which the scheduler does not allow.
    until_ended(&seen, 9);
    sync::IN_VAIN.set(true);
    // Who waits already is woken by another job, and then has waited long enough.
    for more in 10.. {
        if pool.state().threads == 0 {
            break;
        }
        assert!(pool.submit(job(&seen, 1, false)).is_ok());
        until_ended(&seen, more);
    }
    let (state, seen) = (pool.state(), seen.lock().unwrap());
    assert!(state.waiting.is_empty() && state.busy.is_empty(), "{}", pool.name);
    assert!(seen.most <= THREADS && seen.most_of_a_share <= PER_SHARE);
}

fn until_ended(seen: &Mutex<Seen>, jobs: usize) {
    while seen.lock().unwrap().ended < jobs {
        thread::yield_now();
    }
}

#[test]
fn in_any_order_all_jobs_run_and_no_share_has_more_than_its_own() {
    let orders = std::env::var("WITGATE_ORDERS").map_or(5_000, |orders| orders.parse().unwrap());
    shuttle::check_random(some_order, orders);
}
