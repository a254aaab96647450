use landlock::{
    ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetError, RulesetStatus,
    Scope,
};
use serde::{Deserialize, Serialize};

use crate::error::ConfineError;

/// The newest Landlock that we know by having run under it (Linux 6.12).
const KNOWN: ABI = ABI::V6;

/// How much of what was given up the kernel sees to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Landlocked {
    /// All of it.
    Full,
    /// What this kernel's Landlock knows of; older ones know files and no network.
    Partial,
    /// There is no Landlock, or it is switched off.
    No,
}

impl Landlocked {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial => "partial",
            Self::No => "no",
        }
    }
}

/// Gives up every file, every TCP port, and sockets and signals that lead out, for the calling
/// thread and what it starts. What is open stays open.
///
/// # Errors
/// [`ConfineError::Files`], but not if this kernel has no Landlock or an older one: the filter of
/// calls stands alone then.
pub fn give_up_files() -> Result<Landlocked, ConfineError> {
    let status = restrict().map_err(|source| ConfineError::Files { source })?;
    Ok(match status {
        RulesetStatus::FullyEnforced => Landlocked::Full,
        RulesetStatus::PartiallyEnforced => Landlocked::Partial,
        RulesetStatus::NotEnforced => Landlocked::No,
    })
}

fn restrict() -> Result<RulesetStatus, RulesetError> {
    let rules = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()?;
    Ok(rules.restrict_self()?.ruleset)
}
