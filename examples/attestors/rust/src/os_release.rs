/// What os-release(5) says about a system, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
pub struct OsRelease {
    pub id: String,
    pub version: Option<String>,
    pub variant: Option<String>,
}

impl OsRelease {
    /// Reads the content of the file. A line that is no assignment, or not UTF-8, is skipped; the
    /// last of several with the same key wins.
    pub fn parse(content: &[u8]) -> Self {
        let mut release = Self { id: "linux".to_owned(), version: None, variant: None };
        for line in content.split(|byte| *byte == b'\n') {
            let Ok(line) = str::from_utf8(line) else { continue };
            match assignment(line) {
                Some(("ID", value)) => release.id = value,
                Some(("VERSION_ID", value)) => release.version = Some(value),
                Some(("VARIANT_ID", value)) => release.variant = Some(value),
                _ => {}
            }
        }
        release
    }
}

fn assignment(line: &str) -> Option<(&str, String)> {
    let (key, value) = line.split_once('=')?;
    (!line.starts_with('#')).then(|| (key, unquoted(value.trim_matches([' ', '\t', '\r']))))
}

/// A value without its quotes. In double quotes a backslash makes the next character an ordinary
/// one; in single quotes everything is ordinary.
fn unquoted(value: &str) -> String {
    let within = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    match (within('"'), within('\'')) {
        (Some(inner), _) => unescaped(inner),
        (_, Some(inner)) => inner.to_owned(),
        _ => value.to_owned(),
    }
}

fn unescaped(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = characters.next_if(|&next| character == '\\' && r#""\$`"#.contains(next));
        result.push(escaped.unwrap_or(character));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_taken_off_only_in_pairs() {
        for (written, value) in [
            ("plain", "plain"),
            ("\"a b\"", "a b"),
            ("'a \\ b'", "a \\ b"),
            (r#""\"\\\$\`""#, "\"\\$`"),
            (r#""\n""#, "\\n"),
            ("\"", "\""),
            ("\"a'", "\"a'"),
            ("''", ""),
        ] {
            assert_eq!(unquoted(written), value, "{written}");
        }
    }
}
