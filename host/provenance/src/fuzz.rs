//! Fuzz targets: the lock file, and signatures.

use witgate_testkit::{fuzz::is_harmless, fuzz_target};

use crate::{
    LockFile, Note, TrustedKeys,
    limits::{LOCK_MISTAKES, LOCK_PLUGINS, SIGNATURE_BYTES, VERSION_BYTES},
    parse_version,
};

/// Longest thing said about a mistake, in bytes: it quotes a version or a key, escaped.
const SAID: usize = 4096;

#[test]
fn lock() {
    let words = &[
        "[[plugin]]\n",
        "version = 1\n",
        "name = 'os'\n",
        "sha256 = ",
        "source = 'x'\n",
        "signed_by = ''\n",
        "\\u001b",
        "\\u202e",
        "'''",
        "0.1.0",
        "-rc.1+b",
        "99999999999999999999.0.0",
        "[",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ];
    fuzz_target!("lock").words(words).check(|input| {
        let text = String::from_utf8_lossy(input);
        match LockFile::parse("plugins.lock", &text) {
            Ok(lock) => {
                assert!(lock.pins().len() <= LOCK_PLUGINS);
                for pin in lock.pins() {
                    let notes = [Some(&pin.source), pin.signed_by.as_ref()];
                    assert!(notes.into_iter().flatten().all(|note| is_harmless(note.as_str())));
                    assert!(pin.version.to_string().len() <= VERSION_BYTES);
                }
                assert_eq!(LockFile::parse("plugins.lock", &lock.to_string()), Ok(lock));
            }
            Err(mistakes) => {
                let mistakes = mistakes.as_slice();
                assert!((1..=LOCK_MISTAKES + 1).contains(&mistakes.len()) && mistakes.is_sorted());
                for mistake in mistakes {
                    assert!((1..=text.split('\n').count()).contains(&mistake.line), "{mistake}");
                    let said = mistake.to_string();
                    assert!(said.len() <= SAID && is_harmless(&said), "{said:?}");
                }
            }
        }
        // A version alone: it is its own text.
        match parse_version(&text) {
            Ok(version) => assert_eq!(version.to_string(), text),
            Err(error) => assert!(error.to_string().len() <= SAID),
        }
    });
}

/// The public half of the key that made the signature `good` of the corpus, over the bytes `test`.
const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const SIGNED: &[u8] = b"test";
const GOOD: &str = include_str!("../fuzz/signature/good");

#[test]
fn signature() {
    let words = &[
        "untrusted comment: ",
        "trusted comment: ",
        "\n",
        "\r\n",
        "\t",
        "=",
        "RWQf6LRCGA9i5",
        "RUQf6LRCGA9i5",
        "\x1b[2J",
        "\u{202e}",
    ];
    let keys = TrustedKeys::parse([("release", KEY)]).unwrap();
    let signed = |text: &str| text.trim_end_matches('\n').split('\n').skip(1).collect::<String>();
    fuzz_target!("signature").words(words).inputs(3_000).check(|input| {
        let text = String::from_utf8_lossy(input);
        match keys.verify(SIGNED, &text) {
            Ok(by) => {
                // The untrusted comment is not signed, and all else is.
                assert_eq!(signed(&text), signed(GOOD));
                assert!(text.len() <= SIGNATURE_BYTES && is_harmless(&by.to_string()));
            }
            Err(error) => {
                let said = error.to_string();
                assert!(said.len() <= SAID && is_harmless(&said), "{said:?}");
            }
        }
        assert!(keys.verify(b"tesu", &text).is_err(), "it is signed for other bytes");
    });
}

/// A public key, as it stands in the configuration or in a file; and a name for it.
#[test]
fn keys() {
    let words = &["untrusted comment: ", "\n", "RWQ", "RUQ", "=", " ", "\x1b[2J"];
    fuzz_target!("keys").words(words).check(|input| {
        let text = String::from_utf8_lossy(input);
        match TrustedKeys::parse([("release", &*text)]) {
            Ok(keys) => {
                assert_eq!(keys.names().map(Note::as_str).collect::<Vec<_>>(), ["release"]);
                let twice = TrustedKeys::parse([("release", &*text), ("again", &*text)]);
                assert_eq!(twice.unwrap_err().mistakes().len(), 1);
            }
            Err(error) => assert!(error.mistakes().iter().all(|said| is_harmless(said))),
        }
        if let Err(error) = TrustedKeys::parse([(&*text, KEY)]) {
            assert!(Note::new(&*text).is_err() && error.mistakes().len() == 1);
        }
    });
}
