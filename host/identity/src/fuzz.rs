//! Fuzz targets: everything here that is read from text.

use witgate_testkit::{fuzz::is_harmless, fuzz_target};

use crate::{DecisionId, KeyName, NodeName, PluginName, Selector, SpiffeId, encode_segment};

/// Longest error of this crate in bytes: it quotes at most 256 characters, escaped.
const ERROR: usize = 256 * 10 + 128;

fn assert_short(error: &impl ToString) {
    let text = error.to_string();
    assert!(text.len() <= ERROR && is_harmless(&text), "{text:?}");
}

#[test]
fn decision_id() {
    let words: &[&str] = &["-", "edge-1-", "0", "l", "A", ".", "\n", "\u{e9}"];
    fuzz_target!("decision_id").words(words).check(|input| {
        let text = String::from_utf8_lossy(input);
        let node = NodeName::from_hostname(&text);
        assert_eq!(NodeName::new(node.as_str()), Ok(node.clone()), "a node name is one");
        match text.parse::<DecisionId>() {
            Ok(id) => {
                assert!(is_decision_id(&text));
                assert_eq!(id.as_str(), text);
                assert_eq!(id.node(), NodeName::new(id.node()).unwrap().as_str());
            }
            Err(error) => {
                assert!(!is_decision_id(&text));
                assert_short(&error);
            }
        }
    });
}

/// By counting from the end: 26 of the alphabet, a dash, and a node name.
fn is_decision_id(text: &str) -> bool {
    let digits = "0123456789abcdefghjkmnpqrstvwxyz";
    let characters: Vec<char> = text.chars().collect();
    let Some(dash) = characters.len().checked_sub(27) else { return false };
    let (node, rest) = characters.split_at(dash);
    let inner = |c: &char| matches!(c, 'a'..='z' | '0'..='9' | '-');
    rest.first() == Some(&'-')
        && rest.iter().skip(1).all(|c| digits.contains(*c))
        && (1..=32).contains(&node.len())
        && node.iter().all(inner)
        && node.first() != Some(&'-')
        && node.last() != Some(&'-')
}

#[test]
fn spiffe_id() {
    let words: &[&str] =
        &["spiffe://", "/", "/../", "/.", "%2e", "@", ":80", "?", "#", "*", "_", "\x1b"];
    fuzz_target!("spiffe_id").words(words).check(|input| {
        let text = String::from_utf8_lossy(input);
        let segment = encode_segment(&text);
        assert_eq!(decode_segment(&segment), text.as_bytes(), "no two texts are one segment");
        assert!(is_spiffe_id(&format!("spiffe://a/{segment}")) || segment.len() > 2000);
        match text.parse::<SpiffeId>() {
            Ok(id) => {
                assert!(is_spiffe_id(&text));
                assert_eq!(id.as_str(), text);
                assert_eq!(format!("spiffe://{}{}", id.trust_domain(), id.path()), text);
            }
            Err(error) => {
                assert!(!is_spiffe_id(&text), "{error}");
                assert_short(&error);
            }
        }
    });
}

/// SPIFFE-ID.md §2, sentence by sentence.
fn is_spiffe_id(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let ["spiffe:", "", domain, path @ ..] = parts.as_slice() else { return false };
    let of_domain = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '-' | '_');
    let of_path = |c: char| of_domain(c) || c.is_ascii_uppercase();
    let segment = |s: &&str| !matches!(*s, "" | "." | "..") && s.chars().all(of_path);
    text.len() <= 2048
        && (1..=255).contains(&domain.len())
        && domain.chars().all(of_domain)
        && !path.is_empty()
        && path.iter().all(segment)
}

fn decode_segment(segment: &str) -> Vec<u8> {
    let mut pieces = segment.split('_');
    let mut text = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        if piece.is_empty() {
            assert_eq!(segment, "_");
            continue;
        }
        let (byte, rest) = piece.split_at(2);
        text.push(u8::from_str_radix(byte, 16).unwrap());
        text.extend(rest.bytes());
    }
    text
}

#[test]
fn selector() {
    let words: &[&str] =
        &[":", "unix:uid:", "docker:label:", "\x1b[2J", "\n", "\u{202e}", "\u{61c}"];
    fuzz_target!("selector").words(words).check(|input| {
        let text = String::from_utf8_lossy(input);
        for named in [false, true] {
            let expected = reference(&text, named);
            match Selector::parse(&text, named) {
                Ok(read) => {
                    let (plugin, key) = (read.plugin().as_str(), read.key().as_str());
                    let said = (plugin, key, read.name(), read.value());
                    assert_eq!(Some(said), expected);
                    assert_eq!(read.to_string(), text);
                    assert!(is_harmless(&read.to_string()), "{read}");
                }
                Err(error) => {
                    assert_eq!(expected, None, "{error}");
                    assert_short(&error);
                }
            }
        }
    });
}

/// Plugin, key, name and value; none if the text is not a selector.
fn reference(text: &str, named: bool) -> Option<(&str, &str, Option<&str>, &str)> {
    let mut parts = text.splitn(if named { 4 } else { 3 }, ':');
    let (plugin, key) = (parts.next()?, parts.next()?);
    let name = if named { Some(parts.next()?) } else { None };
    let value = parts.next()?;
    let fits =
        |text: &str, most: usize| !text.is_empty() && text.len() <= most && is_harmless(text);
    let names = PluginName::new(plugin).is_ok() && KeyName::new(key).is_ok();
    let all = names && name.is_none_or(|name| fits(name, 256)) && fits(value, 4096);
    all.then_some((plugin, key, name, value))
}
