//! The allow-list under attack: a table, and properties against a second, much more lenient reader
//! of paths that stands for every server there may be.

use proptest::{prelude::*, sample::select};

use super::Pattern;
use crate::target::Target;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn a_pattern_means_these_paths_and_not_those() {
    let table: [(&str, &[&str], &[&str]); 8] = [
        ("/pods", &["/pods"], &["/", "/pods/", "/pod", "/podss", "/Pods", "/pods/x", "/x/pods"]),
        ("/runningpods/", &["/runningpods/"], &["/runningpods", "/runningpods/x"]),
        ("/", &["/"], &["/a", "/a/"]),
        (
            "/containers/*/json",
            &["/containers/abc/json", "/containers/json/json", "/containers/a%20b/json"],
            &["/containers/json", "/containers/a/b/json", "/containers/abc/json/", "/containers/a"],
        ),
        ("/a/*", &["/a/b"], &["/a", "/a/", "/a/b/", "/a/b/c"]),
        ("/api/**", &["/api/v1", "/api/v1/pods", "/api/"], &["/api", "/apis/x", "/x/api/v1"]),
        ("/a/*/**", &["/a/b/c", "/a/b/c/d"], &["/a/b", "/a/"]),
        ("/**", &["/", "/a", "/a/b/"], &[]),
    ];
    for (text, meant, not_meant) in table {
        for path in meant {
            assert!(pattern(text).matches(path), "{text} does not match {path}");
        }
        for path in not_meant {
            assert!(!pattern(text).matches(path), "{text} matches {path}");
        }
    }
}

#[test]
fn what_is_no_pattern_says_what_to_write() {
    for (text, hint) in [
        ("", "begins with a slash"),
        ("pods", "begins with a slash"),
        ("*", "begins with a slash"),
        ("//a", "no empty segment"),
        ("/a//b", "no empty segment"),
        ("/a//**", "no empty segment"),
        ("//**", "no empty segment"),
        ("/**/a", "only at the end"),
        ("/a**", "alone in its segment"),
        ("/a/***", "alone in its segment"),
        ("/a/b*", "must be the whole segment"),
        ("/a/../b", "`..` segment"),
        ("/a/%2e/b", "encodes"),
        ("/a?b", "0x3f"),
        ("/a b", "0x20"),
    ] {
        let error = Pattern::parse(text).expect_err(text);
        assert!(error.contains(hint), "{text:?}: {error}");
    }
    assert!(Pattern::parse(&format!("/{}", "a".repeat(2000))).is_err());
}

/// Reads a path as the most obliging server would: cuts query and fragment, drops parameters,
/// decodes until nothing is left to decode, takes backslashes for slashes, folds slashes and dots.
fn lenient(path: &str) -> Vec<String> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut bytes = path.as_bytes().to_vec();
    loop {
        let decoded = decode_once(&bytes);
        if decoded == bytes {
            break;
        }
        bytes = decoded;
    }
    // Overlong forms of `.` and `/`, as decoders that do not check take them.
    let text = String::from_utf8_lossy(&overlong(&bytes)).replace('\\', "/");
    let mut folded = Vec::new();
    for segment in text.split('/') {
        match segment.split([';', '\0']).next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(folded.pop()),
            segment => folded.push(segment.to_owned()),
        }
    }
    folded
}

fn decode_once(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                rest = &after[2..];
            }
            _ => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    decoded
}

fn overlong(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        match (first, after.first()) {
            (0xc0 | 0xc1, Some(second)) => {
                plain.push((first & 1) << 6 | (second & 0x3f));
                rest = &after[1..];
            }
            _ => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}

/// Whether such a reading is on the list: written apart from `Pattern`, on purpose.
fn listed(segments: &[String]) -> bool {
    match segments {
        [a] if a == "pods" => true,
        [a, _, c] if a == "containers" && c == "json" => true,
        // A server that folds slashes serves `/open/` and `/open` alike.
        [a, ..] if a == "open" => true,
        _ => false,
    }
}

fn list() -> [Pattern; 3] {
    ["/pods", "/containers/*/json", "/open/**"].map(pattern)
}

fn allowed(path: &str) -> bool {
    Target::parse(path).is_ok_and(|target| list().iter().any(|p| p.matches(target.path)))
}

/// Pieces that mean something to somebody.
const PIECES: [&str; 44] = [
    "/",
    "/",
    "/",
    "/",
    "pods",
    "containers",
    "json",
    "open",
    "secrets",
    "exec",
    "a",
    ".",
    "..",
    "...",
    "%2e",
    "%2E%2e",
    "%252e",
    "%2f",
    "%2F",
    "%5c",
    "\\",
    ";",
    ";x=1",
    "?",
    "#",
    "%23",
    "%3f",
    "%00",
    "\0",
    "\r\n",
    " ",
    "%20",
    "*",
    "**",
    "%",
    "%2",
    "%c0%ae",
    "%c0%af",
    "%C3%A9",
    "\u{e9}",
    "%25",
    "%70ods",
    "//",
    "/../",
];

fn nasty_path() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(select(PIECES.to_vec()), 0..14).prop_map(|p| p.concat());
    let beginning = select(vec!["", "/", "/open/", "/containers/", "/pods", "/containers/a/json"]);
    prop_oneof![
        (beginning, pieces).prop_map(|(beginning, rest)| format!("{beginning}{rest}")),
        "\\PC{0,40}",
        "/[a-z./%0-9\\\\;]{0,40}",
    ]
}

fn plain_segment() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_~!$&'()+,=:@-][A-Za-z0-9._~!$&'()+,=:@-]{0,12}(%C3%A9|%20)?"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn nothing_passes_that_any_server_reads_as_unlisted(path in nasty_path()) {
        if allowed(&path) {
            prop_assert!(listed(&lenient(&path)), "{path:?} is read as {:?}", lenient(&path));
        }
    }

    #[test]
    fn what_is_listed_and_plain_passes(segment in plain_segment(), query in "[a-z=&/?.]{0,20}") {
        for path in [
            format!("/containers/{segment}/json"),
            format!("/open/{segment}"),
            format!("/open/{segment}/{segment}?{query}"),
            format!("/pods?{query}"),
        ] {
            prop_assert!(allowed(&path), "{path:?}");
        }
        let outside = format!("/containers/{segment}/exec");
        prop_assert!(!allowed(&outside), "{outside:?}");
    }

    #[test]
    fn whatever_passes_goes_out_unchanged(path in nasty_path()) {
        if let Ok(target) = Target::parse(&path) {
            let sent = http::uri::PathAndQuery::try_from(target.whole).unwrap();
            prop_assert_eq!(sent.as_str(), path);
        }
    }

    #[test]
    fn no_text_makes_a_pattern_or_a_target_panic(text in any::<String>(), other in any::<String>()) {
        let _ = Target::parse(&text);
        if let Ok(pattern) = Pattern::parse(&text) {
            let _ = pattern.matches(&other);
        }
    }

    #[test]
    fn a_pattern_without_stars_matches_itself_alone(text in "(/[a-c]{0,2}){1,4}", other in "(/[a-c]{0,2}){1,4}") {
        if let Ok(pattern) = Pattern::parse(&text) {
            prop_assert!(pattern.matches(&text));
            prop_assert_eq!(pattern.matches(&other), text == other);
        }
    }
}
