//! `cargo xtask attacks`: which attacks upon the identity of a process are tested, and by which test.
//!
//! The table of cases is in `attacks/cases.rs`; which test shows a case is said by the test itself, in
//! a comment that cites its number (`// #9`). A case that is said to pass and that no test cites is an
//! error, so the document cannot promise what nobody tries.

mod cases;
mod citations;

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context, Result, bail};

use self::{
    cases::{CASES, Case, Outcome},
    citations::Citations,
};
use crate::shell::root;

/// Where the document is.
const DOCUMENT: &str = "host/peer/ATTACKS.md";

/// Writes the document, or says that it is not as it should be.
pub fn run(words: &[&str]) -> Result<()> {
    match words {
        [] => {
            fs::write(root().join(DOCUMENT), document(&root())?).context(DOCUMENT)?;
            println!("{DOCUMENT} is written");
            Ok(())
        }
        ["--check"] => check(),
        _ => bail!("usage: cargo xtask attacks [--check]"),
    }
}

/// Says whether the document is as the tests are.
pub fn check() -> Result<()> {
    let written = fs::read_to_string(root().join(DOCUMENT)).context(DOCUMENT)?;
    if written != document(&root())? {
        bail!("{DOCUMENT} is stale; write it anew: cargo xtask attacks");
    }
    Ok(())
}

fn document(root: &Path) -> Result<String> {
    let citations = Citations::find(root)?;
    let mut text = String::from(HEAD);
    let counts =
        |what: fn(&Outcome) -> bool| CASES.iter().filter(|case| what(&case.outcome)).count();
    writeln!(
        text,
        "\nOf {} cases {} pass, {} are known limits, {} cannot run here.",
        CASES.len(),
        counts(|outcome| matches!(outcome, Outcome::Passed(_))),
        counts(|outcome| matches!(outcome, Outcome::Limit(_))),
        counts(|outcome| matches!(outcome, Outcome::CannotRun(_))),
    )?;
    for (first, title) in SECTIONS {
        let next = SECTIONS.iter().map(|(number, _)| *number).find(|number| *number > first);
        let of_section =
            |case: &&Case| case.number >= first && Some(case.number) < next.or(Some(u16::MAX));
        writeln!(
            text,
            "\n## {title}\n\n| # | case | expected | outcome | shown by |\n|---|---|---|---|---|"
        )?;
        for case in CASES.iter().filter(of_section) {
            text.push_str(&row(case, &citations)?);
        }
    }
    Ok(text)
}

const SECTIONS: [(u16, &str); 3] = [(1, "Who is it"), (25, "Facts"), (46, "Socket, load, life")];

const HEAD: &str = "\
# Attacks

Every way known to us of being told something about another process than the one that asked, or of
keeping others from being answered; and what comes of it. Written by `cargo xtask attacks` from
`host/xtask/src/attacks/cases.rs` and from the tests that cite a case by its number; a check that
lands every change fails when it is stale.

*Passed*: a test attacks, and what is expected is what happens. Figures are tries on every run of the
tests; `cargo xtask attack --count N` makes the first ones many more. *Known limit*: a test shows what
cannot be told apart, and what it is therefore worth. Everything runs on real processes and the real
kernel unless a unit test is named.
";

fn row(case: &Case, citations: &Citations) -> Result<String> {
    let tests = citations.of(case.number);
    let outcome = match &case.outcome {
        Outcome::Passed(figure) => format!("passed: {figure}"),
        Outcome::Limit(what) => format!("known limit: {what}"),
        Outcome::CannotRun(why) => format!("cannot run here: {why}"),
    };
    if matches!(case.outcome, Outcome::Passed(_) | Outcome::Limit(_)) && tests.is_empty() {
        bail!(
            "case #{} is said to be tested, and no test cites it in a comment (`// #{}`)",
            case.number,
            case.number
        );
    }
    let tests: Vec<_> = tests.iter().map(|test| format!("`{test}`")).collect();
    let Case { number, case, expected, .. } = case;
    Ok(format!("| {number} | {case} | {expected} | {outcome} | {} |\n", tests.join("<br>")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_its_row() {
        let numbers: Vec<_> = CASES.iter().map(|case| case.number).collect();
        assert_eq!(numbers, (1..=63).collect::<Vec<_>>());
    }

    #[test]
    fn what_nobody_tries_does_not_pass() {
        let case = Case { number: 200, case: "", expected: "", outcome: Outcome::Passed("often") };
        let error = row(&case, &Citations::find(&root()).unwrap()).unwrap_err();
        assert!(error.to_string().contains("#200"), "{error}");
    }
}
