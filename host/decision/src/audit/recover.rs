//! Going on where the last daemon stopped, however it did.

use std::{fs::File, io, os::unix::fs::FileExt as _, sync::Arc};

use serde::{Serialize, de::IgnoredAny};

use super::{
    AuditConfig, AuditError, Hash, Head, Kind,
    files::{HEAD, LogDir, file_name},
    key::Key,
    read::{Lines, Piece},
    record::{Line, MAX_RECORD, Previous, Tail},
    writer::{End, LogFile, Writer},
};

/// What was found at the start that the log itself must tell of.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Found {
    /// The last line was not whole: a power cut, or a disk that was full.
    Torn { file: u64, bytes: u64 },
    /// A line that is no record. It stays where it is, for the verifier to name.
    Damaged { file: u64 },
    /// A checkpoint names records that are not there: a power cut, or somebody cut the log.
    Lost { after: u64, until: u64 },
}

impl Found {
    const fn cause(&self) -> &'static str {
        match self {
            Self::Torn { .. } => "torn_record",
            Self::Damaged { .. } => "damaged_record",
            Self::Lost { .. } => "records_lost",
        }
    }
}

/// Opens the log of a folder for writing, with its lock if it was passed on.
pub(super) fn open(config: AuditConfig, lock: Option<File>) -> Result<Writer, AuditError> {
    let dir = LogDir::at(&config.dir)?;
    let lock = match lock {
        Some(lock) => dir.hold(lock)?,
        None => dir.lock()?,
    };
    let numbers = dir.numbers().map_err(|source| dir.error("list", "", source))?;
    let key = Key::open(&dir, !numbers.is_empty())?;
    let mut found = Vec::new();
    let end = find_end(&dir, numbers, &mut found)?;
    found.extend(lost(&dir, &key, end.head));
    let mut writer = Writer::new(config, dir, lock, key, end);
    match writer.begin() {
        // The daemon starts all the same; it refuses until there is room.
        Ok(()) | Err(AuditError::NoRoom { .. }) => {}
        Err(error) => return Err(error),
    }
    for found in found {
        // Refused only for want of room, and then counted as any record.
        let _ = writer.append(&Tail::new(Kind::System, None, found.cause(), &found)?, None);
    }
    Ok(writer)
}

fn find_end(
    dir: &LogDir,
    mut numbers: Vec<u64>,
    found: &mut Vec<Found>,
) -> Result<End, AuditError> {
    while let Some(number) = numbers.pop() {
        let name = file_name(number);
        let error = |source| dir.error("read", &name, source);
        let file = dir.append_to(number).map_err(error)?;
        let len = file.metadata().map_err(error)?.len();
        match last_line(&file, len).map_err(error)? {
            Last::Record { head, kind, torn } => {
                let len = len - torn;
                if torn > 0 {
                    file.set_len(len).map_err(error)?;
                    found.push(Found::Torn { file: number, bytes: torn });
                }
                let unsigned = kind != Kind::Checkpoint;
                let file = Some(LogFile { file: Arc::new(file), number, len });
                return Ok(End { file, head, last: (number, None), unsigned });
            }
            // Killed between creating the file and its first record.
            Last::Nothing => {
                dir.remove(number).map_err(error)?;
                if len > 0 {
                    found.push(Found::Torn { file: number, bytes: len });
                }
            }
            Last::Damaged => {
                found.push(Found::Damaged { file: number });
                let head = count_lines(dir, number).map_err(error)?;
                let broken = Some("damaged".to_owned());
                let previous = Previous { seq: head.seq, hash: head.hash, bytes: len, broken };
                return Ok(End {
                    file: None,
                    head,
                    last: (number, Some(previous)),
                    unsigned: true,
                });
            }
        }
    }
    Ok(End { file: None, head: Head::EMPTY, last: (0, None), unsigned: false })
}

enum Last {
    Record { head: Head, kind: Kind, torn: u64 },
    Nothing,
    Damaged,
}

/// Looks at the end of a file only, so that a start costs the same after a year.
fn last_line(file: &File, len: u64) -> io::Result<Last> {
    let reach = u64::try_from(2 * MAX_RECORD).unwrap_or(u64::MAX).min(len);
    let mut bytes = vec![0; usize::try_from(reach).unwrap_or_default()];
    file.read_exact_at(&mut bytes, len - reach)?;
    let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
        let all_read = reach == len && bytes.len() <= MAX_RECORD;
        return Ok(if all_read { Last::Nothing } else { Last::Damaged });
    };
    let (lines, torn) = bytes.split_at(end);
    let torn = u64::try_from(torn.len() - 1).unwrap_or_default();
    let line = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(match Line::<IgnoredAny>::parse(line) {
        Ok(record) => {
            let head = Head { seq: record.seq, hash: Hash::of(line) };
            Last::Record { head, kind: record.kind, torn }
        }
        Err(_) => Last::Damaged,
    })
}

/// Where the chain goes on behind a file that ends in something else than a record: each line
/// counts as one.
fn count_lines(dir: &LogDir, number: u64) -> io::Result<Head> {
    let mut lines = Lines::open(&dir.path().join(file_name(number)))?;
    let mut head = Head::EMPTY;
    loop {
        match lines.next_line()? {
            Piece::End => return Ok(head),
            Piece::Line | Piece::Torn(_) | Piece::TooLong => {
                let seq =
                    Line::<IgnoredAny>::parse(&lines.line).map_or(head.seq + 1, |line| line.seq);
                head = Head { seq, hash: Hash::of(&lines.line) };
            }
        }
    }
}

/// Compares with the last checkpoint that was put aside.
fn lost(dir: &LogDir, key: &Key, head: Head) -> Option<Found> {
    let aside = dir.read_small(HEAD).ok()?;
    let line = aside.strip_suffix(b"\n")?;
    let until = Line::<IgnoredAny>::parse(line).ok()?.seq;
    let missing = key.public().signed(line) && until > head.seq;
    missing.then_some(Found::Lost { after: head.seq, until })
}
