use serde::{Deserialize, Serialize};
use witgate_identity::PluginName;

use crate::{Capabilities, Capability};

/// `plugin.toml`: what a component says about itself before it runs.
///
/// Python and JavaScript toolchains import every interface of their world, used or not; so what a
/// plugin *asks for* stands here and not in its imports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginToml {
    /// The author's name for it; the operator's name for it is the one that is stamped.
    pub name: PluginName,
    /// The author's version.
    pub version: String,
    /// What it does, in a sentence.
    pub description: String,
    /// What it is written in, for `witgate plugin build`: `rust`, `go`, `c`, `python`, `js` or `ts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What it asks for. Interfaces that are always granted need not be named.
    #[serde(default)]
    pub requests: Capabilities,
}

/// Longest version, description or language, in bytes.
const TEXT_BYTES: usize = 512;

impl PluginToml {
    /// Bytes of the file.
    pub const MAX_BYTES: usize = 16 << 10;

    /// Reads the text of the file.
    ///
    /// # Errors
    /// A sentence with line and column, if it is not valid or over its limits.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > Self::MAX_BYTES {
            return Err(format!("it has {} bytes, the limit is {}", text.len(), Self::MAX_BYTES));
        }
        let read: Self =
            toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let language = read.language.as_deref().unwrap_or_default();
        let fields = [
            ("version", read.version.as_str()),
            ("description", &read.description),
            ("language", language),
        ];
        for (field, value) in fields {
            if value.len() > TEXT_BYTES || value.chars().any(char::is_control) {
                return Err(format!(
                    "`{field}` must have at most {TEXT_BYTES} bytes and no control characters"
                ));
            }
        }
        Ok(read)
    }

    /// What needs an operator's grant.
    #[must_use]
    pub fn needed(&self) -> Vec<Capability> {
        self.requests.missing_in(&Capabilities::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_grant_is_known_before_it_runs() {
        let text = "name='a'\nversion='1'\ndescription='d'\n\
                    requests=['process', 'environ:HOME', 'files.workload:/etc/os-release']";
        let needed: Vec<_> =
            PluginToml::parse(text).unwrap().needed().iter().map(ToString::to_string).collect();
        assert_eq!(needed, ["environ:HOME", "files.workload:/etc/os-release"]);
    }

    #[test]
    fn what_is_not_a_field_or_cannot_be_granted_is_an_error() {
        for text in [
            "name='a'",
            "name='A'\nversion=''\ndescription=''",
            "name='a'\nversion=''\ndescription=''\nrequests=['files']",
            "name='a'\nversion=''\ndescription=''\nextra=1",
            "name='a'\nversion=\"\\u0007\"\ndescription=''",
        ] {
            assert!(PluginToml::parse(text).is_err(), "{text}");
        }
        assert!(PluginToml::parse(&"#".repeat(PluginToml::MAX_BYTES + 1)).is_err());
    }
}
