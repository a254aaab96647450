//! Which capability of capabilities(7) buys which fact about the processes of other users.
//!
//! Whoever has none of them still attests uid, gid, groups, cgroups and containers of everybody, and
//! everything about processes of the same uid. The table is tried, row by row, in
//! `tests/privileges.rs`.

use serde::Serialize;
use witgate_facts::FactName;

/// A capability that the daemon makes use of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Privilege {
    /// To look at processes of other users as a debugger does.
    #[serde(rename = "CAP_SYS_PTRACE")]
    SysPtrace,
    /// To read what others may not read.
    #[serde(rename = "CAP_DAC_READ_SEARCH")]
    DacReadSearch,
    /// To put a counter on processes of other users.
    #[serde(rename = "CAP_PERFMON")]
    Perfmon,
}

use Privilege::{DacReadSearch, Perfmon, SysPtrace};

impl Privilege {
    /// All of them.
    pub const ALL: [Self; 3] = [SysPtrace, DacReadSearch, Perfmon];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            SysPtrace => "CAP_SYS_PTRACE",
            DacReadSearch => "CAP_DAC_READ_SEARCH",
            Perfmon => "CAP_PERFMON",
        }
    }

    /// What cannot be had without it, or only by another one.
    pub fn buys(self) -> impl Iterator<Item = &'static Need> {
        NEEDS.iter().filter(move |need| need.of.iter().any(|any| any.contains(&self)))
    }

    /// The bits of it, and of those that include it.
    const fn bits(self) -> u64 {
        const DAC_OVERRIDE: u64 = 1 << 1;
        const SYS_ADMIN: u64 = 1 << 21;
        match self {
            SysPtrace => 1 << 19,
            DacReadSearch => 1 << 2 | DAC_OVERRIDE,
            Perfmon => 1 << 38 | SYS_ADMIN,
        }
    }
}

/// What one thing that can be known about a process of another user takes.
#[derive(Debug, PartialEq, Eq)]
pub struct Need {
    what: &'static str,
    private: bool,
    /// One of each.
    of: &'static [&'static [Privilege]],
}

/// To have a change of program noticed by an event, which challenges rest on; no fact, but worth one.
const EXEC_WATCH: &str = "exec-watch";

const NEEDS: &[Need] = &[
    Need::always(FactName::NamespacesAll.as_str(), &[&[SysPtrace]]),
    Need::always(FactName::ExecutableDoubts.as_str(), &[&[SysPtrace]]),
    Need::always(FactName::ExecutableInfo.as_str(), &[&[SysPtrace]]),
    Need::always(FactName::ExecutableSha256.as_str(), &[&[SysPtrace]]),
    Need::private(FactName::ExecutableSha256.as_str(), &[&[SysPtrace], &[DacReadSearch]]),
    Need::always(FactName::FilesWorkload.as_str(), &[&[SysPtrace]]),
    Need::private(FactName::FilesWorkload.as_str(), &[&[SysPtrace], &[DacReadSearch]]),
    Need::private(FactName::FilesHost.as_str(), &[&[DacReadSearch]]),
    Need::always(FactName::EnvironVariables.as_str(), &[&[SysPtrace, Perfmon], &[DacReadSearch]]),
    Need::always(EXEC_WATCH, &[&[SysPtrace, Perfmon]]),
];

impl Need {
    /// Every row of the table.
    pub const ALL: &'static [Self] = NEEDS;

    const fn always(what: &'static str, of: &'static [&'static [Privilege]]) -> Self {
        Self { what, private: false, of }
    }

    const fn private(what: &'static str, of: &'static [&'static [Privilege]]) -> Self {
        Self { what, private: true, of }
    }

    /// The fact, or `exec-watch`.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        self.what
    }

    /// Whether it is about files that others may not read.
    #[must_use]
    pub const fn is_private(&self) -> bool {
        self.private
    }

    /// Whether whoever holds these has it.
    #[must_use]
    pub fn is_met(&self, held: &[Privilege]) -> bool {
        self.of.iter().all(|any| any.iter().any(|one| held.contains(one)))
    }
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.what)?;
        if self.private { f.write_str(" (private files)") } else { Ok(()) }
    }
}

impl Serialize for Need {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Those that an effective set of capabilities contains.
pub(super) fn held(effective: u64) -> Vec<Privilege> {
    Privilege::ALL.into_iter().filter(|one| effective & one.bits() != 0).collect()
}
