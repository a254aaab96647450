use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::NOTE_BYTES;

/// A short text that is shown and otherwise not used: where a plugin came from, what a key is
/// called. One line, printable, 1 to [`NOTE_BYTES`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Note(String);

/// Text that is not a [`Note`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must have 1 to {NOTE_BYTES} bytes and no control or direction characters")]
pub struct NoteError;

impl Note {
    /// Checks and takes a text.
    ///
    /// # Errors
    /// If it is empty, too long, or could change how the text around it is shown.
    pub fn new(text: impl Into<String>) -> Result<Self, NoteError> {
        let text = text.into();
        if text.is_empty() || text.len() > NOTE_BYTES || !text.chars().all(is_printable) {
            return Err(NoteError);
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not a control character, a line separator, or one that turns the direction of writing.
pub(crate) fn is_printable(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2066}'..='\u{2069}');
    !c.is_control() && !turns
}

impl TryFrom<String> for Note {
    type Error = NoteError;
    fn try_from(text: String) -> Result<Self, NoteError> {
        Self::new(text)
    }
}

impl From<Note> for String {
    fn from(note: Note) -> Self {
        note.0
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_confuse_a_reader_is_not_a_note() {
        assert_eq!(Note::new("./plugins/os.wasm").unwrap().as_str(), "./plugins/os.wasm");
        for text in ["", "a\nb", "a\u{1b}[2J", "a\u{202e}b", "a\u{2066}b", "a\u{2028}b"] {
            assert_eq!(Note::new(text), Err(NoteError), "{text:?}");
        }
        assert!(Note::new("a".repeat(NOTE_BYTES)).is_ok());
        assert!(Note::new("a".repeat(NOTE_BYTES + 1)).is_err());
    }
}
