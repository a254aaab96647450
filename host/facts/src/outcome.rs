use serde::{Deserialize, Serialize};

/// How a call of `attest` ended, in a word: in fixtures, counters and log fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OutcomeKind {
    /// It reported, and all of its output was valid.
    Reported,
    /// Not the plugin's kind of process.
    NotApplicable,
    /// It asks to be asked again.
    Retry,
    /// Something the plugin needs is not there now.
    Unavailable,
    /// The plugin says that it cannot tell.
    Failed,
    /// The guest trapped, or called what it must not.
    Trapped,
    /// The guest was stopped because its time was up.
    OutOfTime,
    /// The guest wanted more memory than it may have.
    OutOfMemory,
    /// The guest's output broke a rule.
    BadOutput,
    /// The process has exited.
    Gone,
}

impl OutcomeKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Reported,
        Self::NotApplicable,
        Self::Retry,
        Self::Unavailable,
        Self::Failed,
        Self::Trapped,
        Self::OutOfTime,
        Self::OutOfMemory,
        Self::BadOutput,
        Self::Gone,
    ];

    /// The word in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::NotApplicable => "not-applicable",
            Self::Retry => "retry",
            Self::Unavailable => "unavailable",
            Self::Failed => "failed",
            Self::Trapped => "trapped",
            Self::OutOfTime => "out-of-time",
            Self::OutOfMemory => "out-of-memory",
            Self::BadOutput => "bad-output",
            Self::Gone => "gone",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_in_a_fixture_is_the_one_in_logs() {
        for kind in OutcomeKind::ALL {
            let text = serde_json::to_string(&kind).unwrap();
            assert_eq!(text, format!("\"{}\"", kind.as_str()));
            assert_eq!(serde_json::from_str::<OutcomeKind>(&text).unwrap(), kind);
        }
    }
}
