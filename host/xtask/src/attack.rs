//! `cargo xtask attack`: how often is the wrong process taken for the one that asked? By witgate, and
//! by two other ways of telling, in the same runs.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::shell::{cargo, run};

/// Tries if nothing else is said: a minute or so.
const COUNT: u64 = 20_000;

/// Of ten tries one is an exec race: those take ten times as long as the reuse of a number.
const EXEC_SHARE: u64 = 10;

/// What `WITGATE_EXEC_TRIES=1` makes: four moments once, and any moment four times.
const EXEC_KINDS: u64 = 8;

/// How often is said how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

const METHODS: [(&str, &str); 3] = [
    ("witgate", "witgate"),
    ("number", "SO_PEERCRED, then /proc by number"),
    ("held-directory", "/proc/<pid> held, owner and start time compared"),
];

const FACTS: [(&str, &str); 3] = [
    ("who", "who it is"),
    ("program-challenged", "what it runs, challenged"),
    ("program-unchallenged", "what it runs, unchallenged"),
];

/// A test that attacks, and how much of it.
struct Campaign {
    test: &'static str,
    only: &'static str,
    variable: &'static str,
    tries: u64,
}

/// Wrong and all, by method and facts.
type Figures = BTreeMap<(String, String), (u64, u64)>;

/// Attacks that many times, and says how often each method was wrong.
pub fn run_all(words: &[&str]) -> Result<()> {
    let (count, json) = read(words)?;
    let exec = count / EXEC_SHARE;
    let campaigns = [
        Campaign {
            test: "pid_reuse",
            only: "a_recycled_number_is_never_taken_for_its_former_owner",
            variable: "WITGATE_REUSE_TRIES",
            tries: count - exec,
        },
        Campaign {
            test: "exec_race",
            only: "",
            variable: "WITGATE_EXEC_TRIES",
            tries: (exec / EXEC_KINDS).max(1),
        },
    ];
    run(&mut test(&["--no-run"]))?;
    let started = Instant::now();
    let mut figures = Figures::new();
    for campaign in &campaigns {
        campaign.run(&mut figures)?;
    }
    let took = started.elapsed();
    println!("{}", if json { as_json(&figures, took) } else { as_table(&figures, took) });
    let wrong = |facts: &str| figures.get(&("witgate".to_owned(), facts.to_owned())).map(|of| of.0);
    if wrong("who") != Some(0) || wrong("program-challenged") != Some(0) {
        bail!("the wrong process was taken for the one that asked");
    }
    Ok(())
}

fn read(words: &[&str]) -> Result<(u64, bool)> {
    let number = |word: &str| word.parse().with_context(|| format!("{word} is not a number"));
    Ok(match words {
        [] => (COUNT, false),
        ["--json"] => (COUNT, true),
        ["--count", n] => (number(n)?, false),
        ["--count", n, "--json"] | ["--json", "--count", n] => (number(n)?, true),
        _ => bail!("usage: cargo xtask attack [--count N] [--json]"),
    })
}

fn test(rest: &[&str]) -> Command {
    let mut test = cargo();
    test.args(["test", "--quiet", "--locked", "--package", "witgate-peer"]);
    test.args(["--test", "pid_reuse", "--test", "exec_race"]).args(rest);
    test
}

impl Campaign {
    /// On every processor an equal part.
    fn run(&self, figures: &mut Figures) -> Result<()> {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from) as u64;
        let part = self.tries.div_ceil(jobs);
        let (lines, said) = mpsc::channel();
        let children: Vec<_> =
            (0..jobs).map(|_| self.start(part, &lines)).collect::<Result<_>>()?;
        drop(lines);
        let mut shown = Instant::now();
        for line in said {
            note(&line, figures);
            if shown.elapsed() >= PROGRESS {
                shown = Instant::now();
                eprintln!("{}: {}", self.test, progress(figures));
            }
        }
        for mut child in children {
            let status = child.wait()?;
            if !status.success() {
                bail!("{} ended with {status}", self.test);
            }
        }
        Ok(())
    }

    fn start(&self, tries: u64, lines: &mpsc::Sender<String>) -> Result<Child> {
        let mut test = cargo();
        test.args(["test", "--quiet", "--locked", "--package", "witgate-peer", "--test"]);
        test.args([self.test, "--", "--nocapture", "--test-threads=1", self.only]);
        test.env(self.variable, tries.to_string()).env("WITGATE_FIGURES", "1");
        let mut child = test.stdout(Stdio::piped()).spawn().context("cannot start the tests")?;
        let out = child.stdout.take().context("no output")?;
        let lines = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        Ok(child)
    }
}

/// One line of a test: `figures <method> <facts> <wrong> <all>`, for so many more tries. (What the
/// test says of itself may stand before it.)
fn note(line: &str, figures: &mut Figures) {
    let Some((_, told)) = line.split_once("figures ") else { return };
    let words: Vec<_> = told.split(' ').collect();
    if let [method, facts, wrong, all] = words[..]
        && let (Ok(wrong), Ok(all)) = (wrong.parse::<u64>(), all.parse::<u64>())
    {
        let sum = figures.entry((method.to_owned(), facts.to_owned())).or_default();
        *sum = (sum.0 + wrong, sum.1 + all);
    }
}

fn progress(figures: &Figures) -> String {
    let of_method = |method: &str| {
        let rows = figures.iter().filter(|((of, _), _)| of == method);
        rows.fold((0, 0), |sum, (_, (wrong, all))| (sum.0 + wrong, sum.1 + all))
    };
    let part = |(method, _): &(&str, &str)| {
        let (wrong, all) = of_method(method);
        format!("{method} {wrong}/{all}")
    };
    METHODS.iter().map(part).collect::<Vec<_>>().join(", ")
}

fn as_table(figures: &Figures, took: Duration) -> String {
    let mut text = String::from("wrong / tries\n");
    let _ = write!(text, "{:<50}", "");
    for (_, title) in FACTS {
        let _ = write!(text, "{title:>28}");
    }
    for (method, title) in METHODS {
        let _ = write!(text, "\n{title:<50}");
        for (facts, _) in FACTS {
            let found = figures.get(&(method.to_owned(), facts.to_owned()));
            let cell = found.map_or("-".to_owned(), |(wrong, all)| format!("{wrong} / {all}"));
            let _ = write!(text, "{cell:>28}");
        }
    }
    let all: u64 = tries(figures);
    let seconds = took.as_secs_f64();
    let _ = write!(
        text,
        "\n\n{all} attacks in {seconds:.1} s, {:.0} a second. What is unchallenged is `claimed`: \
         only entries that say `weak` rest on it.",
        all as f64 / seconds
    );
    text
}

/// All that were made.
fn tries(figures: &Figures) -> u64 {
    figures.iter().filter(|((method, _), _)| method == "witgate").map(|(_, (_, all))| all).sum()
}

fn as_json(figures: &Figures, took: Duration) -> String {
    let rows: Vec<_> = figures
        .iter()
        .map(|((method, facts), (wrong, all))| {
            format!(r#"{{"method":"{method}","facts":"{facts}","wrong":{wrong},"tries":{all}}}"#)
        })
        .collect();
    format!(
        r#"{{"seconds":{:.1},"attacks":{},"figures":[{}]}}"#,
        took.as_secs_f64(),
        tries(figures),
        rows.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tests_tell_is_added_up() {
        let mut figures = Figures::new();
        note("test a_test ... figures witgate who 0 10", &mut figures);
        note("figures witgate who 1 5", &mut figures);
        note("figures number who 7 7", &mut figures);
        note("figures number who seven", &mut figures);
        note("ok", &mut figures);
        assert_eq!(figures[&("witgate".to_owned(), "who".to_owned())], (1, 15));
        assert_eq!(progress(&figures), "witgate 1/15, number 7/7, held-directory 0/0");
        assert_eq!(
            as_json(&figures, Duration::from_secs(2)),
            r#"{"seconds":2.0,"attacks":15,"figures":[{"method":"number","facts":"who","wrong":7,"tries":7},{"method":"witgate","facts":"who","wrong":1,"tries":15}]}"#
        );
        assert!(as_table(&figures, Duration::from_secs(2)).contains("1 / 15"));
    }
}
