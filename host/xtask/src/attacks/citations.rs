//! Which test says that it shows which case.
//!
//! A test cites a case in the comment above it, or in a comment inside it; the head of a file (`//!`)
//! cites for every test of the file.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// The tests by number of case, as `crate: file: test`.
#[derive(Debug, Default)]
pub struct Citations(BTreeMap<u16, Vec<String>>);

impl Citations {
    /// In the tests and sources of all crates and plugins below `root`.
    pub fn find(root: &Path) -> Result<Self> {
        let mut found = Self::default();
        for group in ["host", "plugins"] {
            let folders = entries(&root.join(group))?.into_iter();
            // This crate speaks of cases, and tries none.
            for folder in folders.filter(|folder| name_of(folder) != "xtask") {
                for sources in ["src", "tests"].map(|name| folder.join(name)) {
                    if sources.is_dir() {
                        found.search(&sources, &name_of(&folder))?;
                    }
                }
            }
        }
        for tests in found.0.values_mut() {
            tests.sort();
            tests.dedup();
        }
        Ok(found)
    }

    /// The tests that cite this case.
    pub fn of(&self, number: u16) -> &[String] {
        self.0.get(&number).map_or(&[], Vec::as_slice)
    }

    fn search(&mut self, folder: &Path, krate: &str) -> Result<()> {
        for path in entries(folder)? {
            if path.is_dir() {
                self.search(&path, krate)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                self.read(&text, &format!("{krate} {}", name_of(&path)));
            }
        }
        Ok(())
    }

    fn read(&mut self, text: &str, file: &str) {
        let mut of_file = Vec::new();
        // Cited above the next function; and that function, if it is a test.
        let (mut above, mut is_test) = (Vec::new(), false);
        let mut inside: Option<(String, usize)> = None;
        for line in text.lines() {
            let code = line.trim_start();
            if let Some(comment) = code.strip_prefix("//") {
                let numbers = numbers(comment);
                match &inside {
                    _ if comment.starts_with('!') => of_file.extend(numbers),
                    Some((test, indent)) if indentation(line) > *indent => {
                        self.cite(&numbers, test);
                    }
                    _ => above.extend(numbers),
                }
            } else if code.starts_with("#[test]") || code.starts_with("#[tokio::test") {
                (is_test, inside) = (true, None);
            } else if let Some(name) = function(code) {
                if std::mem::take(&mut is_test) {
                    let test = format!("{file}: {name}");
                    self.cite(&above, &test);
                    self.cite(&of_file, &test);
                    let in_one_line = code.ends_with('}');
                    inside = (!in_one_line).then(|| (test, indentation(line)));
                } else if inside.as_ref().is_some_and(|(_, indent)| indentation(line) <= *indent) {
                    inside = None;
                }
                above.clear();
            } else if !code.starts_with("#[") {
                // Above something else: a variant, a constant.
                above.clear();
                inside = inside.filter(|(_, indent)| code != "}" || indentation(line) > *indent);
            }
        }
    }

    fn cite(&mut self, numbers: &[u16], test: &str) {
        for number in numbers {
            self.0.entry(*number).or_default().push(test.to_owned());
        }
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The numbers behind `#` in a comment.
fn numbers(comment: &str) -> Vec<u16> {
    let words = comment.split('#').skip(1);
    words
        .filter_map(|word| {
            let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
            word[..digits].parse().ok()
        })
        .collect()
}

/// The name of the function that begins here.
fn function(code: &str) -> Option<&str> {
    let words = ["pub ", "pub(crate) ", "pub(super) ", "const ", "async ", "unsafe "];
    let mut rest = code;
    while let Some(behind) = words.iter().find_map(|word| rest.strip_prefix(word)) {
        rest = behind;
    }
    rest.strip_prefix("fn ")?.split(['(', '<']).next()
}

fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
//! All of it: #3.

/// #9: not a test.
const A: u8 = 0x10;

// #1, #2
#[tokio::test]
async fn first() {
    // #4
    inner(|| \"#5\");
}

// #6
fn helper() {}

#[test]
fn second() {}

proptest! {
    // #7
    #[test]
    fn third(any: u8) {}
}
";

    #[test]
    fn a_test_shows_what_is_cited_above_it_and_in_it() {
        let mut found = Citations::default();
        found.read(TEXT, "peer a");
        for number in [1, 2, 4] {
            assert_eq!(found.of(number), ["peer a: first"], "{number}");
        }
        assert_eq!(found.of(3), ["peer a: first", "peer a: second", "peer a: third"]);
        assert_eq!(found.of(7), ["peer a: third"]);
        for number in [5, 6, 9, 10] {
            assert!(found.of(number).is_empty(), "{number}");
        }
    }
}
