use std::{
    fs::File,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use serde::Serialize;

use super::{
    AuditConfig, AuditError, Class, Head, Position,
    record::{Tail, short},
    recover,
    writer::Writer,
};

/// Whether records are being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditState {
    /// Yes.
    Writing,
    /// No: the disk is full, the reserve included. Tried again by itself.
    NoRoom,
    /// No: the last write failed. The next one begins a new file.
    Broken,
    /// No: closed.
    Closed,
}

/// How the log is.
#[derive(Debug, Clone, Serialize)]
pub struct AuditHealth {
    /// Whether records are being written; if not, no identity is given.
    pub state: AuditState,
    /// The end of the log, to be written down elsewhere.
    #[serde(serialize_with = "as_text")]
    pub head: Head,
    /// Records behind the last checkpoint.
    pub unsigned: u64,
    /// Denials that are counted and not written yet.
    pub pending_denials: u64,
    /// Grants and words of the daemon that were refused since the start.
    pub refused: u64,
    /// Free bytes of the filesystem.
    pub free_bytes: u64,
    /// The number of the file that is written.
    pub file: Option<u64>,
    /// Its length in bytes.
    pub file_bytes: u64,
}

fn as_text<S: serde::Serializer>(head: &Head, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(head)
}

/// The audit log, open for writing. Clones write to the same log; it closes with the last.
#[derive(Debug, Clone)]
pub struct Audit(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    writer: Mutex<Writer>,
    /// Dropped to wake the clock thread.
    _stop: Sender<()>,
}

impl Audit {
    /// Opens the log, or begins it. Goes on where the last daemon stopped; a line that it did not
    /// finish is cut off, and the log says so.
    ///
    /// # Errors
    /// [`AuditError::Busy`] if another process has it open; if the folder or key is not ours alone;
    /// if the key is gone; if the folder cannot be read or written. A full disk is not an error
    /// here: see [`Audit::health`].
    pub fn open(config: AuditConfig) -> Result<Self, AuditError> {
        Self::begin(config, None)
    }

    /// Opens the log of a daemon that [released](Self::release) it, with the lock that it passed on.
    ///
    /// # Errors
    /// As [`Audit::open`]; [`AuditError::Io`] if it is another folder's lock.
    pub fn open_held(config: AuditConfig, lock: File) -> Result<Self, AuditError> {
        Self::begin(config, Some(lock))
    }

    fn begin(config: AuditConfig, lock: Option<File>) -> Result<Self, AuditError> {
        let (dir, tick) = (config.dir.clone(), config.tick);
        let (stop, stopped) = channel();
        let writer = Mutex::new(recover::open(config, lock)?);
        let shared = Arc::new(Shared { writer, _stop: stop });
        let weak = Arc::downgrade(&shared);
        thread::Builder::new()
            .name("audit-clock".to_owned())
            .spawn(move || run_clock(&weak, &stopped, tick))
            .map_err(|source| AuditError::Io { what: "start a thread for", path: dir, source })?;
        Ok(Self(shared))
    }

    /// Adds a record, and returns when it is written; for a denial that is like one before, when it
    /// is counted. `cause` is what denials are counted by: a reason, not a name that the workload
    /// can choose.
    ///
    /// # Errors
    /// If it is not in the log. A grant or withheld record that is not in the log means that
    /// nothing may be given. A denial is never refused for want of room, only counted.
    pub fn append(
        &self,
        class: Class,
        uid: u32,
        cause: &str,
        payload: &impl Serialize,
    ) -> Result<Position, AuditError> {
        let cause = short(cause);
        if class == Class::Denial
            && let Some(position) = self.0.lock().deny_again(uid, cause)
        {
            return Ok(position);
        }
        let about = (class != Class::System).then_some(uid);
        let tail = Tail::new(class.into(), about, cause, payload)?;
        let mut writer = self.0.lock();
        match class {
            Class::Denial => writer.deny(&tail, uid, cause),
            Class::Grant => writer.append(&tail, Some(uid)),
            Class::Withheld | Class::System => writer.append(&tail, None),
        }
    }

    /// Writes all counters and a checkpoint, and waits until they are on the disk.
    ///
    /// # Errors
    /// If that fails.
    pub fn checkpoint(&self) -> Result<Head, AuditError> {
        let flushed = self.0.lock().flush("asked");
        self.0.make_last()?;
        flushed.map(|()| self.head())
    }

    /// The end of the log.
    #[must_use]
    pub fn head(&self) -> Head {
        self.0.lock().head()
    }

    /// How the log is.
    #[must_use]
    pub fn health(&self) -> AuditHealth {
        let writer = self.0.lock();
        AuditHealth {
            state: writer.state(),
            head: writer.head(),
            unsigned: writer.unsigned(),
            pending_denials: writer.pending(),
            refused: writer.refused(),
            free_bytes: writer.free(),
            file: writer.file().map(|file| file.number),
            file_bytes: writer.file().map_or(0, |file| file.len),
        }
    }

    /// Writes all counters and the last checkpoint, and takes no more records.
    ///
    /// # Errors
    /// If the counters or the checkpoint could not be written. It is closed all the same.
    pub fn close(&self) -> Result<Head, AuditError> {
        self.0.close().1?;
        Ok(self.head())
    }

    /// As [`Self::close`], but its lock stays held: for a successor, or to be
    /// [taken back](Self::take_back). None if it was closed already.
    ///
    /// What could not be written, on a full disk say, does not keep the log from being released; the
    /// head says where it ends.
    #[must_use]
    pub fn release(&self) -> Option<(File, Head)> {
        let lock = self.0.close().0?;
        Some((lock, self.head()))
    }

    /// Goes on with a log that was released, wherever it ends by now.
    ///
    /// # Errors
    /// As [`Audit::open_held`]; it stays closed then.
    pub fn take_back(&self, config: AuditConfig, lock: File) -> Result<(), AuditError> {
        let writer = recover::open(config, Some(lock))?;
        *self.0.lock() = writer;
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Writer> {
        // A panic in between leaves at most half a line, which the next start cuts off.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a checkpoint last, outside the lock.
    fn make_last(&self) -> Result<(), AuditError> {
        let Some(sealed) = self.lock().take_sealed() else { return Ok(()) };
        sealed.make_last().map_err(|(number, source)| {
            self.lock().sync_failed(number, &source);
            AuditError::Broken { source }
        })
    }

    fn tick(&self) {
        // What fails here shows in the state, and is tried again at the next tick.
        let _ = self.lock().tick();
        let _ = self.make_last();
    }

    fn close(&self) -> (Option<File>, Result<(), AuditError>) {
        let flushed = self.lock().flush("close");
        let lasting = self.make_last();
        let lock = self.lock().close();
        let written = match flushed {
            Err(AuditError::Closed) => Ok(()),
            flushed => flushed.and(lasting),
        };
        (lock, written)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Nobody is left to tell; what is missing are counters and the last checkpoint.
        let _ = self.close();
    }
}

/// Ticks until the log is gone.
fn run_clock(shared: &Weak<Shared>, stopped: &Receiver<()>, tick: Duration) {
    while stopped.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
        let Some(shared) = shared.upgrade() else { return };
        shared.tick();
    }
}
