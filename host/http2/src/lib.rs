//! The frames below an HTTP/2 connection (RFC 9113): a challenge in a PING, and the authority that
//! clients send on a Unix socket.
//!
//! ```text
//! socket ─ recvmsg ─▶ Inbound::filter ─▶ the HTTP/2 library
//! socket ◀─ PING at a frame's end ◀─ Outbound ◀─ the HTTP/2 library
//! ```
//!
//! Why below the library and not beside it: the payload of its own pings is constant, so that an answer
//! could be sent in advance; and it rejects what clients of gRPC put into `:authority`, the path of the
//! socket with `%` or `/` in it. Both are mended here without a copy of the library: bytes pass through
//! in place, a PING that answers the challenge is taken out, and the two characters are overwritten by
//! two others whose codes are as long.
//!
//! No I/O happens here. Whose bytes they are is for the caller to know: it gives
//! [`Inbound::filter`] only what the right process wrote.
//!
//! Input is hostile, so nothing in this crate may index or slice; what is malformed passes unchanged,
//! for the library is the judge of it.
#![warn(clippy::indexing_slicing, clippy::string_slice)]

mod authority;
mod huffman;
mod inbound;
mod outbound;

pub use self::{
    inbound::{FrameError, Inbound, MAX_CONTINUATIONS, MAX_HEADERS},
    outbound::Outbound,
};

/// What begins a connection, from the client (RFC 9113 §3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a frame's head (RFC 9113 §4.1).
const HEAD: usize = 9;

/// Kinds of frames that are looked into (RFC 9113 §6).
mod kind {
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PUSH_PROMISE: u8 = 5;
    pub(crate) const PING: u8 = 6;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// Flags of them.
mod flag {
    pub(crate) const ACK: u8 = 0x1;
    pub(crate) const END_HEADERS: u8 = 0x4;
    pub(crate) const PADDED: u8 = 0x8;
    pub(crate) const PRIORITY: u8 = 0x20;
}

/// A frame's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Head {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, stream @ ..] = *bytes.first_chunk::<HEAD>()?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        // The first bit of a stream's number is reserved.
        Some(Self { length, kind, flags, stream: u32::from_be_bytes(stream) & 0x7fff_ffff })
    }

    const fn begins_or_continues_block(self) -> bool {
        matches!(self.kind, kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION)
    }

    const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}
