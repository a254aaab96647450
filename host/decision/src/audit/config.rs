use std::{path::PathBuf, time::Duration};

/// Where the audit log is and how much of the disk it may have.
#[derive(Debug, Clone)]
pub struct AuditConfig {
    /// The folder, for this log alone; created with mode 0700.
    pub dir: PathBuf,
    /// A file is closed when it has reached this many bytes.
    pub max_file_bytes: u64,
    /// The oldest files are deleted while all together have more bytes than this.
    pub max_total_bytes: u64,
    /// The oldest files are deleted while there are more than this.
    pub max_files: usize,
    /// Free bytes of the filesystem that only grants, and what withdraws them, may use.
    pub reserve_bytes: u64,
    /// The time over which denials are counted together and budgets hold.
    pub window: Duration,
    /// What the denials of one uid may write in a window; further ones are only counted.
    pub denial_bytes: u64,
    /// What the denials of all uids may write in a window.
    pub all_denial_bytes: u64,
    /// What the grants of one uid may write in a window; further ones are refused.
    pub grant_bytes: u64,
    /// The longest time for which records stand unsigned.
    pub checkpoint_every: Duration,
    /// The most records that stand unsigned.
    pub checkpoint_records: u64,
    /// How often counters, checkpoints and a returned room are looked after.
    pub tick: Duration,
}

impl AuditConfig {
    /// The defaults, in this folder.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            dir: dir.into(),
            // Verified in about a second.
            max_file_bytes: 64 * MIB,
            // Some hundred thousand decisions; small beside any disk.
            max_total_bytes: 1024 * MIB,
            max_files: 1000,
            // Some thousand grants: a day of ordinary restarts on a full disk.
            reserve_bytes: 16 * MIB,
            window: Duration::from_secs(60),
            // About a hundred causes, each with its why.
            denial_bytes: MIB / 4,
            // Sixteen uids at their limit: 5 GiB a day if somebody tries hard, which rotation holds.
            all_denial_bytes: 4 * MIB,
            // 500 requests a second, which is the rate limit, with 2 KiB each.
            grant_bytes: 64 * MIB,
            checkpoint_every: Duration::from_secs(60),
            checkpoint_records: 10_000,
            tick: Duration::from_secs(1),
        }
    }
}
