use proptest::prelude::*;

use super::*;
use crate::parse_version;

const TEXT: &str = include_str!("example.lock");

fn name(text: &str) -> PluginName {
    PluginName::new(text).unwrap()
}

fn version(text: &str) -> Version {
    parse_version(text).unwrap()
}

fn pin(plugin: &str, at: &str, bytes: &[u8]) -> Pin {
    Pin {
        name: name(plugin),
        version: version(at),
        sha256: Digest::of(bytes),
        source: Note::new("./os.wasm").unwrap(),
        signed_by: None,
    }
}

fn mistakes(text: &str) -> Vec<String> {
    let errors = LockFile::parse("plugins.lock", text).unwrap_err();
    errors.as_slice().iter().map(ToString::to_string).collect()
}

#[test]
fn the_file_is_sorted_and_is_its_own_text() {
    let mut lock = LockFile::default();
    let signed = Pin { signed_by: Some(Note::new("release").unwrap()), ..pin("os", "0.1.0", b"b") };
    for pin in [pin("zone", "2.0.0", b"c"), signed, pin("host", "1.0.0-rc.1+git.5", b"a")] {
        assert_eq!(lock.pin(pin, false), Ok(None));
    }
    assert_eq!(lock.to_string(), TEXT);
    assert_eq!(LockFile::parse("plugins.lock", TEXT), Ok(lock));
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let text = "version = 2\nextra = 1\n\
                [[plugin]]\nname = \"Bad\"\nversion = \"1.2\"\nsha256 = \"AA\"\nsource = \"\"\n\
                [[plugin]]\nname = \"os\"\nversion = 1\ncolour = \"red\"\nsigned_by = \"a\\u001b\"\n";
    let seen = mistakes(text);
    let expected = [
        "plugins.lock:1: version: the format is 2, and this witgate knows 1",
        "plugins.lock:2: extra: unknown key; the keys here are version, plugin",
        "plugins.lock:4: plugin.1.name: \"Bad\" is not a name",
        "plugins.lock:5: plugin.1.version: \"1.2\" is not a semantic version",
        "plugins.lock:6: plugin.1.sha256: a digest has 64 characters",
        "plugins.lock:7: plugin.1.source: it must have 1 to 512 bytes",
        "plugins.lock:8: plugin.os.sha256: missing",
        "plugins.lock:8: plugin.os.source: missing",
        "plugins.lock:10: plugin.os.version: invalid type: integer `1`, expected a string",
        "plugins.lock:11: plugin.os.colour: unknown key; the keys here are name, version",
        "plugins.lock:12: plugin.os.signed_by: it must have 1 to 512 bytes",
    ];
    assert_eq!(seen.len(), expected.len(), "{seen:#?}");
    for (seen, expected) in seen.iter().zip(expected) {
        assert!(seen.starts_with(expected), "{seen}\nis not\n{expected}");
    }
}

#[test]
fn what_is_not_a_lock_file_is_not_half_a_one() {
    for (text, expected) in [
        ("", "plugins.lock:1: version: missing"),
        ("version = 1\nplugin = 3\n", "plugins.lock:2: plugin: begin each plugin with [[plugin]]"),
        ("version = 1\nplugin = [1]\n", "plugins.lock:2: plugin: expected a table, found integer"),
        ("version = 1\n[plugin]\nname = \"os\"\n", "plugins.lock:2: plugin: begin each plugin"),
        ("version = 1\nversion = 1\n", "plugins.lock:2: "),
        ("version = 1\n[[plugin", "plugins.lock:2: "),
    ] {
        let seen = mistakes(text);
        assert!(seen[0].starts_with(expected), "{text:?}: {seen:?}");
    }
    let twice = TEXT.replace("\"zone\"", "\"os\"");
    assert_eq!(
        mistakes(&twice),
        ["plugins.lock:17: plugin.os: plugin os is here twice; remove one"]
    );
}

#[test]
fn sizes_are_bounded() {
    let long = format!("version = 1\n{}", "#".repeat(LOCK_BYTES));
    assert!(mistakes(&long)[0].contains("the limit is 524288"), "{:?}", mistakes(&long));

    let mut lock = LockFile::default();
    for number in 0..LOCK_PLUGINS {
        lock.pin(pin(&format!("p{number}"), "1.0.0", b""), false).unwrap();
    }
    assert_eq!(lock.pin(pin("more", "1.0.0", b""), false), Err(PinError::Full));
    assert!(lock.pin(pin("p0", "1.0.1", b""), false).is_ok(), "replacing is not adding");
    let more = pin("more", "1.0.0", b"");
    lock.pins.insert(more.name.clone(), more);
    assert!(mistakes(&lock.to_string())[0].contains("the limit is 256 plugins"));
}

/// Every pin at its largest fits: what was written can be read again.
#[test]
fn the_largest_file_that_can_be_written_can_be_read() {
    let mut lock = LockFile::default();
    // Characters that take the most bytes when they are quoted.
    let note = Note::new("\"\\".repeat(256)).unwrap();
    let number = |n| format!("1.0.{n}-{}", "a".repeat(110));
    for n in 0..LOCK_PLUGINS {
        let (source, signed_by) = (note.clone(), Some(note.clone()));
        let name = format!("{:a<63}", format!("p{n}-"));
        lock.pin(Pin { source, signed_by, ..pin(&name, &number(n), b"") }, false).unwrap();
    }
    assert_eq!(LockFile::parse("plugins.lock", &lock.to_string()), Ok(lock));
}

#[test]
fn changed_downgraded_and_upgraded_are_told_apart() {
    let mut lock = LockFile::default();
    lock.pin(pin("os", "1.2.0", b"good"), false).unwrap();
    let check = |at: &str, bytes: &[u8]| {
        lock.check(&name("os"), &version(at), Digest::of(bytes)).map_err(|error| error.to_string())
    };
    assert!(matches!(check("1.2.0", b"good"), Ok(Standing::Pinned(_))));
    let other = lock.check(&name("other"), &version("1.2.0"), Digest::of(b"good"));
    assert_eq!(other, Ok(Standing::NotPinned));
    let both = [Digest::of(b"good").to_string(), Digest::of(b"bad").to_string()];
    for (at, words, advice) in [
        ("1.2.0", "plugin os 1.2.0 was changed", "put the pinned file back"),
        // Build metadata has no order: another build of the same version is not an upgrade.
        ("1.2.0+evil", "plugin os 1.2.0+evil was changed", "put the pinned file back"),
        ("1.1.9", "would be downgraded from 1.2.0 to 1.1.9", "--allow-downgrade"),
        ("1.2.0-rc.1", "would be downgraded from 1.2.0 to 1.2.0-rc.1", "--allow-downgrade"),
        ("1.3.0", "1.3.0 is an upgrade from 1.2.0", "witgate plugin add FILE"),
    ] {
        let error = check(at, b"bad").unwrap_err();
        assert!(error.contains(words) && error.contains(advice), "{error}");
        assert!(both.iter().all(|digest| error.contains(digest)), "{error}");
    }
    let error = check("1.3.0", b"good").unwrap_err();
    assert!(error.contains("somebody edited the lock file"), "{error}");
}

#[test]
fn a_pin_goes_back_only_if_that_is_said() {
    let mut lock = LockFile::default();
    lock.pin(pin("os", "1.2.0", b"new"), false).unwrap();
    let back = pin("os", "1.1.0", b"old");
    let refused = lock.pin(back.clone(), false).unwrap_err();
    assert!(refused.to_string().contains("1.1.0 is lower than 1.2.0"), "{refused}");
    assert_eq!(lock.get(&name("os")), Some(&pin("os", "1.2.0", b"new")), "nothing changed");
    assert_eq!(lock.pin(back.clone(), true), Ok(Some(pin("os", "1.2.0", b"new"))));
    assert_eq!(lock.pin(pin("os", "1.1.0", b"again"), false), Ok(Some(back)), "same version");
    assert_eq!(lock.unpin(&name("os")), Some(pin("os", "1.1.0", b"again")));
    assert_eq!(lock.pins().len(), 0);
}

fn any_note() -> impl Strategy<Value = Note> {
    "\\PC{1,40}".prop_filter_map("not printable", |text| Note::new(text).ok())
}

prop_compose! {
    fn any_pin()(
        plugin in "[a-z][a-z0-9_-]{0,20}", major: u64, pre in "(-[a-z]{1,5})?", bytes: [u8; 4],
        source in any_note(), signed_by in proptest::option::of(any_note()),
    ) -> Pin {
        let at = format!("{major}.0.0{pre}");
        Pin { source, signed_by, ..pin(&plugin, &at, &bytes) }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_read(pins in prop::collection::vec(any_pin(), 0..6)) {
        let mut lock = LockFile::default();
        for pin in pins {
            lock.pin(pin, true).unwrap();
        }
        prop_assert_eq!(LockFile::parse("plugins.lock", &lock.to_string()), Ok(lock));
    }

    #[test]
    fn no_text_brings_the_reader_down(text in "(version = 1\n)?(\\[\\[plugin\\]\\]\n)?\\PC{0,200}") {
        if let Ok(lock) = LockFile::parse("plugins.lock", &text) {
            prop_assert_eq!(LockFile::parse("plugins.lock", &lock.to_string()), Ok(lock));
        }
    }
}

/// Every bit of the file turned, one at a time: whatever the damage, the pinned component is pinned
/// only while its name, version and digest are whole, and no other ever is.
#[test]
fn a_flipped_bit_pins_nothing_else() {
    let (name, version, good) = (name("os"), version("0.1.0"), Digest::of(b"b"));
    let decisive: Vec<_> = [r#""os""#, r#""0.1.0""#, &format!("\"{good}\"")]
        .iter()
        .map(|value| TEXT.find(value).unwrap()..TEXT.find(value).unwrap() + value.len())
        .collect();
    let mut pinned = 0;
    for at in 0..TEXT.len() {
        for bit in 0..8 {
            let mut bytes = TEXT.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            let Ok(lock) = LockFile::parse("plugins.lock", &text) else { continue };
            let other = lock.check(&name, &version, Digest::of(b"other"));
            assert!(!matches!(other, Ok(Standing::Pinned(_))), "byte {at}, bit {bit}");
            if let Ok(Standing::Pinned(_)) = lock.check(&name, &version, good) {
                assert!(!decisive.iter().any(|value| value.contains(&at)), "byte {at}, bit {bit}");
                pinned += 1;
            }
        }
    }
    assert!(pinned > 0, "a comment or a source may change");
}

/// A file that was cut off is refused, or is the file of fewer plugins; it is never another one.
#[test]
fn a_truncated_file_pins_nothing_else() {
    let whole = LockFile::parse("plugins.lock", TEXT).unwrap();
    for length in 0..TEXT.len() {
        let Ok(lock) = LockFile::parse("plugins.lock", &TEXT[..length]) else { continue };
        for pin in lock.pins() {
            let known = whole.check(&pin.name, &pin.version, pin.sha256);
            assert!(matches!(known, Ok(Standing::Pinned(_))), "{length}: {pin:?}");
        }
    }
}

#[test]
fn what_is_no_lock_file_has_a_bounded_number_of_mistakes() {
    for piece in ["=\n", "[\n", "[[plugin]]\n"] {
        let seen = mistakes(&piece.repeat(LOCK_BYTES / piece.len()));
        assert_eq!(seen.len(), crate::limits::LOCK_MISTAKES + 1, "{piece:?}");
        assert!(seen.iter().any(|said| said.contains("more mistakes")), "{piece:?}");
    }
}
