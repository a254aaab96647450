//! Fuzz targets: what a workload sends, and what a client reads.

use serde::{Serialize, de::DeserializeOwned};
use witgate_testkit::fuzz_target;

use crate::{
    Ask, AskError, AttestAnswer, Dialect, HealthAnswer, Line, Outcome, Problem, Protocol,
    WatchEvent, WhoamiAnswer, detect,
    frame::{is_harmful, json_line, printable},
    limits::{MAX_LINE, MAX_QUOTE},
};

const WORDS: &[&str] = &[
    "attest", "whoami", "watch", "ping", "GET", "POST", "/v1/", "=", " ", "\r\n", "\n", "&", "%",
    "\x1b[2J", "\u{202e}", "\u{9b}",
];

/// What is said about a request that is none: short, harmless, and the same over every protocol.
fn assert_said(error: &AskError) {
    let text = error.to_string();
    assert!(text.len() <= MAX_QUOTE * "\\u{10ffff}".len() + 128, "{text}");
    assert!(!text.chars().any(is_harmful), "{text:?}");
    let problem = Problem::from(error);
    assert_eq!(problem.detail, text);
    assert_eq!(problem.decision, None, "nothing was decided");
    round_trip(&problem);
}

/// One harmless line, which reads back as the same value.
fn round_trip<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let line = json_line(value).unwrap();
    let (end, body) = line.split_last().unwrap();
    let body = str::from_utf8(body).unwrap();
    assert!(*end == b'\n' && !body.chars().any(is_harmful), "{body:?}");
    assert_eq!(&serde_json::from_slice::<T>(&line).unwrap(), value);
}

#[test]
fn line() {
    fuzz_target!("line").words(WORDS).check(|input| {
        let said = Line::parse(input);
        let end = input.iter().take(MAX_LINE).position(|byte| *byte == b'\n');
        match &said {
            Ok(None) => assert!(end.is_none() && input.len() < MAX_LINE),
            Err(AskError::TooLong) => assert!(end.is_none() && input.len() >= MAX_LINE),
            Ok(Some(line)) => assert_asked(*line, input.get(..end.unwrap()).unwrap()),
            Err(error) => {
                assert!(end.is_some() && error.to_string().is_ascii());
                assert_said(error);
            }
        }
        // How it arrives, and what stands behind it, does not matter.
        if let Some(end) = end {
            let (line, behind) = input.split_at(end + 1);
            assert_eq!(Line::parse(line), said);
            let part = line.split_at(behind.len() % line.len()).0;
            assert_eq!(Line::parse(part), Ok(None));
        }
        let is_http = input.first().is_some_and(|first| detect(*first) == Protocol::Http);
        assert!(!is_http || !matches!(said, Ok(Some(_))), "no request is of two protocols");
    });
}

fn assert_asked(asked: Line, line: &[u8]) {
    let text = str::from_utf8(line).unwrap();
    let words: Vec<&str> = text.trim_end_matches('\r').split(' ').collect();
    match words.iter().find(|word| !word.is_empty()) {
        None => assert_eq!((asked.ask, asked.dialect), (Ask::Attest, Dialect::LinePeople)),
        Some(word) => {
            assert_eq!((*word, asked.dialect), (asked.ask.word(), Dialect::LineJson));
            assert!(text.trim_end_matches('\r').bytes().all(|byte| matches!(byte, b' '..=b'~')));
        }
    }
}

/// Method, path and query, each on a line; without the third line there is no query.
#[test]
fn http() {
    fuzz_target!("http").words(WORDS).check(|input| {
        let text = String::from_utf8_lossy(input);
        let mut parts = text.splitn(3, '\n');
        let (method, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let query = parts.next();
        match Ask::from_http(method, path, query) {
            Ok(ask) => assert_eq!((method, path), ("GET", ask.path())),
            Err(error) => assert_said(&error),
        }
        let known = Ask::ALL.into_iter().find(|ask| ask.path() == path);
        if let Some(ask) = known.filter(|_| method == "GET" && query.is_none()) {
            assert_eq!(Ask::from_http(method, path, query), Ok(ask));
        }
    });
}

#[test]
fn answer() {
    let words = &[
        "\"v\":1",
        "\"event\":\"ended\"",
        "\"decision\":\"deny\"",
        "\\u001b",
        "\\u202e",
        "\\ud83d\\ude00",
        "\u{9b}",
        "null",
        "-1",
        "1e400",
        "99999999999999999999",
        "-009999-01-01T00:00:00Z",
        "9999-12-31T23:59:60.999999999Z",
        "[[[[",
    ];
    fuzz_target!("answer").words(words).check(|input| {
        read::<AttestAnswer>(input, AttestAnswer::for_people);
        read::<Problem>(input, Problem::for_people);
        read::<Outcome>(input, Outcome::for_people);
        read::<WhoamiAnswer>(input, WhoamiAnswer::for_people);
        read::<HealthAnswer>(input, HealthAnswer::for_people);
        read::<WatchEvent>(input, WatchEvent::for_people);
        assert!(!printable(input).chars().any(is_harmful));
    });
}

/// Whatever reads as a value is written as one harmless line, and as a few for people.
fn read<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    input: &[u8],
    for_people: impl Fn(&T) -> String,
) {
    let Ok(value) = serde_json::from_slice::<T>(input) else { return };
    round_trip(&value);
    let text = for_people(&value);
    let lines = text.strip_suffix('\n').unwrap();
    assert!(lines.split('\n').all(|line| !line.chars().any(is_harmful)), "{text:?}");
}
