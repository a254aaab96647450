//! What the layer does, as slowly and plainly as it can be said: over the whole connection, with
//! copies of everything.

use std::ops::Range;

use witgate_http2::{MAX_CONTINUATIONS, MAX_HEADERS};

use crate::{huffman, wire};

/// What becomes of all that a client wrote.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) passed: Vec<u8>,
    pub(crate) answered: bool,
    /// A header block is too large, and the connection ends.
    pub(crate) too_large: bool,
}

pub(crate) fn seen(all: &[u8], challenge: [u8; 8]) -> Seen {
    let mut seen = Seen::default();
    let mut at = all.len().min(24);
    seen.passed.extend(&all[..at]);
    while let Some(head) = Head::at(all, at) {
        let is_pong = (head.kind, head.stream, head.length) == (wire::PING, 0, 8)
            && head.flags & wire::ACK != 0
            && !seen.answered;
        if head.kind == wire::HEADERS {
            match block(all, at) {
                Block::TooLarge => seen.too_large = true,
                Block::Unfinished => {}
                Block::Whole(end, places) => {
                    let mut copy = all.to_vec();
                    rewrite(&mut copy, &places);
                    seen.passed.extend(&copy[at..end]);
                    at = end;
                    continue;
                }
            }
            return seen;
        }
        if is_pong {
            match all.get(at + 9..at + 17) {
                None => return seen,
                Some(payload) if payload == challenge => {
                    seen.answered = true;
                    at += 17;
                    continue;
                }
                Some(_) => {}
            }
        }
        let end = all.len().min(at + 9 + head.length);
        seen.passed.extend(&all[at..end]);
        at = end;
    }
    seen
}

struct Head {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Head {
    fn at(all: &[u8], at: usize) -> Option<Self> {
        let head = all.get(at..at + 9)?;
        let number = |bytes: &[u8]| bytes.iter().fold(0, |all, byte| all << 8 | u32::from(*byte));
        Some(Self {
            length: number(&head[..3]) as usize,
            kind: head[3],
            flags: head[4],
            stream: number(&head[5..]) % (1 << 31),
        })
    }
}

enum Block {
    TooLarge,
    Unfinished,
    /// Where it ends, and where the bytes of the block itself are; none if it is broken off.
    Whole(usize, Vec<usize>),
}

fn block(all: &[u8], start: usize) -> Block {
    let (mut at, mut places, mut frames) = (start, Vec::new(), 0);
    let mut stream = None;
    while let Some(head) = Head::at(all, at) {
        let belongs =
            stream.is_none_or(|stream| (head.kind, head.stream) == (wire::CONTINUATION, stream));
        if !belongs {
            return Block::Whole(at, Vec::new());
        }
        let end = at + 9 + head.length;
        if end - start > MAX_HEADERS || frames > MAX_CONTINUATIONS {
            return Block::TooLarge;
        }
        if end > all.len() {
            return Block::Unfinished;
        }
        let mut fragment: Vec<_> = (at + 9..end).collect();
        if frames == 0 {
            fragment = without_padding(all, &fragment, head.flags);
        }
        places.extend(fragment);
        if head.flags & wire::END_HEADERS != 0 {
            return Block::Whole(end, places);
        }
        (at, frames, stream) = (end, frames + 1, Some(head.stream));
    }
    Block::Unfinished
}

fn without_padding(all: &[u8], payload: &[usize], flags: u8) -> Vec<usize> {
    let mut payload = payload.to_vec();
    let mut padding = 0;
    if flags & wire::PADDED != 0 {
        let Some(first) = payload.first() else { return payload };
        padding = usize::from(all[*first]);
        payload.remove(0);
    }
    if flags & wire::PRIORITY != 0 {
        if payload.len() < 5 {
            return Vec::new();
        }
        payload.drain(..5);
    }
    payload.truncate(payload.len().saturating_sub(padding));
    payload
}

fn rewrite(all: &mut [u8], places: &[usize]) {
    let mut block: Vec<u8> = places.iter().map(|place| all[*place]).collect();
    let mut values = Vec::new();
    let mut at = 0;
    while let Some(value) = field(&block, &mut at) {
        values.extend(value);
    }
    for (coded, range) in values {
        let value = &mut block[range];
        let new = if coded { replaced_coded(value) } else { replaced(value) };
        value.copy_from_slice(&new);
    }
    for (place, byte) in places.iter().zip(block) {
        all[*place] = byte;
    }
}

fn replaced(value: &[u8]) -> Vec<u8> {
    let other = |byte: &u8| match byte {
        b'%' => b'-',
        b'/' => b'.',
        _ => *byte,
    };
    value.iter().map(other).collect()
}

fn replaced_coded(value: &[u8]) -> Vec<u8> {
    let (symbols, left) = huffman::decode(value);
    let other = |symbol: usize| match u8::try_from(symbol) {
        Ok(byte) => usize::from(replaced(&[byte])[0]),
        Err(_) => symbol,
    };
    huffman::join(&symbols.into_iter().map(other).collect::<Vec<_>>(), &left)
}

/// Whether a value is in the Huffman code, and where it is.
type Value = (bool, Range<usize>);

/// The next field (RFC 7541 §6), with the value if it is an authority.
fn field(block: &[u8], at: &mut usize) -> Option<Option<Value>> {
    let first = *block.get(*at)?;
    if first >= 0x80 {
        integer(block, at, 7)?;
        return Some(None);
    }
    if (0x20..0x40).contains(&first) {
        integer(block, at, 5)?;
        return Some(None);
    }
    let index = integer(block, at, if first >= 0x40 { 6 } else { 4 })?;
    let is_authority = match index {
        0 => {
            let (coded, name) = string(block, at)?;
            let coded_name = huffman::encode(b":authority");
            block[name] == if coded { coded_name } else { b":authority".to_vec() }
        }
        index => index == 1,
    };
    let (coded, value) = string(block, at)?;
    let longest = 512;
    Some((is_authority && value.len() <= longest).then_some((coded, value)))
}

fn string(block: &[u8], at: &mut usize) -> Option<Value> {
    let coded = block.get(*at)? & 0x80 != 0;
    let length = integer(block, at, 7)?;
    let range = *at..*at + length;
    block.get(range.clone())?;
    *at = range.end;
    Some((coded, range))
}

/// At most four bytes after the first.
fn integer(block: &[u8], at: &mut usize, prefix: u32) -> Option<usize> {
    let most = (1_usize << prefix) - 1;
    let mut value = usize::from(*block.get(*at)?) & most;
    *at += 1;
    if value < most {
        return Some(value);
    }
    for place in 0..4 {
        let byte = usize::from(*block.get(*at)?);
        *at += 1;
        value += (byte % 128) * 128_usize.pow(place);
        if byte < 128 {
            return Some(value);
        }
    }
    None
}
