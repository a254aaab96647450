//! Which plugin file may be loaded: the lock file and signatures.
//!
//! ```text
//! read_component ──► Component ─┐
//! read_signature ──► text ──────┼─► admit(policy, lock, candidate) ──► Admitted
//! LockFile::read ──► LockFile ──┘
//! ```
//!
//! # What is promised
//! - **What was checked is what is loaded.** A file is opened and read once; a [`Component`] is the
//!   bytes in memory with their digest, and nothing goes back to the path.
//! - **Closed when in doubt.** [`admit()`] refuses a file that is not the pinned one, whether the lock
//!   file is required or not, and a signature that is there must be good, required or not.
//! - **No way back unnoticed.** A lower version than the pinned one is refused, also when it is
//!   signed: a signature says who made a file, not that it is the one that is wanted now.
//! - **Bounded.** Every file has a size limit, in [`limits`], and every text in it that is shown
//!   later has one too, and no control characters.
//!
//! # What is not
//! The folder of the plugins and the lock file belong to the operator. Whoever can write to both can
//! pin what they like; only `require_signature` with keys kept elsewhere stands against that.
//!
//! # The signature scheme: minisign
//! One scheme, and the reasons for this one against cosign's:
//! - It is checked offline, with a public key of 56 characters that stands in the configuration. No
//!   transparency log, no certificate authority, no clock, no network.
//! - The check is one small library without dependencies (`minisign-verify`); cosign's in Rust is a
//!   hundred crates, is not at 1.0, and by default brings OpenSSL.
//! - The digest of the file is signed (`ED`, BLAKE2b-512 first, then Ed25519), together with a
//!   trusted comment that may say what was built and when. The older form without that digest (`Ed`)
//!   is refused.
//! - Signing needs no service: `minisign -S -m plugin.wasm` writes `plugin.wasm.minisig`, and the
//!   program is packaged everywhere.
//!
//! What cosign has and this has not: identities instead of keys, and a public log of what was
//! signed. It can be added beside it; [`Admitted`] says by whom, and would say how.

mod admit;
mod digest;
mod file;
#[cfg(test)]
mod fuzz;
pub mod limits;
mod lock;
mod note;
mod signature;
mod version;

pub use self::{
    admit::{Admitted, Candidate, Policy, ProvenanceError, admit},
    digest::{Digest, DigestError},
    file::{Component, Owner, ReadError, SIGNATURE_SUFFIX, read_component, read_signature},
    lock::{LockError, LockFile, LockMistake, LockMistakes, Pin, PinError, Standing},
    note::{Note, NoteError},
    signature::{KeysError, SignatureError, SignedBy, TrustedKeys},
    version::{Version, VersionError, parse_version},
};
