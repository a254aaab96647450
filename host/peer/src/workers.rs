//! Threads that may hang.
//!
//! A workload can put a page of a FUSE file under its own memory, and then a read of its command
//! line hangs, beyond SIGKILL. So such reads run on threads that nothing else needs: capped, with a
//! share for each uid so that one cannot occupy them all, started when there is work, gone when
//! there is none. Who waits gives up at a deadline; the thread stays with its job and is counted.

#[cfg(test)]
mod many_orders;
mod pool;
mod sync;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::oneshot;
use witgate_facts::FactError;

use self::pool::{Job, Pool, Work};

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

impl std::ops::Add for Reads {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            threads: self.threads + other.threads,
            busy: self.busy + other.busy,
            overdue: self.overdue + other.overdue,
            waiting: self.waiting + other.waiting,
        }
    }
}

struct Shared {
    pool: Arc<Pool>,
    overdue: AtomicUsize,
}

/// A pool of them. Dropping it lets idle threads end by themselves.
#[derive(Clone)]
pub(crate) struct Workers(Arc<Shared>);

impl Workers {
    pub(crate) fn new(name: &'static str, threads: usize, threads_per_share: usize) -> Self {
        let pool = Arc::new(Pool::new(name, threads, threads_per_share));
        Self(Arc::new(Shared { pool, overdue: AtomicUsize::new(0) }))
    }

    pub(crate) fn reads(&self) -> Reads {
        let state = self.0.pool.state();
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
        self.0.pool.submit(Job { share, work }).map_err(full)?;
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
    /// A job that nobody waits for, counted among those while it runs.
    pub(crate) fn unwatched(&self, job: impl FnOnce() + Send + 'static) -> Work {
        let shared = Arc::clone(&self.0);
        Box::new(move || {
            let _counted = Unwatched::begin(shared);
            job();
        })
    }

    /// Has a thread do such a job.
    ///
    /// # Errors
    /// The job, if too many are waiting.
    pub(crate) fn hand_over(&self, share: u32, job: Work) -> Result<(), Work> {
        self.0.pool.submit(Job { share, work: job })
    }
}

/// Counts a job as overdue from its beginning to its end.
struct Unwatched(Arc<Shared>);

impl Unwatched {
    fn begin(shared: Arc<Shared>) -> Self {
        shared.overdue.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }
}

impl Drop for Unwatched {
    fn drop(&mut self) {
        self.0.overdue.fetch_sub(1, Ordering::Relaxed);
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

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workers")
            .field("name", &self.0.pool.name)
            .field("reads", &self.reads())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::limits;

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
