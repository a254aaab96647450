use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Crockford's base 32: no `i`, `l`, `o`, `u`, so an id survives being read aloud.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 48 bits of milliseconds and 80 random bits, five to a character (the ULID layout).
const ULID_LEN: usize = 26;

/// The machine a decision was made on, as it stands in front of a decision id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(Arc<str>);

/// What is not a decision id or node name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecisionIdError {
    /// Not a node name.
    #[error("a node name is 1 to 32 of a-z, 0-9 and '-'")]
    Node,
    /// Not `<node>-<26 characters>`.
    #[error("a decision id reads <node>-<26 characters of base 32>")]
    Shape,
}

impl NodeName {
    /// Longest node name in bytes.
    pub const MAX_LEN: usize = 32;

    /// Checks and takes a node name.
    ///
    /// # Errors
    /// If it is empty, too long, or holds anything but lower-case letters, digits and inner `-`.
    pub fn new(name: &str) -> Result<Self, DecisionIdError> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let edges = !name.starts_with('-') && !name.ends_with('-');
        if name.is_empty() || name.len() > Self::MAX_LEN || !edges || !name.bytes().all(inner) {
            return Err(DecisionIdError::Node);
        }
        Ok(Self(name.into()))
    }

    /// Makes a node name of a host name: its first label, lower case, anything else a dash.
    #[must_use]
    pub fn from_hostname(host: &str) -> Self {
        let label = host.split('.').next().unwrap_or_default().to_ascii_lowercase();
        let clean: String = label
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(Self::MAX_LEN)
            .collect();
        Self::new(clean.trim_matches('-')).unwrap_or_else(|_| Self("node".into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for NodeName {
    type Error = DecisionIdError;
    fn try_from(name: String) -> Result<Self, DecisionIdError> {
        Self::new(&name)
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.0.as_ref().to_owned()
    }
}

/// Names one decision, for ever and across machines: `edge1-01kb3v0h7m4q8x2y5z9w6c1d3e`.
///
/// Ids of one node sort by time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DecisionId(Arc<str>);

impl DecisionId {
    /// Builds an id from the wall clock (milliseconds since 1970) and 80 random bits. Both are
    /// given, because this crate does no I/O.
    #[must_use]
    pub fn new(node: &NodeName, millis: u64, random: [u8; 10]) -> Self {
        let mut bits = u128::from(millis & 0xffff_ffff_ffff);
        for byte in random {
            bits = (bits << 8) | u128::from(byte);
        }
        let mut text = String::with_capacity(node.0.len() + 1 + ULID_LEN);
        text.push_str(&node.0);
        text.push('-');
        for place in (0..ULID_LEN).rev() {
            let digit = usize::try_from((bits >> (5 * place)) & 31).unwrap_or_default();
            text.push(ALPHABET.get(digit).copied().unwrap_or(b'0').into());
        }
        Self(text.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The machine that made the decision.
    #[must_use]
    pub fn node(&self) -> &str {
        self.0.rsplit_once('-').map_or("", |(node, _)| node)
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DecisionId {
    type Err = DecisionIdError;
    fn from_str(text: &str) -> Result<Self, DecisionIdError> {
        let (node, ulid) = text.rsplit_once('-').ok_or(DecisionIdError::Shape)?;
        NodeName::new(node)?;
        if ulid.len() != ULID_LEN || !ulid.bytes().all(|b| ALPHABET.contains(&b)) {
            return Err(DecisionIdError::Shape);
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for DecisionId {
    type Error = DecisionIdError;
    fn try_from(text: String) -> Result<Self, DecisionIdError> {
        text.parse()
    }
}

impl From<DecisionId> for String {
    fn from(id: DecisionId) -> Self {
        id.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_of_one_node_sort_by_time() {
        let node = NodeName::new("edge-1").unwrap();
        let early = DecisionId::new(&node, 1_000, [255; 10]);
        let late = DecisionId::new(&node, 1_001, [0; 10]);
        assert!(early < late);
        assert_eq!(early.node(), "edge-1");
    }

    #[test]
    fn any_host_name_gives_a_node_name() {
        assert_eq!(NodeName::from_hostname("Edge-1.example.org").as_str(), "edge-1");
        assert_eq!(NodeName::from_hostname("--").as_str(), "node");
        assert_eq!(NodeName::from_hostname("").as_str(), "node");
    }

    proptest! {
        #[test]
        fn a_new_id_reads_back(millis: u64, random: [u8; 10], host in ".{0,50}") {
            let id = DecisionId::new(&NodeName::from_hostname(&host), millis, random);
            prop_assert_eq!(id.as_str().parse::<DecisionId>().unwrap(), id);
        }

        #[test]
        fn any_text_is_refused_or_survives(text in ".{0,60}") {
            if let Ok(id) = text.parse::<DecisionId>() {
                prop_assert_eq!(id.as_str(), text);
            }
        }
    }
}
