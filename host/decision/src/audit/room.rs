use std::time::{Duration, Instant};

use super::{AuditError, files::LogDir};

/// Free bytes that are never counted on: one block for the line, one for the folder.
const MARGIN: u64 = 8 * 1024;
/// How long a measured room is believed while it is ample.
const BELIEVED: Duration = Duration::from_millis(500);

/// What the filesystem has left, measured as rarely as it can be.
#[derive(Debug)]
pub(super) struct Room {
    reserve: u64,
    /// What was free at `measured`, less what we wrote since.
    free: u64,
    measured: Option<Instant>,
}

impl Room {
    pub(super) fn new(reserve: u64) -> Self {
        Self { reserve, free: 0, measured: None }
    }

    /// Whether `len` bytes fit, for those who may use the reserve or those who may not.
    pub(super) fn check(
        &mut self,
        dir: &LogDir,
        len: usize,
        may_use_reserve: bool,
    ) -> Result<(), AuditError> {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        let ample = self.free > self.reserve.saturating_mul(2).saturating_add(len);
        let recent = self.measured.is_some_and(|at| at.elapsed() < BELIEVED);
        if !(ample && recent) {
            self.free = dir.free().map_err(|source| dir.error("measure", "", source))?;
            self.measured = Some(Instant::now());
        }
        let keep = if may_use_reserve { MARGIN } else { MARGIN.saturating_add(self.reserve) };
        if self.free >= keep.saturating_add(len) {
            self.free -= len;
            Ok(())
        } else {
            Err(AuditError::NoRoom { free: self.free })
        }
    }

    /// A write found less room than we thought.
    pub(super) fn forget(&mut self) {
        self.measured = None;
    }

    pub(super) fn free(&self) -> u64 {
        self.free
    }
}
