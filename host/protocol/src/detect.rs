/// What the first byte of a connection announces. It stays for the whole connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 (later also HTTP/2): every method starts with an upper-case letter.
    Http,
    /// The line protocol: a lower-case word, or an empty line.
    Line,
    /// Neither: a TLS hello, a NUL, JSON. Answered by [`crate::Problem::unknown_protocol`].
    Unknown,
}

/// Chooses the protocol by the first byte.
#[must_use]
pub const fn detect(first: u8) -> Protocol {
    match first {
        b'A'..=b'Z' => Protocol::Http,
        b'a'..=b'z' | b'\r' | b'\n' => Protocol::Line,
        _ => Protocol::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_byte_means_one_thing() {
        for byte in 0..=u8::MAX {
            let expected = match char::from(byte) {
                c if c.is_ascii_uppercase() => Protocol::Http,
                c if c.is_ascii_lowercase() || c == '\r' || c == '\n' => Protocol::Line,
                _ => Protocol::Unknown,
            };
            assert_eq!(detect(byte), expected, "{byte:#04x}");
        }
    }
}
