use std::fmt::Write as _;

use serde::Deserialize;

use crate::{Failure, Report, Selector};

/// How a call of `attest` ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attested {
    /// `reported`, `not-applicable`, `unavailable`, `failed` or `retry`; `gone`, if a fact said that
    /// the process has exited; `trapped`, if the plugin panicked.
    pub outcome: String,
    /// Each as `key:value` or `key:name:value`, in order.
    pub selectors: Vec<String>,
    /// The keys about which nothing could be said, in order.
    pub unknown: Vec<String>,
    /// What was said about a failure.
    pub reason: Option<String>,
    /// What was logged.
    pub log: Vec<String>,
}

impl Attested {
    pub(super) fn new(result: Result<Report, Failure>, gone: bool, log: Vec<String>) -> Self {
        let (outcome, report, reason) = match result {
            Ok(report) => ("reported", report, None),
            Err(Failure::NotApplicable) => ("not-applicable", Report::new(), None),
            Err(Failure::Retry(ms)) => ("retry", Report::new(), Some(format!("after {ms} ms"))),
            Err(Failure::Unavailable(reason)) => ("unavailable", Report::new(), Some(reason)),
            Err(Failure::Failed(reason)) => ("failed", Report::new(), Some(reason)),
        };
        if gone {
            return Self { outcome: "gone".to_owned(), log, ..Self::default() };
        }
        let selectors = report.selectors().iter().map(written).collect();
        let unknown = report.unknown_keys().iter().map(|unknown| unknown.key.clone()).collect();
        let (selectors, unknown) = (sorted(selectors), sorted(unknown));
        Self { outcome: outcome.to_owned(), selectors, unknown, reason, log }
    }

    pub(super) fn trapped(message: String) -> Self {
        Self { outcome: "trapped".to_owned(), reason: Some(message), ..Self::default() }
    }
}

fn written(selector: &Selector) -> String {
    match &selector.name {
        Some(name) => format!("{}:{name}:{}", selector.key, selector.value),
        None => format!("{}:{}", selector.key, selector.value),
    }
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list.dedup();
    list
}

/// `<fixture>.expected.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    #[serde(rename = "$schema", default)]
    _schema: serde::de::IgnoredAny,
    outcome: String,
    #[serde(default)]
    selectors: Vec<String>,
    #[serde(default)]
    unknown: Vec<String>,
    reason: Option<String>,
    #[serde(default)]
    pub(super) settings: serde_json::Map<String, serde_json::Value>,
    pub(super) wants: Option<Vec<String>>,
}

impl Expected {
    /// What differs, a line each; nothing if all is as expected.
    pub(super) fn differences(self, found: &Attested) -> String {
        let mut lines = String::new();
        let (expected_reason, outcome) = (self.reason, &self.outcome);
        let reason_differs = expected_reason.is_some() && expected_reason != found.reason;
        if *outcome != found.outcome || reason_differs {
            let because = |reason: &Option<String>| {
                reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"))
            };
            let _ = writeln!(lines, "  expected {outcome}{}", because(&expected_reason));
            let _ = writeln!(lines, "  found    {}{}", found.outcome, because(&found.reason));
        }
        compare(&mut lines, "", &sorted(self.selectors), &found.selectors);
        compare(&mut lines, "unknown ", &sorted(self.unknown), &found.unknown);
        if !lines.is_empty() {
            lines.extend(found.log.iter().map(|line| format!("  log {line}\n")));
        }
        lines
    }
}

fn compare(lines: &mut String, what: &str, expected: &[String], found: &[String]) {
    for missing in expected.iter().filter(|one| !found.contains(one)) {
        let _ = writeln!(lines, "  - {what}{missing:?} is expected and not there");
    }
    for extra in found.iter().filter(|one| !expected.contains(one)) {
        let _ = writeln!(lines, "  + {what}{extra:?} is there and not expected");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(json: &str) -> Expected {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_report_is_compared_as_sets() {
        let report = Report::new().selector("b", 1).named("a", "n", 2).selector("b", 1);
        let found = Attested::new(Ok(report.unknown("c", "no")), false, Vec::new());
        let same = r#"{"outcome":"reported","selectors":["a:n:2","b:1"],"unknown":["c"]}"#;
        assert_eq!(expected(same).differences(&found), "");
        let other = r#"{"outcome":"reported","selectors":["a:n:2","b:2"]}"#;
        assert_eq!(
            expected(other).differences(&found),
            "  - \"b:2\" is expected and not there\n  + \"b:1\" is there and not expected\n  \
             + unknown \"c\" is there and not expected\n"
        );
    }

    #[test]
    fn a_reason_is_compared_only_if_it_is_expected() {
        let failed = || Err(Failure::Failed("no such key".to_owned()));
        let found = Attested::new(failed(), false, vec!["info: hello".to_owned()]);
        assert_eq!(expected(r#"{"$schema":"s","outcome":"failed"}"#).differences(&found), "");
        let differs = expected(r#"{"outcome":"failed","reason":"other"}"#).differences(&found);
        assert_eq!(
            differs,
            "  expected failed (other)\n  found    failed (no such key)\n  log info: hello\n"
        );
        let gone = Attested::new(failed(), true, Vec::new());
        assert_eq!(expected(r#"{"outcome":"gone"}"#).differences(&gone), "");
    }
}
