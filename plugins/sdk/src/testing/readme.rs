use std::{fs, path::Path};

use crate::{Attestor, Manifest};

/// What a plugin's README has to say, each a heading of its own.
const HEADINGS: [&str; 3] = ["## Configuration", "## Selectors", "## Security considerations"];

/// Checks that a README, relative to the package, has the sections that operators look for, and in the
/// table *Selectors* what the plugin says about itself.
///
/// # Panics
/// If anything is missing, with all of it; if the file cannot be read.
#[track_caller]
pub fn check_readme<A: Attestor>(file: impl AsRef<Path>) {
    let file = file.as_ref();
    let missing = match fs::read_to_string(file) {
        Ok(text) => missing(&text, &A::describe()),
        Err(error) => vec![error.to_string()],
    };
    assert!(missing.is_empty(), "{}: there is no\n{}", file.display(), missing.join("\n"));
}

fn missing(text: &str, manifest: &Manifest) -> Vec<String> {
    let headings = HEADINGS.iter().filter(|heading| !text.lines().any(|line| line == **heading));
    let rows = manifest.readme_rows();
    let said = |(before, after): &&(String, String)| {
        text.lines().any(|line| line.starts_with(before.as_str()) && line.ends_with(after.as_str()))
    };
    let rows =
        rows.iter().filter(|row| !said(row)).map(|(before, after)| format!("{before} … {after}"));
    headings.map(|heading| (*heading).to_owned()).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    #[test]
    fn what_is_missing_is_named() {
        let manifest = Manifest::new().key(Key::new("uid", "user id", "7").derived_from(&["f"]));
        let row = "| `uid` | user id | `7` | kernel | `f` | no | no |";
        let whole = format!("{}\n{row}", HEADINGS.join("\n"));
        assert!(missing(&whole, &manifest).is_empty());
        assert_eq!(missing(row, &manifest), HEADINGS);
        let other = whole.replace("`7`", "`8`");
        assert_eq!(missing(&other, &manifest), ["| `uid` | user id | `7` | … | `f` | no | no |"]);
    }
}
