//! Finding the end of an object or a list, without taking it apart.
//!
//! All that has to be known is how deep brackets are nested, and which of them stand in strings. So 64
//! bytes at a time are looked at for the few bytes that matter, and each kind of them is a word, with a
//! bit for each byte, the first byte the lowest.

/// Bytes that are looked at together.
const BLOCK: usize = 64;

/// Where the bytes of a block stand that matter.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Marks {
    quotes: u64,
    backslashes: u64,
    opening: u64,
    closing: u64,
}

/// Where the object or the list ends that begins at the start of these bytes: how many they are, brackets
/// included. None, if it does not end.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
pub(super) fn nested(bytes: &[u8]) -> Option<usize> {
    let mut state = State::default();
    let (blocks, rest) = bytes.as_chunks();
    for (number, block) in blocks.iter().enumerate() {
        if let Some(at) = state.pass(&marks(block)) {
            return Some(number * BLOCK + at + 1);
        }
    }
    let mut last = [b' '; BLOCK];
    last.get_mut(..rest.len())?.copy_from_slice(rest);
    state.pass(&marks(&last)).map(|at| blocks.len() * BLOCK + at + 1)
}

/// Sixteen bytes at once, which is what makes the difference.
#[cfg(target_arch = "wasm32")]
#[target_feature(enable = "simd128")]
fn marks(block: &[u8; BLOCK]) -> Marks {
    use core::arch::wasm32::{i8x16_bitmask, i8x16_eq, u8x16_splat, u64x2, v128_or};

    let mut marks = Marks::default();
    for (number, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
        let ([low, high], _) = bytes.as_chunks() else { continue };
        let bytes = u64x2(u64::from_le_bytes(*low), u64::from_le_bytes(*high));
        let folded = v128_or(bytes, u8x16_splat(FOLD));
        let are = |bytes, byte| {
            u64::from(i8x16_bitmask(i8x16_eq(bytes, u8x16_splat(byte)))) << (16 * number)
        };
        marks.quotes |= are(bytes, b'"');
        marks.backslashes |= are(bytes, b'\\');
        marks.opening |= are(folded, b'{');
        marks.closing |= are(folded, b'}');
    }
    marks
}

/// The same, byte by byte: for tests, and wherever else this is not WebAssembly.
#[cfg(not(target_arch = "wasm32"))]
fn marks(block: &[u8; BLOCK]) -> Marks {
    let mut marks = Marks::default();
    for (at, byte) in block.iter().enumerate() {
        let is = |found: bool| u64::from(found) << at;
        marks.quotes |= is(*byte == b'"');
        marks.backslashes |= is(*byte == b'\\');
        marks.opening |= is(*byte | FOLD == b'{');
        marks.closing |= is(*byte | FOLD == b'}');
    }
    marks
}

/// All that differs between a bracket and a brace.
const FOLD: u8 = 0x20;

/// What is known at the end of a block.
#[derive(Debug, Default)]
struct State {
    depth: u32,
    /// All bits, if this is in a string.
    string: u64,
    /// One, if the block ended with a backslash that escapes what follows.
    escape: u64,
}

impl State {
    /// Passes over a block, or says at which byte of it the end is.
    fn pass(&mut self, marks: &Marks) -> Option<usize> {
        let quotes = marks.quotes & !self.escaped(marks.backslashes);
        let strings = from_each_on(quotes) ^ self.string;
        let (opening, closing) = (marks.opening & !strings, marks.closing & !strings);
        let closed = closing.count_ones();
        if closed >= self.depth
            && let Some(at) = self.end(opening, closing)
        {
            return Some(at);
        }
        self.depth = self.depth + opening.count_ones() - closed;
        self.string = 0_u64.wrapping_sub(strings >> 63);
        None
    }

    /// Which bytes are escaped by the one before.
    const fn escaped(&mut self, backslashes: u64) -> u64 {
        if backslashes == 0 {
            return std::mem::replace(&mut self.escape, 0);
        }
        // The first of a row of backslashes escapes, the second is escaped, and so on. A row that begins
        // at an odd place is told from one at an even place by adding: the carry runs to its end.
        const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
        let free = backslashes & !self.escape;
        let follows = free << 1 | self.escape;
        let odd_starts = free & ODD & !follows;
        let (ends, carry) = odd_starts.overflowing_add(free);
        self.escape = carry as u64;
        (!ODD ^ (ends << 1)) & follows
    }

    /// The byte that closes all that is open, if there is one.
    const fn end(&self, opening: u64, closing: u64) -> Option<usize> {
        let (mut depth, mut left) = (self.depth, opening | closing);
        while left != 0 {
            let first = left & left.wrapping_neg();
            if opening & first != 0 {
                depth += 1;
            } else if depth > 1 {
                depth -= 1;
            } else {
                return Some(first.trailing_zeros() as usize);
            }
            left ^= first;
        }
        None
    }
}

/// Whether an odd number of these bits stand at or below each bit: from each of them on it changes.
const fn from_each_on(bits: u64) -> u64 {
    let bits = bits ^ (bits << 1);
    let bits = bits ^ (bits << 2);
    let bits = bits ^ (bits << 4);
    let bits = bits ^ (bits << 8);
    let bits = bits ^ (bits << 16);
    bits ^ (bits << 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Byte by byte. What stands behind a backslash outside of a string, where none may be, is no quote.
    fn slowly(bytes: &[u8]) -> Option<usize> {
        let (mut depth, mut string, mut escape) = (0, false, false);
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'"' if !escape => string = !string,
                b'{' | b'[' if !string => depth += 1,
                b'}' | b']' if !string && depth == 1 => return Some(at + 1),
                b'}' | b']' if !string => depth -= 1,
                _ => {}
            }
            escape = *byte == b'\\' && !escape;
        }
        None
    }

    #[test]
    fn the_end_is_found_wherever_blocks_begin() {
        let texts = [
            r#"{}"#,
            r#"[[[[[[[[[[]]]]]]]]]]"#,
            r#"{"a":"}]","b":[{"c":"\"}"},{"d":"\\"}],"e":"\\\\\\\"{","f":{}}"#,
            r#"{"0123456\"":"}","01234567\\":[1,2,3],"\u00e9é":{"x":["]"]}}"#,
        ];
        for text in texts {
            for before in 0..BLOCK {
                let bytes = format!("[{}{text}", " ".repeat(before));
                assert_eq!(nested(bytes.as_bytes()), None);
                let bytes = format!("{bytes}]}}}},{bytes}");
                assert_eq!(nested(bytes.as_bytes()), Some(before + text.len() + 2), "{bytes}");
            }
        }
    }

    #[test]
    fn blocks_and_bytes_say_the_same() {
        let alphabet = b"{}[]\"\\\\\\\"aaaaaa\x00\x7f\xff\xfd\xdb";
        let mut seed = 7_u64;
        for length in (0..300).cycle().take(30_000) {
            let mut byte = || {
                seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                alphabet[usize::try_from(seed >> 40).unwrap() % alphabet.len()]
            };
            let bytes: Vec<u8> =
                b"{[[[".iter().copied().chain((0..length).map(|_| byte())).collect();
            assert_eq!(nested(&bytes), slowly(&bytes), "{}", bytes.escape_ascii());
        }
    }
}
