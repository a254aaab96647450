use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};
use witgate_facts::Interface;
use witgate_identity::PluginName;

use crate::limits;

/// Name of the custom section that holds `plugin.toml`. Toolchains put it into the core module
/// they link, others beside it, so it may stand at any depth.
const SECTION: &str = "witgate:manifest";

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
    /// The interfaces it asks for. Those that are always granted need not be named.
    #[serde(default)]
    pub requests: BTreeSet<Interface>,
}

impl PluginToml {
    /// The interfaces that need an operator's grant.
    #[must_use]
    pub fn needed(&self) -> Vec<Interface> {
        self.requests.iter().copied().filter(|i| !i.always_granted()).collect()
    }
}

/// Why a component has no usable `plugin.toml`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestsError {
    /// The binary cannot be walked.
    #[error("it is not a well-formed component: {cause}")]
    Malformed {
        /// The parser's words.
        cause: String,
    },
    /// There is no such section.
    #[error(
        "it has no plugin.toml (custom section `{SECTION}`); build it with the SDK, or embed one"
    )]
    Missing,
    /// There is more than one.
    #[error("it has more than one plugin.toml (custom section `{SECTION}`)")]
    Several,
    /// The text is not what it should be.
    #[error("its plugin.toml: {cause}")]
    Text {
        /// The parser's words, with line and column.
        cause: String,
    },
    /// Over the size limit.
    #[error("its plugin.toml has {size} bytes, the limit is {}", limits::REQUESTS_BYTES)]
    TooLarge {
        /// Its size.
        size: usize,
    },
}

/// Finds and reads the `plugin.toml` of a component, without running or compiling it.
///
/// # Errors
/// If there is not exactly one, or it is too large or not valid.
pub fn read_requests(component: &[u8]) -> Result<PluginToml, RequestsError> {
    let mut found = None;
    for payload in Parser::new(0).parse_all(component) {
        let payload =
            payload.map_err(|error| RequestsError::Malformed { cause: error.to_string() })?;
        if let Payload::CustomSection(section) = payload
            && section.name() == SECTION
            && found.replace(section.data()).is_some()
        {
            return Err(RequestsError::Several);
        }
    }
    parse(found.ok_or(RequestsError::Missing)?)
}

fn parse(text: &[u8]) -> Result<PluginToml, RequestsError> {
    if text.len() > limits::REQUESTS_BYTES {
        return Err(RequestsError::TooLarge { size: text.len() });
    }
    let wrong = |cause: String| RequestsError::Text { cause: cause.trim_end().to_owned() };
    let text = str::from_utf8(text).map_err(|error| wrong(error.to_string()))?;
    let read: PluginToml = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    for (field, value) in [("version", &read.version), ("description", &read.description)] {
        if value.len() > limits::DESCRIPTION_BYTES || value.chars().any(char::is_control) {
            let limit = limits::DESCRIPTION_BYTES;
            return Err(wrong(format!(
                "`{field}` must have at most {limit} bytes and no control characters"
            )));
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A custom section with a payload below 16 KiB, as it stands in a binary.
    fn section(name: &str, data: &[u8]) -> Vec<u8> {
        fn leb(n: usize) -> Vec<u8> {
            let low = u8::try_from(n & 0x7f).unwrap();
            if n < 0x80 { vec![low] } else { [vec![low | 0x80], leb(n >> 7)].concat() }
        }
        let body = [leb(name.len()), name.as_bytes().to_vec(), data.to_vec()].concat();
        [vec![0], leb(body.len()), body].concat()
    }

    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    const TEXT: &[u8] = b"name='a'\nversion='1'\ndescription='d'\nrequests=['executable']\n";

    fn component(outer: &[u8], inner: &[u8]) -> Vec<u8> {
        let module = [MODULE, inner].concat();
        let mut out = [COMPONENT, outer].concat();
        out.push(1);
        let mut n = module.len();
        while n >= 0x80 {
            out.push(u8::try_from(n & 0x7f).unwrap() | 0x80);
            n >>= 7;
        }
        out.push(u8::try_from(n).unwrap());
        [out, module].concat()
    }

    #[test]
    fn it_is_found_beside_and_inside_a_core_module() {
        let manifest = section(SECTION, TEXT);
        for bytes in [component(&manifest, &[]), component(&[], &manifest)] {
            let read = read_requests(&bytes).unwrap();
            assert_eq!(read.needed(), [Interface::Executable]);
        }
    }

    #[test]
    fn none_two_or_a_huge_one_are_errors() {
        let manifest = section(SECTION, TEXT);
        assert_eq!(read_requests(&component(&[], &[])), Err(RequestsError::Missing));
        assert_eq!(read_requests(&component(&manifest, &manifest)), Err(RequestsError::Several));
        let huge = section(SECTION, &vec![b'#'; limits::REQUESTS_BYTES + 1]);
        assert!(matches!(
            read_requests(&component(&huge, &[])),
            Err(RequestsError::TooLarge { .. })
        ));
        assert!(matches!(read_requests(b"\0asm"), Err(RequestsError::Malformed { .. })));
    }

    #[test]
    fn what_is_not_a_field_or_an_interface_is_an_error() {
        for text in [
            "name='a'",
            "name='A'\nversion=''\ndescription=''",
            "name='a'\nversion=''\ndescription=''\nrequests=['files']",
            "name='a'\nversion=''\ndescription=''\nextra=1",
            "name='a'\nversion=\"\\u0007\"\ndescription=''",
        ] {
            assert!(matches!(parse(text.as_bytes()), Err(RequestsError::Text { .. })), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_refused_or_read(bytes: Vec<u8>, tail: Vec<u8>) {
            let _ = read_requests(&bytes);
            let _ = read_requests(&[COMPONENT, &tail].concat());
        }
    }
}
