//! `cargo xtask test`: the steps that land a change, in the order in which they fail fastest.

use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{
    attack, attacks, clients, demo, documents, languages, needs,
    shell::{cargo, root, run},
};

/// Tries of the PID-reuse harness in a long run.
const LONG_REUSE_TRIES: &str = "100000";

/// The same, for those who become another program.
const LONG_EXEC_TRIES: &str = "10000";

/// Paths at random over the kernel on paper; all others go further in a long run, too.
const LONG_PATHS: &str = "100000";

/// Tries of all harnesses together, against us and against others.
const ATTACKS: &str = "2000";
const LONG_ATTACKS: &str = "100000";

type Step = (&'static str, fn(bool) -> Result<()>);

const STEPS: &[Step] = &[
    ("needs", |_| {
        needs::packages().and_then(|()| needs::wasm_target()).and_then(|()| needs::guest_tools())
    }),
    ("fmt", |_| fmt()),
    ("attacks", |_| attacks::check()),
    ("clippy", |_| clippy()),
    ("test", unit_and_end_to_end),
    ("attack", |long| attack::run_all(&["--count", if long { LONG_ATTACKS } else { ATTACKS }])),
    ("doc", |_| doc()),
    ("guests", |_| guests()),
    ("languages", |_| languages::all()),
    ("clients", |_| clients::grpc()),
    ("deny", |_| deny()),
    ("once", |_| demo::once()),
    ("readme", |_| documents::run("README.md", 10)),
    ("guide", |_| documents::run("plugins/README.md", 20)),
];

/// Runs all steps, or those named.
pub fn all(long: bool, only: &[&str]) -> Result<()> {
    if let Some(unknown) = only.iter().find(|name| !STEPS.iter().any(|(step, _)| step == *name)) {
        let known: Vec<_> = STEPS.iter().map(|(step, _)| *step).collect();
        bail!("there is no step {unknown}; the steps are {}", known.join(" "));
    }
    let mut passed = 0;
    for (name, step) in STEPS.iter().filter(|(name, _)| only.is_empty() || only.contains(name)) {
        println!("=== {name}");
        let started = Instant::now();
        step(long).with_context(|| {
            format!("step {name} failed; run it alone: cargo xtask test {name}")
        })?;
        println!("=== {name} took {} s", started.elapsed().as_secs());
        passed += 1;
    }
    println!("steps: {passed} passed, 0 failed");
    Ok(())
}

fn fmt() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().current_dir(root().join("plugins")).args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    let deny = ["--", "--deny", "warnings"];
    run(cargo().args(["clippy", "--locked", "--workspace", "--all-targets"]).args(deny))?;
    run(cargo()
        .current_dir(root().join("plugins"))
        .args(["clippy", "--locked", "--workspace", "--target", "wasm32-wasip2"])
        .args(deny))
}

/// The same inputs for one state of the code: what lands does not depend on luck, which is what
/// `cargo xtask fuzz` is for.
const FUZZ_SEED: (&str, &str) = ("BOLERO_RANDOM_SEED", "42");

fn unit_and_end_to_end(long: bool) -> Result<()> {
    let mut test = cargo();
    test.args(["test", "--locked", "--workspace", "--all-targets"]).env(FUZZ_SEED.0, FUZZ_SEED.1);
    if long {
        test.env("WITGATE_REUSE_TRIES", LONG_REUSE_TRIES);
        test.env("WITGATE_EXEC_TRIES", LONG_EXEC_TRIES);
        test.env("WITGATE_PATHS", LONG_PATHS);
    }
    run(&mut test)
}

fn doc() -> Result<()> {
    run(cargo().args(["test", "--locked", "--workspace", "--doc"]))?;
    run(cargo()
        .args(["doc", "--locked", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "--deny warnings"))
}

/// The guests' own tests run natively: their logic does not know that it is Wasm.
fn guests() -> Result<()> {
    let test = ["test", "--locked", "--workspace", "--all-features"];
    let (name, seed) = FUZZ_SEED;
    run(cargo().current_dir(root().join("plugins")).args(test).env(name, seed))
}

fn deny() -> Result<()> {
    let mut deny = std::process::Command::new(needs::cargo_deny()?);
    run(deny.current_dir(root()).args(["check", "licenses", "bans", "sources"]))
}
