use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How far a fact, and so a selector derived from it, can be relied upon.
///
/// The order is the meaning: `Claimed < Image < Runtime < Kernel`. A selector is worth the
/// *lowest* level among the facts that it is derived from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assurance {
    /// The process says so itself: command line, environment, files of its own root. Also every
    /// image fact of a request that was not challenged.
    Claimed,
    /// The program file. A hostile process of the same uid can forge it on stock Linux.
    Image,
    /// A container runtime that the operator granted, or root-owned files of this host.
    Runtime,
    /// The kernel: socket credentials, LSM label, cgroup below root-owned directories.
    Kernel,
}

impl Assurance {
    /// All levels, weakest first.
    pub const ALL: [Self; 4] = [Self::Claimed, Self::Image, Self::Runtime, Self::Kernel];

    /// The word used in entries, answers and pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Image => "image",
            Self::Runtime => "runtime",
            Self::Kernel => "kernel",
        }
    }

    /// Whether a selector of this level survives a hostile process of the same uid, and so counts
    /// towards an entry's effective guard.
    #[must_use]
    pub fn guards(self) -> bool {
        self >= Self::Runtime
    }
}

impl fmt::Display for Assurance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Assurance {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|level| level.as_str() == word)
            .ok_or_else(|| format!("'{word}' is not one of claimed, image, runtime, kernel"))
    }
}
