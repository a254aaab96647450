//! How much, how many and how long: the public socket's limits.
//!
//! None of them can be switched off. Those marked *default* are an operator's to change.

use std::time::Duration;

/// Default. From accept to the first byte. A workload that connects knows what it wants to ask;
/// five seconds forgive a machine that swaps, and bound what an idle connection costs.
pub const FIRST_BYTE_DEADLINE: Duration = Duration::from_secs(5);

/// Default. From the first byte to the end of the line. A line is one write of a few bytes, so
/// only a deliberately slow sender needs longer.
pub const LINE_DEADLINE: Duration = Duration::from_secs(5);

/// Default. From the first byte to the end of an HTTP request. Longer than for a line, because a
/// person may be typing it.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// Default. From a complete request to its answer: facts, attestors, evaluation, audit. Every
/// plugin's own deadline is cut to what is left of it.
pub const DECISION_DEADLINE: Duration = Duration::from_secs(5);

/// How long a challenge waits for its answer. A client answers while it waits for us, so this only
/// has to forgive a busy machine; who never answers costs its own connection this long.
pub const CHALLENGE_DEADLINE: Duration = Duration::from_secs(2);

/// Default. How long the other end may refuse to take bytes of an answer before we close.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// Default. How long an HTTP connection may stay open between two requests. Opening one costs the
/// workload some 100 µs, so keeping it for much longer buys nothing.
pub const IDLE_DEADLINE: Duration = Duration::from_secs(30);

/// Largest request in bytes, head and body together. No request of this version has a body; the
/// room is for later ones (a certificate request).
pub const MAX_REQUEST: usize = 64 * 1024;

/// Largest HTTP request head in bytes. Eight times what a browser sends.
pub const MAX_HEAD: usize = 16 * 1024;

/// Most header fields in an HTTP request; `curl` sends four.
pub const MAX_HEADERS: usize = 64;

/// HTTP/2 requests of one connection at a time; a workload has a handful.
pub const MAX_STREAMS: u32 = 32;

/// Largest line in bytes, its line end included. The longest request known is seven bytes.
pub const MAX_LINE: usize = 1024;

/// Largest answer line a client reads, in bytes. Room for 256 identities of the greatest length
/// that SPIFFE allows (2048), with their dates.
pub const MAX_ANSWER: usize = 1024 * 1024;

/// Default. Connections of one (uid, cgroup) bucket at a time. More than any
/// workload needs, few enough that sixteen hostile uids leave room for everybody else.
pub const CONNECTIONS_PER_BUCKET: usize = 64;

/// Default. Connections in all. Each costs up to four descriptors (socket, pidfd,
/// process directory, a fact that is being read); the daemon takes fewer connections where they do not fit.
pub const CONNECTIONS_TOTAL: usize = 1024;

/// Default. Watch streams of one bucket at a time; they are held for hours, so fewer than
/// connections.
pub const WATCHES_PER_BUCKET: usize = 16;

/// Connections of brokers of one uid at a time. Each holds what was passed besides what every
/// connection holds, and lasts for one question.
pub const BROKERS_PER_UID: usize = 16;

/// Default. Requests a second that one bucket may make in the long run: at about 0.1 ms of CPU
/// each, a twentieth of one core.
pub const REQUESTS_PER_SECOND: u32 = 500;

/// Default. Requests that one bucket may make at once before [`REQUESTS_PER_SECOND`] holds: a
/// whole machine's services starting under one uid.
pub const REQUESTS_BURST: u32 = 1000;

/// Default. How often a watch looks again at the cgroup and ids of its subject, and so how late a
/// change that the kernel does not announce can be seen.
pub const WATCH_RECHECK: Duration = Duration::from_secs(5);

/// What a client waits for one answer: the sum of what the daemon may take, and a second.
pub const CLIENT_TIMEOUT: Duration = Duration::from_secs(
    FIRST_BYTE_DEADLINE.as_secs()
        + LINE_DEADLINE.as_secs()
        + CHALLENGE_DEADLINE.as_secs()
        + DECISION_DEADLINE.as_secs()
        + 1,
);

/// Longest text of the peer that is quoted back to it in a problem, in characters.
pub const MAX_QUOTE: usize = 40;
