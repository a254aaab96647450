//! Checking a log, and naming the first record that is not as it was written.
//!
//! What can be found, and by what: a changed, dropped, moved or repeated record by the chain; a
//! chain that was computed anew by the next checkpoint; a cut end by the file `head`, or by a head
//! that was written down elsewhere; a missing file by its number and by the oldest one that the
//! newest names. What cannot: a change behind the last checkpoint that also brings the chain in
//! order, unless a later head is given; [`VerifyReport::unsigned`] says how many records that are.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::IgnoredAny};

use super::{
    Hash, Head, Kind,
    files::{HEAD, file_name, numbers, read_small},
    key::{PUBLIC, PublicKey},
    read::{Lines, Piece},
    record::{Line, Opened},
};

/// A log in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Files looked at.
    pub files: u64,
    /// Records in them.
    pub records: u64,
    /// The number of the first; above 1 when older files were deleted.
    pub first_seq: u64,
    /// The last record, `<number>:<hash>`.
    pub head: String,
    /// Valid signatures among them.
    pub checkpoints: u64,
    /// Records behind the last signature.
    pub unsigned: u64,
    /// What the log tells of its own accidents, and what could not be checked.
    pub notes: Vec<Note>,
}

/// Something to know about a log that is in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// A sentence.
    pub text: String,
}

/// What is wrong with the first bad record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// It was changed: the record behind it names another hash.
    Changed,
    /// It is no record.
    NotARecord,
    /// It is not there; this one stands in its place.
    Missing {
        /// The number found instead.
        found: u64,
    },
    /// A number that was there already.
    Repeated {
        /// The number expected here.
        expected: u64,
    },
    /// It does not follow from the record before it.
    Unchained,
    /// A signature that is not one, so that something behind the last good one was rewritten.
    Signature {
        /// The last good checkpoint; 0 if there is none.
        since: u64,
    },
    /// A file does not begin as the one before ended, or names another key.
    Opening,
    /// A whole file is not there.
    MissingFile,
    /// The log ends before a record that is known to have been written.
    CutOff,
    /// Another record stands where a known one was.
    Replaced,
    /// The file `head` or the public key is not as it was written.
    Witness,
}

/// The first bad record, or why there was nothing to verify.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Not as it was written.
    #[error("{file}:{line}: {}", Sentence(*flaw, *seq))]
    Bad {
        /// The file's name.
        file: String,
        /// The line, from 1; 0 for the file as a whole.
        line: u64,
        /// The number of the record, as far as that is known.
        seq: Option<u64>,
        /// What is wrong.
        flaw: Flaw,
    },
    /// There is no log.
    #[error("no audit log in {}", dir.display())]
    Empty {
        /// The folder.
        dir: PathBuf,
    },
    /// The expected head is not one.
    #[error("{text:?} is not a head: <number>:<64 lower-case hexadecimal digits>")]
    Head {
        /// What was given.
        text: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// How it failed.
        source: io::Error,
    },
    /// The given key is not one.
    #[error("not a public key: 64 lower-case hexadecimal digits")]
    Key,
}

struct Sentence(Flaw, Option<u64>);

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(seq) => write!(f, "record {seq} ")?,
            None => f.write_str("this ")?,
        }
        match self.0 {
            Flaw::Changed => f.write_str("was changed"),
            Flaw::NotARecord => f.write_str("is not a record"),
            Flaw::Missing { found } => write!(f, "is missing; {found} stands in its place"),
            Flaw::Repeated { expected } => write!(f, "was there before; {expected} is expected"),
            Flaw::Unchained => f.write_str("does not follow from the record before it"),
            Flaw::Signature { since } => {
                write!(f, "has no valid signature; what follows record {since} was rewritten")
            }
            Flaw::Opening => f.write_str("does not continue the file before it"),
            Flaw::MissingFile => f.write_str("file is missing"),
            Flaw::CutOff => f.write_str("was written, but the log ends before it"),
            Flaw::Replaced => f.write_str("is another than the one that was written"),
            Flaw::Witness => f.write_str("is not as it was written"),
        }
    }
}

/// Verifies the log in a folder. It may be written meanwhile.
///
/// `expected_head` is an end of this log that was written down earlier (from `status` or the
/// journal): the log must still contain it.
///
/// # Errors
/// The first bad record, or why there was nothing to verify.
pub fn verify(dir: &Path, expected_head: Option<&str>) -> Result<VerifyReport, VerifyError> {
    verify_with_key(dir, expected_head, None)
}

/// The same with a public key that was written down elsewhere, instead of the folder's own.
///
/// # Errors
/// As [`verify`].
pub fn verify_with_key(
    dir: &Path,
    expected_head: Option<&str>,
    public_key: Option<&str>,
) -> Result<VerifyReport, VerifyError> {
    let given = expected_head
        .map(|text| text.parse().map_err(|_| VerifyError::Head { text: text.to_owned() }))
        .transpose()?;
    let given_key =
        public_key.map(|text| PublicKey::parse(text).ok_or(VerifyError::Key)).transpose()?;
    let failed = |source| VerifyError::Io { path: dir.to_owned(), source };
    // Before the list, so that what it names must be in the list.
    let aside = read_aside(dir, HEAD)?;
    let numbers = numbers(dir).map_err(failed)?;
    if numbers.is_empty() {
        return Err(VerifyError::Empty { dir: dir.to_owned() });
    }
    let key = match given_key {
        Some(key) => key,
        None => folder_key(dir)?,
    };
    let mut walk = Walk::new(key, given);
    match aside {
        Some(aside) => {
            let head = read_head(&aside, &key);
            walk.known.push(head.ok_or_else(|| bad(HEAD, 0, None, Flaw::Witness))?);
        }
        None => walk.note(HEAD, 0, "is not there: a cut end cannot be seen without a given head"),
    }
    for number in numbers {
        walk.file(dir, number)?;
    }
    walk.finish()
}

fn bad(file: &str, line: u64, seq: Option<u64>, flaw: Flaw) -> VerifyError {
    VerifyError::Bad { file: file.to_owned(), line, seq, flaw }
}

fn read_aside(dir: &Path, name: &str) -> Result<Option<Vec<u8>>, VerifyError> {
    let path = dir.join(name);
    match std::fs::File::open(&path).and_then(read_small) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(VerifyError::Io { path, source }),
    }
}

fn folder_key(dir: &Path) -> Result<PublicKey, VerifyError> {
    let bytes = read_aside(dir, PUBLIC)?.unwrap_or_default();
    let text = std::str::from_utf8(&bytes).ok().filter(|text| text.ends_with('\n'));
    text.and_then(PublicKey::parse).ok_or_else(|| bad(PUBLIC, 0, None, Flaw::Witness))
}

/// The checkpoint that was put aside.
fn read_head(aside: &[u8], key: &PublicKey) -> Option<Head> {
    let line = aside.strip_suffix(b"\n")?;
    let seq = Line::<IgnoredAny>::parse(line).ok()?.seq;
    key.signed(line).then_some(Head { seq, hash: Hash::of(line) })
}

/// Where a record stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    head: Head,
    file: u64,
    line: u64,
}

/// One pass over all files.
struct Walk {
    key: PublicKey,
    /// Heads that the log must contain.
    known: Vec<Head>,
    last: Option<Place>,
    /// Length in bytes of the last file, and of half a line behind it.
    ended: (u64, u64),
    /// A file without a record: only the last one may be that, begun by a daemon that was killed.
    empty: Option<String>,
    first_file: u64,
    oldest: u64,
    signed: u64,
    report: VerifyReport,
}

impl Walk {
    fn new(key: PublicKey, given: Option<Head>) -> Self {
        let report = VerifyReport {
            files: 0,
            records: 0,
            first_seq: 0,
            head: String::new(),
            checkpoints: 0,
            unsigned: 0,
            notes: Vec::new(),
        };
        let known = given.into_iter().collect();
        Self {
            key,
            known,
            last: None,
            ended: (0, 0),
            empty: None,
            first_file: 0,
            oldest: 0,
            signed: 0,
            report,
        }
    }

    fn note(&mut self, file: &str, line: u64, text: &str) {
        let (file, text) = (file.to_owned(), text.to_owned());
        self.report.notes.push(Note { file, line, text });
    }

    fn file(&mut self, dir: &Path, number: u64) -> Result<(), VerifyError> {
        let name = file_name(number);
        let path = dir.join(&name);
        let io = |source| VerifyError::Io { path: path.clone(), source };
        if let Some(empty) = &self.empty {
            return Err(bad(empty, 1, None, Flaw::NotARecord));
        }
        if let Some(last) = self.last.filter(|last| last.file + 1 != number) {
            return Err(bad(&file_name(last.file + 1), 0, None, Flaw::MissingFile));
        }
        let mut lines = Lines::open(&path).map_err(io)?;
        let mut torn = 0;
        loop {
            match lines.next_line().map_err(io)? {
                Piece::End => break,
                Piece::Torn(bytes) => torn = bytes,
                Piece::TooLong => return Err(bad(&name, lines.number, None, Flaw::NotARecord)),
                Piece::Line if lines.number == 1 => self.opening(&name, number, &lines.line)?,
                Piece::Line => self.record(&name, number, &mut lines)?,
            }
        }
        if torn > 0 {
            self.note(&name, lines.number, "ends in half a record");
        }
        if lines.bytes == 0 {
            self.empty = Some(name);
        }
        self.report.files += 1;
        self.ended = (lines.bytes, torn);
        Ok(())
    }

    /// The first record of a file.
    fn opening(&mut self, name: &str, number: u64, line: &[u8]) -> Result<(), VerifyError> {
        let flaw = |seq, flaw| Err(bad(name, 1, seq, flaw));
        let Ok(record) = Line::<Opened>::parse(line) else { return flaw(None, Flaw::NotARecord) };
        let seq = Some(record.seq);
        let body = &record.body;
        let named =
            record.kind == Kind::Opened && body.file == number && body.key == self.key.to_hex();
        if !named {
            return flaw(seq, Flaw::Opening);
        }
        // What the record says of the file before, and what we saw of it.
        let said =
            body.previous.as_ref().map_or(Head::EMPTY, |p| Head { seq: p.seq, hash: p.hash });
        if record.prev != said.hash || record.seq != said.seq + 1 {
            return flaw(seq, Flaw::Unchained);
        }
        if let (Some(last), Some(previous)) = (self.last, &body.previous) {
            let (bytes, torn) = self.ended;
            let torn_known = torn == 0 || previous.broken.is_some();
            if last.head != said {
                return self.misfit(last, name, 1, record.seq, record.prev);
            }
            if bytes != previous.bytes || !torn_known {
                return flaw(seq, Flaw::Opening);
            }
            if let Some(why) = &previous.broken {
                self.note(name, 1, &format!("the file before it was given up: {why}"));
            }
        } else if self.last.is_some() {
            return flaw(seq, Flaw::Opening);
        }
        if self.last.is_none() {
            self.report.first_seq = record.seq;
            self.first_file = number;
            let before = self.known.len();
            self.known.retain(|head| head.seq >= record.seq);
            if self.known.len() < before {
                self.note(name, 1, "an expected head is older than this, the oldest file");
            }
        }
        self.oldest = body.oldest;
        self.take(Place {
            head: Head { seq: record.seq, hash: Hash::of(line) },
            file: number,
            line: 1,
        })
    }

    fn record(&mut self, name: &str, number: u64, lines: &mut Lines) -> Result<(), VerifyError> {
        let Some(last) = self.last else { return Ok(()) };
        let at = lines.number;
        let Ok(record) = Line::<serde_json::Value>::parse(&lines.line) else {
            return Err(bad(name, at, Some(last.head.seq + 1), Flaw::NotARecord));
        };
        let hash = Hash::of(&lines.line);
        if record.seq != last.head.seq + 1 {
            return self.misfit(last, name, at, record.seq, record.prev);
        }
        if record.prev != last.head.hash {
            return Err(self.changed(last, name, at, (record.seq, hash), lines));
        }
        match record.kind {
            Kind::Checkpoint if !self.key.signed(&lines.line) => {
                let flaw = Flaw::Signature { since: self.signed };
                return Err(bad(name, at, Some(record.seq), flaw));
            }
            Kind::Checkpoint => {
                self.report.checkpoints += 1;
                self.signed = record.seq;
            }
            Kind::Opened => return Err(bad(name, at, Some(record.seq), Flaw::Opening)),
            Kind::System if ACCIDENTS.contains(&record.cause.as_str()) => {
                self.note(name, at, &format!("{}: {}", record.cause, record.body));
            }
            _ => {}
        }
        self.take(Place { head: Head { seq: record.seq, hash }, file: number, line: at })
    }

    /// A record whose number or chain is not what the one before demands.
    fn misfit(
        &self,
        last: Place,
        name: &str,
        line: u64,
        found: u64,
        prev: Hash,
    ) -> Result<(), VerifyError> {
        let expected = last.head.seq + 1;
        let (seq, flaw) = match found.cmp(&expected) {
            std::cmp::Ordering::Greater => (expected, Flaw::Missing { found }),
            std::cmp::Ordering::Less => (found, Flaw::Repeated { expected }),
            std::cmp::Ordering::Equal if prev != last.head.hash => {
                return Err(bad(
                    &file_name(last.file),
                    last.line,
                    Some(last.head.seq),
                    Flaw::Changed,
                ));
            }
            std::cmp::Ordering::Equal => (found, Flaw::Opening),
        };
        Err(bad(name, line, Some(seq), flaw))
    }

    /// Which of two neighbours that do not fit was changed: if the next one, or a signature, or a
    /// known head, vouches for the second, it was the first.
    fn changed(
        &self,
        first: Place,
        name: &str,
        line: u64,
        (seq, hash): (u64, Hash),
        lines: &mut Lines,
    ) -> VerifyError {
        let signed = self.key.signed(&lines.line);
        let known = self.known.contains(&Head { seq, hash });
        let next = lines.next_line().ok().filter(|piece| *piece == Piece::Line);
        let next = next.and_then(|_| Line::<IgnoredAny>::parse(&lines.line).ok());
        if signed || known || next.is_some_and(|next| next.prev == hash) {
            bad(&file_name(first.file), first.line, Some(first.head.seq), Flaw::Changed)
        } else {
            bad(name, line, Some(seq), Flaw::Unchained)
        }
    }

    /// A record that is in order.
    fn take(&mut self, place: Place) -> Result<(), VerifyError> {
        let replaced = |known: &&Head| known.seq == place.head.seq && known.hash != place.head.hash;
        if self.known.iter().find(replaced).is_some() {
            let (name, seq) = (file_name(place.file), Some(place.head.seq));
            return Err(bad(&name, place.line, seq, Flaw::Replaced));
        }
        self.report.records += 1;
        self.last = Some(place);
        Ok(())
    }

    fn finish(mut self) -> Result<VerifyReport, VerifyError> {
        let Some(last) = self.last else {
            // Only files in which nothing was written yet.
            return Err(bad(&file_name(1), 0, None, Flaw::MissingFile));
        };
        if self.first_file > self.oldest {
            return Err(bad(&file_name(self.oldest), 0, None, Flaw::MissingFile));
        }
        if let Some(cut) = self.known.iter().find(|known| known.seq > last.head.seq) {
            return Err(bad(&file_name(last.file), last.line, Some(cut.seq), Flaw::CutOff));
        }
        self.report.unsigned =
            last.head.seq - self.signed.max(self.report.first_seq.saturating_sub(1));
        self.report.head = last.head.to_string();
        Ok(self.report)
    }
}

/// Words of the log about itself that a reader of a report should see.
const ACCIDENTS: [&str; 4] = ["torn_record", "damaged_record", "records_lost", "writing_again"];
