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
//! - **Ask for what you use.** `plugin.toml` names what needs a grant: `executable`,
//!   `files.workload:/etc/os-release`, `http:docker`. What it does not ask for traps.
//! - **Test natively.** With the feature `testing` the [`facts`] answer from recorded processes,
//!   under plain `cargo test`.

mod attestor;
#[doc(hidden)]
pub mod bindings;
pub mod containers;
mod manifest;
mod report;
pub mod scripts;
#[cfg(feature = "settings")]
pub mod settings;
#[cfg(all(feature = "testing", not(target_arch = "wasm32")))]
pub mod testing;

#[doc(hidden)]
pub use self::attestor::Exported;
pub use self::{
    attestor::{Attestor, wants},
    manifest::{Key, Manifest},
    report::{Failure, Reason, Report, Selector, Unknown},
};

// Natively, with the feature `testing`, the same functions answer from a fixture. What they mean
// is in the documentation of the others.
#[cfg(not(all(feature = "testing", not(target_arch = "wasm32"), not(doc))))]
use self::bindings::witgate::attestor as imports;
#[cfg(all(feature = "testing", not(target_arch = "wasm32"), not(doc)))]
use self::testing::fakes as imports;

/// The facts about the process of this call, a module for each interface of `wit/`.
///
/// They work only in [`Attestor::attest`], inside the daemon. Natively they panic, except with the
/// feature `testing`, where they answer from a recorded process.
pub mod facts {
    pub use super::imports::{
        ancestry, cache, cgroups, cmdline, environ, executable, files, http, namespaces, process,
        systemd,
    };
    pub use crate::bindings::witgate::attestor::types::FactError;
}

/// What the operator wants of the plugin, and lines for the operator.
pub mod host {
    pub use super::imports::{config, log};
}
