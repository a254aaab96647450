//! `cargo xtask fuzz`: every fuzz target for longer than the tests run it, and how much that was.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::shell::{cargo, root};

/// How long a target runs if nothing else is said.
const SECONDS: u64 = 10;

/// What begins the line that a target prints at its end (`testkit/src/fuzz.rs`).
const REPORT: &str = "fuzzed ";

/// How much is run of which targets.
struct Plan<'a> {
    limit: Limit,
    only: Option<&'a str>,
}

enum Limit {
    /// Each target for this long.
    Seconds(u64),
    /// Each target with this many inputs besides its corpus.
    Iterations(u64),
}

/// A crate with targets: each has a corpus of its name in the folder `fuzz`.
struct Targets {
    folder: PathBuf,
    names: Vec<String>,
}

/// Runs the targets, and says for each how many inputs it was.
pub fn run(words: &[&str]) -> Result<()> {
    let plan = Plan::read(words)?;
    let mut executions = 0;
    let mut count = 0;
    for targets in find(plan.only)? {
        let said = plan.run(&targets)?;
        for name in &targets.names {
            let target = said.iter().find(|line| line.split([' ', ':']).nth(1) == Some(name));
            let target = target.with_context(|| {
                format!(
                    "there is a corpus {name} in {}, and no test fuzz::{name}",
                    targets.folder.display()
                )
            })?;
            println!("{target}");
            count += 1;
            let number = target.split(' ').nth_back(1).and_then(|number| number.parse().ok());
            executions += number.unwrap_or(0_u64);
        }
    }
    if count == 0 {
        bail!("there is no fuzz target {}", plan.only.unwrap_or_default());
    }
    println!("{count} targets, {executions} executions");
    Ok(())
}

impl<'a> Plan<'a> {
    fn read(words: &[&'a str]) -> Result<Self> {
        let number = |word: &str| word.parse().with_context(|| format!("{word} is not a number"));
        Ok(match words {
            [] => Self { limit: Limit::Seconds(SECONDS), only: None },
            ["--seconds", n, rest @ ..] if rest.len() < 2 => {
                Self { limit: Limit::Seconds(number(n)?), only: rest.first().copied() }
            }
            ["--iterations", n, rest @ ..] if rest.len() < 2 => {
                Self { limit: Limit::Iterations(number(n)?), only: rest.first().copied() }
            }
            [only] if !only.starts_with('-') => {
                Self { limit: Limit::Seconds(SECONDS), only: Some(only) }
            }
            _ => bail!("usage: cargo xtask fuzz [--seconds S | --iterations N] [TARGET]"),
        })
    }

    /// What the targets of a crate say at their end. What they print on a failure goes through.
    fn run(&self, targets: &Targets) -> Result<Vec<String>> {
        let mut test = cargo();
        test.current_dir(&targets.folder).args(["test", "--quiet", "--locked", "--lib"]);
        // A target that needs nothing private may stand among the tests from outside.
        if targets.folder.join("tests/it/fuzz.rs").is_file() {
            test.args(["--test", "it"]);
        }
        test.args(["--", "--nocapture"])
            .args(targets.names.iter().map(|name| format!("fuzz::{name}")));
        self.limit.set(&mut test);
        let output = test.stdout(Stdio::piped()).stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("cannot start {test:?}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("{said}\na target in {} failed", targets.folder.display());
        }
        let reports = said.lines().filter_map(|line| Some(line.split_once(REPORT)?.1.to_owned()));
        Ok(reports.collect())
    }
}

impl Limit {
    /// By the variables of `bolero`, which go before what a target asks for.
    fn set(&self, test: &mut Command) {
        let (iterations, milliseconds) = match self {
            Self::Seconds(seconds) => (u64::from(u32::MAX), Some(seconds.saturating_mul(1000))),
            Self::Iterations(iterations) => (*iterations, None),
        };
        test.env("BOLERO_RANDOM_ITERATIONS", iterations.to_string());
        match milliseconds {
            Some(limit) => test.env("BOLERO_RANDOM_TEST_TIME_MS", limit.to_string()),
            None => test.env_remove("BOLERO_RANDOM_TEST_TIME_MS"),
        };
    }
}

/// All targets, or the one of this name.
fn find(only: Option<&str>) -> Result<Vec<Targets>> {
    let mut found = Vec::new();
    for crates in ["host", "plugins"] {
        for folder in folders(&root().join(crates))? {
            let corpora = folder.join("fuzz");
            if !corpora.is_dir() {
                continue;
            }
            let names = folders(&corpora)?.into_iter();
            let names = names.filter_map(|corpus| Some(corpus.file_name()?.to_str()?.to_owned()));
            let names: Vec<_> = names.filter(|name| only.is_none_or(|only| only == name)).collect();
            if !names.is_empty() {
                found.push(Targets { folder, names });
            }
        }
    }
    Ok(found)
}

fn folders(of: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(of).with_context(|| format!("cannot list {}", of.display()))?;
    let mut folders: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    folders.sort();
    Ok(folders)
}
