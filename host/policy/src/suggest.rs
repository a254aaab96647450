use std::fmt::Write as _;

use witgate_identity::{Assurance, Selector};

use crate::{Evidence, KeySchema, Vocabulary, limits::MAX_ENTRY_NAME};

/// Writes an entry that matches this evidence, for a person to look at, adapt and paste.
///
/// It asks for what cannot be forged, lasts longer than one process and tells workloads apart: the
/// unix user (or uid), whether it runs on the host, and every stable, single key of level `runtime`
/// or better of other plugins, without values that look like the id of one container. Where there
/// is none of these it falls back to what there is and says `weak = true`.
#[must_use]
pub fn suggest(evidence: &Evidence, name: &str, vocabulary: &Vocabulary) -> String {
    let name = entry_name(name);
    let usable: Vec<_> = evidence
        .selectors
        .iter()
        .filter_map(|(selector, level)| {
            let schema = vocabulary.key(selector.plugin(), selector.key())?;
            is_lasting(selector, schema).then_some((selector, level.min(schema.assurance)))
        })
        .collect();
    let has_user = usable.iter().any(|(s, level)| level.guards() && is_unix(s, "user"));
    let strong: Vec<_> = usable
        .iter()
        .filter(|(selector, level)| level.guards() && tells_apart(selector, has_user))
        .map(|(selector, _)| *selector)
        .collect();
    let is_guard = |selector: &&Selector| !is_unix(selector, "host");
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "[[entry]]\nname = {}", quoted(&name));
    let _ = writeln!(
        text,
        "identity = \"/{}\"   # choose the path below the trust domain",
        segment(&name)
    );
    if strong.iter().any(is_guard) {
        let _ = writeln!(text, "match = {{ {} }}", conditions(&strong));
        return text;
    }
    let weak: Vec<_> =
        usable.iter().filter(|(s, _)| !is_unix(s, "host")).map(|(s, _)| *s).collect();
    if weak.is_empty() {
        let _ = writeln!(text, "# Nothing is known of this process that an entry could ask for.");
        let _ = writeln!(text, "# match = {{ … }}");
        return text;
    }
    let level = usable.iter().map(|(_, level)| *level).max().unwrap_or(Assurance::Claimed);
    let _ = writeln!(text, "match = {{ {} }}", conditions(&weak));
    let _ = writeln!(
        text,
        "weak = true   # nothing better than level {level} is known: any process of that uid can forge it"
    );
    text
}

fn is_unix(selector: &Selector, key: &str) -> bool {
    selector.plugin().as_str() == "unix" && selector.key().as_str() == key
}

/// Whether a selector is there the next time the same workload runs.
fn is_lasting(selector: &Selector, schema: &KeySchema) -> bool {
    schema.stable && schema.single && !schema.secret && !looks_like_an_id(selector.value())
}

/// Of `unix`, the user (or uid) says it all; groups and their like would only make it brittle.
fn tells_apart(selector: &Selector, has_user: bool) -> bool {
    match (selector.plugin().as_str(), selector.key().as_str()) {
        ("unix", "user" | "host") => true,
        ("unix", "uid") => !has_user,
        ("unix", _) => false,
        _ => true,
    }
}

/// Container and pod ids: a dozen or more hexadecimal digits, or a UUID.
fn looks_like_an_id(value: &str) -> bool {
    let digits = value.strip_prefix("sha256:").unwrap_or(value).replace('-', "");
    digits.len() >= 12
        && digits.bytes().all(|b| b.is_ascii_hexdigit())
        && digits.bytes().any(|b| b.is_ascii_digit())
}

fn conditions(selectors: &[&Selector]) -> String {
    let one = |selector: &&Selector| {
        let name = selector.name().map(|name| format!(".{}", quoted(name))).unwrap_or_default();
        let (plugin, key) = (selector.plugin(), selector.key());
        format!("{plugin}.{key}{name} = {}", quoted(selector.value()))
    };
    selectors.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// As a TOML basic string. Selectors hold no control characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn entry_name(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    let clean: String =
        name.chars().map(|c| if allowed(c) { c } else { '-' }).take(MAX_ENTRY_NAME).collect();
    if clean.is_empty() { "new-entry".to_owned() } else { clean }
}

fn segment(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let clean: String = name.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    if matches!(clean.as_str(), "." | "..") { "entry".to_owned() } else { clean }
}
