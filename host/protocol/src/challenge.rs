//! The challenge in the protocols of text: a nonce that is answered by its digest, so that no program
//! which only passes on what it reads (`cat`, `tee`) can answer.
//!
//! In the line protocol, for a client that said `challenge=yes`:
//!
//! ```text
//! > attest challenge=yes
//! < {"v":1,"challenge":"8c3f0a5b6d7e9f10"}
//! > challenge 94c1…
//! < {"v":1,"decision":"allow",…}
//! ```
//!
//! In HTTP/1.1 it is an authentication scheme: a request with `authorization: Witgate` is answered by
//! 401 and `www-authenticate: Witgate nonce="8c3f0a5b6d7e9f10"`, and the next one on the same
//! connection carries `authorization: Witgate 94c1…`. In HTTP/2 the nonce is the payload of a PING,
//! which every client answers by itself.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What stands before the nonce in the text that is hashed, so that the digest means nothing else.
const PURPOSE: &str = "witgate-challenge:";

/// The word that an answer line begins with.
const WORD: &str = "challenge ";

/// The authentication scheme of HTTP/1.1.
const SCHEME: &str = "Witgate";

/// A nonce on its way to the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nonce {
    /// [`crate::VERSION`].
    pub v: u8,
    /// Sixteen lower-case hexadecimal digits.
    pub challenge: String,
}

impl Nonce {
    /// The nonce as text.
    #[must_use]
    pub fn new(nonce: [u8; 8]) -> Self {
        Self { v: crate::VERSION, challenge: hex(&nonce) }
    }

    /// What answers it: the SHA-256 of `witgate-challenge:` and the nonce's text, in lower-case
    /// hexadecimal digits.
    #[must_use]
    pub fn answer(&self) -> String {
        hex(&Sha256::new().chain_update(PURPOSE).chain_update(&self.challenge).finalize())
    }

    /// The answer as a line of the line protocol, line feed included.
    #[must_use]
    pub fn answer_line(&self) -> String {
        format!("{WORD}{}\n", self.answer())
    }

    /// Whether this line, line feed and all, answers it.
    #[must_use]
    pub fn is_answered_by_line(&self, line: &[u8]) -> bool {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        line.strip_prefix(WORD.as_bytes()) == Some(self.answer().as_bytes())
    }

    /// The value of `www-authenticate`.
    #[must_use]
    pub fn www_authenticate(&self) -> String {
        format!("{SCHEME} nonce=\"{}\"", self.challenge)
    }
}

/// What a value of `authorization` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// The client will answer a challenge.
    Ready,
    /// It answers one.
    Answer(String),
}

impl Authorization {
    /// Understands the value; none for another scheme, which is not ours to judge.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?.trim();
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return None;
        }
        Some(match rest.trim() {
            "" => Self::Ready,
            answer => Self::Answer(answer.to_owned()),
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_answer_is_what_a_shell_would_compute() {
        let nonce = Nonce::new([0x8c, 0x3f, 0x0a, 0x5b, 0x6d, 0x7e, 0x9f, 0x10]);
        assert_eq!(nonce.challenge, "8c3f0a5b6d7e9f10");
        // printf witgate-challenge:8c3f0a5b6d7e9f10 | sha256sum
        let answer = "631eb86df1b08db5d541b711d79b4811f2efb20c5b9eee127d5c1574098181e8";
        assert_eq!(nonce.answer(), answer);
        assert!(nonce.is_answered_by_line(format!("challenge {answer}\r\n").as_bytes()));
        assert_eq!(nonce.www_authenticate(), "Witgate nonce=\"8c3f0a5b6d7e9f10\"");
    }

    #[test]
    fn an_authorization_is_ours_or_nothing() {
        let answer = |text: &str| Some(Authorization::Answer(text.to_owned()));
        assert_eq!(Authorization::parse(b"Witgate"), Some(Authorization::Ready));
        assert_eq!(Authorization::parse(b" witgate  "), Some(Authorization::Ready));
        assert_eq!(Authorization::parse(b"Witgate abc"), answer("abc"));
        assert_eq!(Authorization::parse(b"Bearer abc"), None);
        assert_eq!(Authorization::parse(b"Witgatex"), None);
        assert_eq!(Authorization::parse(b"\xff"), None);
    }

    proptest! {
        // #14: what comes back as it was sent is no answer, nor is anything else.
        #[test]
        fn only_the_answer_is_the_answer(nonce: [u8; 8], other: [u8; 8], noise: Vec<u8>) {
            let asked = Nonce::new(nonce);
            let sent = crate::frame::json_line(&asked).unwrap();
            prop_assert!(!asked.is_answered_by_line(&sent));
            prop_assert!(!asked.is_answered_by_line(&noise));
            let echoed = format!("challenge {}\n", asked.challenge);
            prop_assert!(!asked.is_answered_by_line(echoed.as_bytes()));
            prop_assert!(asked.is_answered_by_line(asked.answer_line().as_bytes()));
            let others = Nonce::new(other).answer_line();
            prop_assert_eq!(asked.is_answered_by_line(others.as_bytes()), nonce == other);
        }
    }
}
