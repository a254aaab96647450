use std::{fmt, io::Write as _, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use witgate_protocol::frame::json_line;

use super::AuditError;

/// Largest record in bytes. A decision's whole *why* has a few KiB; what is larger is a mistake.
pub(super) const MAX_RECORD: usize = 256 * 1024;
/// Longest cause in characters; it is a key of the counters.
const MAX_CAUSE: usize = 200;

/// What a record is about, and so which room it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// An identity is about to be given. May use the reserve; budgeted per uid.
    Grant,
    /// An identity was not given. Counted together per (uid, cause).
    Denial,
    /// A recorded grant did not go out after all. May use the reserve, never budgeted: there is at
    /// most one to a grant.
    Withheld,
    /// The daemon about itself. May use the reserve.
    System,
}

/// What a record in the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The signature over everything before.
    Checkpoint,
    /// How many further denials there were of one uid and cause.
    Coalesced,
    /// A denial.
    Denial,
    /// A grant.
    Grant,
    /// The first record of a file.
    Opened,
    /// The daemon about itself.
    System,
    /// A grant that did not go out.
    Withheld,
}

impl From<Class> for Kind {
    fn from(class: Class) -> Self {
        match class {
            Class::Grant => Self::Grant,
            Class::Denial => Self::Denial,
            Class::Withheld => Self::Withheld,
            Class::System => Self::System,
        }
    }
}

impl Kind {
    /// The word in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Coalesced => "coalesced",
            Self::Denial => "denial",
            Self::Grant => "grant",
            Self::Opened => "opened",
            Self::System => "system",
            Self::Withheld => "withheld",
        }
    }
}

/// Where a record went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// It has a line of its own.
    Written {
        /// Its number.
        seq: u64,
        /// The number of its file.
        file: u64,
    },
    /// It was counted; a `coalesced` record will follow.
    Counted {
        /// The record that it was like, if that could be written.
        with: Option<u64>,
    },
}

/// The SHA-256 of one line.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What the first record of a log has before it.
    pub(super) const NONE: Self = Self([0; 32]);

    /// The hash of a line without its line feed.
    pub(super) fn of(line: &[u8]) -> Self {
        Self(Sha256::digest(line).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = HeadError;
    fn from_str(text: &str) -> Result<Self, HeadError> {
        unhex(text).map(Self).ok_or(HeadError)
    }
}

impl TryFrom<String> for Hash {
    type Error = HeadError;
    fn try_from(text: String) -> Result<Self, HeadError> {
        text.parse()
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::try_from(String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?'));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The reverse, for exactly what [`hex`] writes.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    bytes?.try_into().ok().filter(|_| rest.is_empty())
}

/// The end of a log: the number and the hash of its last record, `7:9f…`.
///
/// Written down elsewhere, it proves later that nothing up to there was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of the record; the first is 1, 0 is a log without records.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

/// A text that is no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a head reads <number>:<64 lower-case hexadecimal digits>")]
pub struct HeadError;

impl Head {
    /// Of a log that has no records yet.
    pub(super) const EMPTY: Self = Self { seq: 0, hash: Hash::NONE };
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl FromStr for Head {
    type Err = HeadError;
    fn from_str(text: &str) -> Result<Self, HeadError> {
        let (seq, hash) = text.split_once(':').ok_or(HeadError)?;
        Ok(Self { seq: seq.parse().map_err(|_| HeadError)?, hash: hash.parse()? })
    }
}

/// The part of a line that does not depend on its place: written without holding the log.
#[derive(Debug, Clone)]
pub(super) struct Tail(Vec<u8>);

impl Tail {
    /// # Errors
    /// If the payload is not JSON or too large.
    pub(super) fn new(
        kind: Kind,
        uid: Option<u32>,
        cause: &str,
        body: &impl Serialize,
    ) -> Result<Self, AuditError> {
        let body = json(body)?;
        if body.len() > MAX_RECORD - 4096 {
            return Err(AuditError::TooLarge { len: body.len() });
        }
        let mut tail = opening(kind, uid, cause)?;
        for part in [BODY, &body, b"}"] {
            tail.extend_from_slice(part);
        }
        Ok(Self(tail))
    }

    /// One that ends where the body would begin, to be signed.
    pub(super) fn without_body(kind: Kind, cause: &str) -> Result<Self, AuditError> {
        opening(kind, None, cause).map(Self)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

fn opening(kind: Kind, uid: Option<u32>, cause: &str) -> Result<Vec<u8>, AuditError> {
    let cause = json(short(cause))?;
    let mut tail = Vec::with_capacity(2048);
    // Writing to a Vec cannot fail.
    let _ = write!(tail, ",\"kind\":\"{}\"", kind.as_str());
    if let Some(uid) = uid {
        let _ = write!(tail, ",\"uid\":{uid}");
    }
    tail.extend_from_slice(b",\"cause\":");
    tail.extend_from_slice(&cause);
    Ok(tail)
}

/// The part of a cause that counts.
pub(super) fn short(cause: &str) -> &str {
    let end = cause.char_indices().nth(MAX_CAUSE).map_or(cause.len(), |(at, _)| at);
    cause.split_at(end).0
}

fn json(value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, AuditError> {
    let mut line = json_line(value).map_err(|source| AuditError::Serialise { source })?;
    line.pop();
    Ok(line)
}

/// What stands between the head and the body of a line.
pub(super) const BODY: &[u8] = b",\"body\":";

/// Writes the line that follows `head`, without a line feed.
pub(super) fn compose(line: &mut Vec<u8>, head: Head, time: Timestamp, tail: &Tail) {
    line.clear();
    // Writing to a Vec cannot fail.
    let _ =
        write!(line, "{{\"seq\":{},\"prev\":\"{}\",\"time\":\"{time}\"", head.seq + 1, head.hash);
    line.extend_from_slice(&tail.0);
}

/// A line, read back.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<B> {
    pub(super) seq: u64,
    pub(super) prev: Hash,
    pub(super) time: Timestamp,
    pub(super) kind: Kind,
    #[serde(default)]
    pub(super) uid: Option<u32>,
    pub(super) cause: String,
    pub(super) body: B,
}

impl<B: DeserializeOwned> Line<B> {
    pub(super) fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(line)
    }
}

/// The body of an `opened` record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Opened {
    /// The number of this file.
    pub(super) file: u64,
    /// The public half of the signing key.
    pub(super) key: String,
    /// The oldest file that is kept from now on; one that is missing above it was taken.
    pub(super) oldest: u64,
    /// The file before, unless this is the first.
    pub(super) previous: Option<Previous>,
}

/// How the file before ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Previous {
    /// Its last record.
    pub(super) seq: u64,
    /// Its last line's hash.
    pub(super) hash: Hash,
    /// Its length in bytes, as far as it is whole.
    pub(super) bytes: u64,
    /// Why it was ended, if not for its length. Then half a line may stand behind `bytes`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) broken: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_as_documented() {
        let tail = Tail::new(Kind::Grant, Some(33), "allow", &serde_json::json!({"a": 1})).unwrap();
        let mut line = Vec::new();
        compose(
            &mut line,
            Head { seq: 6, hash: Hash::NONE },
            "2026-11-23T20:00:00Z".parse().unwrap(),
            &tail,
        );
        let expected = format!(
            "{{\"seq\":7,\"prev\":\"{}\",\"time\":\"2026-11-23T20:00:00Z\",\"kind\":\"grant\",\
             \"uid\":33,\"cause\":\"allow\",\"body\":{{\"a\":1}}}}",
            "0".repeat(64)
        );
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    // #36, #77: names in records are somebody else's text.
    #[test]
    fn a_hostile_cause_stays_in_its_line() {
        let tail =
            Tail::new(Kind::Denial, None, "a\",\"uid\":0,\"\n\u{9b}2J", &"\u{202e}\n").unwrap();
        let mut line = Vec::new();
        compose(&mut line, Head::EMPTY, Timestamp::UNIX_EPOCH, &tail);
        assert!(line.iter().all(|byte| matches!(byte, b' '..=b'~')));
        let parsed = Line::<String>::parse(&line).unwrap();
        assert_eq!((parsed.cause.as_str(), parsed.uid), ("a\",\"uid\":0,\"\n\u{9b}2J", None));
        assert_eq!(parsed.body, "\u{202e}\n");
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let big = "x".repeat(MAX_RECORD);
        assert!(matches!(Tail::new(Kind::Grant, None, "", &big), Err(AuditError::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn heads_read_back(seq: u64, bytes: [u8; 32]) {
            let head = Head { seq, hash: Hash(bytes) };
            prop_assert_eq!(head.to_string().parse(), Ok(head));
        }

        #[test]
        fn any_text_is_a_head_or_an_error(text in "[0-9]{0,3}:?[0-9a-fA-F]{62,66}|.{0,70}") {
            if let Ok(head) = text.parse::<Head>() {
                prop_assert!(text.ends_with(&head.hash.to_string()));
            }
        }
    }
}
