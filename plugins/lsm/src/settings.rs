use serde::Deserialize;
use witgate_sdk::settings;

use crate::label::Module;

/// JSON schema of the settings.
pub(crate) const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "module": {
      "description": "Whose labels these are; if left out, it is told by their shape",
      "enum": ["apparmor", "selinux", "smack"]
    }
  }
}"#;

/// What the operator may set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Whose labels these are.
    pub(crate) module: Option<Module>,
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
        for module in [Module::AppArmor, Module::SeLinux, Module::Smack] {
            let text = format!("{{\"module\": {:?}}}", module.as_str());
            assert_eq!(Settings::parse(&text), Ok(Settings { module: Some(module) }));
        }
        for wrong in ["", "[]", r#"{"module": "AppArmor"}"#, r#"{"modules": "smack"}"#] {
            assert!(Settings::parse(wrong).is_err(), "{wrong}");
        }
    }
}
