use serde::Deserialize;
use witgate_sdk::settings;

use crate::debian::PackageName;

/// JSON schema of the settings.
pub(crate) const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "debian": {
      "description": "Debian packages that executables are looked for in, besides those that their paths suggest",
      "type": "array",
      "items": {"type": "string", "pattern": "^[a-z0-9][a-z0-9+.-]*(:[a-z0-9-]+)?$"},
      "maxItems": 6,
      "default": [],
      "examples": [["openssh-server", "libreoffice-core", "qemu-system-x86"]]
    }
  }
}"#;

/// Most packages that may be named: each is a file that is read for every executable, and a call may
/// look at 16.
const MOST: usize = 6;

/// What the operator may set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Packages that executables are looked for in.
    pub(crate) debian: Vec<PackageName>,
}

impl Settings {
    /// Reads and checks settings, a JSON object.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let read: Self = settings::parse(text)?;
        let count = read.debian.len();
        if count > MOST {
            return Err(format!("debian has {count} packages, the limit is {MOST}"));
        }
        Ok(read)
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
        let text = r#"{"debian": ["openssh-server", "libc6:amd64", "g++"]}"#;
        assert_eq!(Settings::parse(text).map(|settings| settings.debian.len()), Ok(3));
        for wrong in ["../x", "a/b", "Nginx", "", "a b", "a:", "a:b:c", ".x", "a\\u0000"] {
            let text = format!("{{\"debian\": [\"{wrong}\"]}}");
            assert!(Settings::parse(&text).is_err(), "{wrong}");
        }
        let seven = format!("{{\"debian\": {:?}}}", ["a1"; 7]);
        assert!(Settings::parse(&seven).is_err_and(|reason| reason.contains("limit is 6")));
        assert!(Settings::parse(r#"{"packages": []}"#).is_err());
    }
}
