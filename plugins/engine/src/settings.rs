use std::collections::BTreeSet;

use serde::{Deserialize, de::DeserializeOwned};
use witgate_sdk::{containers::NestedBelow, settings};

use crate::{EnvironmentSettings, VariableName};

/// Most variables that may be named.
const MOST_VARIABLES: usize = 64;

/// What the operator may set for an engine of root's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RootfulSettings {
    /// Opts into one level deeper.
    pub nested_below: Option<NestedBelow>,
    env: BTreeSet<VariableName>,
    env_sha256: bool,
}

/// What the operator may set for the engines of users.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RootlessSettings {
    env: BTreeSet<VariableName>,
    env_sha256: bool,
}

impl RootfulSettings {
    /// JSON schema of the settings.
    pub const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "nested_below": {
      "description": "Path of a container's control group below which a container inside it counts",
      "type": "string",
      "examples": ["/docker/<id>", "/system.slice/docker-<id>.scope"]
    },
    "env": {
      "description": "Variables whose values are told",
      "type": "array",
      "items": {"type": "string", "pattern": "^[!-<>-~]{1,256}$"},
      "maxItems": 64,
      "default": [],
      "examples": [["TIER"]]
    },
    "env_sha256": {
      "description": "Whether the digest of every variable's value is told",
      "type": "boolean",
      "default": false
    }
  }
}"#;

    /// Reads and checks settings, a JSON object.
    ///
    /// # Errors
    /// What is wrong with them, for the operator.
    pub fn parse(text: &str) -> Result<Self, String> {
        checked(settings::parse(text), |read: &Self| &read.env)
    }

    /// Those of this call.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn current() -> Result<Self, String> {
        settings::current()
    }

    pub(crate) fn environment(&self) -> EnvironmentSettings {
        EnvironmentSettings { shown: self.env.clone(), hashed: self.env_sha256 }
    }
}

impl RootlessSettings {
    /// JSON schema of the settings.
    pub const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "env": {
      "description": "Variables whose values are told",
      "type": "array",
      "items": {"type": "string", "pattern": "^[!-<>-~]{1,256}$"},
      "maxItems": 64,
      "default": [],
      "examples": [["TIER"]]
    },
    "env_sha256": {
      "description": "Whether the digest of every variable's value is told",
      "type": "boolean",
      "default": false
    }
  }
}"#;

    /// Reads and checks settings, a JSON object.
    ///
    /// # Errors
    /// What is wrong with them, for the operator.
    pub fn parse(text: &str) -> Result<Self, String> {
        checked(settings::parse(text), |read: &Self| &read.env)
    }

    /// Those of this call.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn current() -> Result<Self, String> {
        settings::current()
    }

    /// What may be told of the environment.
    #[must_use]
    pub fn environment(&self) -> EnvironmentSettings {
        EnvironmentSettings { shown: self.env.clone(), hashed: self.env_sha256 }
    }
}

fn checked<S: DeserializeOwned>(
    read: Result<S, String>,
    env: impl Fn(&S) -> &BTreeSet<VariableName>,
) -> Result<S, String> {
    let read = read?;
    match env(&read).len() {
        0..=MOST_VARIABLES => Ok(read),
        count => Err(format!("env has {count} variables, the limit is {MOST_VARIABLES}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        assert_eq!(RootfulSettings::parse("{}"), Ok(RootfulSettings::default()));
        assert_eq!(RootlessSettings::parse("{}"), Ok(RootlessSettings::default()));
        let text = r#"{"env": ["TIER", "A.B"], "env_sha256": true}"#;
        assert!(RootlessSettings::parse(text).is_ok());
        let read = RootfulSettings::parse(text).unwrap().environment();
        assert_eq!((read.shown.len(), read.hashed), (2, true));
        assert!(RootfulSettings::parse(r#"{"nested_below": "/docker/<id>"}"#).is_ok());
        for wrong in [r#"{"env": ["A=B"]}"#, r#"{"env": "A"}"#, r#"{"env-sha256": true}"#, "[]"] {
            assert!(RootfulSettings::parse(wrong).is_err(), "{wrong}");
            assert!(RootlessSettings::parse(wrong).is_err(), "{wrong}");
        }
        assert!(RootlessSettings::parse(r#"{"nested_below": "/docker/<id>"}"#).is_err());
        let many: Vec<_> = (0..65).map(|number| format!("V{number}")).collect();
        let many = format!("{{\"env\": {many:?}}}");
        assert!(RootfulSettings::parse(&many).is_err_and(|why| why.contains("limit is 64")));
    }
}
