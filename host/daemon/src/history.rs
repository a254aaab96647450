//! How reloads have been ending, for status and metrics, and what of it is news.

use std::collections::BTreeSet;

use witgate_admin::{Failing, ReloadReport, Reloads};

/// Different mistakes that are remembered as told. More at a time are told again.
const TOLD: usize = 1024;

/// The reloads since the start.
#[derive(Debug, Default)]
pub(crate) struct History {
    reloads: Reloads,
    /// Mistakes that stand in the log already. A file that stays broken is tried again with every
    /// hint, and must not fill the log.
    told: BTreeSet<String>,
}

impl History {
    /// Takes note of a reload, and tells the log what is new about it.
    pub(crate) fn add(&mut self, report: &ReloadReport) {
        match (report.ok, report.changed) {
            (true, true) => self.changed(report),
            (true, false) => self.unchanged(report),
            (false, _) => self.failed(report),
        }
        // That a hint led to nothing is no news; what happened before it may still be.
        if !report.ok || report.changed || self.reloads.failing.is_some() {
            self.reloads.last = Some(report.clone());
        }
        if report.ok {
            self.reloads.failing = None;
            self.told.clear();
        }
    }

    pub(crate) fn show(&self) -> Reloads {
        self.reloads.clone()
    }

    fn changed(&mut self, report: &ReloadReport) {
        self.reloads.changed += 1;
        tracing::info!(
            policy.revision = %report.policy_revision, generation = report.generation,
            cause = ?report.cause, "Reloaded"
        );
        for warning in &report.warnings {
            tracing::warn!(generation = report.generation, warning, "Reloaded with a warning");
        }
    }

    fn unchanged(&mut self, report: &ReloadReport) {
        self.reloads.unchanged += 1;
        if self.reloads.failing.is_some() {
            tracing::info!(
                generation = report.generation,
                "The files say again what is in effect; nothing is wrong any more"
            );
        }
    }

    fn failed(&mut self, report: &ReloadReport) {
        self.reloads.failed += 1;
        let (time, errors) = (report.time, report.errors.clone());
        let before = self.reloads.failing.take();
        self.reloads.failing = Some(Failing {
            since: before.as_ref().map_or(time, |before| before.since),
            last: time,
            times: before.map_or(0, |before| before.times) + 1,
            errors,
        });
        if self.told.len() + report.errors.len() > TOLD {
            self.told.clear();
        }
        let new = report.errors.iter().filter(|error| self.told.insert((*error).clone()));
        let new: Vec<_> = new.map(String::as_str).collect();
        if !new.is_empty() {
            tracing::error!(
                errors = new.join("\n"), generation = report.generation, cause = ?report.cause,
                "Reload failed; what was loaded before stays"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use witgate_admin::ReloadCause;

    use super::*;

    fn report(second: i64, ok: bool, changed: bool, errors: &[&str]) -> ReloadReport {
        ReloadReport {
            time: Timestamp::from_second(second).unwrap(),
            cause: ReloadCause::Watch,
            ok,
            changed,
            generation: 1,
            policy_revision: String::new(),
            errors: errors.iter().map(|error| (*error).to_owned()).collect(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn what_is_wrong_is_known_since_when_and_how_often() {
        let mut history = History::default();
        history.add(&report(1, true, true, &[]));
        for second in 2..5 {
            history.add(&report(second, false, false, &["a.toml:1: wrong"]));
        }
        let shown = history.show();
        assert_eq!((shown.changed, shown.unchanged, shown.failed), (1, 0, 3));
        let failing = shown.failing.unwrap();
        assert_eq!((failing.since.as_second(), failing.last.as_second()), (2, 4));
        assert_eq!((failing.times, failing.errors.len()), (3, 1));
    }

    #[test]
    fn it_is_over_when_the_files_say_again_what_is_in_effect() {
        let mut history = History::default();
        history.add(&report(1, false, false, &["wrong"]));
        history.add(&report(2, true, false, &[]));
        let shown = history.show();
        assert!(shown.failing.is_none() && shown.last.is_some_and(|last| last.ok));
        // A hint that leads to nothing leaves the last word to what did.
        history.add(&report(3, true, false, &[]));
        assert_eq!(history.show().last.unwrap().time.as_second(), 2);
        assert_eq!(history.show().unchanged, 2);
    }

    #[test]
    fn a_mistake_is_news_once() {
        let mut history = History::default();
        history.add(&report(1, false, false, &["a", "b"]));
        history.add(&report(2, false, false, &["b"]));
        assert_eq!(history.told, ["a", "b"].map(str::to_owned).into());
        history.add(&report(3, true, true, &[]));
        assert!(history.told.is_empty());
        let many: Vec<_> = (0..=TOLD).map(|n| n.to_string()).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        history.add(&report(4, false, false, &many[1..]));
        history.add(&report(5, false, false, &["one more"]));
        assert_eq!(history.told.len(), 1);
    }
}
