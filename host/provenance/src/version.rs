pub use semver::Version;

use crate::limits::VERSION_BYTES;

/// A version that has no order, so that a downgrade could not be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{seen:?} is not a semantic version ({cause}); write it like 1.2.3")]
pub struct VersionError {
    seen: String,
    cause: String,
}

/// Reads a semantic version of at most [`VERSION_BYTES`] bytes.
///
/// # Errors
/// If it is longer, or not `MAJOR.MINOR.PATCH` with an optional `-pre` and `+build`.
pub fn parse_version(text: &str) -> Result<Version, VersionError> {
    let refuse = |cause: String| {
        let seen = text.chars().take(VERSION_BYTES).collect();
        VersionError { seen, cause }
    };
    if text.len() > VERSION_BYTES {
        let cause = format!("it has {} bytes, the limit is {VERSION_BYTES}", text.len());
        return Err(refuse(cause));
    }
    Version::parse(text).map_err(|error| refuse(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_an_order_is_a_version() {
        assert!(parse_version("1.2.3-rc.1+git.5").is_ok());
        for text in ["", "1", "1.2", "v1.2.3", "01.2.3", "1.2.3 ", "1.2.3-\u{202e}"] {
            let error = parse_version(text).unwrap_err().to_string();
            assert!(error.contains("write it like 1.2.3") && error.contains("is not"), "{error}");
        }
        let long = format!("1.2.3-{}", "a".repeat(VERSION_BYTES));
        let error = parse_version(&long).unwrap_err().to_string();
        assert!(error.contains("the limit is 128") && error.len() < 300, "{error}");
    }
}
