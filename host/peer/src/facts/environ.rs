use std::sync::Arc;

use witgate_facts::{FactError, FactResult};

use super::pinned::Pinned;
use crate::{error::fact_error, limits};

/// The environment that the process was started with, as it lies in its memory now.
#[derive(Debug, Clone)]
pub(super) struct Environment {
    /// `NAME=value`, each ended by a zero byte.
    text: Arc<[u8]>,
    /// There is no more of it.
    whole: bool,
}

impl Environment {
    /// All of it, for a second look could be another. The memory is its own, where it may put a page
    /// that never arrives: so on a thread that may hang.
    pub(super) async fn read(pinned: &Pinned) -> FactResult<Self> {
        let read = pinned
            .read(|process| process.read_start(c"environ", limits::ENVIRON).map_err(fact_error));
        let (text, whole) = read.await?;
        Ok(Self { text: text.into(), whole })
    }

    /// The value of the first variable of this name, as getenv(3) finds it.
    pub(super) fn variable(&self, name: &str) -> FactResult<Option<Vec<u8>>> {
        let mut entries = self.text.split(|byte| *byte == 0);
        if !self.whole {
            // Its end is not among what was read.
            entries.next_back();
        }
        let of_name = |entry: &'_ [u8]| {
            entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=").map(<[u8]>::to_vec)
        };
        match entries.find_map(of_name) {
            Some(value) if value.len() > limits::ENVIRON_VALUE => Err(FactError::TooLarge),
            None if !self.whole => Err(FactError::TooLarge),
            found => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn environment(text: &[u8], whole: bool) -> Environment {
        Environment { text: text.into(), whole }
    }

    #[test]
    fn a_variable_is_found_as_getenv_finds_it() {
        let found = environment(b"PATH=/bin\0A=1\0A=2\0AB=\0=odd\0noise\0\xff=\xfe\0", true);
        assert_eq!(found.variable("PATH"), Ok(Some(b"/bin".to_vec())));
        assert_eq!(found.variable("A"), Ok(Some(b"1".to_vec())));
        assert_eq!(found.variable("AB"), Ok(Some(Vec::new())));
        for missing in ["B", "PAT", "noise", "nois", "odd"] {
            assert_eq!(found.variable(missing), Ok(None), "{missing}");
        }
        assert_eq!(environment(b"", true).variable("A"), Ok(None));
    }

    #[test]
    fn what_is_not_among_what_was_read_is_not_missing() {
        let cut = environment(b"A=1\0LONG=12", false);
        assert_eq!(cut.variable("A"), Ok(Some(b"1".to_vec())));
        assert_eq!(cut.variable("LONG"), Err(FactError::TooLarge));
        assert_eq!(cut.variable("LATER"), Err(FactError::TooLarge));
        // Cut right behind a variable's end.
        assert_eq!(environment(b"A=1\0", false).variable("A"), Ok(Some(b"1".to_vec())));
        assert_eq!(environment(b"A=1\0", false).variable("B"), Err(FactError::TooLarge));
    }

    #[test]
    fn a_value_has_a_limit() {
        let of = |length: usize| {
            let text = [&b"A="[..], &b"x".repeat(length), b"\0"].concat();
            environment(&text, true).variable("A").map(|found| found.unwrap().len())
        };
        assert_eq!(of(limits::ENVIRON_VALUE), Ok(limits::ENVIRON_VALUE));
        assert_eq!(of(limits::ENVIRON_VALUE + 1), Err(FactError::TooLarge));
    }

    proptest! {
        #[test]
        fn any_bytes_do_no_harm(text: Vec<u8>, whole: bool, name in "[A-Z_]{0,4}") {
            let found = environment(&text, whole).variable(&name);
            if let Ok(Some(value)) = found {
                prop_assert!(!value.contains(&0));
            }
        }

        #[test]
        fn every_variable_is_found(
            variables in prop::collection::btree_map("[A-Za-z_][A-Za-z0-9_]{0,8}", "[^\0]{0,20}", 0..20),
        ) {
            let text: String =
                variables.iter().map(|(name, value)| format!("{name}={value}\0")).collect();
            let environment = environment(text.as_bytes(), true);
            for (name, value) in &variables {
                prop_assert_eq!(environment.variable(name), Ok(Some(value.clone().into_bytes())));
            }
        }
    }
}

#[cfg(test)]
mod fuzz {
    use witgate_facts::FactError;
    use witgate_testkit::fuzz_target;

    use super::Environment;
    use crate::limits::ENVIRON_VALUE;

    /// The first line is the name that is asked for, and the rest the text.
    #[test]
    fn environ() {
        let words = &["\0", "=", "A=", "A=1\0", "\n", "PATH=/bin\0"];
        fuzz_target!("environ").words(words).check(|input| {
            let mut parts = input.splitn(2, |byte| *byte == b'\n');
            let name = String::from_utf8_lossy(parts.next().unwrap_or_default());
            let text = parts.next().unwrap_or_default();
            for whole in [true, false] {
                let found = Environment { text: text.into(), whole }.variable(&name);
                assert_eq!(found, by_byte(text, whole, name.as_bytes()), "{name} {whole}");
            }
        });
    }

    /// Byte by byte: a variable begins at the start or behind a zero byte, and goes up to the next; of
    /// a text that was cut off, the last one does not count.
    fn by_byte(text: &[u8], whole: bool, name: &[u8]) -> Result<Option<Vec<u8>>, FactError> {
        let wanted = [name, b"="].concat();
        for start in 0..text.len() {
            let behind = &text[start..];
            if (start > 0 && text[start - 1] != 0) || !behind.starts_with(&wanted) {
                continue;
            }
            let end = behind.iter().position(|byte| *byte == 0);
            match behind[..end.unwrap_or(behind.len())].strip_prefix(&*wanted) {
                // The name had a zero byte in it.
                None => continue,
                Some(_) if end.is_none() && !whole => break,
                Some(value) if value.len() > ENVIRON_VALUE => return Err(FactError::TooLarge),
                Some(value) => return Ok(Some(value.to_vec())),
            }
        }
        if whole { Ok(None) } else { Err(FactError::TooLarge) }
    }
}
