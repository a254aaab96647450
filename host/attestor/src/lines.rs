use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
pub(crate) use witgate_report::printable;

use crate::{Outcome, Plugin, limits};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its place among all lines of the plugin. Numbers grow by one with each line, also with one
    /// that is dropped, and begin with the microsecond at which the plugin was loaded: so they grow
    /// through reloads and restarts, too.
    pub number: u64,
    /// When it was written.
    pub time: SystemTime,
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

#[derive(Debug)]
struct State {
    kept: VecDeque<Line>,
    bucket: Bucket,
    /// Before the first line.
    start: u64,
    /// The number of the last line, dropped or not.
    last: u64,
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
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = u64::try_from(now.as_micros()).unwrap_or_default();
        let (kept, bucket) = (VecDeque::new(), Bucket::default());
        let state = Mutex::new(State { kept, bucket, start, last: start });
        Self { plugin: plugin.to_owned(), state, faults: Mutex::default() }
    }

    /// Takes a line of the guest, unless it has written too many. A line that is dropped costs no
    /// formatting.
    pub(crate) fn write(&self, level: LineLevel, text: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last += 1;
        if !state.bucket.take(Instant::now()) {
            return;
        }
        let (number, time) = (state.last, SystemTime::now());
        let line = Line { number, time, level, text: printable(text, limits::LINE_BYTES) };
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

    /// The lines that are kept of those after a number, the number of the last line, and how many
    /// in between are not kept.
    fn after(&self, number: u64) -> (Vec<Line>, u64, u64) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // A number of ours that is yet to come was given by a clock that was put back since.
        let after = if number > state.last { state.start } else { number.max(state.start) };
        let lines: Vec<_> = state.kept.iter().filter(|line| line.number > after).cloned().collect();
        let written = state.last - after;
        let kept = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        (lines, state.last, written.saturating_sub(kept))
    }
}

impl Plugin {
    /// Of the lines that it wrote after the one with this number, those that are kept, oldest
    /// first; the number of the last line, to go on from; and how many in between were dropped,
    /// because there were too many at once or they are too old.
    #[must_use]
    pub fn lines_after(&self, number: u64) -> (Vec<Line>, u64, u64) {
        self.0.common.lines.after(number)
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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
    fn whoever_follows_misses_nothing_that_is_kept_and_knows_what_is_not() {
        let lines = Lines::new("x");
        let write = |texts: std::ops::Range<u32>| {
            texts.for_each(|n| lines.write(LineLevel::Info, &n.to_string()));
        };
        let texts = |lines: &[Line]| -> Vec<String> {
            lines.iter().map(|line| line.text.clone()).collect()
        };
        write(0..3);
        let (first, next, dropped) = lines.after(0);
        assert_eq!((texts(&first).join(","), dropped), ("0,1,2".to_owned(), 0));
        assert_eq!(lines.after(next), (vec![], next, 0));
        write(3..5);
        let (then, next, _) = lines.after(next);
        assert_eq!(texts(&then), ["3", "4"]);
        assert!(then.windows(2).all(|two| two[0].number + 1 == two[1].number));

        write(5..500);
        let (last, end, dropped) = lines.after(next);
        assert_eq!(end, next + 495);
        assert_eq!(u64::try_from(last.len()).unwrap() + dropped, 495);
        assert!(last.len() <= limits::LINES_KEPT && dropped > 0);
    }

    #[test]
    fn whoever_followed_it_before_a_reload_goes_on_from_the_beginning() {
        let before = Lines::new("x");
        before.write(LineLevel::Info, "old");
        let (_, next, _) = before.after(0);
        while SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() <= next.into() {}
        let after = Lines::new("x");
        after.write(LineLevel::Info, "new");
        let (lines, end, dropped) = after.after(next);
        assert_eq!((lines.len(), dropped), (1, 0));
        assert_eq!(lines[0].text, "new");
        // Also if the clock was put back between the two.
        assert_eq!(after.after(end + 1_000_000).0, lines);
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
