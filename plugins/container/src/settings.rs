use serde::Deserialize;
use witgate_sdk::{containers::NestedBelow, settings};

/// JSON schema of the settings.
pub(crate) const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "nested_below": {
      "description": "Path of a container's control group below which a container inside it counts",
      "type": "string",
      "examples": ["/docker/<id>", "/system.slice/docker-<id>.scope"]
    }
  }
}"#;

/// What the operator may set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Opts into one level deeper.
    pub(crate) nested_below: Option<NestedBelow>,
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
        assert_eq!(Settings::parse("{}"), Ok(Settings::default()));
        for path in ["/docker/<id>", "/system.slice/docker-<id>.scope", &"/a".repeat(3)] {
            let text = format!("{{\"nested_below\": {path:?}}}");
            assert_eq!(Settings::parse(&text).is_ok(), path.contains("<id>"), "{path}");
        }
        let literal = format!("/docker/{}", "5".repeat(64));
        assert!(Settings::parse(&format!("{{\"nested_below\": {literal:?}}}")).is_ok());
        for wrong in ["", "/docker", "/docker/<id>/kubepods", "docker/<id>", "/../docker/<id>", "/"]
        {
            let message = Settings::parse(&format!("{{\"nested_below\": {wrong:?}}}")).unwrap_err();
            assert!(message.contains("/docker/<id>"), "{message}");
        }
    }

    #[test]
    fn a_misspelled_setting_is_an_error_that_names_the_right_one() {
        let message = Settings::parse(r#"{"nested-below": "/docker/<id>"}"#).unwrap_err();
        assert!(message.contains("nested_below") && !message.contains("line"), "{message}");
        assert!(Settings::parse("[]").is_err() && Settings::parse("").is_err());
    }
}
