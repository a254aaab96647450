use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use oci_client::Reference as OciReference;
use witgate_provenance::Digest;

use crate::limits::REFERENCE_BYTES;

const SCHEME: &str = "oci://";

/// Where a plugin lies: `registry.example/attestors/os:1.2.0`, or with `@sha256:…`. The registry is
/// always named: a plugin that was meant to come from here must not be looked for elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    host: String,
    port: Option<u16>,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Text that does not say where a plugin lies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{seen:?} is not a reference: {cause}; write it like registry.example/attestors/os:1.2.0")]
pub struct ReferenceError {
    seen: String,
    cause: String,
}

impl Reference {
    /// The registry, with its port if it has one.
    #[must_use]
    pub fn registry(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// The repository in the registry.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, if one was given.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of the manifest, if one was given. It decides, whatever the tag says.
    #[must_use]
    pub const fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The same plugin, as exactly this manifest.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }

    /// Whether the registry is on this machine, by its very name.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let v6 = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        self.host == "localhost"
            || self.host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
            || v6.is_some_and(|host| host.parse().is_ok_and(|v6: Ipv6Addr| v6.is_loopback()))
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// What stands in the address of the manifest.
    pub(crate) fn wanted(&self) -> String {
        match (self.digest, &self.tag) {
            (Some(digest), _) => format!("sha256:{digest}"),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }

    /// The same repository under a tag, for the library.
    pub(crate) fn tagged(&self, tag: &str) -> OciReference {
        OciReference::with_tag(self.registry(), self.repository.clone(), tag.to_owned())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let refuse = |cause: String| ReferenceError {
            seen: text.chars().take(REFERENCE_BYTES).collect(),
            cause,
        };
        if text.len() > REFERENCE_BYTES {
            return Err(refuse(format!("it has more than {REFERENCE_BYTES} bytes")));
        }
        // The library's grammar takes letters of every alphabet in a tag, also those that look alike.
        if !text.is_ascii() {
            return Err(refuse("it has characters that are not ASCII".to_owned()));
        }
        let named = text.strip_prefix(SCHEME).unwrap_or(text);
        let (registry, rest) = named
            .split_once('/')
            .filter(|(registry, _)| registry.contains(['.', ':']) || *registry == "localhost")
            .ok_or_else(|| refuse("it does not begin with a registry".to_owned()))?;
        let (host, port) =
            read_host(registry).ok_or_else(|| refuse(format!("{registry:?} is not a host")))?;
        // The library's grammar, under a registry that it does not treat specially.
        let read: OciReference =
            format!("localhost/{rest}").parse().map_err(|error| refuse(format!("{error}")))?;
        let digest = match read.digest() {
            None => None,
            Some(digest) => Some(
                read_digest(digest)
                    .ok_or_else(|| refuse("its digest is not sha256 in lower case".to_owned()))?,
            ),
        };
        // The library gives a tag to what has none.
        let has_tag = rest.split('@').next().is_some_and(|name| name.contains(':'));
        let tag = read.tag().filter(|_| has_tag).map(str::to_owned);
        Ok(Self { host, port, repository: read.repository().to_owned(), tag, digest })
    }
}

/// `sha256:` and 64 digits, as OCI writes a digest.
pub(crate) fn read_digest(text: &str) -> Option<Digest> {
    text.strip_prefix("sha256:")?.parse().ok()
}

/// A name, an IPv4 address or a bracketed IPv6 address, and a port.
fn read_host(registry: &str) -> Option<(String, Option<u16>)> {
    let end = registry.find(']').map_or(0, |end| end + 1);
    let (host, port) = match registry.get(end..)?.find(':') {
        Some(colon) => {
            let port = registry.get(end + colon + 1..)?;
            // One text for one registry: neither `+80` nor `080`.
            let number = port.parse().ok().filter(|number: &u16| number.to_string() == port)?;
            (registry.get(..end + colon)?, Some(number))
        }
        None => (registry, None),
    };
    let is_v6 = || host.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let label = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    (host.split('.').all(label) || is_v6().is_some()).then(|| (host.to_ascii_lowercase(), port))
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry(), self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match self.digest {
            Some(digest) => write!(f, "@sha256:{digest}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Reference {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_reference_is_its_own_text() {
        let digest = format!("@sha256:{}", Digest::of(b""));
        for name in [
            "registry.example/os",
            "registry.example/attestors/os:1.2.0",
            "registry.example:5000/attestors/os:1.2.0-rc.1",
            "localhost/os:1",
            "127.0.0.1:5000/os",
            "[::1]:5000/os:1",
            "[2001:db8::1]/os",
        ] {
            assert_eq!(read(name).to_string(), name);
            assert_eq!(read(&format!("oci://{name}")), read(name));
            assert_eq!(read(&format!("{name}{digest}")).digest(), Some(Digest::of(b"")));
        }
        assert_eq!(read("Registry.Example/os").registry(), "registry.example");
        assert_eq!(read("registry.example/os").tag(), None);
        assert_eq!(read("registry.example:5000/os").tag(), None);
        assert_eq!(read("registry.example/os").wanted(), "latest");
    }

    #[test]
    fn what_does_not_say_where_is_refused() {
        let upper = format!("registry.example/os@sha256:{}", "A".repeat(64));
        let other = format!("registry.example/os@sha512:{}", "a".repeat(128));
        for (text, cause) in [
            ("", "does not begin with a registry"),
            ("os:1.2.0", "does not begin with a registry"),
            ("attestors/os:1.2.0", "does not begin with a registry"),
            ("https://registry.example/os", "is not a host"),
            ("user:secret@registry.example/os", "is not a host"),
            ("registry.example:99999/os", "is not a host"),
            ("registry.example:+80/os", "is not a host"),
            ("registry.example:080/os", "is not a host"),
            ("registry..example/os", "is not a host"),
            ("[::1/os", "is not a host"),
            ("registry.example/", "invalid reference format"),
            ("registry.example/Os", "invalid reference format"),
            ("registry.example/../os", "invalid reference format"),
            ("registry.example/os:a b", "invalid reference format"),
            ("registry.example/os:1.\u{661}", "not ASCII"),
            ("registry.example/os?x=1", "invalid reference format"),
            (&upper, "not sha256 in lower case"),
            (&other, "not sha256 in lower case"),
            (&format!("registry.example/{}", "a".repeat(600)), "more than 512 bytes"),
        ] {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains(cause), "{error}");
        }
    }

    #[test]
    fn loopback_is_a_matter_of_the_very_name() {
        for text in ["localhost/a", "localhost:5000/a", "127.0.0.1/a", "127.9.9.9:1/a", "[::1]/a"] {
            assert!(read(text).is_loopback(), "{text}");
        }
        for text in [
            "localhost.example/a",
            "127.0.0.1.example/a",
            "128.0.0.1/a",
            "0.0.0.0:5000/a",
            "[::2]/a",
            "[::ffff:127.0.0.1]/a",
            "10.0.0.1/a",
        ] {
            assert!(!read(text).is_loopback(), "{text}");
        }
    }
}
