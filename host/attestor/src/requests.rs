use wasmparser::{BinaryReaderError, Parser, Payload};
use witgate_facts::PluginToml;

use crate::{limits, lines::printable};

/// Name of the custom section that holds `plugin.toml`. Toolchains put it into the core module
/// they link, others beside it, so it may stand at any depth.
const SECTION: &str = "witgate:manifest";

/// Name of the custom section that holds the plugin's own fixtures, a JSON array.
const FIXTURES_SECTION: &str = "witgate:fixtures";

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
    /// There is more than one set of fixtures, or they are over their limit.
    #[error("its fixtures (custom section `{FIXTURES_SECTION}`): {cause}")]
    Fixtures {
        /// What is wrong.
        cause: String,
    },
}

impl From<BinaryReaderError> for RequestsError {
    fn from(error: BinaryReaderError) -> Self {
        Self::Malformed { cause: printable(&error.to_string(), limits::CAUSE_BYTES) }
    }
}

/// Finds and reads the `plugin.toml` of a component, without running or compiling it.
///
/// # Errors
/// If there is not exactly one, or it is too large or not valid.
pub fn read_requests(component: &[u8]) -> Result<PluginToml, RequestsError> {
    match section(component, SECTION)? {
        Found::One(text) => parse(text),
        Found::None => Err(RequestsError::Missing),
        Found::Several => Err(RequestsError::Several),
    }
}

/// Finds the fixtures that a component brings along: JSON, or nothing.
///
/// # Errors
/// If there is more than one set, or it is too large or not text.
pub(crate) fn read_fixtures(component: &[u8]) -> Result<Option<&str>, RequestsError> {
    let wrong = |cause: &str| Err(RequestsError::Fixtures { cause: cause.to_owned() });
    match section(component, FIXTURES_SECTION)? {
        Found::None => Ok(None),
        Found::Several => wrong("there is more than one"),
        Found::One(text) if text.len() > limits::FIXTURES_BYTES => {
            wrong(&format!("{} bytes, the limit is {}", text.len(), limits::FIXTURES_BYTES))
        }
        Found::One(text) => str::from_utf8(text).map(Some).or_else(|_| wrong("they are not text")),
    }
}

enum Found<'a> {
    None,
    One(&'a [u8]),
    Several,
}

/// A custom section, at any depth.
fn section<'a>(component: &'a [u8], name: &str) -> Result<Found<'a>, RequestsError> {
    let mut found = Found::None;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        if let Payload::CustomSection(section) = payload
            && section.name() == name
        {
            found = match found {
                Found::None => Found::One(section.data()),
                _ => return Ok(Found::Several),
            };
        }
    }
    Ok(found)
}

/// What stands in it is shown to people, as are the words of the parser, who quotes it.
fn parse(text: &[u8]) -> Result<PluginToml, RequestsError> {
    let text = str::from_utf8(text).map_err(|error| error.to_string());
    let mut toml = text.and_then(PluginToml::parse).map_err(|cause| {
        let lines: Vec<_> = cause.lines().map(str::trim).filter(|line| *line != "|").collect();
        RequestsError::Text { cause: printable(&lines.join(" "), limits::CAUSE_BYTES) }
    })?;
    let texts = [&mut toml.version, &mut toml.description].into_iter().chain(&mut toml.language);
    texts.for_each(|text| *text = printable(text, limits::DESCRIPTION_BYTES));
    Ok(toml)
}

#[cfg(test)]
mod tests {
    use witgate_facts::{Capability, Interface};

    use super::*;
    use witgate_report::deceives;

    /// A custom section as it stands in a binary.
    fn built(name: &str, data: &[u8]) -> Vec<u8> {
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
        let manifest = built(SECTION, TEXT);
        for bytes in [component(&manifest, &[]), component(&[], &manifest)] {
            let read = read_requests(&bytes).unwrap();
            assert_eq!(read.needed(), [Capability::Interface(Interface::Executable)]);
        }
    }

    #[test]
    fn none_two_or_a_huge_one_are_errors() {
        let manifest = built(SECTION, TEXT);
        assert_eq!(read_requests(&component(&[], &[])), Err(RequestsError::Missing));
        assert_eq!(read_requests(&component(&manifest, &manifest)), Err(RequestsError::Several));
        let huge = built(SECTION, &vec![b'#'; PluginToml::MAX_BYTES + 1]);
        assert!(matches!(read_requests(&component(&huge, &[])), Err(RequestsError::Text { .. })));
        assert!(matches!(read_requests(b"\0asm"), Err(RequestsError::Malformed { .. })));
    }

    #[test]
    fn fixtures_are_optional_and_bounded() {
        let fixtures = |data: &[u8]| built(FIXTURES_SECTION, data);
        assert_eq!(read_fixtures(&component(&[], &[])), Ok(None));
        assert_eq!(read_fixtures(&component(&fixtures(b"[]"), &[])), Ok(Some("[]")));
        let huge = fixtures(&vec![b' '; limits::FIXTURES_BYTES + 1]);
        for wrong in [component(&huge, &[]), component(&fixtures(b"\xff"), &[])] {
            assert!(matches!(read_fixtures(&wrong), Err(RequestsError::Fixtures { .. })));
        }
    }

    #[test]
    fn what_stands_in_it_cannot_break_out_of_its_line() {
        let ours = |text: &str| read_requests(&component(&built(SECTION, text.as_bytes()), &[]));
        let wrong =
            ours("name = 'a'\n\"\\u001b[2J\\u000aroot:\" = 1 # \u{1b}[31m\u{202e}").unwrap_err();
        let RequestsError::Text { cause } = &wrong else { panic!("{wrong:?}") };
        assert!(cause.starts_with("TOML parse error at line 2"), "{cause}");
        let long = ours(&format!("name = '{}'", "\u{9b}".repeat(8000))).unwrap_err().to_string();
        assert!(long.len() < 2 * limits::CAUSE_BYTES, "{long}");
        assert!(![cause, &long].into_iter().any(|text| text.chars().any(deceives)), "{wrong:?}");

        let turned = "name='a'\nversion='1\u{202e}'\ndescription='\u{2066}d'\nlanguage='\u{200f}'";
        let read = ours(turned).unwrap();
        assert_eq!((&*read.version, &*read.description), ("1\\u{202e}", "\\u{2066}d"));
        assert_eq!(read.language.as_deref(), Some("\\u{200f}"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_refused_or_read(bytes: Vec<u8>, tail: Vec<u8>) {
            let _ = read_requests(&bytes);
            let _ = read_requests(&[COMPONENT, &tail].concat());
        }
    }
}
