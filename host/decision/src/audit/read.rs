//! Reading the log back, without the lock and while it is written.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rustix::fs::{Mode, OFlags};
use serde::Serialize;

use super::{
    Kind,
    files::{file_name, numbers},
    record::{Line, MAX_RECORD},
};

/// What to look for; everything that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
    /// One of these; empty for all.
    pub kinds: Vec<Kind>,
    /// Of this uid.
    pub uid: Option<u32>,
    /// This text somewhere in the line, such as a decision id; looked for before anything is parsed.
    pub containing: Option<String>,
}

/// A record, read back. It is not verified: see [`super::verify`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stored {
    /// Its number.
    pub seq: u64,
    /// When it was written.
    pub time: Timestamp,
    /// What it is.
    pub kind: Kind,
    /// Whom it is about.
    pub uid: Option<u32>,
    /// Why it was written.
    pub cause: String,
    /// What it says.
    pub body: serde_json::Value,
    /// The number of its file.
    pub file: u64,
    /// Its line there, from 1.
    pub line: u64,
}

/// A file or line that could not be read. Reading goes on behind it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The folder or a file.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// How it failed.
        source: io::Error,
    },
    /// A line that is no record.
    #[error("{}:{line} is not a record", path.display())]
    NotARecord {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it; nothing if it is too long.
        source: Option<serde_json::Error>,
    },
}

/// The records of a folder that pass the filter, oldest first.
///
/// # Errors
/// If the folder cannot be read. What cannot be read in it is an item.
pub fn read_back(dir: &Path, filter: Filter) -> Result<ReadBack, ReadError> {
    let mut files = numbers(dir)
        .map_err(|source| ReadError::Io { path: dir.to_owned(), source })?
        .into_iter()
        .map(|number| (number, dir.join(file_name(number))))
        .collect::<Vec<_>>();
    files.reverse();
    Ok(ReadBack { files, open: None, filter })
}

/// See [`read_back`].
#[derive(Debug)]
pub struct ReadBack {
    /// Still to be read, the next one last.
    files: Vec<(u64, PathBuf)>,
    open: Option<(u64, PathBuf, Lines)>,
    filter: Filter,
}

impl Iterator for ReadBack {
    type Item = Result<Stored, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.open.is_none() {
                let (number, path) = self.files.pop()?;
                match Lines::open(&path) {
                    Ok(lines) => self.open = Some((number, path, lines)),
                    // Deleted by a rotation since we looked.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(source) => return Some(Err(ReadError::Io { path, source })),
                }
            }
            let (number, path, lines) = self.open.as_mut()?;
            match lines.next_line() {
                Ok(Piece::Line) => {
                    if let Some(found) = self.filter.look(*number, path, lines) {
                        return Some(found);
                    }
                }
                // Half a line is one that is being written.
                Ok(Piece::End | Piece::Torn(_)) => self.open = None,
                Ok(Piece::TooLong) => {
                    let (path, line) = (path.clone(), lines.number);
                    self.open = None;
                    return Some(Err(ReadError::NotARecord { path, line, source: None }));
                }
                Err(source) => {
                    let path = path.clone();
                    self.open = None;
                    return Some(Err(ReadError::Io { path, source }));
                }
            }
        }
    }
}

impl Filter {
    fn look(&self, file: u64, path: &Path, lines: &Lines) -> Option<Result<Stored, ReadError>> {
        let contains = |text: &String| {
            let (text, line) = (text.as_bytes(), &lines.line);
            text.is_empty() || line.windows(text.len()).any(|part| part == text)
        };
        if !self.containing.as_ref().is_none_or(contains) {
            return None;
        }
        let line = lines.number;
        match Line::<serde_json::Value>::parse(&lines.line) {
            Ok(Line { seq, time, kind, uid, cause, body, .. }) => {
                let passes = self.since.is_none_or(|since| time >= since)
                    && self.until.is_none_or(|until| time <= until)
                    && (self.kinds.is_empty() || self.kinds.contains(&kind))
                    && (self.uid.is_none() || self.uid == uid);
                passes.then_some(Ok(Stored { seq, time, kind, uid, cause, body, file, line }))
            }
            Err(error) => {
                let (path, source) = (path.to_owned(), Some(error));
                Some(Err(ReadError::NotARecord { path, line, source }))
            }
        }
    }
}

/// What [`Lines::next_line`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// A whole line.
    Line,
    /// These many bytes without a line end.
    Torn(u64),
    /// More bytes than any record has, without a line end.
    TooLong,
    /// The end of the file.
    End,
}

/// A file, line by line, with a bound to the length of each.
#[derive(Debug)]
pub(super) struct Lines {
    reader: BufReader<File>,
    /// The last line, without its line feed.
    pub(super) line: Vec<u8>,
    /// Its number, from 1.
    pub(super) number: u64,
    /// Bytes in whole lines so far.
    pub(super) bytes: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
        let reader = BufReader::with_capacity(64 * 1024, file);
        Ok(Self { reader, line: Vec::new(), number: 0, bytes: 0 })
    }

    pub(super) fn next_line(&mut self) -> io::Result<Piece> {
        self.line.clear();
        let limit = u64::try_from(MAX_RECORD).unwrap_or(u64::MAX) + 1;
        let read = (&mut self.reader).take(limit).read_until(b'\n', &mut self.line)?;
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        if read == 0 {
            return Ok(Piece::End);
        }
        self.number += 1;
        if self.line.pop_if(|last| *last == b'\n').is_some() {
            self.bytes += read;
            return Ok(Piece::Line);
        }
        Ok(if read == limit { Piece::TooLong } else { Piece::Torn(read) })
    }
}
