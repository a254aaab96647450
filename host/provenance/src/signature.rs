//! Who signed a component, by the minisign scheme.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use minisign_verify::{Error, PublicKey, Signature};
use witgate_identity::Fault;

use crate::{
    Note,
    limits::{COMMENT_BYTES, KEY_BYTES, KEYS, SIGNATURE_BYTES},
    note::is_printable,
};

const UNTRUSTED: &str = "untrusted comment: ";
const TRUSTED: &str = "trusted comment: ";

/// The keys whose signatures count, each under the operator's name for it. Several keys allow to
/// change them: add the new one, sign with it, remove the old one.
#[derive(Debug, Clone, Default)]
pub struct TrustedKeys(Vec<(Note, PublicKey)>);

/// A component's signature that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// The operator's name for the key.
    pub key: Note,
    /// What the signer wrote beside it, signed too: printable, at most [`COMMENT_BYTES`] bytes. The
    /// tabs that minisign puts between its fields are blanks here.
    pub comment: String,
}

impl fmt::Display for SignedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.key, self.comment)
    }
}

impl TrustedKeys {
    /// Takes keys, each with its name: the 56 characters of a minisign public key, or the text of
    /// its `.pub` file.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn parse<'a>(
        keys: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, KeysError> {
        let mut read = Self::default();
        let mut mistakes = Vec::new();
        for (name, text) in keys {
            match read.take(name, text) {
                Ok(key) => read.0.push(key),
                Err(message) => mistakes.push(format!("trusted key {name:?}: {message}")),
            }
        }
        if read.0.len() > KEYS {
            mistakes.push(format!("there are {} trusted keys, the limit is {KEYS}", read.0.len()));
        }
        if mistakes.is_empty() { Ok(read) } else { Err(KeysError { mistakes }) }
    }

    fn take(&self, name: &str, text: &str) -> Result<(Note, PublicKey), String> {
        let name = Note::new(name).map_err(|error| format!("its name: {error}"))?;
        let key = read_key(text)?;
        if self.0.iter().any(|(known, _)| *known == name) {
            return Err("another key has this name".to_owned());
        }
        match self.0.iter().find(|(_, known)| *known == key) {
            Some((same, _)) => Err(format!("it is the same key as {same:?}", same = same.as_str())),
            None => Ok((name, key)),
        }
    }

    /// Whether no key is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the keys.
    pub fn names(&self) -> impl Iterator<Item = &Note> {
        self.0.iter().map(|(name, _)| name)
    }

    /// Whose signature over these bytes this is: the text of a `.minisig` file.
    ///
    /// # Errors
    /// If it is not such a text, not by a trusted key, by one but not over these bytes and this
    /// comment, or of the form that does not sign a digest.
    pub fn verify(&self, bytes: &[u8], signature: &str) -> Result<SignedBy, SignatureError> {
        let parts = Parts::split(signature)?;
        let decoded = Signature::decode(signature)
            .map_err(|error| SignatureError::Malformed { cause: error.to_string() })?;
        let mut outcome = Err(SignatureError::UnknownKey {
            key_id: parts.key_id.clone(),
            trusted: self.names().map(Note::to_string).collect(),
        });
        for (name, key) in &self.0 {
            match key.verify(bytes, &decoded, false) {
                Ok(()) => return Ok(SignedBy { key: name.clone(), comment: parts.comment }),
                Err(Error::UnexpectedKeyId) => {}
                // Another key may have the same number, by chance or by intent.
                Err(_) => outcome = Err(SignatureError::Wrong { key: name.clone() }),
            }
        }
        outcome
    }
}

fn read_key(text: &str) -> Result<PublicKey, String> {
    if text.len() > KEY_BYTES {
        return Err(format!("it has {} bytes, the limit is {KEY_BYTES}", text.len()));
    }
    let text = text.trim();
    let is_file = text.starts_with(UNTRUSTED.trim_end());
    let key = text.lines().nth(usize::from(is_file)).unwrap_or_default();
    if text.lines().count() != 1 + usize::from(is_file) {
        return Err("it is neither one line nor a minisign .pub file".to_owned());
    }
    PublicKey::from_base64(key.trim())
        .map_err(|error| format!("not a minisign public key (RW…, 56 characters): {error}"))
}

/// What the library does not hand out, and the strictness that it does not have: four lines, nothing
/// after them, the prehashed form, a comment that can be shown.
struct Parts {
    key_id: String,
    comment: String,
}

impl Parts {
    fn split(text: &str) -> Result<Self, SignatureError> {
        let malformed = |cause: &str| SignatureError::Malformed { cause: cause.to_owned() };
        if text.len() > SIGNATURE_BYTES {
            return Err(SignatureError::TooLarge { size: text.len() });
        }
        let lines: Vec<_> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
        let [untrusted, signature, trusted, signature_of_comment] = lines[..] else {
            return Err(malformed("a minisign signature has four lines"));
        };
        if !untrusted.starts_with(UNTRUSTED) {
            return Err(malformed("the first line is not an untrusted comment"));
        }
        let decoded = BASE64_STANDARD.decode(signature);
        let decoded = decoded.map_err(|_| malformed("the second line is not Base64"))?;
        // The library leaves white space around it away.
        if BASE64_STANDARD.decode(signature_of_comment).is_err() {
            return Err(malformed("the fourth line is not Base64"));
        }
        let (algorithm, key_id) = match decoded[..] {
            [a, b, ref rest @ ..] if rest.len() >= 8 => ([a, b], &rest[..8]),
            _ => return Err(malformed("the second line is cut off")),
        };
        if algorithm == *b"Ed" {
            return Err(SignatureError::Legacy);
        }
        let comment = trusted
            .strip_prefix(TRUSTED)
            .ok_or_else(|| malformed("the third line is not a trusted comment"))?;
        // As `minisign` prints it: the number's last byte first.
        let key_id = key_id.iter().rev().map(|byte| format!("{byte:02X}")).collect();
        Ok(Self { key_id, comment: shown(comment)? })
    }
}

fn shown(comment: &str) -> Result<String, SignatureError> {
    let comment = comment.replace('\t', " ");
    if comment.len() > COMMENT_BYTES || !comment.chars().all(is_printable) {
        return Err(SignatureError::Comment);
    }
    Ok(comment)
}

/// Trusted keys that are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", mistakes.join("\n"))]
pub struct KeysError {
    mistakes: Vec<String>,
}

impl KeysError {
    /// What is wrong, with the name of each key.
    #[must_use]
    pub fn mistakes(&self) -> &[String] {
        &self.mistakes
    }

    /// Whom to blame.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        Fault::Operator
    }
}

/// A signature that does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The file is too large to be one.
    #[error("the signature has {size} bytes, the limit is {SIGNATURE_BYTES}")]
    TooLarge {
        /// Its size, in bytes.
        size: usize,
    },
    /// Not the text of a `.minisig` file.
    #[error("the signature is malformed: {cause}; make one with minisign -S -m FILE")]
    Malformed {
        /// What is wrong.
        cause: String,
    },
    /// It signs the file itself and not its digest.
    #[error(
        "the signature is of minisign's legacy form, which is not accepted; \
         sign again, without -l"
    )]
    Legacy,
    /// Its trusted comment is too long or could change how the text around it is shown.
    #[error(
        "the trusted comment of the signature has more than {COMMENT_BYTES} bytes or control \
         characters; sign again with another one: minisign -S -t COMMENT -m FILE"
    )]
    Comment,
    /// By a key that is not trusted.
    #[error(
        "the signature is by key {key_id}, which is not trusted (trusted: {}); \
         add its public key to the trusted keys if you trust the signer",
        if trusted.is_empty() { "none".to_owned() } else { trusted.join(", ") }
    )]
    UnknownKey {
        /// The number of the key, as `minisign` prints it.
        key_id: String,
        /// The names of the keys that are trusted.
        trusted: Vec<String>,
    },
    /// By a trusted key, and not over this file and comment.
    #[error(
        "the signature names trusted key {key}, and does not fit this file: the file, the \
         signature or its comment was changed after signing"
    )]
    Wrong {
        /// The operator's name for the key.
        key: Note,
    },
}

impl SignatureError {
    /// Whom to blame.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        Fault::Operator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    const HEAD: &str = "untrusted comment: signature from minisign secret key\n";
    /// Over `test`.
    const PREHASHED: &str = "RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocr\
         Co8KLzZwo=\ntrusted comment: timestamp:1556193335\tfile:test\n\
         y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==\n";
    /// Over `test`, without the digest in between.
    const LEGACY: &str = "RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwI\
         asSSbXxwA=\ntrusted comment: timestamp:1555779966\tfile:test\n\
         QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==\n";

    fn keys() -> TrustedKeys {
        TrustedKeys::parse([("release", KEY)]).unwrap()
    }

    #[test]
    fn a_signature_says_by_whom_and_its_comment() {
        let signed = keys().verify(b"test", &format!("{HEAD}{PREHASHED}")).unwrap();
        assert_eq!(signed.to_string(), "release (timestamp:1556193335 file:test)");
        let other = keys().verify(b"Test", &format!("{HEAD}{PREHASHED}")).unwrap_err();
        assert_eq!(other, SignatureError::Wrong { key: Note::new("release").unwrap() });
    }

    #[test]
    fn the_legacy_form_is_refused() {
        let error = keys().verify(b"test", &format!("{HEAD}{LEGACY}")).unwrap_err();
        assert_eq!(error, SignatureError::Legacy);
    }

    #[test]
    fn an_unknown_key_is_named_and_so_are_the_known_ones() {
        let none = TrustedKeys::default();
        let error = none.verify(b"test", &format!("{HEAD}{PREHASHED}")).unwrap_err().to_string();
        assert!(
            error.contains("key E7620F1842B4E81F") && error.contains("trusted: none"),
            "{error}"
        );
    }

    #[test]
    fn only_four_lines_are_a_signature() {
        let good = format!("{HEAD}{PREHASHED}");
        assert!(
            keys().verify(b"test", good.trim_end()).is_ok(),
            "the last line feed may be missing"
        );
        for text in [
            String::new(),
            PREHASHED.to_owned(),
            format!("{good}more"),
            format!("{good}\n"),
            format!("\n{good}"),
            good.replace('\n', "\r\n"),
            good.replace("trusted comment: timestamp", "timestamp"),
            good.replace("RUQf6", "RUQf6 "),
        ] {
            let refused = keys().verify(b"test", &text);
            assert!(
                matches!(refused, Err(SignatureError::Malformed { .. })),
                "{text:?}: {refused:?}"
            );
        }
        let huge = format!("untrusted comment: {}\n{PREHASHED}", "x".repeat(SIGNATURE_BYTES));
        let refused = keys().verify(b"test", &huge);
        assert!(matches!(refused, Err(SignatureError::TooLarge { .. })), "{refused:?}");
    }

    #[test]
    fn a_comment_that_cannot_be_shown_is_refused_before_it_is_believed() {
        for comment in ["a\u{1b}[2J", "a\u{202e}b", &"x".repeat(COMMENT_BYTES + 1)] {
            let text = format!("{HEAD}{PREHASHED}").replace("timestamp:1556193335", comment);
            assert_eq!(keys().verify(b"test", &text), Err(SignatureError::Comment), "{comment:?}");
        }
    }

    #[test]
    fn every_mistake_in_the_keys_is_told() {
        let file = format!("untrusted comment: minisign public key E7620F1842B4E81F\n{KEY}\n");
        assert!(TrustedKeys::parse([("from a file", file.as_str())]).is_ok());
        let (long, three) = ("x".repeat(KEY_BYTES + 1), format!("{file}{KEY}"));
        let error = TrustedKeys::parse([
            ("release", KEY),
            ("again", file.as_str()),
            ("release", "RWQ"),
            ("", KEY),
            ("long", long.as_str()),
            ("three", three.as_str()),
        ]);
        let error = error.unwrap_err();
        assert_eq!(error.mistakes().len(), 5, "{error}");
        assert!(
            error.to_string().contains("\"again\": it is the same key as \"release\""),
            "{error}"
        );
        let many: Vec<_> = (0..KEYS).map(|n| format!("key {n}")).collect();
        let nonsense = many.iter().map(|name| (name.as_str(), "no key"));
        assert_eq!(TrustedKeys::parse(nonsense).unwrap_err().mistakes().len(), KEYS);
    }
}
