//! What a broker is told before it asks.

use serde::{Deserialize, Serialize};

/// The first line on the socket of brokers, to whoever may ask: from now on a descriptor can be passed.
/// What is passed before is refused by the kernel (`EPERM`), where it knows how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// [`crate::VERSION`].
    pub v: u8,
    /// Always so.
    pub pass: bool,
}

impl Default for Invitation {
    fn default() -> Self {
        Self { v: crate::VERSION, pass: true }
    }
}
