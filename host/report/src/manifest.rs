use std::collections::BTreeMap;

use serde::Serialize;
use witgate_facts::{FactName, FactSet, Interface};
use witgate_identity::{Assurance, KeyName};

use crate::{
    limits,
    printable::{deceives, printable},
    said::{SaidKey, SaidManifest},
};

/// What a plugin says about itself, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    keys: BTreeMap<KeyName, KeySpec>,
    config_schema: String,
}

/// One key that a plugin can report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeySpec {
    /// What it means, in a sentence.
    pub meaning: String,
    /// A value as an example.
    pub example: String,
    /// Its selectors carry a name.
    pub named: bool,
    /// The value does not change while the process lives.
    pub stable: bool,
    /// At most one selector of this key (and name) in a report.
    pub single: bool,
    /// The value is a secret.
    pub secret: bool,
    /// The facts it is derived from; never empty.
    #[serde(serialize_with = "fact_names")]
    pub derived_from: FactSet,
    /// The operator's cap, or its default; see `PluginSpec::max_assurance` of the attestor.
    pub cap: Assurance,
}

fn fact_names<S: serde::Serializer>(facts: &FactSet, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(facts.iter())
}

impl KeySpec {
    /// The best this key can be worth on a request that was challenged, or was not: image facts of
    /// an unchallenged request are claimed.
    #[must_use]
    pub fn assurance(&self, challenged: bool) -> Assurance {
        let level = |fact: FactName| match fact.best_assurance() {
            Assurance::Image if !challenged => Assurance::Claimed,
            best => best,
        };
        self.capped(self.derived_from.iter().map(level).min())
    }

    /// What it is worth in one call, by what each fact is worth there.
    pub fn assurance_in(&self, level: impl Fn(FactName) -> Assurance) -> Assurance {
        self.capped(self.derived_from.iter().map(level).min())
    }

    fn capped(&self, lowest: Option<Assurance>) -> Assurance {
        lowest.unwrap_or(Assurance::Claimed).min(self.cap)
    }
}

impl Manifest {
    /// Every key it can report, by name.
    pub fn keys(&self) -> impl Iterator<Item = (&KeyName, &KeySpec)> {
        self.keys.iter()
    }

    /// One key.
    #[must_use]
    pub fn key(&self, key: &KeyName) -> Option<&KeySpec> {
        self.keys.get(key)
    }

    /// One key, with its name as we keep it.
    #[must_use]
    pub fn named(&self, key: &str) -> Option<(&KeyName, &KeySpec)> {
        self.keys.get_key_value(key)
    }

    /// JSON schema of its settings; empty if it has none.
    #[must_use]
    pub fn config_schema(&self) -> &str {
        &self.config_schema
    }

    /// Takes what `describe` said, if all of it can be used.
    ///
    /// `has` says which interfaces the plugin has: a key cannot be derived from others.
    ///
    /// # Errors
    /// Everything that is wrong with it, for its author.
    pub fn check(
        said: SaidManifest,
        has: impl Fn(Interface) -> bool,
        cap: Assurance,
    ) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut keys = BTreeMap::new();
        match said.keys.len() {
            0 => problems.push("it has no key, so it could never say anything".to_owned()),
            1..=limits::KEYS => {}
            n => return Err(vec![format!("it has {n} keys, the limit is {}", limits::KEYS)]),
        }
        for key in said.keys {
            match check_key(key, &has, cap) {
                Ok((name, _)) if keys.contains_key(&name) => {
                    problems.push(format!("key '{name}' is there twice"));
                }
                Ok((name, spec)) => {
                    keys.insert(name, spec);
                }
                Err(found) => problems.extend(found),
            }
        }
        problems.extend(check_schema(&said.config_schema));
        if problems.is_empty() {
            Ok(Self { keys, config_schema: said.config_schema })
        } else {
            Err(problems)
        }
    }
}

fn check_key(
    said: SaidKey,
    has: impl Fn(Interface) -> bool,
    cap: Assurance,
) -> Result<(KeyName, KeySpec), Vec<String>> {
    let mut problems = Vec::new();
    let name = KeyName::new(&said.key).map_err(|error| vec![error.to_string()])?;
    for (part, text) in [("meaning", &said.meaning), ("example", &said.example)] {
        if text.len() > limits::DESCRIPTION_BYTES || text.chars().any(deceives) {
            let limit = limits::DESCRIPTION_BYTES;
            problems.push(format!(
                "the {part} of key '{name}' must have at most {limit} bytes, no control characters \
                 and no marks of direction"
            ));
        }
    }
    if said.derived_from.len() > FactName::ALL.len() {
        return Err(vec![format!("key '{name}' is derived from more facts than there are")]);
    }
    let mut derived_from = FactSet::EMPTY;
    for fact in &said.derived_from {
        match fact.parse::<FactName>() {
            Ok(fact) if has(fact.interface()) => derived_from.insert(fact),
            Ok(fact) => problems.push(format!(
                "key '{name}' is derived from `{fact}`, but plugin.toml does not ask for `{}`",
                fact.interface()
            )),
            Err(error) => problems.push(format!("key '{name}': {error}")),
        }
    }
    if said.derived_from.is_empty() {
        problems.push(format!("key '{name}' is derived from no fact, so it is worth nothing"));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let SaidKey { meaning, example, named, stable, single, secret, .. } = said;
    Ok((name, KeySpec { meaning, example, named, stable, single, secret, derived_from, cap }))
}

fn check_schema(schema: &str) -> Option<String> {
    if schema.len() > limits::CONFIG_SCHEMA_BYTES {
        return Some(format!(
            "the schema of its settings has {} bytes, the limit is {}",
            schema.len(),
            limits::CONFIG_SCHEMA_BYTES
        ));
    }
    if schema.is_empty() {
        return None;
    }
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(schema) {
        Ok(_) => None,
        Err(error) => {
            let error = printable(&error.to_string(), limits::CAUSE_BYTES);
            Some(format!("the schema of its settings is not a JSON object: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str, derived_from: &[&str]) -> SaidKey {
        SaidKey {
            key: key.to_owned(),
            meaning: "m".to_owned(),
            example: "e".to_owned(),
            derived_from: derived_from.iter().map(|fact| (*fact).to_owned()).collect(),
            named: false,
            stable: false,
            single: false,
            secret: false,
        }
    }

    fn check(keys: Vec<SaidKey>, schema: &str) -> Result<Manifest, Vec<String>> {
        let said = SaidManifest { keys, config_schema: schema.to_owned() };
        Manifest::check(said, Interface::always_granted, Assurance::Kernel)
    }

    #[test]
    fn a_key_is_worth_its_weakest_fact_and_at_most_the_cap() {
        let said = || SaidManifest {
            keys: vec![
                key("uid", &["process.credentials"]),
                key("path", &["process.credentials", "executable.info"]),
            ],
            config_schema: String::new(),
        };
        let level = |cap, name: &str, challenged| {
            let manifest = Manifest::check(said(), |_| true, cap).unwrap();
            manifest.named(name).unwrap().1.assurance(challenged)
        };
        assert_eq!(level(Assurance::Kernel, "uid", false), Assurance::Kernel);
        assert_eq!(level(Assurance::Image, "uid", false), Assurance::Image);
        assert_eq!(level(Assurance::Kernel, "path", true), Assurance::Image);
        assert_eq!(level(Assurance::Kernel, "path", false), Assurance::Claimed);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let problems = check(
            vec![
                key("Uid", &["process.credentials"]),
                key("a", &["process.pid", "executable.info"]),
                key("b", &[]),
                key("c", &["process.names"]),
                key("c", &["process.names"]),
            ],
            "[1]",
        )
        .unwrap_err();
        assert_eq!(problems.len(), 6, "{problems:#?}");
    }

    #[test]
    fn what_is_shown_of_a_key_is_plain_and_short() {
        for text in ["a\u{1b}[2J", "a\u{202e}b", &"a".repeat(limits::DESCRIPTION_BYTES + 1)] {
            let meaning = SaidKey { meaning: text.to_owned(), ..key("a", &["process.names"]) };
            let problems = check(vec![meaning], "").unwrap_err();
            assert!(problems[0].starts_with("the meaning of key 'a' must"), "{problems:?}");
        }
        let facts = vec!["a"; 100_000];
        assert_eq!(check(vec![key("a", &facts)], "").unwrap_err().len(), 1);
        let schema = format!("\"\u{202e}{}\"", "a".repeat(60_000));
        let problems = check(vec![key("a", &["process.names"])], &schema).unwrap_err();
        assert!(problems[0].len() < 2 * limits::CAUSE_BYTES, "{problems:?}");
        assert!(!problems[0].chars().any(deceives), "{problems:?}");
    }

    #[test]
    fn no_key_and_too_many_keys_are_refused() {
        assert!(check(vec![], "").is_err());
        let many = |n| (0..n).map(|n| key(&format!("k{n}"), &["process.names"])).collect();
        assert!(check(many(limits::KEYS), "{}").is_ok());
        assert!(check(many(limits::KEYS + 1), "").is_err());
    }
}
