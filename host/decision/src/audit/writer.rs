//! The one place where lines are written, in order.

use std::{
    fs::File,
    io::{self, Write as _},
    sync::Arc,
    time::Instant,
};

use jiff::Timestamp;
use rustix::{fs::Mode, io::Errno};
use serde::Serialize;

use super::{
    AuditConfig, AuditError, AuditState, Hash, Head, Kind, Position,
    coalesce::{Meeting, Window},
    files::{HEAD, LogDir},
    key::Key,
    record::{Opened, Previous, Tail, compose},
    room::Room,
};

/// The file that is being written.
#[derive(Debug)]
pub(super) struct LogFile {
    pub(super) file: Arc<File>,
    pub(super) number: u64,
    /// Length in bytes, whole lines only.
    pub(super) len: u64,
}

/// How a log stands when it is opened.
#[derive(Debug)]
pub(super) struct End {
    /// The file to go on with, if its end is whole.
    pub(super) file: Option<LogFile>,
    pub(super) head: Head,
    /// Number of the last file, and how it ended if there is none to go on with.
    pub(super) last: (u64, Option<Previous>),
    /// Whether there are records behind the last checkpoint.
    pub(super) unsigned: bool,
}

/// A checkpoint on its way to the disk; slow, so done without holding the writer.
#[derive(Debug)]
pub(super) struct Sealed {
    dir: Arc<LogDir>,
    checkpoint: Vec<u8>,
    files: Vec<(u64, Arc<File>)>,
}

impl Sealed {
    /// Syncs the files, then puts the checkpoint into [`HEAD`]: never the other way round, or a
    /// power cut would look like a cut log.
    ///
    /// # Errors
    /// With the file that could not be synced. `HEAD` is only a second witness; where it cannot be
    /// replaced, as on a full disk, the older one stays and is still true.
    pub(super) fn make_last(&self) -> Result<(), (u64, io::Error)> {
        for (number, file) in &self.files {
            file.sync_data().map_err(|error| (*number, error))?;
        }
        let _ = self.dir.replace(HEAD, Mode::RUSR | Mode::WUSR, &self.checkpoint);
        Ok(())
    }
}

/// What stands behind the lock.
#[derive(Debug)]
pub(super) struct Writer {
    config: AuditConfig,
    dir: Arc<LogDir>,
    /// Held until the log is closed.
    lock: Option<File>,
    key: Key,
    /// `None` between a failed write and the next file.
    file: Option<LogFile>,
    /// Number of the last file, and how it ended if it is not the current one.
    last: (u64, Option<Previous>),
    head: Head,
    state: AuditState,
    room: Room,
    window: Window,
    line: Vec<u8>,
    /// Records since the last checkpoint, and when that was written.
    unsigned: (u64, Instant),
    /// A checkpoint that does not stand in [`HEAD`] yet.
    sealed: Option<Vec<u8>>,
    /// Records refused since the start, and those of them that the log does not tell of yet.
    refused: u64,
    unsaid: u64,
    /// Files that were ended and may not be on the disk yet.
    unsynced: Vec<(u64, Arc<File>)>,
}

impl Writer {
    pub(super) fn new(config: AuditConfig, dir: LogDir, lock: File, key: Key, end: End) -> Self {
        let End { file, head, last, unsigned } = end;
        Self {
            room: Room::new(config.reserve_bytes),
            window: Window::new(&config),
            config,
            dir: Arc::new(dir),
            lock: Some(lock),
            key,
            file,
            last,
            head,
            state: AuditState::Writing,
            line: Vec::with_capacity(8192),
            unsigned: (u64::from(unsigned), Instant::now()),
            sealed: None,
            refused: 0,
            unsaid: 0,
            unsynced: Vec::new(),
        }
    }

    // === What comes from outside ===

    /// Makes sure that there is a file.
    pub(super) fn begin(&mut self) -> Result<(), AuditError> {
        let begun = self.ensure_file(0);
        if let Err(AuditError::NoRoom { .. }) = &begun {
            self.state = AuditState::NoRoom;
        }
        begun
    }

    /// A grant, or what withdraws one, or a word of the daemon.
    pub(super) fn append(
        &mut self,
        tail: &Tail,
        budget: Option<u32>,
    ) -> Result<Position, AuditError> {
        if let Some(uid) = budget {
            self.window.spend_grant(uid, tail.len())?;
        }
        let put = self.put(tail, true);
        if put.is_err() {
            self.refused += 1;
            self.unsaid += 1;
        }
        put
    }

    /// Counts a denial that is like one before.
    pub(super) fn deny_again(&mut self, uid: u32, cause: &str) -> Option<Position> {
        if self.state == AuditState::Closed {
            return None;
        }
        match self.window.meet_again(uid, cause, Timestamp::now())? {
            Meeting::Again(with) => Some(Position::Counted { with }),
            Meeting::First => None,
        }
    }

    /// A denial: written if it is the first of its kind and there is room, else counted.
    pub(super) fn deny(
        &mut self,
        tail: &Tail,
        uid: u32,
        cause: &str,
    ) -> Result<Position, AuditError> {
        if self.state == AuditState::Closed {
            return Err(AuditError::Closed);
        }
        let now = Timestamp::now();
        if let Meeting::Again(with) = self.window.meet(uid, cause, tail.len(), now) {
            return Ok(Position::Counted { with });
        }
        match self.put(tail, false) {
            Ok(position) => {
                self.window.wrote(uid, cause, tail.len(), self.head.seq, now);
                Ok(position)
            }
            Err(_) => {
                self.window.count(uid, cause, now);
                Ok(Position::Counted { with: None })
            }
        }
    }

    /// What time brings: a returned room, the end of a window, a checkpoint.
    pub(super) fn tick(&mut self) -> Result<(), AuditError> {
        if self.state == AuditState::Closed {
            return Ok(());
        }
        // Each for itself: a full reserve must not keep a checkpoint from being written.
        let unwell = self.state != AuditState::Writing || self.unsaid > 0;
        let healed = if unwell { self.heal() } else { Ok(()) };
        let counted = if self.window.is_over() { self.write_counters(false) } else { Ok(()) };
        let (unsigned, since) = self.unsigned;
        let due = unsigned > 0 && since.elapsed() >= self.config.checkpoint_every;
        let signed = if due { self.checkpoint("timer") } else { Ok(()) };
        healed.and(counted).and(signed)
    }

    /// Writes counters and a checkpoint now.
    pub(super) fn flush(&mut self, cause: &str) -> Result<(), AuditError> {
        if self.state == AuditState::Closed {
            return Err(AuditError::Closed);
        }
        let counters = self.write_counters(true);
        if self.unsigned.0 > 0 {
            self.checkpoint(cause)?;
        }
        counters
    }

    /// Takes no more records; gives back the lock, for somebody who goes on.
    pub(super) fn close(&mut self) -> Option<File> {
        self.state = AuditState::Closed;
        self.file = None;
        self.lock.take()
    }

    /// A failed `fdatasync` is final: what is on the disk is no longer known.
    pub(super) fn sync_failed(&mut self, number: u64, error: &io::Error) {
        if self.file.as_ref().is_some_and(|file| file.number == number) {
            self.end_broken(error);
        }
    }

    // === What others look at ===

    pub(super) const fn head(&self) -> Head {
        self.head
    }

    pub(super) const fn state(&self) -> AuditState {
        self.state
    }

    pub(super) const fn unsigned(&self) -> u64 {
        self.unsigned.0
    }

    pub(super) const fn refused(&self) -> u64 {
        self.refused
    }

    pub(super) fn pending(&self) -> u64 {
        self.window.pending()
    }

    pub(super) const fn file(&self) -> Option<&LogFile> {
        self.file.as_ref()
    }

    pub(super) fn free(&self) -> u64 {
        self.dir.free().unwrap_or_else(|_| self.room.free())
    }

    /// A checkpoint that is to be made to last, and the files that must be on the disk before it.
    pub(super) fn take_sealed(&mut self) -> Option<Sealed> {
        let checkpoint = self.sealed.take()?;
        let mut files = std::mem::take(&mut self.unsynced);
        files.extend(self.file.as_ref().map(|file| (file.number, Arc::clone(&file.file))));
        Some(Sealed { dir: Arc::clone(&self.dir), checkpoint, files })
    }

    // === One line ===

    /// Writes one line, in a file that has room for it.
    fn put(&mut self, tail: &Tail, may_use_reserve: bool) -> Result<Position, AuditError> {
        if self.state == AuditState::Closed {
            return Err(AuditError::Closed);
        }
        let outcome = self
            .room
            .check(&self.dir, tail.len() + 256, may_use_reserve)
            .and_then(|()| self.ensure_file(tail.len()))
            .and_then(|()| self.write(tail));
        match &outcome {
            Ok(_) => self.state = AuditState::Writing,
            // Too little for a denial is not yet too little for a grant.
            Err(AuditError::NoRoom { .. }) if may_use_reserve => self.state = AuditState::NoRoom,
            Err(AuditError::NoRoom { .. }) => {}
            Err(_) => self.state = AuditState::Broken,
        }
        let position = outcome?;
        if self.unsigned.0 >= self.config.checkpoint_records {
            // The record is written; a checkpoint that fails is tried again by the timer.
            let _ = self.checkpoint("records");
        }
        Ok(position)
    }

    fn ensure_file(&mut self, len: usize) -> Result<(), AuditError> {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        match &self.file {
            Some(file) if file.len.saturating_add(len) <= self.config.max_file_bytes => Ok(()),
            Some(_) => self.rotate(),
            None => self.start_file(self.last.0 + 1, self.last.1.clone()),
        }
    }

    fn write(&mut self, tail: &Tail) -> Result<Position, AuditError> {
        compose(&mut self.line, self.head, Timestamp::now(), tail);
        self.commit()
    }

    /// Writes the composed line; on failure the log is as before, or the file is given up.
    fn commit(&mut self) -> Result<Position, AuditError> {
        let Some(file) = &mut self.file else { return Err(AuditError::Closed) };
        let hash = Hash::of(&self.line);
        self.line.push(b'\n');
        match write_whole(&file.file, &self.line) {
            Ok(()) => {
                file.len += u64::try_from(self.line.len()).unwrap_or_default();
                self.head = Head { seq: self.head.seq + 1, hash };
                self.unsigned.0 += 1;
                Ok(Position::Written { seq: self.head.seq, file: file.number })
            }
            Err(source) => {
                self.room.forget();
                let cut = rustix::fs::ftruncate(&file.file, file.len);
                if cut.is_ok() && is_full(&source) {
                    return Err(AuditError::NoRoom { free: self.free() });
                }
                self.end_broken(&source);
                Err(AuditError::Broken { source })
            }
        }
    }

    /// Gives the file up. The next record begins another, which says why.
    fn end_broken(&mut self, error: &io::Error) {
        self.state = AuditState::Broken;
        if let Some(file) = self.file.take() {
            let previous = self.ended(file.len, Some(error.to_string()));
            self.last = (file.number, Some(previous));
        }
    }

    fn ended(&self, bytes: u64, broken: Option<String>) -> Previous {
        Previous { seq: self.head.seq, hash: self.head.hash, bytes, broken }
    }

    // === Checkpoints and counters ===

    fn checkpoint(&mut self, cause: &str) -> Result<(), AuditError> {
        self.room.check(&self.dir, 1024, true)?;
        if self.file.is_none() {
            self.ensure_file(0)?;
        }
        let opening = Tail::without_body(Kind::Checkpoint, cause)?;
        compose(&mut self.line, self.head, Timestamp::now(), &opening);
        self.key.sign(&mut self.line);
        self.commit()?;
        self.unsigned = (0, Instant::now());
        self.sealed = Some(self.line.clone());
        Ok(())
    }

    fn write_counters(&mut self, may_use_reserve: bool) -> Result<(), AuditError> {
        let mut counted = self.window.turn().into_iter();
        while let Some((uid, cause, counter)) = counted.next() {
            let put = Tail::new(Kind::Coalesced, uid, &cause, &counter)
                .and_then(|tail| self.put(&tail, may_use_reserve));
            if let Err(error) = put {
                self.window.restore(std::iter::once((uid, cause, counter)).chain(counted));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Says that there is room again, which is at the same time how that is found out.
    fn heal(&mut self) -> Result<(), AuditError> {
        #[derive(Serialize)]
        struct Healed {
            after: AuditState,
            refused: u64,
        }
        // Enough for a few records, or it would be full again at once.
        self.room.check(&self.dir, 16 * 1024, true)?;
        let healed = Healed { after: self.state, refused: self.unsaid };
        self.put(&Tail::new(Kind::System, None, "writing_again", &healed)?, true)?;
        self.unsaid = 0;
        Ok(())
    }

    // === Files ===

    /// Ends a full file with a checkpoint and begins the next.
    fn rotate(&mut self) -> Result<(), AuditError> {
        if self.unsigned.0 > 0 {
            self.checkpoint("rotation")?;
        }
        let Some(file) = &self.file else { return Err(AuditError::Closed) };
        let (number, old) = (file.number, Arc::clone(&file.file));
        self.start_file(number + 1, Some(self.ended(file.len, None)))?;
        self.unsynced.push((number, old));
        Ok(())
    }

    /// Begins a file; the one before stays in use if that fails.
    fn start_file(&mut self, number: u64, previous: Option<Previous>) -> Result<(), AuditError> {
        let oldest = self.oldest_kept(number);
        let key = self.key.public().to_hex();
        let opened = Opened { file: number, key, oldest, previous };
        let tail = Tail::new(Kind::Opened, None, "", &opened)?;
        let file = self.dir.create(number).map_err(|error| self.cannot_create(error))?;
        let file = LogFile { file: Arc::new(file), number, len: 0 };
        let before = (self.file.replace(file), self.last.clone());
        if let Err(error) = self.write(&tail) {
            // An empty file that stays is removed at the next start.
            let _ = self.dir.remove(number);
            (self.file, self.last) = before;
            return Err(error);
        }
        self.last = (number, None);
        self.remove_older_than(oldest);
        // A name that a power cut takes away is found by its number and by `head`.
        let _ = self.dir.sync();
        Ok(())
    }

    fn cannot_create(&self, source: io::Error) -> AuditError {
        if is_full(&source) {
            AuditError::NoRoom { free: self.free() }
        } else {
            AuditError::Broken { source }
        }
    }

    /// The oldest file to keep, beside a new one of full length.
    fn oldest_kept(&self, new: u64) -> u64 {
        let mut room = self.config.max_total_bytes.saturating_sub(self.config.max_file_bytes);
        let mut oldest = new;
        let before = self.dir.numbers().unwrap_or_default();
        for number in before.into_iter().rev().filter(|number| *number < new) {
            let kept = usize::try_from(new - number).unwrap_or(usize::MAX);
            let Some(left) = room.checked_sub(self.dir.len(number)) else { break };
            if kept >= self.config.max_files {
                break;
            }
            (room, oldest) = (left, number);
        }
        oldest
    }

    fn remove_older_than(&self, oldest: u64) {
        for number in self.dir.numbers().unwrap_or_default() {
            if number < oldest {
                // One that cannot be removed now is older still at the next rotation.
                let _ = self.dir.remove(number);
            }
        }
    }
}

/// One `write`; a short one is followed by a second only to learn why.
fn write_whole(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    loop {
        match file.write(rest) {
            Ok(written) if written == rest.len() => return Ok(()),
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => rest = rest.split_at(written).1,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    let full = [Errno::NOSPC, Errno::DQUOT].map(|errno| Some(errno.raw_os_error()));
    full.contains(&error.raw_os_error())
}
