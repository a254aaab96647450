//! Fuzz target: references, which say where something is fetched from.

use witgate_testkit::{fuzz::is_harmless, fuzz_target};

use crate::{Reference, limits::REFERENCE_BYTES};

#[test]
fn reference() {
    let words = &[
        "oci://",
        "localhost",
        "127.0.0.1",
        "[::1]",
        ":5000",
        ":99999",
        "/",
        "..",
        "@",
        "@sha256:",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ":",
        "?",
        "#",
        "%2f",
        "user:secret@",
        "\r\n",
        "\x1b[2J",
        "\u{202e}",
    ];
    fuzz_target!("reference").words(words).check(|input| {
        let text = String::from_utf8_lossy(input);
        match text.parse::<Reference>() {
            Ok(read) => {
                let written = read.to_string();
                assert_eq!(written.parse(), Ok(read.clone()));
                let named = text.strip_prefix("oci://").unwrap_or(&text);
                assert!(written.eq_ignore_ascii_case(named), "{written} is not {named}");
                assert_eq!(written, is_reference(&written), "{named}");
                assert!(text.len() <= REFERENCE_BYTES);
                let first = named.split('/').next().unwrap();
                assert!(!first.contains('@') && read.registry().eq_ignore_ascii_case(first));
            }
            Err(error) => {
                let said = error.to_string();
                assert!(said.len() <= 20 * REFERENCE_BYTES + 256, "{said}");
                assert!(is_harmless(&said), "{said:?}");
            }
        }
    });
}

/// Part by part, by the grammar of OCI: what it reads is put together again.
fn is_reference(text: &str) -> String {
    let (name, digest) = text.split_once('@').map_or((text, None), |(name, d)| (name, Some(d)));
    let (registry, rest) = name.split_once('/').unwrap();
    let (repository, tag) = rest.split_once(':').map_or((rest, None), |(r, tag)| (r, Some(tag)));
    let of_host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    assert!(!registry.is_empty() && registry.chars().all(of_host), "{registry:?}");
    for component in repository.split('/') {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        assert!(component.chars().all(inner), "{component:?}");
        assert!(edge(component.chars().next()) && edge(component.chars().last()), "{component:?}");
        assert!(!component.contains(".."), "{component:?}");
    }
    if let Some(tag) = tag {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        assert!((1..=128).contains(&tag.len()) && tag.chars().all(plain), "{tag:?}");
    }
    if let Some(digest) = digest {
        let hex = digest.strip_prefix("sha256:").unwrap();
        assert!(hex.len() == 64 && hex.chars().all(|c| "0123456789abcdef".contains(c)));
    }
    text.to_owned()
}
