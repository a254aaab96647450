use std::{io::Read as _, path::PathBuf};

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use rustix::fs::{Mode, OFlags};

use super::{
    AuditError,
    files::LogDir,
    record::{BODY, hex, unhex},
};

/// The seed, 64 hexadecimal digits and a line feed, for our eyes alone.
pub(super) const SECRET: &str = "checkpoint.key";
/// The public key, written the same way, for whoever verifies.
pub(super) const PUBLIC: &str = "checkpoint.pub";
/// In front of what is signed, so that a signature of this key means nothing anywhere else.
const CONTEXT: &[u8] = b"witgate audit checkpoint v1\n";
/// The body of a checkpoint, up to the signature and after it.
const BEFORE: &[u8] = b"{\"signature\":\"";
const AFTER: &[u8] = b"\"}}";

/// What signs checkpoints.
pub(super) struct Key(SigningKey);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.public().to_hex())
    }
}

/// What verifies them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PublicKey(VerifyingKey);

impl Key {
    /// The folder's key; a new one if the log has not begun yet.
    pub(super) fn open(dir: &LogDir, log_exists: bool) -> Result<Self, AuditError> {
        let key = match dir.open(SECRET, OFlags::RDONLY) {
            Ok(mut file) => {
                dir.check_ours(&file, SECRET)?;
                let mut text = String::new();
                let read = (&mut file).take(256).read_to_string(&mut text);
                read.map_err(|source| dir.error("read", SECRET, source))?;
                parse_line(&text).ok_or_else(|| bad(dir, "is not a signing key"))?
            }
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(dir.error("open", SECRET, error));
            }
            Err(_) if log_exists => {
                return Err(bad(
                    dir,
                    "is missing, but there is a log: move both away, or bring it back",
                ));
            }
            Err(_) => {
                let mut seed = [0; 32];
                getrandom::fill(&mut seed)
                    .map_err(|_| bad(dir, "cannot be made: no randomness"))?;
                dir.replace(
                    SECRET,
                    Mode::RUSR | Mode::WUSR,
                    format!("{}\n", hex(&seed)).as_bytes(),
                )
                .map_err(|source| dir.error("write", SECRET, source))?;
                seed
            }
        };
        let key = Self(SigningKey::from_bytes(&key));
        let public = format!("{}\n", key.public().to_hex());
        let readable = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        if dir.read_small(PUBLIC).ok().as_deref() != Some(public.as_bytes()) {
            dir.replace(PUBLIC, readable, public.as_bytes())
                .map_err(|source| dir.error("write", PUBLIC, source))?;
        }
        Ok(key)
    }

    pub(super) fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Completes a checkpoint's line that ends where its body would begin: what stands in it so far
    /// is what is signed.
    pub(super) fn sign(&self, line: &mut Vec<u8>) {
        let signature = self.0.sign(&[CONTEXT, line].concat());
        for part in [BODY, BEFORE, hex(&signature.to_bytes()).as_bytes(), AFTER] {
            line.extend_from_slice(part);
        }
    }
}

impl PublicKey {
    /// Reads what [`PUBLIC`] holds.
    pub(super) fn parse(text: &str) -> Option<Self> {
        VerifyingKey::from_bytes(&parse_line(text)?).ok().map(Self)
    }

    pub(super) fn to_hex(self) -> String {
        hex(self.0.as_bytes())
    }

    /// Whether this line is a checkpoint of this key, to the byte.
    pub(super) fn signed(&self, line: &[u8]) -> bool {
        let parts = || {
            let line = line.strip_suffix(AFTER)?;
            let (line, signature) = line.split_at_checked(line.len().checked_sub(128)?)?;
            let signed = line.strip_suffix(BEFORE)?.strip_suffix(BODY)?;
            Some((signed, unhex::<64>(std::str::from_utf8(signature).ok()?)?))
        };
        parts().is_some_and(|(signed, signature)| {
            let message = [CONTEXT, signed].concat();
            self.0.verify_strict(&message, &Signature::from_bytes(&signature)).is_ok()
        })
    }
}

fn parse_line(text: &str) -> Option<[u8; 32]> {
    unhex(text.strip_suffix('\n').unwrap_or(text))
}

fn bad(dir: &LogDir, problem: &'static str) -> AuditError {
    let path: PathBuf = dir.path().join(SECRET);
    AuditError::Key { path, problem }
}
