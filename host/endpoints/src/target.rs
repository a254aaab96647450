//! The request target: path and query in the one form that leaves nothing to interpretation.
//!
//! Servers disagree about dots, doubled slashes, encoded slashes, backslashes, path parameters and
//! malformed UTF-8. An allow-list is worth something only if the endpoint cannot read a path
//! differently than we did; so a path that has a second reading is refused, never repaired.

use crate::limits;

/// Why a target is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("the path is longer than {} bytes", limits::TARGET_BYTES)]
    TooLong,
    #[error("the path does not begin with a slash")]
    NotAbsolute,
    #[error("the path has an empty, `.` or `..` segment")]
    NotPlain,
    #[error("byte 0x{byte:02x} cannot stand in a path or query as it is")]
    Character { byte: u8 },
    #[error("the path encodes what must be written plain, or what a server may take for syntax")]
    Encoding,
    #[error("`%` is not followed by two hexadecimal digits")]
    Escape,
}

/// A checked target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    /// Path and query, exactly as the plugin wrote it.
    pub(crate) whole: &'a str,
    /// The path, from its slash on.
    pub(crate) path: &'a str,
}

impl<'a> Target<'a> {
    pub(crate) fn parse(whole: &'a str) -> Result<Self, TargetError> {
        if whole.len() > limits::TARGET_BYTES {
            return Err(TargetError::TooLong);
        }
        let (path, query) = match whole.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (whole, None),
        };
        check_path(path)?;
        query.map_or(Ok(()), check_query)?;
        Ok(Self { whole, path })
    }
}

/// The segments of a path that begins with a slash. The root has one, which is empty, as has a
/// path that ends with a slash.
pub(crate) fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

fn check_path(path: &str) -> Result<(), TargetError> {
    if !path.starts_with('/') {
        return Err(TargetError::NotAbsolute);
    }
    let last = segments(path).count() - 1;
    for (place, segment) in segments(path).enumerate() {
        if segment.is_empty() && place < last {
            return Err(TargetError::NotPlain);
        }
        check_segment(segment)?;
    }
    Ok(())
}

/// One segment, of a path or of a pattern.
pub(crate) fn check_segment(segment: &str) -> Result<(), TargetError> {
    if matches!(segment, "." | "..") {
        return Err(TargetError::NotPlain);
    }
    let decoded = decode(segment, plain_in_path)?;
    let text = str::from_utf8(&decoded.encoded).map_err(|_| TargetError::Encoding)?;
    if text.chars().all(may_be_encoded) { Ok(()) } else { Err(TargetError::Encoding) }
}

/// A query is not compared with anything; it only has to be one line of plain characters.
fn check_query(query: &str) -> Result<(), TargetError> {
    decode(query, |byte| plain_in_path(byte) || matches!(byte, b'/' | b'?' | b';')).map(drop)
}

/// What stood in a text behind `%`.
struct Decoded {
    encoded: Vec<u8>,
}

fn decode(text: &str, plain: impl Fn(u8) -> bool) -> Result<Decoded, TargetError> {
    let mut encoded = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = bytes.next().and_then(hex).zip(bytes.next().and_then(hex));
            let (high, low) = digits.ok_or(TargetError::Escape)?;
            encoded.push(high << 4 | low);
        } else if plain(byte) {
            // Ends a run of encoded bytes: no character may be half encoded, half plain.
            encoded.push(b' ');
        } else {
            return Err(TargetError::Character { byte });
        }
    }
    Ok(Decoded { encoded })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// RFC 3986 `pchar` as it stands, but for `;`, which some servers cut a segment at.
fn plain_in_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

/// What has no plain form in a path, and no meaning when decoded once or twice.
fn may_be_encoded(character: char) -> bool {
    !character.is_control() && (!character.is_ascii() || " \"<>[]^`{|}".contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_targets_are_taken_as_they_are() {
        for whole in [
            "/",
            "/pods",
            "/runningpods/",
            "/v1.43/containers/0a1b.c_d-e~f/json",
            "/images/sha256:abc@x/json",
            "/a/...",
            "/a/..b/.c",
            "/caf%C3%A9/a%20b/%5Bx%5D",
            "/pods?",
            "/pods?x=/../%2e%2e%2F;a?b&filters=%7B%22id%22%3A%5B%22x%22%5D%7D",
        ] {
            let target = Target::parse(whole).unwrap();
            assert_eq!(target.whole, whole);
            assert_eq!(target.path, whole.split('?').next().unwrap());
        }
    }

    #[test]
    fn a_path_with_a_second_reading_is_refused() {
        use TargetError::{Character, Encoding, Escape, NotAbsolute, NotPlain, TooLong};
        let character = |byte| Character { byte };
        let long = format!("/{}", "a".repeat(limits::TARGET_BYTES));
        for (whole, error) in [
            ("", NotAbsolute),
            ("pods", NotAbsolute),
            ("*", NotAbsolute),
            ("?/pods", NotAbsolute),
            ("http://other/pods", NotAbsolute),
            ("//other/pods", NotPlain),
            ("/a//b", NotPlain),
            ("/a/./b", NotPlain),
            ("/a/../b", NotPlain),
            ("/a/..", NotPlain),
            ("/..?x", NotPlain),
            ("/a/%2e%2e/b", Encoding),
            ("/a/.%2E/b", Encoding),
            ("/a/%2e", Encoding),
            ("/a%2Fb", Encoding),
            ("/a%2f..%2fb", Encoding),
            ("/a%5Cb", Encoding),
            ("/a\\..\\b", character(b'\\')),
            ("/a/%252e%252e/b", Encoding),
            ("/a/..;x/b", character(b';')),
            ("/a/..%3bx/b", Encoding),
            ("/a%00", Encoding),
            ("/a%0d%0aHost:%20x", Encoding),
            ("/a%7f", Encoding),
            ("/a%C2%85", Encoding),
            ("/%70ods", Encoding),
            ("/a/%c0%ae%c0%ae/b", Encoding),
            ("/a%c0%afb", Encoding),
            ("/a%ff", Encoding),
            ("/%C3a%A9", Encoding),
            ("/a%3Fb", Encoding),
            ("/a%23b", Encoding),
            ("/a%", Escape),
            ("/a%2", Escape),
            ("/a%zz", Escape),
            ("/a%u002e", Escape),
            ("/a%+2", Escape),
            ("/a?x=%", Escape),
            ("/a#b", character(b'#')),
            ("/a?b#c", character(b'#')),
            ("/a b", character(b' ')),
            ("/a\tb", character(b'\t')),
            ("/a\r\nHost: x", character(b'\r')),
            ("/a?b\r\nHost: x", character(b'\r')),
            ("/a?b HTTP/1.1", character(b' ')),
            ("/a?b\\c", character(b'\\')),
            ("/a\0", character(0)),
            ("/caf\u{e9}", character(0xc3)),
            ("/a?\u{e9}", character(0xc3)),
            (&long, TooLong),
        ] {
            assert_eq!(Target::parse(whole), Err(error), "{whole:?}");
        }
    }
}
