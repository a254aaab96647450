use serde::Deserialize;
use witgate_sdk::settings;

/// JSON schema of the settings.
pub(crate) const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "discover_workload_path": {
      "description": "Whether the executable is looked at for path, foreign_path and sha256",
      "type": "boolean",
      "default": true
    }
  }
}"#;

/// What the operator may set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Whether the executable is looked at.
    pub(crate) discover_workload_path: bool,
}

impl Default for Settings {
    /// On, other than SPIRE's: the executable is looked at only if an entry wants its keys.
    fn default() -> Self {
        Self { discover_workload_path: true }
    }
}

impl Settings {
    /// Reads and checks settings, a JSON object.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        settings::parse(text)
    }

    /// Those of this call.
    pub(crate) fn current() -> Result<Self, String> {
        settings::current()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        assert_eq!(Settings::parse("{}"), Ok(Settings { discover_workload_path: true }));
        let off = r#"{"discover_workload_path": false}"#;
        assert_eq!(Settings::parse(off), Ok(Settings { discover_workload_path: false }));
        for wrong in ["", "[]", "{", r#"{"discover_workload_path": "yes"}"#] {
            assert!(Settings::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_setting_of_spire_that_is_ours_elsewhere_is_an_error() {
        let message = Settings::parse(r#"{"workload_size_limit": 1}"#).unwrap_err();
        assert!(message.contains("workload_size_limit"), "{message}");
        assert!(message.contains("discover_workload_path"), "{message}");
    }
}
