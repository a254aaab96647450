//! Texts of guests that can be shown.

/// A text of a guest as something that can stand in a log, a page or a terminal: control characters
/// and the ones that turn the direction of text escaped, at most `limit` bytes.
#[must_use]
pub fn printable(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit));
    for c in text.trim_end().chars() {
        let before = out.len();
        if deceives(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        if out.len() > limit {
            out.truncate(before);
            out.push('…');
            break;
        }
    }
    out
}

/// Whether a character does something else than stand there: control characters, and the ones that
/// turn the direction of text.
#[must_use]
pub fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_break_out_of_its_line() {
        assert_eq!(printable("a\nb\u{1b}[2J\u{202e}c\r\n", 80), "a\\nb\\u{1b}[2J\\u{202e}c");
        assert!(printable(&"\0".repeat(5000), 100).len() <= 100 + '…'.len_utf8());
    }
}
