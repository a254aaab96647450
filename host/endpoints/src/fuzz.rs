//! Fuzz target: what an operator lists, against what a plugin asks for.

use http::uri::PathAndQuery;
use witgate_testkit::fuzz_target;

use crate::{limits, pattern::Pattern, target::Target};

/// The first line is what the operator lists, the second what is asked for.
#[test]
fn path() {
    let words = &[
        "/",
        "*",
        "**",
        "/*/",
        "/**",
        "..",
        "/./",
        "%2e",
        "%2F",
        "%252e",
        "%5c",
        "%00",
        "%c3%a9",
        "\\",
        ";",
        "?",
        "#",
        "//",
        "\n",
        "\r\n",
        "json",
        " HTTP/1.1",
        "\u{e9}",
    ];
    fuzz_target!("path").words(words).check(|input| {
        let text = String::from_utf8_lossy(input);
        let (listed, asked) = text.split_once('\n').unwrap_or((&text, "/"));
        let pattern = Pattern::parse(listed);
        if let Err(error) = &pattern {
            assert!(error.len() <= 10 * limits::PATTERN_BYTES + 256, "{error}");
            assert!(!error.contains(char::is_control), "{error:?}");
        }
        match Target::parse(asked) {
            Err(error) => assert!(error.to_string().is_ascii()),
            Ok(target) => {
                assert_one_reading(asked, &target);
                if let Ok(pattern) = pattern {
                    let parts: Vec<&str> = target.path.split('/').skip(1).collect();
                    let listed: Vec<&str> = listed.split('/').skip(1).collect();
                    assert_eq!(pattern.matches(target.path), matches(&listed, &parts));
                }
            }
        }
    });
}

/// Plain characters in plain segments, and the HTTP library takes them for what we do.
fn assert_one_reading(asked: &str, target: &Target<'_>) {
    assert_eq!(target.whole, asked);
    assert!(asked.len() <= limits::TARGET_BYTES);
    assert!(asked.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\' && byte != b'#'));
    let path = asked.split('?').next().unwrap();
    assert_eq!(target.path, path);
    assert!(path.starts_with('/') && !path.contains("//") && !path.contains(';'));
    assert!(path.split('/').all(|segment| segment != "." && segment != ".."));
    let sent = PathAndQuery::try_from(asked).unwrap();
    assert_eq!((sent.as_str(), sent.path()), (asked, path));
}

/// Segment by segment, as the documentation says it.
fn matches(listed: &[&str], parts: &[&str]) -> bool {
    match (listed, parts) {
        ([], []) => true,
        (["**"], [_, ..]) => true,
        (["*", listed @ ..], [part, parts @ ..]) => !part.is_empty() && matches(listed, parts),
        ([literal, listed @ ..], [part, parts @ ..]) => literal == part && matches(listed, parts),
        _ => false,
    }
}
