//! `env` and `env_sha256`: the variables that a container was configured with.
//!
//! They are where people put passwords, so by default nothing is said about them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::{
    findings::{Findings, Most},
    keys::{ENV, ENV_SHA256},
};

const SHOWN: Most = Most { count: 64, bytes: 24 << 10 };
const HASHED: Most = Most { count: 192, bytes: 20 << 10 };

/// Which variables the operator lets the plugin tell, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentSettings {
    /// These are shown as they are.
    pub shown: BTreeSet<VariableName>,
    /// The digest of every value is told.
    pub hashed: bool,
}

/// The name of a variable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct VariableName(String);

impl TryFrom<String> for VariableName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'=';
        if text.is_empty() || text.len() > 256 || !text.bytes().all(plain) {
            return Err(format!("env has {text:?}, which is no name of a variable"));
        }
        Ok(Self(text))
    }
}

/// Adds what the operator lets be told.
pub(crate) fn add(
    found: Findings,
    configured: Option<Vec<String>>,
    settings: &EnvironmentSettings,
) -> Findings {
    let Some(configured) = configured else {
        let why = "the engine's answer does not say";
        return found.unknown(ENV, why).unknown(ENV_SHA256, why);
    };
    match by_name(&configured) {
        Ok(variables) => hashed(shown(found, &variables, settings), &variables, settings),
        Err(why) => found.unknown(ENV, why).unknown(ENV_SHA256, why),
    }
}

type Variables<'a> = BTreeMap<&'a str, &'a str>;

/// Without a value there is no variable: that is how one of the image's is taken away.
fn by_name(configured: &[String]) -> Result<Variables<'_>, &'static str> {
    let mut variables = Variables::new();
    for (name, value) in configured.iter().filter_map(|variable| variable.split_once('=')) {
        if variables.insert(name, value).is_some_and(|other| other != value) {
            return Err("it has a variable twice, with different values");
        }
    }
    Ok(variables)
}

/// A variable that is there and may not be shown is no *no*.
fn shown(found: Findings, variables: &Variables<'_>, settings: &EnvironmentSettings) -> Findings {
    let may = |name: &str| settings.shown.iter().any(|shown| shown.0 == name);
    let (told, kept): (Vec<_>, Vec<_>) = variables.iter().partition(|(name, _)| may(name));
    let told = told.into_iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let found = found.named(ENV, SHOWN, Some(told));
    if kept.is_empty() {
        return found;
    }
    found.unknown(ENV, "only variables in the setting `env` are told, and it has others")
}

fn hashed(found: Findings, variables: &Variables<'_>, settings: &EnvironmentSettings) -> Findings {
    if !settings.hashed {
        return found.unknown(ENV_SHA256, "the setting `env_sha256` is off");
    }
    let digests = variables.iter().map(|(name, value)| ((*name).to_owned(), sha256(value)));
    found.named(ENV_SHA256, HASHED, Some(digests))
}

fn sha256(value: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    Sha256::digest(value).iter().flat_map(|&byte| [digit(byte >> 4), digit(byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word() {
        for good in ["TIER", "a.b-c", "x"] {
            assert!(VariableName::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for wrong in ["", "A=B", "A B", "A\n", "\u{fc}", &"x".repeat(257)] {
            assert!(VariableName::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_variable_twice_is_no_answer_unless_both_say_the_same() {
        let list = |variables: &[&str]| variables.iter().map(|&one| one.to_owned()).collect();
        let same: Vec<String> = list(&["A=1", "A=1", "B=", "C"]);
        assert_eq!(by_name(&same), Ok(BTreeMap::from([("A", "1"), ("B", "")])));
        let differ: Vec<String> = list(&["A=1", "A=2"]);
        assert!(by_name(&differ).is_err());
    }

    #[test]
    fn a_digest_is_that_of_the_value_alone() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(""), empty);
    }
}
