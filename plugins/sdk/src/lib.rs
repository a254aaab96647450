//! Write a witgate attestor in Rust.
//!
//! An attestor looks at the one process of a call, through facts that the daemon hands out, and
//! reports selectors. It is compiled for `wasm32-wasip2` as a `cdylib`, which gives a component
//! without further tools. A whole plugin:
//!
//! ```
//! use witgate_sdk::{Attestor, Failure, Key, Manifest, Report, facts};
//!
//! struct Uid;
//!
//! impl Attestor for Uid {
//!     fn describe() -> Manifest {
//!         Manifest::new().key(
//!             Key::new("uid", "effective user id", "1000")
//!                 .derived_from(&["process.credentials"])
//!                 .stable()
//!                 .single(),
//!         )
//!     }
//!
//!     fn attest() -> Result<Report, Failure> {
//!         match facts::process::credentials() {
//!             Ok(found) => Ok(Report::new().selector("uid", found.uid)),
//!             Err(error) => Ok(Report::new().unknown("uid", error)),
//!         }
//!     }
//! }
//!
//! witgate_sdk::export!(Uid, "plugin.toml");
//! ```
//!
//! Rules that keep an attestor honest:
//!
//! - **No is not unknown.** A key that is left out of the report does not hold, but only if every
//!   fact that it is derived from was read in this call. For a fact that cannot be read, say
//!   [`Report::unknown`]; never guess, and never let one fact cost another's key.
//! - **Nothing is kept.** Every call of every function runs in a fresh instance.
//! - **Keep logic away from the imports.** [`facts`] works only inside the daemon. Put what there
//!   is to decide into functions over plain values, and test those natively.

mod attestor;
#[doc(hidden)]
pub mod bindings;
pub mod containers;
mod manifest;
mod report;
#[cfg(feature = "settings")]
pub mod settings;

#[doc(hidden)]
pub use self::attestor::Exported;
pub use self::{
    attestor::{Attestor, wants},
    manifest::{Key, Manifest},
    report::{Failure, Reason, Report, Selector, Unknown},
};

/// The facts about the process of this call, a module for each interface of `wit/`.
///
/// They work only in [`Attestor::attest`] and only inside the daemon; natively they panic.
pub mod facts {
    pub use crate::bindings::witgate::attestor::{
        ancestry, cgroups, cmdline, executable, namespaces, process, types::FactError,
    };
}

/// What the operator wants of the plugin, and lines for the operator.
pub mod host {
    pub use crate::bindings::witgate::attestor::{config, log};
}
