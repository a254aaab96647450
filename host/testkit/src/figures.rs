//! How often each way of telling who a peer is was wrong, handed to `cargo xtask attack`.

use std::{
    fmt,
    io::{self, Write as _},
};

/// What makes a campaign tell its figures while it goes.
const VARIABLE: &str = "WITGATE_FIGURES";

/// How a peer is told from others.
#[derive(Debug, Clone, Copy)]
pub enum Method {
    /// By us.
    Witgate,
    /// By the number that `SO_PEERCRED` gives, looked up in `/proc`.
    Number,
    /// By a directory of `/proc` that is opened once by that number and held, of which owner and
    /// start time are compared again before the answer.
    HeldDirectory,
}

/// What is told about it.
#[derive(Debug, Clone, Copy)]
pub enum Facts {
    /// Who it is: kernel and runtime facts.
    Who,
    /// What it runs, and it answered a challenge.
    ProgramChallenged,
    /// What it runs, as it claims.
    ProgramUnchallenged,
}

/// Says how often a method was wrong in so many more tries. To nobody, unless the variable is set.
///
/// Not through the macros, whose output a test keeps to itself.
pub fn tell(method: Method, facts: Facts, wrong: u32, total: u32) {
    if std::env::var_os(VARIABLE).is_some() {
        let _ = writeln!(io::stdout(), "figures {method} {facts} {wrong} {total}");
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Witgate => "witgate",
            Self::Number => "number",
            Self::HeldDirectory => "held-directory",
        })
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Who => "who",
            Self::ProgramChallenged => "program-challenged",
            Self::ProgramUnchallenged => "program-unchallenged",
        })
    }
}
