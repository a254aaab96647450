use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

const SCHEME: &str = "spiffe://";

/// Why a text is not a SPIFFE ID or trust domain (SPIFFE-ID.md §2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpiffeIdError {
    /// A path that does not start with a slash.
    #[error("the path must start with '/'")]
    PathStart,
    /// Something else than `spiffe://` in front.
    #[error("a SPIFFE ID starts with spiffe://")]
    Scheme,
    /// A path segment with a character outside `a-z A-Z 0-9 . - _`.
    #[error(
        "path segment {segment:?} holds {found:?}; allowed are letters, digits, '.', '-' and '_'"
    )]
    SegmentAlphabet {
        /// The segment.
        segment: String,
        /// The first character that is not allowed.
        found: char,
    },
    /// `.` or `..` as a segment.
    #[error("path segments '.' and '..' are not allowed")]
    SegmentDots,
    /// Two slashes in a row, or one at the end.
    #[error("the path has an empty segment")]
    SegmentEmpty,
    /// Over 2048 bytes in all, or over 255 in the trust domain.
    #[error("{len} bytes, the limit is {max}")]
    TooLong {
        /// Length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// Not 1 to 255 of `a-z 0-9 . - _`.
    #[error("trust domain {domain:?} must be 1 to 255 of a-z, 0-9, '.', '-' and '_'")]
    TrustDomain {
        /// What we saw.
        domain: String,
    },
}

/// The root that vouches for identities: `example.org`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrustDomain(Arc<str>);

impl TrustDomain {
    /// Longest trust domain in bytes (SPIFFE-ID.md §2.1).
    pub const MAX_LEN: usize = 255;

    /// Checks and takes a trust domain, without scheme or path.
    ///
    /// # Errors
    /// If it is empty, too long or holds another character than the specification allows.
    pub fn new(domain: &str) -> Result<Self, SpiffeIdError> {
        let allowed =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
        if domain.is_empty() || domain.len() > Self::MAX_LEN || !domain.bytes().all(allowed) {
            return Err(SpiffeIdError::TrustDomain { domain: domain.chars().take(64).collect() });
        }
        Ok(Self(domain.into()))
    }

    /// The name, without scheme.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for TrustDomain {
    type Error = SpiffeIdError;
    fn try_from(domain: String) -> Result<Self, SpiffeIdError> {
        Self::new(&domain)
    }
}

impl From<TrustDomain> for String {
    fn from(domain: TrustDomain) -> Self {
        domain.0.as_ref().to_owned()
    }
}

/// The name of a workload: `spiffe://example.org/svc/postgresql/main`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpiffeId {
    text: Arc<str>,
    path_at: usize,
}

impl SpiffeId {
    /// Longest SPIFFE ID in bytes (SPIFFE-ID.md §2.3).
    pub const MAX_LEN: usize = 2048;

    /// Joins a trust domain and a path that starts with `/`.
    ///
    /// # Errors
    /// If the path is empty, has an empty or dotted segment, a character outside the alphabet, or
    /// the whole is too long.
    pub fn new(domain: &TrustDomain, path: &str) -> Result<Self, SpiffeIdError> {
        let segments = path.strip_prefix('/').ok_or(SpiffeIdError::PathStart)?;
        segments.split('/').try_for_each(check_segment)?;
        let text = format!("{SCHEME}{domain}{path}");
        if text.len() > Self::MAX_LEN {
            return Err(SpiffeIdError::TooLong { len: text.len(), max: Self::MAX_LEN });
        }
        Ok(Self { path_at: text.len() - path.len(), text: text.into() })
    }

    /// The whole URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path, with its first slash.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text.split_at(self.path_at).1
    }

    /// The trust domain's name.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        self.text.split_at(self.path_at).0.trim_start_matches(SCHEME)
    }
}

fn check_segment(segment: &str) -> Result<(), SpiffeIdError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    match segment {
        "" => Err(SpiffeIdError::SegmentEmpty),
        "." | ".." => Err(SpiffeIdError::SegmentDots),
        _ => match segment.chars().find(|c| !allowed(*c)) {
            Some(found) => Err(SpiffeIdError::SegmentAlphabet {
                segment: segment.chars().take(64).collect(),
                found,
            }),
            None => Ok(()),
        },
    }
}

/// Writes any text as one valid path segment, so that different texts give different segments.
///
/// Letters, digits, `.` and `-` stand for themselves; every other byte, `_` among them, becomes
/// `_` and two lower-case hexadecimal digits. A text of dots alone, which would be a valid text
/// but not a valid segment, and the empty text, are escaped too: `.` is `_2e`, `` is `_`.
#[must_use]
pub fn encode_segment(text: &str) -> String {
    use fmt::Write as _;
    if text.is_empty() {
        return "_".to_owned();
    }
    let dots = matches!(text, "." | "..");
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b == b'-' || (b == b'.' && !dots) {
            out.push(b.into());
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "_{b:02x}");
        }
    }
    out
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeIdError;
    fn from_str(text: &str) -> Result<Self, SpiffeIdError> {
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeIdError::Scheme)?;
        let slash = rest.find('/').ok_or(SpiffeIdError::PathStart)?;
        let (domain, path) = rest.split_at(slash);
        Self::new(&TrustDomain::new(domain)?, path)
    }
}

impl TryFrom<String> for SpiffeId {
    type Error = SpiffeIdError;
    fn try_from(text: String) -> Result<Self, SpiffeIdError> {
        text.parse()
    }
}

impl From<SpiffeId> for String {
    fn from(id: SpiffeId) -> Self {
        id.text.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_parts_come_back() {
        let id: SpiffeId = "spiffe://example.org/svc/a_b.c-1".parse().unwrap();
        assert_eq!((id.trust_domain(), id.path()), ("example.org", "/svc/a_b.c-1"));
        assert_eq!(id.to_string(), "spiffe://example.org/svc/a_b.c-1");
    }

    // #81: wildcard, path traversal, oversize, homoglyph.
    #[test]
    fn what_the_specification_forbids_is_refused() {
        let long = format!("spiffe://a/{}", "x".repeat(SpiffeId::MAX_LEN));
        let bad = [
            "",
            "spiffe://",
            "spiffe://a",
            "spiffe://a/",
            "spiffe://a//b",
            "spiffe://a/b/",
            "spiffe://a/../b",
            "spiffe://a/.",
            "spiffe://A/b",
            "SPIFFE://a/b",
            "spiffe://a/b*",
            "spiffe://a/b%20",
            "spiffe://a/\u{0430}",
            "spiffe://a:80/b",
            "spiffe://u@a/b",
            "spiffe://a/b?c",
            "spiffe://a/b#c",
            "https://a/b",
            &long,
        ];
        for text in bad {
            assert!(text.parse::<SpiffeId>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn encoding_is_always_a_segment(text in ".{0,40}") {
            prop_assert_eq!(check_segment(&encode_segment(&text)), Ok(()));
        }

        #[test]
        fn encoding_is_injective(texts in proptest::collection::vec("[a._/-]{0,6}|[_0-9a-f.]{0,6}", 1..200)) {
            let mut seen = HashMap::new();
            for text in texts {
                let other = seen.insert(encode_segment(&text), text.clone());
                prop_assert!(other.as_ref().is_none_or(|o| *o == text), "{:?} and {:?}", other, text);
            }
        }

        #[test]
        fn any_text_is_refused_or_survives(text in "(spiffe://)?[a-z.]{0,5}/?.{0,30}") {
            if let Ok(id) = text.parse::<SpiffeId>() {
                prop_assert_eq!(id.as_str(), text);
            }
        }
    }
}
