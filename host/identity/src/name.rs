use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// Longest plugin or key name, in bytes. Long enough for `supplementary_group`, short enough to
/// stand in a table.
const MAX_NAME: usize = 63;

/// A name that is not a lower-case word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a name: 1 to 63 of a-z, 0-9, '_' and '-', starting with a letter")]
pub struct NameError {
    name: String,
}

fn check(name: &str) -> Result<Arc<str>, NameError> {
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
    let rest =
        bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
    if starts && rest && name.len() <= MAX_NAME {
        Ok(name.into())
    } else {
        let shown: String = name.chars().take(MAX_NAME).collect();
        Err(NameError { name: shown })
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes a name.
            ///
            /// # Errors
            /// If it is empty, too long, or holds anything but lower-case letters, digits, `_` and
            /// `-` after a first letter.
            pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
                check(name.as_ref()).map(Self)
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(name: String) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type! {
    /// The name under which an operator configured a plugin. The host stamps it in front of every
    /// selector, so a plugin can never speak for another.
    PluginName
}

name_type! {
    /// What a selector is about, within its plugin: `uid`, `label`, `image_id`.
    KeyName
}
