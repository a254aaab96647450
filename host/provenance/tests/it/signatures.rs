//! What the program signs is accepted, and nothing else.

use witgate_provenance::{Note, SignatureError, TrustedKeys};

use crate::minisign::Signer;

/// Small, so that every bit can be turned.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0 a small component";

fn trusting(signers: &[(&str, &Signer)]) -> TrustedKeys {
    TrustedKeys::parse(signers.iter().map(|(name, signer)| (*name, signer.public.as_str())))
        .unwrap()
}

fn wrong(key: &str) -> SignatureError {
    SignatureError::Wrong { key: Note::new(key).unwrap() }
}

#[test]
fn what_the_program_signs_is_accepted_with_its_comment() {
    let signer = Signer::new();
    let keys = trusting(&[("release", &signer)]);
    let signed = keys.verify(COMPONENT, &signer.sign(COMPONENT)).unwrap();
    assert_eq!(signed.key.as_str(), "release");
    assert!(signed.comment.contains("file:plugin.wasm"), "{signed}");
    assert!(!signed.comment.contains('\t'), "{signed:?}");
    let text = signer.sign_with(COMPONENT, &["-t", "os 1.2.0, built from v1.2.0"]);
    let signed = keys.verify(COMPONENT, &text).unwrap();
    assert_eq!(signed.to_string(), "release (os 1.2.0, built from v1.2.0)");
}

#[test]
fn the_programs_legacy_form_is_refused() {
    let signer = Signer::new();
    let text = signer.sign_with(COMPONENT, &["-l"]);
    let refused = trusting(&[("release", &signer)]).verify(COMPONENT, &text);
    assert_eq!(refused, Err(SignatureError::Legacy));
}

#[test]
fn a_key_is_changed_by_trusting_two_for_a_while() {
    let (old, new) = (Signer::new(), Signer::new());
    let (by_old, by_new) = (old.sign(COMPONENT), new.sign(COMPONENT));
    let both = trusting(&[("2025", &old), ("2026", &new)]);
    assert_eq!(both.verify(COMPONENT, &by_old).unwrap().key.as_str(), "2025");
    assert_eq!(both.verify(COMPONENT, &by_new).unwrap().key.as_str(), "2026");
    let after = trusting(&[("2026", &new)]);
    assert!(after.verify(COMPONENT, &by_new).is_ok());
    let error = after.verify(COMPONENT, &by_old).unwrap_err();
    let SignatureError::UnknownKey { key_id, trusted } = &error else { panic!("{error}") };
    // Older versions of the program leave out leading zeros.
    let number = key_id.trim_start_matches('0');
    assert!(old.public.contains(number), "{error}\n{}", old.public);
    assert_eq!(trusted, &["2026"]);
}

#[test]
fn every_flipped_bit_of_the_component_is_noticed() {
    let signer = Signer::new();
    let (keys, text) = (trusting(&[("release", &signer)]), signer.sign(COMPONENT));
    for at in 0..COMPONENT.len() * 8 {
        let mut bytes = COMPONENT.to_vec();
        bytes[at / 8] ^= 1 << (at % 8);
        assert_eq!(keys.verify(&bytes, &text), Err(wrong("release")), "bit {at}");
    }
    for length in 0..COMPONENT.len() {
        assert_eq!(keys.verify(&COMPONENT[..length], &text), Err(wrong("release")), "{length}");
    }
    assert_eq!(keys.verify(&[COMPONENT, b"\0"].concat(), &text), Err(wrong("release")));
}

/// Of the signature everything counts but the text of the comment that calls itself untrusted,
/// which is not shown and not kept.
#[test]
fn every_flipped_bit_of_the_signature_is_noticed() {
    let signer = Signer::new();
    let (keys, text) = (trusting(&[("release", &signer)]), signer.sign(COMPONENT));
    let good = keys.verify(COMPONENT, &text).unwrap();
    let untrusted = "untrusted comment: ".len()..text.find('\n').unwrap();
    for at in 0..text.len() * 8 {
        let mut bytes = text.clone().into_bytes();
        bytes[at / 8] ^= 1 << (at % 8);
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        let verified = keys.verify(COMPONENT, &changed);
        if untrusted.contains(&(at / 8)) {
            assert!(verified.is_err() || verified.as_ref() == Ok(&good), "bit {at}: {verified:?}");
        } else {
            assert!(verified.is_err(), "bit {at}: {verified:?}");
        }
    }
}

#[test]
fn a_truncated_signature_is_none() {
    let signer = Signer::new();
    let (keys, text) = (trusting(&[("release", &signer)]), signer.sign(COMPONENT));
    for length in 0..text.trim_end().len() {
        assert!(keys.verify(COMPONENT, &text[..length]).is_err(), "{length}");
    }
}

/// The number of a key is not secret: somebody may put a trusted key's number on their signature,
/// or a trusted signature under another comment.
#[test]
fn parts_of_good_signatures_do_not_make_another() {
    let (signer, forger) = (Signer::new(), Signer::new());
    let keys = trusting(&[("release", &signer)]);
    let (theirs, forged) = (signer.sign(b"something else"), forger.sign(COMPONENT));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (theirs, forged) = (lines(&theirs), lines(&forged));

    // Two bytes of algorithm and eight of number are 13 characters and a third of the 14th.
    let renumbered = format!("{}{}", &theirs[1][..13], &forged[1][13..]);
    for mix in [
        [&forged[0], &renumbered, &forged[2], &forged[3]],
        [&theirs[0], &theirs[1], &forged[2], &forged[3]],
        [&theirs[0], &renumbered, &theirs[2], &theirs[3]],
    ] {
        let text = format!("{}\n{}\n{}\n{}\n", mix[0], mix[1], mix[2], mix[3]);
        let refused = keys.verify(COMPONENT, &text).unwrap_err();
        assert!(
            matches!(refused, SignatureError::Wrong { .. } | SignatureError::UnknownKey { .. }),
            "{refused}"
        );
    }
    let good = lines(&signer.sign_with(COMPONENT, &["-t", "one"]));
    let other = lines(&signer.sign_with(COMPONENT, &["-t", "two"]));
    let text = format!("{}\n{}\n{}\n{}\n", good[0], good[1], other[2], good[3]);
    assert_eq!(keys.verify(COMPONENT, &text), Err(wrong("release")), "the comment is signed too");
}
