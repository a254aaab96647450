//! `:authority` in a header block (RFC 7541): `%` becomes `-` and `/` becomes `.`, in place.
//!
//! Clients of gRPC put the path of the socket there, percent-encoded or as it is, and the library's
//! parser of URIs takes neither. Nobody reads the value; it only has to be one.

use crate::huffman::{self, Code};

/// Index of `:authority` in the static table (RFC 7541 Appendix A).
const INDEX: usize = 1;

/// The name where it is written out, and the same in the Huffman code.
const NAME: &[u8] = b":authority";
const NAME_CODED: &[u8] = &[0xb8, 0x3b, 0x53, 0x39, 0xec, 0x32, 0x7d, 0x7f];

/// Of `-` and `.`; those of `%` and `/` have as many bits.
const DASH: Code = Code { code: 0x16, length: 6 };
const DOT: Code = Code { code: 0x17, length: 6 };

/// Rewrites a whole header block; one that is malformed is left alone from there on.
pub(crate) fn rewrite(block: &mut [u8]) {
    let mut rest = block;
    // Every field takes a byte at least.
    while let Some(left) = field(rest) {
        rest = left;
    }
}

/// One field; what is behind it, or none at the end or where nothing can be made of it.
fn field(block: &mut [u8]) -> Option<&mut [u8]> {
    let first = *block.first()?;
    let (prefix, literal) = match first {
        0x80.. => (7, false),
        0x40.. => (6, true),
        0x20.. => (5, false),
        _ => (4, true),
    };
    let (index, rest) = integer(block, prefix)?;
    if !literal {
        return Some(rest);
    }
    let (is_authority, rest) = if index == 0 {
        let (name, rest) = string(rest)?;
        let is = match name.coded {
            true => name.bytes == NAME_CODED,
            false => name.bytes == NAME,
        };
        (is, rest)
    } else {
        (index == INDEX, rest)
    };
    let (value, rest) = string(rest)?;
    if is_authority {
        value.rewrite();
    }
    Some(rest)
}

/// A string, as it is or in the Huffman code.
struct Text<'a> {
    coded: bool,
    bytes: &'a mut [u8],
}

/// Bytes of a value that is looked into: more than the longest path of a socket, percent-encoded. A
/// longer one is for the library to refuse.
const MAX_VALUE: usize = 512;

impl Text<'_> {
    fn rewrite(self) {
        if self.bytes.len() > MAX_VALUE {
            return;
        }
        if self.coded {
            return huffman::rewrite(self.bytes, |symbol| match u8::try_from(symbol) {
                Ok(b'%') => Some(DASH),
                Ok(b'/') => Some(DOT),
                _ => None,
            });
        }
        for byte in self.bytes {
            match byte {
                b'%' => *byte = b'-',
                b'/' => *byte = b'.',
                _ => {}
            }
        }
    }
}

fn string(block: &mut [u8]) -> Option<(Text<'_>, &mut [u8])> {
    let coded = block.first()? & 0x80 != 0;
    let (length, rest) = integer(block, 7)?;
    let (bytes, rest) = rest.split_at_mut_checked(length)?;
    Some((Text { coded, bytes }, rest))
}

/// An integer (RFC 7541 §5.1), of at most four bytes behind its prefix, more than any length here.
fn integer(block: &mut [u8], prefix: u32) -> Option<(usize, &mut [u8])> {
    let (first, mut rest) = block.split_first_mut()?;
    let mask = (1_u32 << prefix) - 1;
    let mut value = u32::from(*first) & mask;
    if value < mask {
        return Some((usize::try_from(value).ok()?, rest));
    }
    for shift in [0, 7, 14, 21] {
        let (byte, behind) = rest.split_first_mut()?;
        value += u32::from(*byte & 0x7f) << shift;
        rest = behind;
        if *byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, rest));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::huffman::tests::{code, encode};

    /// A string as an encoder writes it; none of these is longer than 126 bytes.
    fn text(text: &str, coded: bool) -> Vec<u8> {
        let bytes = if coded { encode(text) } else { text.as_bytes().to_vec() };
        let head = u8::try_from(bytes.len()).unwrap() | if coded { 0x80 } else { 0 };
        [vec![head], bytes].concat()
    }

    /// A field with this first byte, whose name is written out if its index is zero.
    fn literal(first: u8, name: Option<&str>, value: &str, coded: bool) -> Vec<u8> {
        let name = name.map(|name| text(name, coded)).unwrap_or_default();
        [vec![first], name, text(value, coded)].concat()
    }

    fn rewritten(mut block: Vec<u8>) -> Vec<u8> {
        rewrite(&mut block);
        block
    }

    #[test]
    fn the_names_and_codes_are_those_of_the_rfc() {
        assert_eq!(encode(":authority"), NAME_CODED);
        assert_eq!((code(b'-'), code(b'.')), (DASH, DOT));
        assert_eq!((code(b'%').length, code(b'/').length), (6, 6));
    }

    #[test]
    fn an_authority_is_rewritten_however_it_is_written() {
        let (before, after) = ("%2Frun%2Fwitgate/api.sock", "-2Frun-2Fwitgate.api.sock");
        for coded in [false, true] {
            for (first, name) in [
                (0x41, None),
                (0x01, None),
                (0x11, None),
                (0x40, Some(":authority")),
                (0x00, Some(":authority")),
                (0x10, Some(":authority")),
            ] {
                let block = |value| {
                    // `:method: GET`, a new table size, the field, `:path` and something else.
                    let others = literal(0x40, Some("x"), "%2F/", coded);
                    let path = literal(0x44, None, "/v1/a%20b", coded);
                    [vec![0x82, 0x3f, 0xe1, 0x1f], literal(first, name, value, coded), path, others]
                        .concat()
                };
                assert_eq!(rewritten(block(before)), block(after), "{first:#x} {coded}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_value_keeps_its_length_and_everything_else(value in "[ -~]{0,60}", coded: bool) {
            let expected = value.replace('%', "-").replace('/', ".");
            let got = rewritten(literal(0x41, None, &value, coded));
            prop_assert_eq!(got, literal(0x41, None, &expected, coded));
            let other = literal(0x40, Some("x-authority"), &value, coded);
            prop_assert_eq!(rewritten(other.clone()), other);
        }

        #[test]
        fn any_bytes_are_harmless(block: Vec<u8>) {
            let after = rewritten(block.clone());
            prop_assert_eq!(after.len(), block.len());
            // What was rewritten once has nothing left to rewrite.
            prop_assert_eq!(rewritten(after.clone()), after);
        }
    }
}
