use std::error::Error;

use crate::limits::SHOWN_BYTES;

/// What somebody else said, safe to show: cut to [`SHOWN_BYTES`], and without anything that could
/// change how the text around it looks.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.trim().chars().map(printable).collect();
    if shown.len() > SHOWN_BYTES {
        shown.truncate(shown.floor_char_boundary(SHOWN_BYTES));
        shown.push('…');
    }
    shown
}

/// An error with what is below it, in one line.
pub(crate) fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        text = format!("{text}: {error}");
        below = error.source();
    }
    text
}

fn printable(c: char) -> char {
    match c {
        '\n' | '\t' => ' ',
        c if is_printable(c) => c,
        _ => char::REPLACEMENT_CHARACTER,
    }
}

/// Not a control character, a line separator, or one that turns the direction of writing.
pub(crate) fn is_printable(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2066}'..='\u{2069}');
    !c.is_control() && !turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_short_and_harmless() {
        assert_eq!(shown(" a\nb\u{1b}[2J\u{202e} "), "a b\u{fffd}[2J\u{fffd}");
        assert_eq!(shown(&"é".repeat(SHOWN_BYTES)).len(), SHOWN_BYTES + '…'.len_utf8());
    }
}
