use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use serde::{Deserialize, Serialize};

use crate::{Outcome, limits};

/// How much a line matters, in the guest's opinion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineLevel {
    /// For the author of the plugin.
    Debug,
    /// For the operator, when looking. Standard output has this level.
    Info,
    /// Something the operator should look at. Standard error has this level.
    Warn,
    /// The plugin cannot do its work.
    Error,
}

/// A line that a guest wrote: escaped and cut, safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// How much it matters.
    pub level: LineLevel,
    /// The text.
    pub text: String,
}

/// Where the lines of one plugin go: to `tracing`, rate-limited, and the last of them to a ring.
/// What *we* have to say about the plugin has a rate of its own, so that the plugin cannot drown it.
#[derive(Debug)]
pub(crate) struct Lines {
    plugin: String,
    state: Mutex<State>,
    faults: Mutex<Bucket>,
}

#[derive(Debug, Default)]
struct State {
    kept: VecDeque<Line>,
    bucket: Bucket,
}

/// A burst of [`limits::LINES_BURST`], then [`limits::LINES_PER_SECOND`].
#[derive(Debug)]
struct Bucket {
    allowance: f64,
    refilled: Instant,
    suppressed: u64,
}

impl Lines {
    pub(crate) fn new(plugin: &str) -> Self {
        let (state, faults) = Default::default();
        Self { plugin: plugin.to_owned(), state, faults }
    }

    /// Takes a line of the guest, unless it has written too many. A line that is dropped costs no
    /// formatting.
    pub(crate) fn write(&self, level: LineLevel, text: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.bucket.take(Instant::now()) {
            return;
        }
        let line = Line { level, text: printable(text, limits::LINE_BYTES) };
        emit(&self.plugin, &line, state.bucket.suppressed);
        if state.kept.len() == limits::LINES_KEPT {
            state.kept.pop_front();
        }
        state.kept.push_back(line);
    }

    /// Tells the operator that the plugin broke a rule or a limit.
    pub(crate) fn fault(&self, outcome: &Outcome) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.take(Instant::now()) {
            tracing::warn!(
                plugin.name = self.plugin,
                attest.outcome = outcome.kind().as_str(),
                error = %outcome,
                suppressed = faults.suppressed,
                "Plugin at fault"
            );
        }
    }

    /// The last lines, oldest first, and how many were dropped since load.
    pub(crate) fn kept(&self) -> (Vec<Line>, u64) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.kept.iter().cloned().collect(), state.bucket.suppressed)
    }
}

impl Default for Bucket {
    fn default() -> Self {
        let allowance = f64::from(limits::LINES_BURST);
        Self { allowance, refilled: Instant::now(), suppressed: 0 }
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        let gained = now.duration_since(self.refilled).as_secs_f64();
        self.refilled = now;
        let full = f64::from(limits::LINES_BURST);
        self.allowance =
            gained.mul_add(f64::from(limits::LINES_PER_SECOND), self.allowance).min(full);
        if self.allowance < 1.0 {
            self.suppressed += 1;
            return false;
        }
        self.allowance -= 1.0;
        true
    }
}

fn emit(plugin: &str, line: &Line, suppressed: u64) {
    let (plugin, text) = (tracing::field::display(plugin), tracing::field::display(&line.text));
    match line.level {
        LineLevel::Debug => {
            tracing::debug!(plugin.name = plugin, plugin.line = text, suppressed, "Plugin says");
        }
        LineLevel::Info => {
            tracing::info!(plugin.name = plugin, plugin.line = text, suppressed, "Plugin says");
        }
        LineLevel::Warn | LineLevel::Error => {
            tracing::warn!(plugin.name = plugin, plugin.line = text, suppressed, "Plugin says");
        }
    }
}

/// A text of a guest as something that can stand in a log, a page or a terminal: control characters
/// and the ones that turn the direction of text escaped, at most `limit` bytes.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit));
    for c in text.trim_end().chars() {
        let escaped = c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let before = out.len();
        if escaped {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_line_cannot_break_out_of_its_line() {
        assert_eq!(printable("a\nb\u{1b}[2J\u{202e}c\r\n", 80), "a\\nb\\u{1b}[2J\\u{202e}c");
        assert!(printable(&"\0".repeat(5000), 100).len() <= 100 + '…'.len_utf8());
    }

    #[test]
    fn too_many_lines_are_counted_and_dropped() {
        let lines = Lines::new("x");
        for n in 0..limits::LINES_BURST + 100 {
            lines.write(LineLevel::Info, &n.to_string());
        }
        let (kept, suppressed) = lines.kept();
        assert_eq!(kept.len(), limits::LINES_KEPT);
        assert!(suppressed >= 99, "{suppressed}");
    }

    #[test]
    fn the_allowance_comes_back_and_never_exceeds_a_burst() {
        let start = Instant::now();
        let mut bucket = Bucket { allowance: 0.0, refilled: start, suppressed: 0 };
        assert!(!bucket.take(start));
        assert!(bucket.take(start + Duration::from_secs(1)));
        assert!(bucket.take(start + Duration::from_secs(100_000)));
        assert!(bucket.allowance <= f64::from(limits::LINES_BURST));
        assert_eq!(bucket.suppressed, 1);
    }
}
