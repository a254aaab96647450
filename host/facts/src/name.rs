use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use witgate_identity::Assurance;

/// The WIT interface that a fact belongs to, which is what an operator grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interface {
    /// The parents.
    Ancestry,
    /// Bytes that outlive a call; no facts.
    Cache,
    /// Control groups.
    Cgroups,
    /// Command line.
    Cmdline,
    /// Settings and wishes of this call; no facts.
    Config,
    /// Environment.
    Environ,
    /// The program file.
    Executable,
    /// Files of the host and of the workload's root.
    Files,
    /// Endpoints that the operator named.
    Http,
    /// Lines for the operator; no facts.
    Log,
    /// Namespaces.
    Namespaces,
    /// Credentials and what else the kernel keeps per process.
    Process,
    /// The unit that the service manager runs it in.
    Systemd,
}

impl Interface {
    /// All of them, by name.
    pub const ALL: [Self; 13] = [
        Self::Ancestry,
        Self::Cache,
        Self::Cgroups,
        Self::Cmdline,
        Self::Config,
        Self::Environ,
        Self::Executable,
        Self::Files,
        Self::Http,
        Self::Log,
        Self::Namespaces,
        Self::Process,
        Self::Systemd,
    ];

    /// Its name in WIT, in `plugin.toml` and in grants.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ancestry => "ancestry",
            Self::Cache => "cache",
            Self::Cgroups => "cgroups",
            Self::Cmdline => "cmdline",
            Self::Config => "config",
            Self::Environ => "environ",
            Self::Executable => "executable",
            Self::Files => "files",
            Self::Http => "http",
            Self::Log => "log",
            Self::Namespaces => "namespaces",
            Self::Process => "process",
            Self::Systemd => "systemd",
        }
    }

    /// Whether every plugin has it without being granted it.
    #[must_use]
    pub const fn always_granted(self) -> bool {
        matches!(self, Self::Cgroups | Self::Config | Self::Log | Self::Namespaces | Self::Process)
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Interface {
    type Err = UnknownFact;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|i| i.as_str() == word);
        found.ok_or_else(|| UnknownFact { name: word.chars().take(64).collect() })
    }
}

/// A fact or interface that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a fact or interface of this version")]
pub struct UnknownFact {
    /// The name we saw.
    pub name: String,
}

macro_rules! facts {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $interface:ident, $level:ident;)*) => {
        /// One fact, named as its WIT function: `process.credentials`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum FactName { $($(#[$doc])* $variant,)* }

        impl FactName {
            /// All of them, by name.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name that plugins declare in `derived-from`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The interface it belongs to.
            #[must_use]
            pub const fn interface(self) -> Interface {
                match self { $(Self::$variant => Interface::$interface,)* }
            }

            /// The best it can be worth, for a challenged request. A source may say less.
            #[must_use]
            pub const fn best_assurance(self) -> Assurance {
                match self { $(Self::$variant => Assurance::$level,)* }
            }
        }
    };
}

facts! {
    /// The parents.
    AncestryParents = "ancestry.parents", Ancestry, Claimed;
    /// Whole cgroup paths.
    CgroupsClaimed = "cgroups.claimed", Cgroups, Claimed;
    /// Root-owned cgroup prefixes.
    CgroupsTrusted = "cgroups.trusted", Cgroups, Kernel;
    /// The arguments the process shows.
    CmdlineArguments = "cmdline.arguments", Cmdline, Claimed;
    /// Single variables of the environment.
    EnvironVariables = "environ.variables", Environ, Claimed;
    /// What speaks against believing `exe`.
    ExecutableDoubts = "executable.doubts", Executable, Image;
    /// What `exe` leads to.
    ExecutableInfo = "executable.info", Executable, Image;
    /// Digest of the program file.
    ExecutableSha256 = "executable.sha256", Executable, Image;
    /// Files of the host, below directories that belong to root.
    FilesHost = "files.host", Files, Runtime;
    /// Files below the process's own root.
    FilesWorkload = "files.workload", Files, Claimed;
    /// What an endpoint answered that the operator named.
    HttpResponse = "http.response", Http, Runtime;
    /// All namespaces.
    NamespacesAll = "namespaces.all", Namespaces, Kernel;
    /// The name the process gives itself.
    ProcessComm = "process.comm", Process, Claimed;
    /// Socket credentials.
    ProcessCredentials = "process.credentials", Process, Kernel;
    /// LSM label of the socket.
    ProcessLabel = "process.label", Process, Kernel;
    /// Names of the credentials in the host's database.
    ProcessNames = "process.names", Process, Kernel;
    /// Capabilities, seccomp, no-new-privs.
    ProcessPrivileges = "process.privileges", Process, Kernel;
    /// Clock ticks from boot to start.
    ProcessStartTime = "process.start-time", Process, Kernel;
    /// State letter.
    ProcessState = "process.state", Process, Kernel;
    /// The unit it runs in, as its control group names it.
    SystemdUnit = "systemd.unit", Systemd, Kernel;
}

impl fmt::Display for FactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FactName {
    type Err = UnknownFact;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().copied().find(|f| f.as_str() == word);
        found.ok_or_else(|| UnknownFact { name: word.chars().take(64).collect() })
    }
}

impl Serialize for FactName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for FactName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A set of facts: which are wanted, which were read.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct FactSet(u32);

// Every fact has a bit.
const _: () = assert!(FactName::ALL.len() <= 32);

impl FactSet {
    /// No fact.
    pub const EMPTY: Self = Self(0);

    /// Every fact.
    #[must_use]
    pub fn all() -> Self {
        FactName::ALL.iter().copied().collect()
    }

    /// Adds one.
    pub const fn insert(&mut self, fact: FactName) {
        self.0 |= 1 << (fact as u8);
    }

    /// Whether it is in.
    #[must_use]
    pub const fn contains(self, fact: FactName) -> bool {
        self.0 & (1 << (fact as u8)) != 0
    }

    /// Whether all of `other` are in.
    #[must_use]
    pub const fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The facts of `self` that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The facts, by name.
    pub fn iter(self) -> impl Iterator<Item = FactName> {
        FactName::ALL.iter().copied().filter(move |fact| self.contains(*fact))
    }
}

impl FromIterator<FactName> for FactSet {
    fn from_iter<I: IntoIterator<Item = FactName>>(facts: I) -> Self {
        let mut set = Self::EMPTY;
        facts.into_iter().for_each(|fact| set.insert(fact));
        set
    }
}

impl fmt::Debug for FactSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(FactName::as_str)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_begins_with_its_interface() {
        for fact in FactName::ALL {
            assert_eq!(fact.as_str().parse(), Ok(*fact));
            let interface = fact.as_str().split_once('.').unwrap().0;
            assert_eq!(interface, fact.interface().as_str());
        }
        assert!("process.pid".parse::<FactName>().is_err());
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: FactSet = [FactName::ProcessComm, FactName::CgroupsTrusted].into_iter().collect();
        assert!(set.contains(FactName::ProcessComm) && !set.contains(FactName::ProcessState));
        assert_eq!(set.iter().count(), 2);
        assert!(FactSet::all().contains_all(set) && !set.contains_all(FactSet::all()));
        assert!(set.without(set).is_empty());
    }
}
