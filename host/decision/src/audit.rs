//! The audit log: what was decided, in an order that cannot be changed unnoticed.
//!
//! JSON lines in numbered files, one record to a line:
//!
//! ```json
//! {"seq":7,"prev":"9f…","time":"2026-11-23T20:00:00Z","kind":"grant","uid":33,"cause":"allow","body":{…}}
//! ```
//!
//! - **Chain.** `prev` is the SHA-256 of the line before (without its line feed), so `sha256sum`
//!   can check it. A file begins with an `opened` record that names the file before it.
//! - **Checkpoints.** An Ed25519 signature over a chain's state, every minute, every 10 000
//!   records and at close. The last one also stands in the file `head`: a log that ends before it
//!   was cut. Whoever can read the signing key can forge a whole log; what they cannot change is a
//!   head that was written down elsewhere ([`verify`]'s `expected_head`).
//! - **Order.** [`Audit::append`] returns after `write`, before the answer goes out. A killed
//!   daemon loses nothing that was answered; a power cut may, until `fdatasync` at the next
//!   checkpoint, and then the log says so at the next start.
//! - **Nobody can fill it.** Denials are written once per (uid, cause) and window and counted
//!   after that, exactly; every uid has a byte budget; denials leave a reserve that only grants may
//!   use; the oldest files are deleted at rotation. No room for a grant's record means no grant.
//! - **Failure.** No room: refused, and tried again when there is room. Any other failed write
//!   ends the file, the next begins with the reason; what failed is never written a second time.

mod coalesce;
mod config;
mod error;
mod files;
mod key;
mod log;
mod read;
mod record;
mod recover;
mod room;
mod verify;
mod writer;

pub use self::{
    config::AuditConfig,
    error::AuditError,
    log::{Audit, AuditHealth, AuditState},
    read::{Filter, ReadBack, ReadError, Stored, read_back},
    record::{Class, Hash, Head, HeadError, Kind, Position},
    verify::{Flaw, Note, VerifyError, VerifyReport, verify, verify_with_key},
};
