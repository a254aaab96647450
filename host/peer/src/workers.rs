//! Threads that may hang.
//!
//! A workload can put a page of a FUSE file under its own memory, and then a read of its command
//! line hangs, beyond SIGKILL. So such reads run on threads that nothing else needs: capped, with a
//! share for each uid so that one cannot occupy them all, started when there is work, gone when
//! there is none. Who waits gives up at a deadline; the thread stays with its job and is counted.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::sync::oneshot;
use witgate_facts::FactError;

use crate::limits;

/// How busy the threads are that may hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Reads {
    /// Threads there are.
    pub threads: usize,
    /// Those with a job.
    pub busy: usize,
    /// Jobs that nobody waits for any more and that have not ended: hanging, or behind such.
    pub overdue: usize,
    /// Jobs that wait for a thread.
    pub waiting: usize,
}

pub(crate) type Work = Box<dyn FnOnce() + Send>;

struct Job {
    /// Whom it counts against.
    share: u32,
    work: Work,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    threads: usize,
    idle: usize,
    busy: HashMap<u32, usize>,
}

impl State {
    fn busy(&self, share: u32) -> usize {
        self.busy.get(&share).copied().unwrap_or_default()
    }
}

struct Shared {
    name: &'static str,
    threads: usize,
    threads_per_share: usize,
    state: Mutex<State>,
    work: Condvar,
    overdue: AtomicUsize,
}

/// A pool of them. Dropping it lets idle threads end by themselves.
#[derive(Clone)]
pub(crate) struct Workers(Arc<Shared>);

impl Workers {
    pub(crate) fn new(name: &'static str, threads: usize, threads_per_share: usize) -> Self {
        Self(Arc::new(Shared {
            name,
            threads,
            threads_per_share,
            state: Mutex::default(),
            work: Condvar::new(),
            overdue: AtomicUsize::new(0),
        }))
    }

    pub(crate) fn reads(&self) -> Reads {
        let state = self.0.state();
        Reads {
            threads: state.threads,
            busy: state.busy.values().sum(),
            overdue: self.0.overdue.load(Ordering::Relaxed),
            waiting: state.waiting.len(),
        }
    }

    /// Runs a job for the account of `share` and waits for it, at most until the deadline.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        share: u32,
        deadline: Duration,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, FactError> {
        let (answer, answered) = oneshot::channel();
        let waiter = Arc::new(Waiter::default());
        let ticket = Ticket { waiter: Arc::clone(&waiter), shared: Arc::clone(&self.0) };
        let work = Box::new(move || {
            let ticket = ticket;
            // Nobody waits any more: do not even begin what may hang.
            if !answer.is_closed() {
                let _ = answer.send(job());
            }
            drop(ticket);
        });
        let full = |_refused| FactError::Io("too many reads are waiting".to_owned());
        self.0.submit(Job { share, work }).map_err(full)?;
        let mut guard = GivesUp { waiter, shared: Arc::clone(&self.0), waits: true };
        match tokio::time::timeout(deadline, answered).await {
            Ok(answer) => {
                guard.waits = false;
                answer.map_err(|_| FactError::Io("the thread that read it panicked".to_owned()))
            }
            Err(_) => Err(FactError::Io(format!("no answer within {} ms", deadline.as_millis()))),
        }
    }
}

impl Workers {
    /// Has a thread do a job that nobody waits for.
    ///
    /// # Errors
    /// The job, if too many are waiting.
    pub(crate) fn hand_over(&self, share: u32, job: Work) -> Result<(), Work> {
        self.0.submit(Job { share, work: job })
    }
}

/// Counts a job as overdue from when its waiter gives up until it ends.
#[derive(Default)]
struct Waiter(AtomicU8);

const ENDED: u8 = 1;
const GAVE_UP: u8 = 2;

struct Ticket {
    waiter: Arc<Waiter>,
    shared: Arc<Shared>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.waiter.0.swap(ENDED, Ordering::AcqRel) == GAVE_UP {
            self.shared.overdue.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The one who waits, until it gives up or is dropped with its request.
struct GivesUp {
    waiter: Arc<Waiter>,
    shared: Arc<Shared>,
    waits: bool,
}

impl Drop for GivesUp {
    fn drop(&mut self) {
        if !self.waits {
            return;
        }
        // Counted before it can be subtracted.
        self.shared.overdue.fetch_add(1, Ordering::Relaxed);
        let pending =
            self.waiter.0.compare_exchange(0, GAVE_UP, Ordering::AcqRel, Ordering::Acquire);
        if pending.is_err() {
            self.shared.overdue.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Jobs run outside the lock, so a panic of one cannot leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(self: &Arc<Self>, job: Job) -> Result<(), Work> {
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
        let shared = Arc::clone(self);
        let thread = thread::Builder::new().name(self.name.to_owned());
        if thread.spawn(move || shared.serve()).is_err() {
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
            let (woken, wait) = self
                .work
                .wait_timeout(state, limits::IDLE_THREAD)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if wait.timed_out() && self.ready(&state) == 0 {
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

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workers").field("name", &self.0.name).field("reads", &self.reads()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(20);

    /// A job that hangs until the sender is dropped.
    fn hang() -> (mpsc::Sender<()>, impl FnOnce() + Send) {
        let (release, hung) = mpsc::channel::<()>();
        (release, move || {
            let _ = hung.recv();
        })
    }

    // #33, #35
    #[tokio::test]
    async fn hung_reads_of_one_uid_leave_threads_for_others() {
        let workers = Workers::new("test", 4, 2);
        let mut hung = Vec::new();
        for _ in 0..6 {
            let (release, job) = hang();
            assert!(matches!(workers.run(1, SHORT, job).await, Err(FactError::Io(_))));
            hung.push(release);
        }
        let reads = workers.reads();
        assert_eq!((reads.busy, reads.overdue, reads.waiting), (2, 6, 4));
        assert_eq!(workers.run(2, LONG, || 42).await, Ok(42));
        drop(hung);
        // Runs only when those before it have ended.
        assert_eq!(workers.run(1, LONG, || 43).await, Ok(43));
        while workers.reads().overdue != 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_job_that_panics_costs_its_own_answer_only() {
        let workers = Workers::new("test", 1, 1);
        let broken = workers.run(1, LONG, || -> u32 { panic!("on purpose") }).await;
        assert!(matches!(broken, Err(FactError::Io(_))));
        assert_eq!(workers.run(1, LONG, || 1).await, Ok(1));
        assert_eq!(workers.reads().overdue, 0);
    }

    #[tokio::test]
    async fn the_queue_is_bounded() {
        let workers = Workers::new("test", 1, 1);
        let (release, job) = hang();
        let _ = workers.run(1, SHORT, job).await;
        let mut refused = 0;
        for share in 0..=u32::try_from(limits::WAITING_JOBS).unwrap() {
            let given_up = workers.run(share % 64, Duration::ZERO, || ()).await;
            let full = FactError::Io("too many reads are waiting".to_owned());
            refused += usize::from(given_up == Err(full));
        }
        assert_eq!(refused, 1);
        drop(release);
    }
}
