//! Who runs when, and on how many threads.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::sync::{self, Condvar, Mutex, MutexGuard, PoisonError};
use crate::limits;

pub(crate) type Work = Box<dyn FnOnce() + Send>;

pub(super) struct Job {
    /// Whom it counts against.
    pub(super) share: u32,
    pub(super) work: Work,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) waiting: VecDeque<Job>,
    pub(super) threads: usize,
    idle: usize,
    pub(super) busy: HashMap<u32, usize>,
}

impl State {
    fn busy(&self, share: u32) -> usize {
        self.busy.get(&share).copied().unwrap_or_default()
    }
}

pub(super) struct Pool {
    pub(super) name: &'static str,
    threads: usize,
    threads_per_share: usize,
    state: Mutex<State>,
    work: Condvar,
}

impl Pool {
    pub(super) fn new(name: &'static str, threads: usize, threads_per_share: usize) -> Self {
        let (state, work) = (Mutex::default(), Condvar::new());
        Self { name, threads, threads_per_share, state, work }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Jobs run outside the lock, so a panic of one cannot leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a thread do the job; the work back, if too many are waiting.
    pub(super) fn submit(self: &Arc<Self>, job: Job) -> Result<(), Work> {
        let mut state = self.state();
        let own = state.waiting.iter().filter(|waiting| waiting.share == job.share).count();
        if state.waiting.len() >= limits::WAITING_JOBS || own >= limits::WAITING_JOBS_PER_UID {
            return Err(job.work);
        }
        let begins = state.busy(job.share) + own < self.threads_per_share;
        state.waiting.push_back(job);
        // A share that is used up waits for its own threads, and needs no other.
        let waits = !begins && state.threads > 0;
        if waits || state.idle >= self.ready(&state) || state.threads >= self.threads {
            self.work.notify_one();
            return Ok(());
        }
        state.threads += 1;
        drop(state);
        let pool = Arc::clone(self);
        if sync::spawn(self.name, move || pool.serve()).is_err() {
            // The job stays for the next thread; who waits gives up in time.
            self.state().threads -= 1;
        }
        Ok(())
    }

    /// One thread's life.
    fn serve(&self) {
        let mut state = self.state();
        loop {
            if let Some(job) = self.take(&mut state) {
                drop(state);
                let share = job.share;
                // The job's own panic must not take the thread's accounting with it.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job.work));
                state = self.state();
                release(&mut state, share);
                // Jobs of this share may have waited for exactly this.
                self.work.notify_one();
                continue;
            }
            state.idle += 1;
            let (woken, timed_out) = sync::wait(&self.work, &self.state, state);
            state = woken;
            state.idle -= 1;
            if timed_out && self.ready(&state) == 0 {
                state.threads -= 1;
                return;
            }
        }
    }

    /// How many jobs could begin.
    fn ready(&self, state: &State) -> usize {
        state.waiting.iter().filter(|job| self.has_room(state, job)).count()
    }

    fn has_room(&self, state: &State, job: &Job) -> bool {
        state.busy(job.share) < self.threads_per_share
    }

    /// The first job whose share has a thread to spare.
    fn take(&self, state: &mut State) -> Option<Job> {
        let index = state.waiting.iter().position(|job| self.has_room(state, job))?;
        let job = state.waiting.remove(index)?;
        *state.busy.entry(job.share).or_default() += 1;
        Some(job)
    }
}

fn release(state: &mut State, share: u32) {
    if let Some(count) = state.busy.get_mut(&share) {
        *count -= 1;
        if *count == 0 {
            state.busy.remove(&share);
        }
    }
}
