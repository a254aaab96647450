//! How much of anything an endpoint is given or may give back. No configuration switches one off.

use std::{ops::RangeInclusive, time::Duration};

// === What a plugin may send ===

/// Path and query of a request, in bytes: what HTTP servers accept at least (RFC 9110 asks for
/// 8000, many stop at 4096), and far more than a filter of Docker's API needs.
pub const TARGET_BYTES: usize = 4096;

/// Header fields of a request, as WIT `http.request` says.
pub const REQUEST_HEADERS: usize = 32;

/// Value of one header field of a request, in bytes: an entity tag or a list of media types.
pub const REQUEST_HEADER_VALUE_BYTES: usize = 1024;

/// Body of a request, as WIT `http.request` says.
pub const REQUEST_BODY_BYTES: usize = 64 * 1024;

// === What an endpoint may answer ===

/// Header fields of a response: Docker sends about 8, the kubelet about 6.
pub const RESPONSE_HEADERS: usize = 100;

/// Status line and header fields of a response, in bytes, together: twice what common servers
/// allow themselves for one field.
pub const RESPONSE_HEAD_BYTES: usize = 32 * 1024;

/// What is read ahead of the parser; must have room for a whole head.
pub(crate) const READ_BUFFER_BYTES: usize = 2 * RESPONSE_HEAD_BYTES;

/// Body of a response in KiB, unless the operator says less or more.
pub const MAX_RESPONSE_KIB: u64 = 1024;

/// What the operator may say; the top is what WIT `http.response` promises to plugins. A kubelet says
/// about 10 KiB of each of its pods, and may have a thousand.
pub const MAX_RESPONSE_KIB_RANGE: RangeInclusive<u64> = 1..=16_384;

/// How much more than head and body a connection may send in one exchange, as a factor: room for
/// the framing of chunks, none for endless interim responses or chunk extensions.
pub(crate) const FRAMING: u64 = 2;

// === Time and number ===

/// Waiting for a slot, connecting, TLS, request and response together: less than a decision has.
pub const TIMEOUT_MS: u64 = 2_000;

/// What the operator may say. A decision that waits longer than half a minute helps nobody.
pub const TIMEOUT_MS_RANGE: RangeInclusive<u64> = 1..=30_000;

/// Requests under way at one endpoint. Each may hold a whole response in memory.
pub const CONCURRENCY: u64 = 8;

/// What the operator may say.
pub const CONCURRENCY_RANGE: RangeInclusive<u64> = 1..=64;

/// Name lookups under way for one endpoint. A lookup occupies a thread and cannot be cancelled, so
/// it keeps its place until it ends, whoever has given up waiting.
pub(crate) const LOOKUPS: usize = 2;

/// How long to wait before trying again when a Unix socket has no room for one more connection;
/// the kernel does not say when it has.
pub(crate) const BACKLOG_PAUSE: Duration = Duration::from_millis(5);

// === Configuration and files ===

/// Path patterns of one endpoint: each request is compared with all of them.
pub const PATTERNS: usize = 64;

/// One path pattern, in bytes.
pub const PATTERN_BYTES: usize = 1024;

/// Path of a Unix socket, in bytes: `sun_path` without its final zero.
pub const SOCKET_PATH_BYTES: usize = 107;

/// A token file, in bytes: service account tokens have about 1 KiB, and servers stop at 8 to 16.
pub const TOKEN_FILE_BYTES: u64 = 16 * 1024;

/// A file of certificate authorities or of a client certificate, in bytes: all public authorities
/// of the world have about 250 KiB.
pub const CERTIFICATE_FILE_BYTES: u64 = 1024 * 1024;

/// A file with a private key, in bytes; the kubelet keeps certificate and key in one.
pub const KEY_FILE_BYTES: u64 = 64 * 1024;

/// How long a file must have been left alone before its content is kept: longer than the coarsest
/// clock a file system stamps with, so that no second write can hide behind the same stamp.
pub(crate) const SETTLED: Duration = Duration::from_secs(2);

// === What is shown ===

/// Text of a plugin or an endpoint in a message, in characters.
pub(crate) const SHOWN: usize = 128;
