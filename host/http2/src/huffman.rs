//! The Huffman code of RFC 7541 §5.2 and Appendix B, as far as to find where in it a symbol lies.

/// How many bits each symbol has, the end (256) last. The code is canonical: symbols of one length
/// have codes that count up, and a longer code begins where the shorter ones end.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// Bits of the longest code.
const LONGEST: u32 = 30;

/// The code in the order of its lengths: what the shortest code of each length is, how many there are,
/// and which symbols they stand for.
struct Canonical {
    first: [u32; 31],
    count: [u32; 31],
    offset: [u32; 31],
    symbols: [u16; 257],
}

static CODE: Canonical = Canonical::new();

impl Canonical {
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "the compiler runs it, over constants, and would refuse an index that is out of bounds"
    )]
    const fn new() -> Self {
        let mut this = Self { first: [0; 31], count: [0; 31], offset: [0; 31], symbols: [0; 257] };
        let (mut length, mut placed, mut code) = (1, 0, 0);
        while length <= LONGEST as usize {
            this.first[length] = code;
            this.offset[length] = placed;
            let mut symbol = 0;
            while symbol < LENGTHS.len() {
                if LENGTHS[symbol] as usize == length {
                    this.symbols[placed as usize] = symbol as u16;
                    this.count[length] += 1;
                    placed += 1;
                }
                symbol += 1;
            }
            code = (code + this.count[length]) << 1;
            length += 1;
        }
        this
    }

    /// The symbol of a code, if there is one of this length.
    fn symbol(&self, length: u32, code: u32) -> Option<u16> {
        let length = usize::try_from(length).ok()?;
        let index = code.checked_sub(*self.first.get(length)?)?;
        if index >= *self.count.get(length)? {
            return None;
        }
        let at = self.offset.get(length)? + index;
        self.symbols.get(usize::try_from(at).ok()?).copied()
    }
}

/// Overwrites every symbol that `replace` has another for, of as many bits; stops at what is no code.
pub(crate) fn rewrite(text: &mut [u8], replace: impl Fn(u16) -> Option<Code>) {
    let bits = text.len() * 8;
    let (mut code, mut length) = (0, 0);
    for at in 0..bits {
        code = code << 1 | u32::from(bit(text, at));
        length += 1;
        let Some(found) = CODE.symbol(length, code) else {
            if length == LONGEST {
                return;
            }
            continue;
        };
        if let Some(new) = replace(found).filter(|new| new.length == length) {
            for back in 0..length {
                let shift = usize::try_from(back).unwrap_or_default();
                set(text, at - shift, new.code >> back & 1 == 1);
            }
        }
        (code, length) = (0, 0);
    }
}

/// A symbol's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) code: u32,
    pub(crate) length: u32,
}

fn bit(text: &[u8], at: usize) -> bool {
    text.get(at / 8).is_some_and(|byte| byte << (at % 8) & 0x80 != 0)
}

fn set(text: &mut [u8], at: usize, to: bool) {
    if let Some(byte) = text.get_mut(at / 8) {
        let mask = 0x80 >> (at % 8);
        *byte = if to { *byte | mask } else { *byte & !mask };
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The code of a symbol, by counting through all of them.
    pub(crate) fn code(of: u8) -> Code {
        let length = u32::from(*LENGTHS.get(usize::from(of)).unwrap());
        let is = |code: &u32| CODE.symbol(length, *code) == Some(u16::from(of));
        Code { code: (0..1 << length).find(is).unwrap(), length }
    }

    pub(crate) fn encode(text: &str) -> Vec<u8> {
        let bits: String = text
            .bytes()
            .map(|byte| {
                let Code { code, length } = code(byte);
                format!("{code:0width$b}", width = length as usize)
            })
            .collect();
        let padded = format!("{bits}{}", "1".repeat((8 - bits.len() % 8) % 8));
        let byte = |bits: &[u8]| u8::from_str_radix(std::str::from_utf8(bits).unwrap(), 2).unwrap();
        padded.as_bytes().chunks(8).map(byte).collect()
    }

    #[test]
    fn the_code_is_complete() {
        let sum: u64 = LENGTHS.iter().map(|bits| 1_u64 << (LONGEST - u32::from(*bits))).sum();
        assert_eq!(sum, 1 << LONGEST);
        // RFC 7541 C.4.1
        let example = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(encode("www.example.com"), example);
    }
}
