//! Fuzz target: the reader of control group paths, against a slow reference that judges each
//! directory by itself.

use witgate_testkit::fuzz_target;

use super::{NotAbsolute, Place};
use crate::unit_name::text_of;

#[test]
fn unit_paths() {
    let words = &[
        "/",
        "..",
        "_",
        "@",
        "-",
        "\\x2d",
        "\\x",
        ".slice/",
        ".service/",
        ".scope/",
        "/user.slice/user-1000.slice/user@1000.service/",
        "session-3.scope",
        "/system.slice/",
        "\x1b[2J",
        "\u{e9}",
    ];
    fuzz_target!("unit_paths").words(words).check(|input| {
        let text = String::from_utf8_lossy(input);
        let place = match Place::of(&text) {
            Ok(place) => place,
            Err(NotAbsolute) => {
                assert!(!text.starts_with('/') || text.split('/').any(|part| part == ".."));
                return;
            }
        };
        let mut directories = text[1..].split('/');
        for slice in &place.slices {
            let directory = directories.next().unwrap();
            assert_eq!(directory.strip_prefix('_').unwrap_or(directory), *slice);
            assert_eq!(kind(directory), Some("slice"));
        }
        let first = directories
            .next()
            .filter(|first| !first.is_empty() || directories.clone().next().is_some());
        assert_eq!(first.is_none(), place.is_open(), "{text:?}");
        let expected = first.and_then(kind).filter(|kind| *kind != "slice");
        assert_eq!(place.unit.map(|unit| unit.kind), expected, "{text:?}");
        if let Some(unit) = place.unit {
            let instance = unit.instance.map(|instance| format!("@{instance}")).unwrap_or_default();
            assert_eq!(unit.id, format!("{}{instance}.{}", unit.prefix, unit.kind));
            assert!(unit.instance.is_none_or(|instance| text_of(instance) != Ok(String::new())));
        }
        // What is said about a user's session is never said without the user.
        assert!(place.owner_uid().is_some() || place.session().is_none());
        assert!(place.owner_uid().is_some() || place.user_unit().is_none());
    });
}

/// What a directory is by its name, told character by character.
fn kind(directory: &str) -> Option<&'static str> {
    const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@";
    let name = directory.strip_prefix('_').unwrap_or(directory);
    if name.len() > 255 || !name.chars().all(|c| ALPHABET.contains(c)) {
        return None;
    }
    let kinds = ["mount", "scope", "service", "slice", "socket", "swap"];
    let kind = kinds.into_iter().find(|kind| name.ends_with(&format!(".{kind}")))?;
    let stem = &name[..name.len() - kind.len() - 1];
    let valid = match (stem.find('@'), kind) {
        (Some(_), "slice") => false,
        (Some(at), _) => at > 0 && at + 1 < stem.len(),
        (None, _) => !stem.is_empty(),
    };
    valid.then_some(kind)
}
