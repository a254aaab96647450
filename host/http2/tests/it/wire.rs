//! What a client writes by hand: frames, and header blocks in every representation.

use crate::huffman;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;
pub(crate) const PADDED: u8 = 0x8;
pub(crate) const PRIORITY: u8 = 0x20;

/// A field that is in the static table whole.
pub(crate) const GET: u8 = 0x82;
pub(crate) const ROOT: u8 = 0x84;
pub(crate) const HTTP: u8 = 0x86;
/// The same of the youngest field in the dynamic table.
pub(crate) const YOUNGEST: u8 = 0xbe;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[a, b, c, kind, flags][..], &stream.to_be_bytes(), payload].concat()
}

/// What a client of HTTP/2 begins with.
pub(crate) fn hello() -> Vec<u8> {
    [witgate_http2::PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[])].concat()
}

pub(crate) fn pong(payload: [u8; 8]) -> Vec<u8> {
    frame(PING, ACK, 0, &payload)
}

/// An integer behind the bits of its first byte (RFC 7541 §5.1).
pub(crate) fn integer(first: u8, prefix: u32, value: usize) -> Vec<u8> {
    let most = (1 << prefix) - 1;
    if value < most {
        return vec![first | u8::try_from(value).unwrap()];
    }
    let mut bytes = vec![first | u8::try_from(most).unwrap()];
    let mut rest = value - most;
    while rest >= 0x80 {
        bytes.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}

pub(crate) fn string(text: &str, coded: bool) -> Vec<u8> {
    let bytes = if coded { huffman::encode(text.as_bytes()) } else { text.as_bytes().to_vec() };
    [integer(if coded { 0x80 } else { 0 }, 7, bytes.len()), bytes].concat()
}

/// How a field is written (RFC 7541 §6.2).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    /// First bits of it, and how many bits are left for an index.
    pub(crate) how: (u8, u32),
    /// The name by its index in the static table, if it has one.
    pub(crate) by_index: bool,
    /// In the Huffman code.
    pub(crate) coded: bool,
}

/// With incremental indexing, without indexing, never indexed.
pub(crate) const HOW: [(u8, u32); 3] = [(0x40, 6), (0, 4), (0x10, 4)];

pub(crate) fn field(written: Written, name: (usize, &str), value: &str) -> Vec<u8> {
    let (first, prefix) = written.how;
    let (index, name) = match name {
        (index, _) if written.by_index && index > 0 => (index, Vec::new()),
        (_, name) => (0, string(name, written.coded)),
    };
    [integer(first, prefix, index), name, string(value, written.coded)].concat()
}

pub(crate) fn authority(written: Written, value: &str) -> Vec<u8> {
    field(written, (1, ":authority"), value)
}

/// A request for `/` without a body.
pub(crate) fn request(stream: u32, authority: &[u8]) -> Vec<u8> {
    let block = [&[GET, HTTP, ROOT][..], authority].concat();
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)
}
