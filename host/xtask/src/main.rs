//! The task runner: everything a developer or CI runs, behind a few commands.
//!
//! ```text
//! cargo xtask run [--once]     build, start the daemon, show decisions
//! cargo xtask test [--long]    everything that lands a change
//! cargo xtask fuzz [TARGET]    what is read from others, against many more inputs than in the tests
//! cargo xtask attack           many attacks upon who it is and what it runs; how often who was wrong
//! cargo xtask attacks          which attack is shown by which test: host/peer/ATTACKS.md
//! ```
//!
//! It depends on nothing heavy, so that it starts before anything else is built.

mod attack;
mod attacks;
mod clients;
mod daemon;
mod demo;
mod documents;
mod fuzz;
mod languages;
mod needs;
mod shell;
mod test;

use anyhow::{Result, bail};

const USAGE: &str = "usage: cargo xtask run [--once] | cargo xtask test [--long] [STEP…] \
                     | cargo xtask fuzz [--seconds S | --iterations N] [TARGET] \
                     | cargo xtask attack [--count N] [--json] | cargo xtask attacks [--check]";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["run"] => demo::stay(),
        ["run", "--once"] => demo::once(),
        ["test", "--long", only @ ..] => test::all(true, only),
        ["test", only @ ..] => test::all(false, only),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["attack", rest @ ..] => attack::run_all(rest),
        ["attacks", rest @ ..] => attacks::run(rest),
        _ => bail!("{USAGE}"),
    }
}
