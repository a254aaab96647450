//! Run an attestor natively, over processes that were recorded as JSON: under `cargo test`, in well
//! under a second, with a debugger if need be, and without building the component.
//!
//! Only with the feature `testing`, which belongs among the dev-dependencies:
//!
//! ```toml
//! [dev-dependencies]
//! witgate-sdk = { path = "…", features = ["testing"] }
//! ```
//!
//! With it, [`facts`](crate::facts) and [`host`](crate::host) answer natively from a [`Process`].
//! All fixtures of a plugin are one test, and a process may also stand in the test itself:
//!
//! ```
//! use witgate_sdk::{Attestor, Failure, Key, Manifest, Report, facts, testing::Process};
//!
//! struct Uid;
//!
//! impl Attestor for Uid {
//!     fn describe() -> Manifest {
//!         Manifest::new().key(Key::new("uid", "effective user id", "1000"))
//!     }
//!
//!     fn attest() -> Result<Report, Failure> {
//!         Ok(Report::new().selector("uid", facts::process::credentials()?.uid))
//!     }
//! }
//!
//! let www = r#"{ "process.credentials": { "ok": { "uid": 33, "gid": 33, "groups": [] } } }"#;
//! let attested = Process::from_json(www)?.attest::<Uid>();
//! assert_eq!(attested.selectors, ["uid:33"]);
//!
//! let unreadable = r#"{ "process.credentials": { "err": "denied" } }"#;
//! let attested = Process::from_json(unreadable)?.attest::<Uid>();
//! assert_eq!(attested.outcome, "failed");
//! # Ok::<(), witgate_sdk::testing::FixtureError>(())
//! ```
//!
//! The same files are replayed through the component by `witgate plugin test`.

pub(crate) mod fakes;
mod fixture;
mod json;
mod outcome;
mod readme;
mod recorded;

pub use self::{
    fixture::{FixtureError, Process, check_fixtures},
    outcome::Attested,
    readme::check_readme,
};
