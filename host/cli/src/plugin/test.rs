//! `witgate plugin test`: recorded processes through the component, in the daemon's sandbox.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use witgate_attestor::{Attestation, Expected, Plugin, Question};

use super::{
    args::TestOptions,
    cases::{self, Case},
    source::Source,
    words,
    workshop::Workshop,
};
use crate::{
    exit::{Exit, Failure},
    output::{say, say_json},
    put::put,
};

/// What came of one fixture.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    name: String,
    ok: bool,
    /// The expected report was written.
    updated: bool,
    /// What is not as expected, a line each.
    differences: Vec<String>,
    /// What the author could do about it.
    hints: Vec<String>,
    /// What the plugin wrote.
    lines: Vec<String>,
}

/// What came of all of them.
#[derive(Debug, Serialize)]
pub(crate) struct Verdicts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    took_ms: u64,
    fixtures: Vec<Verdict>,
    #[serde(skip)]
    took: Duration,
}

/// Replays, compares, and says what differs.
pub(crate) fn test(options: &TestOptions) -> Result<Exit, Failure> {
    let source = Source::open(&options.target, options.no_build)?;
    let mut found = cases::cases(&source, options.fixtures.as_deref())?;
    if let Some(name) = &options.fixture {
        found = vec![cases::one(found, Some(name))?];
    }
    if found.is_empty() {
        return Err(cases::none());
    }
    if options.update && found.iter().any(|case| case.file.is_none()) {
        let message = "--update writes files, and these fixtures are part of the component; give \
                       the project, or --fixtures DIR";
        return Err(Failure::new(Exit::Usage, message));
    }
    let verdicts = replay(&Workshop::open()?, &source, &found, options.update)?;
    if options.form.json {
        say_json(&verdicts)?;
    } else {
        say(&verdicts.for_people());
    }
    Ok(if verdicts.failed == 0 { Exit::Ok } else { Exit::Deny })
}

/// Asks a plugin about each of them.
pub(crate) fn replay(
    workshop: &Workshop,
    source: &Source,
    cases: &[Case],
    update: bool,
) -> Result<Verdicts, Failure> {
    let plugin = workshop.load(source.spec()?)?;
    let started = Instant::now();
    let judge = |case: &Case| workshop.block_on(judge(&plugin, case, update));
    let fixtures = cases.iter().map(judge).collect::<Result<Vec<_>, _>>()?;
    let took = started.elapsed();
    let passed = fixtures.iter().filter(|verdict| verdict.ok).count();
    let failed = fixtures.len() - passed;
    Ok(Verdicts { passed, failed, took_ms: words::milliseconds(took), fixtures, took })
}

async fn judge(plugin: &Plugin, case: &Case, update: bool) -> Result<Verdict, Failure> {
    let (_, before, _) = plugin.lines_after(0);
    let said = plugin.rehearse(case.facts.clone(), case.expected.as_ref()).await;
    let (lines, ..) = plugin.lines_after(before);
    let mut verdict = Verdict {
        name: case.name.clone(),
        ok: true,
        updated: false,
        differences: case.expected.as_ref().map_or_else(Vec::new, |e| e.differences(&said)),
        hints: Vec::new(),
        lines: lines.into_iter().map(|line| line.text).collect(),
    };
    let as_expected = case.expected.is_some() && verdict.differences.is_empty();
    match &case.file {
        Some(file) if update && !as_expected => {
            let report = Expected::of(&said, case.expected.as_ref());
            let text = serde_json::to_string_pretty(&report).map_err(Failure::internal)? + "\n";
            let failed = |error| Failure::internal(format!("{}: {error}", file.display()));
            put(file, text.as_bytes()).map_err(failed)?;
            verdict.updated = true;
        }
        _ if as_expected => {}
        _ => {
            verdict.ok = false;
            verdict.hints = hints(case, &said)?;
        }
    }
    Ok(verdict)
}

/// What may be behind a failure, other than the plugin.
fn hints(case: &Case, said: &Attestation) -> Result<Vec<String>, Failure> {
    let mut hints = Vec::new();
    if case.expected.is_none() {
        hints.push("it has no expected report; write what it says today: --update".to_owned());
    }
    let record = serde_json::to_value(&case.facts).map_err(Failure::internal)?;
    let missing = said.asked.iter().filter(|question| !is_answered(&record, question));
    hints.extend(missing.map(|question| {
        format!("the fixture has no record of {question}; if the process had it, record it again")
    }));
    hints.dedup();
    Ok(hints)
}

/// Whether a record, as it is written, has an answer: what is left out is unsupported.
fn is_answered(record: &Value, question: &Question) -> bool {
    let file = |fact: &str, path: &str, aspect: &str| record[fact][path].get(aspect).is_some();
    match question {
        Question::Fact(fact) => record.get(fact.as_str()).is_some(),
        Question::Variable(name) => record["environ.variables"].get(name).is_some(),
        Question::File(root, path) => file(root.fact().as_str(), path, "content"),
        Question::Entries(root, path) => file(root.fact().as_str(), path, "entries"),
        Question::Status(root, path) => file(root.fact().as_str(), path, "status"),
        Question::Wants(_) => true,
    }
}

impl Verdict {
    /// What the plugin wrote, if it fails: of a panic what Rust says about it, which says more than
    /// the trap that it ends in; and everything before that.
    fn written(&self) -> (Vec<String>, Vec<String>) {
        let no_news = |line: &str| line.trim().is_empty() || line.contains("RUST_BACKTRACE=1");
        let lines = self.lines.iter().filter(|line| !self.ok && !no_news(line));
        let mut others: Vec<_> = lines.map(|line| format!("the plugin wrote: {line}")).collect();
        let panic = others.iter().position(|line| line.contains("panicked at"));
        let panic = others.split_off(panic.unwrap_or(others.len()));
        (panic, others)
    }
}

impl Verdicts {
    /// A line for each, and what there is to say about it.
    pub(crate) fn for_people(&self) -> String {
        self.lines(|_| true)
    }

    /// The same, of those that fail.
    pub(crate) fn failures(&self) -> String {
        self.lines(|verdict| !verdict.ok)
    }

    fn lines(&self, shown: impl Fn(&&Verdict) -> bool) -> String {
        let mut lines = Vec::new();
        for verdict in self.fixtures.iter().filter(shown) {
            let word = match verdict {
                Verdict { ok: false, .. } => "FAIL",
                Verdict { updated: true, .. } => "new ",
                _ => "ok  ",
            };
            lines.push(format!("{word} {}", verdict.name));
            let (panic, others) = verdict.written();
            let said = panic.into_iter().chain(verdict.differences.iter().cloned());
            let said = said.chain(verdict.hints.iter().cloned()).chain(others);
            lines.extend(said.map(|line| format!("     {line}")));
        }
        let Self { passed, failed, took, .. } = self;
        lines.push(format!("{passed} passed, {failed} failed in {}", words::time(*took)));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use witgate_facts::{FactName, FileRoot, fixture::Recorded};

    use super::*;

    #[test]
    fn a_panic_comes_before_the_trap_that_it_ends_in() {
        let lines = [
            "looking",
            "",
            "thread '<unnamed>' panicked at src/lib.rs:9:5:",
            "no such key",
            "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
        ];
        let verdict = Verdict {
            name: "debian".to_owned(),
            ok: false,
            updated: false,
            differences: vec!["expected reported, got trapped".to_owned()],
            hints: Vec::new(),
            lines: lines.map(str::to_owned).into(),
        };
        let (passed, failed, took) = (0, 1, Duration::ZERO);
        let all = Verdicts { passed, failed, took_ms: 0, fixtures: vec![verdict], took };
        let wrote = "     the plugin wrote: ";
        let expected = [
            "FAIL debian".to_owned(),
            format!("{wrote}thread '<unnamed>' panicked at src/lib.rs:9:5:"),
            format!("{wrote}no such key"),
            "     expected reported, got trapped".to_owned(),
            format!("{wrote}looking"),
        ];
        assert!(all.failures().starts_with(&expected.join("\n")), "{}", all.failures());
    }

    #[test]
    fn a_question_without_a_record_is_found() {
        let text = r#"{"process.credentials":{"err":"denied"},
            "environ.variables":{"A":{"ok":null}},
            "files.workload":{"/a":{"content":{"ok":null}}}}"#;
        let recorded: Recorded = serde_json::from_str(text).unwrap();
        let record = serde_json::to_value(recorded).unwrap();
        let file = |path: &str| Question::File(FileRoot::Workload, path.to_owned());
        let answered = |question: Question| is_answered(&record, &question);
        assert!(answered(Question::Fact(FactName::ProcessCredentials)) && answered(file("/a")));
        assert!(answered(Question::Variable("A".to_owned())));
        assert!(!answered(Question::Fact(FactName::ProcessNames)) && !answered(file("/b")));
        assert!(!answered(Question::Status(FileRoot::Workload, "/a".to_owned())));
        assert!(!answered(Question::Variable("B".to_owned())));
    }
}
