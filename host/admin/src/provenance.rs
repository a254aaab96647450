//! Why a plugin was loaded.

use serde::{Deserialize, Serialize};

/// Why a plugin was loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvenanceView {
    /// It is part of the daemon; what follows is about files.
    pub builtin: bool,
    /// The lock file names this very file.
    pub pinned: bool,
    /// The operator's name for the key that signed it.
    pub signed_by: Option<String>,
    /// What the signer wrote beside it.
    pub signed_comment: Option<String>,
    /// Nothing was checked, because the operator said so.
    pub dev_override: bool,
}
