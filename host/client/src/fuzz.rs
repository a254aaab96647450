//! Fuzz targets: what a client reads, in whatever pieces it comes.

use serde_json::Value;
use witgate_protocol::{AttestAnswer, Outcome, Problem, VERSION, WatchEvent};
use witgate_testkit::fuzz_target;

use crate::{
    ClientError,
    line::{Lines, answer, event, outcome},
};

/// The first byte says how long the pieces are in which the rest arrives.
#[test]
fn lines() {
    fuzz_target!("lines").words(&["\n", "\n\n", "{}\n"]).check(|input| {
        let Some((size, sent)) = input.split_first() else { return };
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for piece in sent.chunks(usize::from(*size) + 1) {
            lines.push(piece);
            while let Some(line) = lines.next_line().unwrap() {
                found.push(line);
            }
        }
        let whole: Vec<&[u8]> =
            sent.split_inclusive(|byte| *byte == b'\n').filter(|l| l.ends_with(b"\n")).collect();
        assert_eq!(found, whole);
    });
}

#[test]
fn frame() {
    let words = &[
        "\"v\":1",
        "\"v\":2",
        "\"v\":18446744073709551616",
        "\"type\":\"urn:witgate:reason:not_ready\"",
        "\"type\":null",
        "\"event\":\"changed\"",
        "\"decision\":\"deny\"",
        "\\u0000",
        "{",
        "}\n{",
    ];
    fuzz_target!("frame").words(words).check(|input| {
        let said = answer::<AttestAnswer>(input);
        // Fields that nobody knows are skipped, and may hold bytes that are no text.
        let Ok(json) = serde_json::from_slice::<Value>(input) else { return };
        let field = |name: &str| json.get(name);
        match &said {
            Ok(_) => {
                assert_eq!(field("v").and_then(Value::as_u64), Some(VERSION.into()));
                assert!(field("type").is_none_or(Value::is_null), "a problem is no answer");
            }
            Err(ClientError::Refused(problem)) => {
                assert_eq!(field("type").and_then(Value::as_str), Some(&*problem.kind));
                assert_eq!(serde_json::from_slice::<Problem>(input).unwrap(), **problem);
            }
            Err(ClientError::Version { version }) => {
                assert!(*version != u64::from(VERSION));
                assert_eq!(field("v").and_then(Value::as_u64), Some(*version));
            }
            Err(ClientError::BadAnswer { source }) => {
                assert!(source.to_string().len() <= 4 * input.len() + 512, "{source}");
            }
            Err(other) => panic!("{other}"),
        }
        // A watch and a single question never disagree about who is refused.
        if let (Ok(outcome), Ok(event)) = (outcome(said), event(input)) {
            panic!("{outcome:?} and {event:?} are one frame");
        }
        if let Ok(event) = event(input) {
            let refused = matches!(event.outcome(), Some(Outcome::Refuse(_)));
            let decided =
                matches!(&event, WatchEvent::Decision { .. } | WatchEvent::Changed { .. });
            assert!(decided || !refused);
        }
    });
}
