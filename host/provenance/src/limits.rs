//! Sizes that nothing here exceeds.

/// Bytes of `plugins.lock`.
pub const LOCK_BYTES: usize = 512 << 10;
/// Plugins in `plugins.lock`.
pub const LOCK_PLUGINS: usize = 256;
/// Mistakes in it that are kept. What is no lock file at all has one on nearly every byte.
pub const LOCK_MISTAKES: usize = 256;
/// Bytes of the key and of the message of a mistake in it, where they are shown.
pub const MISTAKE_BYTES: usize = 1 << 10;
/// Bytes of a version, in the lock file or of a plugin.
pub const VERSION_BYTES: usize = 128;
/// Bytes of a [`Note`](crate::Note): a source, the name of a key.
pub const NOTE_BYTES: usize = 512;
/// Bytes of a detached signature file.
pub const SIGNATURE_BYTES: usize = 4 << 10;
/// Bytes of the trusted comment in it.
pub const COMMENT_BYTES: usize = 1 << 10;
/// Bytes of a public key as text, with its comment.
pub const KEY_BYTES: usize = 1 << 10;
/// Trusted keys: each may cost one Ed25519 check per plugin.
pub const KEYS: usize = 32;
