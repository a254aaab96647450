//! The bearer token that an endpoint is sent.

use std::path::Path;

use http::HeaderValue;

use crate::{
    files::{Content, FileError, Kept, Source},
    limits,
};

/// The token of a file, as the value of `authorization`.
pub(crate) fn token(path: &Path) -> Kept<HeaderValue> {
    Kept::new(vec![Source::new("token_file", path, limits::TOKEN_FILE_BYTES)], |contents| {
        contents.iter().map(bearer).next_back().unwrap_or_else(|| Ok(HeaderValue::from_static("")))
    })
}

fn bearer(content: &Content<'_>) -> Result<HeaderValue, FileError> {
    let token = content.bytes.trim_ascii();
    if token.is_empty() {
        return Err(content.wrong("is empty"));
    }
    if !token.iter().all(u8::is_ascii_graphic) {
        return Err(content.wrong("has blanks or other bytes that a bearer token cannot have"));
    }
    let mut value = HeaderValue::from_bytes(&[b"Bearer ", token].concat())
        .map_err(|_| content.wrong("cannot be sent as a bearer token"))?;
    // Keeps it out of everything that prints header fields.
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_prints_a_token_prints_that_it_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "hush\n").unwrap();
        let token = token(&path);
        let value = token.now().unwrap();
        assert_eq!(value, "Bearer hush");
        let shown = format!("{value:?} {token:?}");
        assert!(shown.contains("Sensitive") && !shown.contains("hush"), "{shown}");
    }
}
