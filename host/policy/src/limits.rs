//! How much an operator may write, each bound with its reason.
//!
//! Entries come from the operator, so these do not defend against an attacker. They keep a
//! generated file that went wrong from taking the daemon's memory, and keep the cost of one
//! evaluation predictable. Selector names and values are bounded by `witgate-identity`.

use std::time::Duration;

/// Largest entry file. 100 000 entries as a generator writes them are about 20 MiB.
pub const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;

/// Most entries of all files together. An entry costs about 1 KiB, so this is 1 GiB.
pub const MAX_ENTRIES: usize = 1_000_000;

/// Most in-file tests of all files together; each is one evaluation at every load.
pub const MAX_TESTS: usize = 100_000;

/// Most errors kept per file, and of names that are taken in all files together. A binary file
/// given by mistake has one on nearly every byte, and nobody reads past the first screen.
pub const MAX_ERRORS_PER_FILE: usize = 1_000;

/// Longest message, advice or key of an error in bytes. They quote the file, whose keys may be as long
/// as it is.
pub const MAX_SAID: usize = 1024;

/// Longest entry name in bytes; it stands in tables, answers and log lines.
pub const MAX_ENTRY_NAME: usize = 128;

/// Longest name of an in-file test in bytes. It is a sentence.
pub const MAX_TEST_NAME: usize = 256;

/// Longest hint in bytes. SPIRE has the same limit.
pub const MAX_HINT: usize = 1024;

/// Most conditions of one entry, over all of its clauses. SPIRE entries in the wild have under ten.
pub const MAX_CONDITIONS: usize = 64;

/// Most values of one condition. A longer list is a list of workloads, and those are entries.
pub const MAX_VALUES: usize = 1024;

/// Longest glob in bytes. With the longest value, 4096 bytes, a match takes under a
/// million steps, whatever the pattern.
pub const MAX_GLOB: usize = 256;

/// Most placeholders of one identity template.
pub const MAX_PLACEHOLDERS: usize = 16;

/// Deepest nesting inside a clause: plugin, key, name. The TOML parser itself stops at 80, so that
/// a file of opening brackets cannot exhaust the stack.
pub const MAX_CLAUSE_DEPTH: usize = 3;

/// What an entry without `ttl` gives. SPIRE's default for X.509 is the same.
pub const DEFAULT_TTL: Duration = Duration::from_secs(3600);

/// Shortest `ttl`: below it a workload would do nothing but ask again.
pub const MIN_TTL: Duration = Duration::from_secs(10);

/// Longest `ttl`. Longer-lived than a week is not an attested identity but a password.
pub const MAX_TTL: Duration = Duration::from_secs(7 * 24 * 3600);

/// Most entries that an answer names as undecided. The first few say why; `explain` has them all.
pub const MAX_UNDECIDED: usize = 8;

/// Most values that a near miss shows per condition. A process can be in 65 536 groups.
pub const MAX_SHOWN_VALUES: usize = 16;
