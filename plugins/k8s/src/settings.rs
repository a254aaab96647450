use serde::Deserialize;
use witgate_sdk::{containers::NestedBelow, settings};

/// JSON schema of the settings.
pub(crate) const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "container_selectors": {
      "description": "Wait until the kubelet lists the container, and report what is known about it; else the pod is enough",
      "type": "boolean",
      "default": true
    },
    "deadline_ms": {
      "description": "How long a container may be missing from the kubelet's list before its calls no longer wait",
      "type": "integer",
      "minimum": 0,
      "maximum": 600000,
      "default": 10000
    },
    "max_age_ms": {
      "description": "How long a list of the kubelet's counts; not less than poll_interval_ms",
      "type": "integer",
      "minimum": 10,
      "maximum": 3600000,
      "default": 10000
    },
    "nested_below": {
      "description": "Path of a container's control group below which a container inside it counts",
      "type": "string",
      "examples": ["/docker/<id>", "/system.slice/docker-<id>.scope"]
    },
    "outside_kubepods": {
      "description": "Look up containers outside of the kubelet's control group, too",
      "type": "boolean",
      "default": false
    },
    "poll_interval_ms": {
      "description": "Shortest time from one request to the kubelet to the next",
      "type": "integer",
      "minimum": 10,
      "maximum": 60000,
      "default": 500
    }
  }
}"#;

/// What the operator may set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The container has to be listed; else its pod is enough.
    pub(crate) container_selectors: bool,
    /// How long a container may be missing from the list before nobody waits for it any more.
    pub(crate) deadline_ms: u32,
    /// How long a list counts.
    pub(crate) max_age_ms: u32,
    /// Opts into one level deeper.
    pub(crate) nested_below: Option<NestedBelow>,
    /// Containers outside of the kubelet's control group may be its own, too.
    pub(crate) outside_kubepods: bool,
    /// From the start of one request to that of the next.
    pub(crate) poll_interval_ms: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            container_selectors: true,
            deadline_ms: 10_000,
            max_age_ms: 10_000,
            nested_below: None,
            outside_kubepods: false,
            poll_interval_ms: 500,
        }
    }
}

impl Settings {
    /// Reads and checks settings, a JSON object.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        settings::parse(text).and_then(Self::checked)
    }

    /// Those of this call.
    pub(crate) fn current() -> Result<Self, String> {
        settings::current().and_then(Self::checked)
    }

    fn checked(self) -> Result<Self, String> {
        let limits = [
            ("deadline_ms", self.deadline_ms, 0, 600_000),
            ("max_age_ms", self.max_age_ms, self.poll_interval_ms, 3_600_000),
            ("poll_interval_ms", self.poll_interval_ms, 10, 60_000),
        ];
        for (name, value, least, most) in limits {
            if !(least..=most).contains(&value) {
                return Err(format!("{name} = {value} is not from {least} to {most}"));
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_set_is_the_default() {
        assert_eq!(Settings::parse("{}"), Ok(Settings::default()));
    }

    #[test]
    fn settings_are_checked() {
        for right in [
            r#"{"deadline_ms": 0}"#,
            r#"{"poll_interval_ms": 10, "max_age_ms": 10}"#,
            r#"{"nested_below": "/docker/<id>", "outside_kubepods": true}"#,
            r#"{"container_selectors": false}"#,
        ] {
            assert!(Settings::parse(right).is_ok(), "{right}");
        }
        for (wrong, name) in [
            (r#"{"deadline_ms": 600001}"#, "deadline_ms"),
            (r#"{"max_age_ms": 499}"#, "from 500"),
            (r#"{"poll_interval_ms": 0}"#, "poll_interval_ms"),
            (r#"{"poll-interval-ms": 500}"#, "poll_interval_ms"),
            (r#"{"nested_below": "/kubepods"}"#, "/docker/<id>"),
        ] {
            let message = Settings::parse(wrong).unwrap_err();
            assert!(message.contains(name), "{message}");
        }
    }
}
