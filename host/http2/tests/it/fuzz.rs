//! The fuzz target: any bytes from a client, in portions, against the plain reference.

use witgate_http2::{Inbound, MAX_HEADERS};
use witgate_testkit::fuzz_target;

use crate::reference::{Seen, seen};

/// The challenge that the corpus answers.
const CHALLENGE: [u8; 8] = *b"\x01\x02\x03\x04\x05\x06\x07\x08";

/// What is kept back at most: a header block that has not ended, and a part of the next head.
const MOST_HELD: usize = MAX_HEADERS + 8;

/// What passes if bytes come in portions of this many.
fn pass(all: &[u8], portion: usize) -> Seen {
    let (mut inbound, mut read, mut result) = (Inbound::default(), 0, Seen::default());
    inbound.challenge(CHALLENGE);
    for portion in all.chunks(portion) {
        read += portion.len();
        let mut now = portion.to_vec();
        let Ok(count) = inbound.filter(&mut now) else {
            result.too_large = true;
            break;
        };
        let mut few = [0; 50];
        while inbound.has_ready() {
            let moved = inbound.ready(&mut few);
            result.passed.extend(&few[..moved]);
        }
        result.passed.extend(&now[..count]);
        if inbound.take_answer() {
            assert!(!result.answered, "answered once");
            result.answered = true;
        }
        let swallowed = if result.answered { 17 } else { 0 };
        assert!(read - result.passed.len() - swallowed <= MOST_HELD);
    }
    result
}

/// The first byte says how large portions are, the others are what the client writes.
#[test]
fn connection() {
    let words: &[&str] = &[
        // Heads of HEADERS, CONTINUATION, PING, DATA, and the answer.
        "\0\0\u{10}\u{1}\u{4}\0\0\0\u{1}",
        "\0\0\u{10}\u{1}\0\0\0\0\u{1}",
        "\0\0\u{4}\u{9}\u{4}\0\0\0\u{1}",
        "\0\0\u{8}\u{6}\u{1}\0\0\0\0",
        "\0\0\u{8}\0\0\0\0\0\u{1}",
        "\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}",
        "A\u{d}%2Frun%2Fx/y%", // `:authority` by index, and by name.
        "@\u{a}:authority\u{4}/a%b",
        "\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}",
    ];
    fuzz_target!("connection").words(words).check(|input| {
        let Some((portion, all)) = input.split_first() else { return };
        let expected = seen(all, CHALLENGE);
        for portion in [1 + usize::from(*portion), all.len().max(1)] {
            let got = pass(all, portion);
            if expected.too_large {
                assert!(got.too_large && expected.passed.starts_with(&got.passed));
            } else {
                assert_eq!(got, expected, "in portions of {portion}");
            }
        }
    });
}
