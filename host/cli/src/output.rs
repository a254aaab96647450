//! Standard output and standard error. A reader that went away is not an error.

use std::io::Write as _;

use serde::Serialize;

use crate::exit::Failure;

/// Prints text that ends with a line feed already, or gets one.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    let _ = write!(out, "{text}{end}").and_then(|()| out.flush());
}

/// Prints a value as JSON, indented, for people who asked for it and for `jq`.
pub(crate) fn say_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::internal)?;
    say(&text);
    Ok(())
}

/// Prints a complaint.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "witgate: {}", text.trim_end());
}

/// Prints a word about what is being done, where it is in no script's way.
pub(crate) fn remark(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", text.trim_end());
}
