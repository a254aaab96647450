//! From values to bytes that are safe on a terminal, in a log line and between other people's
//! characters.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use serde::Serialize;

use crate::limits::MAX_QUOTE;

/// Writes a value as one line of JSON, line feed included.
///
/// Besides what JSON demands, every character that a terminal might obey or that reorders text is
/// escaped: a program may be called `\u{9b}2J`. Other letters stay readable.
///
/// # Errors
/// If the value cannot be JSON, which no type of this crate can cause.
pub fn json_line(value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = Vec::with_capacity(512);
    let mut serializer = serde_json::Serializer::with_formatter(&mut line, Harmless);
    value.serialize(&mut serializer)?;
    line.push(b'\n');
    Ok(line)
}

/// Makes any bytes text: what is not UTF-8 becomes `\xNN`, what a terminal might obey `\u{NN}`,
/// and a backslash `\\`, so that different bytes stay different.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                c if is_harmful(c) => out.extend(c.escape_unicode()),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// A few characters of somebody else's text, quoted and printable.
pub(crate) fn quote(text: &str) -> String {
    let short: String = text.chars().take(MAX_QUOTE).collect();
    let dots = if text.chars().nth(MAX_QUOTE).is_some() { "..." } else { "" };
    format!("\"{}{dots}\"", printable(short.as_bytes()))
}

/// Control characters (with C1, whose U+009B is a terminal's escape), line and paragraph
/// separators, and everything that reorders or hides text.
pub(crate) fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// Compact JSON in which no character [`is_harmful`].
struct Harmless;

impl serde_json::ser::Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Nearly every string is plain ASCII: one look, one write.
        if fragment.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return writer.write_all(fragment.as_bytes());
        }
        for c in fragment.chars() {
            if is_harmful(c) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            } else {
                writer.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_hostile_name_is_harmless_and_still_itself() {
        assert_eq!(printable(b"/bin/a\n\x1b[2J\\\xff"), r"/bin/a\u{a}\u{1b}[2J\\\xff");
        assert_eq!(printable("/usr/bin/\u{202e}x\u{9b}".as_bytes()), r"/usr/bin/\u{202e}x\u{9b}");
        assert_eq!(printable("/srv/håndværk".as_bytes()), "/srv/håndværk");
    }

    proptest! {
        #[test]
        fn any_text_is_one_harmless_line_and_reads_back(text: String) {
            let line = String::from_utf8(json_line(&text).unwrap()).unwrap();
            let body = line.strip_suffix('\n').unwrap();
            prop_assert!(!body.chars().any(is_harmful), "{:?}", body);
            prop_assert_eq!(serde_json::from_str::<String>(body).unwrap(), text);
        }

        #[test]
        fn printable_is_injective(a in proptest::collection::vec(any::<u8>(), 0..6),
                                  b in proptest::collection::vec(any::<u8>(), 0..6)) {
            prop_assert!(!printable(&a).chars().any(is_harmful));
            prop_assert_eq!(printable(&a) == printable(&b), a == b);
        }
    }
}
