//! Fuzz targets: a parser, a corpus that is checked in, and what must hold for every input.
//!
//! ```no_run
//! use witgate_testkit::fuzz_target;
//!
//! #[test]
//! fn line() {
//!     fuzz_target!("line").words(&["attest", "\r\n"]).check(|input| {
//!         assert!(input.len() < usize::MAX);
//!     });
//! }
//! ```
//!
//! A target is a test function of the target's name in a module `fuzz`, so that what it attacks may
//! be private. Its corpus is the folder `fuzz/<name>` of its crate, one input a file: what has to be
//! got right, and whatever has ever been got wrong. Each is run as it is, and then a bounded number
//! of inputs that are made of them: pieces cut out, doubled, swapped between files, bytes changed,
//! the target's words put in.
//!
//! `cargo test` runs [`INPUTS`] inputs per target. `cargo xtask fuzz` runs more of them, by the
//! variables of `bolero` (`BOLERO_RANDOM_ITERATIONS`, `BOLERO_RANDOM_TEST_TIME_MS`), and counts.

use std::{
    fmt, fs,
    ops::{Bound, Range},
    panic::{AssertUnwindSafe, RefUnwindSafe},
    path::Path,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use bolero::{Driver, ValueGenerator};

/// Inputs that one target makes under `cargo test`, besides its corpus.
pub const INPUTS: usize = 5_000;

/// Largest input that is made, in bytes. What has larger limits is tried at them by other tests.
pub const INPUT_BYTES: usize = 16 * 1024;

/// What begins the line that a target prints at its end; `cargo xtask fuzz` reads it.
pub const REPORT: &str = "fuzzed ";

/// Most changes made to one input.
const CHANGES: usize = 6;

/// Most times that a piece is repeated in one change.
const REPEATS: usize = 200;

/// One parser under attack.
#[derive(Debug)]
pub struct Target {
    package: &'static str,
    name: &'static str,
    inputs: usize,
    material: Material,
}

/// A target of the crate that this stands in: [`Target::new`].
#[macro_export]
macro_rules! fuzz_target {
    ($name:literal) => {
        $crate::fuzz::Target::new(env!("CARGO_PKG_NAME"), env!("CARGO_MANIFEST_DIR"), $name)
    };
}

impl Target {
    /// The target of this name, with its corpus.
    ///
    /// # Panics
    /// If there is no corpus.
    #[must_use]
    pub fn new(package: &'static str, manifest_dir: &str, name: &'static str) -> Self {
        let seeds = corpus(&Path::new(manifest_dir).join("fuzz").join(name));
        Self { package, name, inputs: INPUTS, material: Material { seeds, words: &[] } }
    }

    /// The same, which also puts these words into inputs: what the grammar is made of, and what
    /// somebody hostile would write.
    #[must_use]
    pub const fn words(mut self, words: &'static [&'static str]) -> Self {
        self.material.words = words;
        self
    }

    /// The same, with another number of inputs than [`INPUTS`]: for what is much slower or faster.
    #[must_use]
    pub const fn inputs(mut self, inputs: usize) -> Self {
        self.inputs = inputs;
        self
    }

    /// Runs `holds`, which panics where something does not hold, on the corpus and then on inputs made
    /// of it. Says at the end how many it was.
    ///
    /// # Panics
    /// If `holds` does.
    pub fn check(self, holds: impl Fn(&[u8]) + RefUnwindSafe) {
        let Self { package, name, inputs, material } = self;
        let executions = AtomicU64::new(0);
        for (file, seed) in &material.seeds {
            say(&format!("corpus of {name}: {file}"));
            holds(seed);
            executions.fetch_add(1, Relaxed);
        }
        let count = AssertUnwindSafe(&executions);
        bolero::check!(name = name).with_generator(material).with_iterations(inputs).for_each(
            |input: &Input| {
                holds(&input.0);
                count.fetch_add(1, Relaxed);
            },
        );
        say(&format!("{REPORT}{package} {name}: {} executions", executions.load(Relaxed)));
    }
}

#[expect(clippy::print_stdout, reason = "shown when a test fails, and read by the task runner")]
fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::panic, reason = "a target without its corpus tests nothing")]
fn corpus(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let read = || -> std::io::Result<Vec<(String, Vec<u8>)>> {
        let mut seeds = Vec::new();
        for file in fs::read_dir(folder)? {
            let file = file?;
            seeds.push((file.file_name().to_string_lossy().into_owned(), fs::read(file.path())?));
        }
        seeds.sort();
        Ok(seeds)
    };
    match read() {
        Ok(seeds) if !seeds.is_empty() => seeds,
        other => panic!("no corpus in {}: {other:?}", folder.display()),
    }
}

/// What inputs are made of.
#[derive(Debug)]
struct Material {
    /// By file name.
    seeds: Vec<(String, Vec<u8>)>,
    words: &'static [&'static str],
}

/// Shown as what it would be in a test: `b"…"`.
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl ValueGenerator for Material {
    type Output = Input;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Input> {
        let mut input = match below(driver, 16)? {
            0 => random(driver, 64)?,
            _ => self.seed(driver)?.to_vec(),
        };
        for _ in 0..below(driver, CHANGES + 1)? {
            self.change(&mut input, driver)?;
            input.truncate(INPUT_BYTES);
        }
        Some(Input(input))
    }
}

impl Material {
    /// One small change, which may turn out to be none.
    fn change<D: Driver>(&self, input: &mut Vec<u8>, driver: &mut D) -> Option<()> {
        let range = piece(driver, input.len())?;
        let at = range.start;
        let put = match below(driver, 8)? {
            // A byte instead of another, or one bit of it.
            0 => vec![driver.produce::<u8>()?],
            1 => vec![input.get(at).copied().unwrap_or_default() ^ (1 << below(driver, 8)?)],
            // A piece of it again, here or many times.
            2 => input.get(piece(driver, input.len())?).unwrap_or_default().to_vec(),
            3 => input.get(range.clone()).unwrap_or_default().repeat(below(driver, REPEATS)?),
            // A piece of another seed, or a word.
            4 => {
                let other = self.seed(driver)?;
                other.get(piece(driver, other.len())?).unwrap_or_default().to_vec()
            }
            5 | 6 => self.word(driver)?.into(),
            _ => random(driver, 8)?,
        };
        let replaced = match below(driver, 3)? {
            0 => at..at,
            1 => at..input.len().min(at + put.len()),
            _ => range,
        };
        let room = INPUT_BYTES.saturating_sub(input.len());
        input.splice(replaced, put.into_iter().take(room));
        Some(())
    }

    fn seed<D: Driver>(&self, driver: &mut D) -> Option<&[u8]> {
        self.seeds.get(below(driver, self.seeds.len())?).map(|(_, seed)| seed.as_slice())
    }

    fn word<D: Driver>(&self, driver: &mut D) -> Option<&'static str> {
        match self.words.len() {
            0 => Some(""),
            count => self.words.get(below(driver, count)?).copied(),
        }
    }
}

/// A number below `end`, which is not zero.
fn below<D: Driver>(driver: &mut D, end: usize) -> Option<usize> {
    driver.gen_usize(Bound::Included(&0), Bound::Excluded(&end))
}

/// A piece of something of this length: mostly short.
fn piece<D: Driver>(driver: &mut D, length: usize) -> Option<Range<usize>> {
    let start = below(driver, length + 1)?;
    let longest = if below(driver, 4)? == 0 { length } else { 16 };
    let end = length.min(start + below(driver, longest + 1)?);
    Some(start..end)
}

fn random<D: Driver>(driver: &mut D, longest: usize) -> Option<Vec<u8>> {
    let length = below(driver, longest + 1)?;
    (0..length).map(|_| driver.produce()).collect()
}

/// Whether this may be shown in a terminal or a log line as it is: one line, no control character,
/// nothing that hides or reorders text.
#[must_use]
pub fn is_harmless(text: &str) -> bool {
    let hides = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.chars().any(|c| c.is_control() || hides(c))
}
