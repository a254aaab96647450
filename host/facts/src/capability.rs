use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize, de::Error as _};

use crate::{FactName, Interface};

/// What an operator can grant to a plugin, and what a plugin asks for in its `plugin.toml`: one
/// interface, or one thing that an interface reaches.
///
/// Written as a word: `executable`, `environ:HOME`, `files.host:/var/lib/kubelet/`,
/// `files.workload:/etc/os-release`, `http:docker`, `cache:plugin`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Capability {
    /// A whole interface: one that reaches nothing in particular.
    Interface(Interface),
    /// One variable of the environment.
    Variable(String),
    /// One path below a root; with a slash at its end, that directory and everything below it.
    Path(FileRoot, String),
    /// One endpoint, by the name that the operator gave it.
    Endpoint(String),
    /// One scope of the cache.
    Cache(CacheScope),
}

/// Which root a path is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileRoot {
    /// The daemon's own.
    Host,
    /// That of the process.
    Workload,
}

impl FileRoot {
    /// The fact that reading below it is.
    #[must_use]
    pub const fn fact(self) -> FactName {
        match self {
            Self::Host => FactName::FilesHost,
            Self::Workload => FactName::FilesWorkload,
        }
    }
}

/// How long something is kept for a plugin, and for which calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheScope {
    /// Until the process ends, for calls about it.
    Process,
    /// Until the control group ends, for calls about processes in it.
    Cgroup,
    /// For all calls of the plugin.
    Plugin,
}

impl CacheScope {
    /// Its name in WIT and in grants.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Cgroup => "cgroup",
            Self::Plugin => "plugin",
        }
    }
}

/// Longest variable name, endpoint name or path in a grant, in bytes.
const ARGUMENT_BYTES: usize = 1024;

impl Capability {
    /// The interface through which it is used.
    #[must_use]
    pub const fn interface(&self) -> Interface {
        match self {
            Self::Interface(interface) => *interface,
            Self::Variable(_) => Interface::Environ,
            Self::Path(..) => Interface::Files,
            Self::Endpoint(_) => Interface::Http,
            Self::Cache(_) => Interface::Cache,
        }
    }

    /// The facts that it lets a plugin read.
    pub fn facts(&self) -> impl Iterator<Item = FactName> {
        let (interface, root) = match self {
            Self::Path(root, _) => (Interface::Files, Some(root.fact())),
            other => (other.interface(), None),
        };
        let here = move |fact: &FactName| {
            fact.interface() == interface && root.is_none_or(|root| root == *fact)
        };
        FactName::ALL.iter().copied().filter(here)
    }

    /// Whether a grant of `self` covers the use of `asked`: the same, or a path below it.
    #[must_use]
    pub fn covers(&self, asked: &Self) -> bool {
        match (self, asked) {
            (Self::Path(root, granted), Self::Path(asked_root, asked)) if root == asked_root => {
                let below = granted.ends_with('/') && asked.starts_with(granted.as_str());
                granted == asked || below || granted.strip_suffix('/') == Some(asked.as_str())
            }
            _ => self == asked,
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(interface) => interface.fmt(f),
            Self::Variable(name) => write!(f, "environ:{name}"),
            Self::Path(FileRoot::Host, path) => write!(f, "files.host:{path}"),
            Self::Path(FileRoot::Workload, path) => write!(f, "files.workload:{path}"),
            Self::Endpoint(name) => write!(f, "http:{name}"),
            Self::Cache(scope) => write!(f, "cache:{}", scope.as_str()),
        }
    }
}

/// A word that is no capability, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} cannot be granted: {hint}")]
pub struct CapabilityError {
    /// The word we saw, cut.
    pub word: String,
    /// What is wrong with it.
    pub hint: String,
}

impl FromStr for Capability {
    type Err = CapabilityError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let error = |hint: &str| CapabilityError {
            word: word.chars().take(64).collect(),
            hint: hint.to_owned(),
        };
        let Some((interface, argument)) = word.split_once(':') else {
            return whole(word).map_err(|hint| error(&hint));
        };
        if argument.is_empty() || argument.len() > ARGUMENT_BYTES {
            return Err(error("what stands after the colon is empty or too long"));
        }
        match interface {
            "environ" if variable(argument) => Ok(Self::Variable(argument.to_owned())),
            "environ" => Err(error("a variable is letters, digits and underscores")),
            "files.host" | "files.workload" if path(argument) => {
                let root =
                    if interface == "files.host" { FileRoot::Host } else { FileRoot::Workload };
                Ok(Self::Path(root, argument.to_owned()))
            }
            "files.host" | "files.workload" => {
                Err(error("a path is absolute, without `.`, `..` or doubled slashes"))
            }
            "http" if endpoint(argument) => Ok(Self::Endpoint(argument.to_owned())),
            "http" => Err(error("an endpoint is lower-case letters, digits and dashes")),
            "cache" => [CacheScope::Process, CacheScope::Cgroup, CacheScope::Plugin]
                .into_iter()
                .find(|scope| scope.as_str() == argument)
                .map(Self::Cache)
                .ok_or_else(|| error("a scope is process, cgroup or plugin")),
            _ => Err(error(&format!(
                "only environ, files.host, files.workload, http and cache take a name{}",
                meant(interface, &["environ", "files.host", "files.workload", "http", "cache"])
            ))),
        }
    }
}

fn whole(word: &str) -> Result<Capability, String> {
    let interface: Interface = word.parse().map_err(|_| {
        let hint = meant(word, &Interface::ALL.map(Interface::as_str));
        format!("there is no interface {word:?}{hint}")
    })?;
    match interface {
        Interface::Environ => Err("name the variable: environ:NAME".to_owned()),
        Interface::Files => {
            Err("name the path: files.workload:/PATH or files.host:/PATH".to_owned())
        }
        Interface::Http => Err("name the endpoint: http:NAME".to_owned()),
        Interface::Cache => {
            Err("name the scope: cache:process, cache:cgroup or cache:plugin".to_owned())
        }
        interface => Ok(Capability::Interface(interface)),
    }
}

/// `; did you mean X?` if one of these words is near.
fn meant(word: &str, known: &[&str]) -> String {
    let distances = known.iter().map(|known| (strsim::osa_distance(known, word), known));
    // Three of three letters would be any word.
    let near = |(distance, known): &(usize, &&str)| {
        *distance <= 3 && *distance < known.len().min(word.len())
    };
    let nearest = distances.min().filter(near);
    nearest.map_or_else(String::new, |(_, known)| format!("; did you mean `{known}`?"))
}

fn variable(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn endpoint(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= 64 && name.bytes().all(plain)
}

/// Whether this is a path as plugins and grants write them: absolute, of plain components, without
/// control characters. A slash at the end is for grants.
#[must_use]
pub fn path(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('/') else { return false };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let plain = |part: &str| !matches!(part, "" | "." | "..");
    text.len() <= ARGUMENT_BYTES
        && !text.chars().any(char::is_control)
        && rest.split('/').all(plain)
}

impl Serialize for Capability {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Capability {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A set of them: what a plugin asks for, or what it was granted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Capabilities(BTreeSet<Capability>);

impl Capabilities {
    /// Nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Whether one of them covers this use.
    #[must_use]
    pub fn cover(&self, asked: &Capability) -> bool {
        self.0.contains(asked) || self.0.iter().any(|granted| granted.covers(asked))
    }

    /// Whether anything of this interface is among them.
    #[must_use]
    pub fn reach(&self, interface: Interface) -> bool {
        self.0.iter().any(|granted| granted.interface() == interface)
    }

    /// Whether a path below this root may be used.
    #[must_use]
    pub fn cover_path(&self, root: FileRoot, path: &str) -> bool {
        self.cover(&Capability::Path(root, path.to_owned()))
    }

    /// What is asked for in `self`, needs a grant, and is not covered by `granted`.
    #[must_use]
    pub fn missing_in(&self, granted: &Self) -> Vec<Capability> {
        let missing =
            |asked: &&Capability| !asked.interface().always_granted() && !granted.cover(asked);
        self.0.iter().filter(missing).cloned().collect()
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Capability> {
        self.0.iter()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Self(capabilities.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(word: &str) -> Result<Capability, CapabilityError> {
        word.parse()
    }

    #[test]
    fn every_word_reads_back() {
        let words = [
            "executable",
            "environ:HOME",
            "files.host:/var/lib/kubelet/",
            "files.workload:/etc/os-release",
            "http:docker",
            "cache:plugin",
            "systemd",
        ];
        for word in words {
            assert_eq!(parse(word).unwrap().to_string(), word);
        }
    }

    #[test]
    fn what_cannot_be_granted_says_what_to_write() {
        for word in [
            "everything",
            "environ",
            "environ:",
            "environ:A=B",
            "files",
            "files:/etc",
            "http",
            "http:Docker",
            "cache:all",
            "process:1",
            "files.host:etc",
            "files.host:/a/../b",
            "files.host:/a//b",
            "files.workload:/./a",
            "files.workload:/a\n",
        ] {
            assert!(parse(word).is_err(), "{word:?}");
        }
        let message = parse("environ").unwrap_err().to_string();
        assert!(message.contains("environ:NAME"), "{message}");
    }

    #[test]
    fn a_word_that_is_nearly_one_is_told_which() {
        for (word, meant) in [
            ("file.workload:/etc/os-release", "files.workload"),
            ("environment:HOME", ""),
            ("env:HOME", ""),
            ("env", ""),
            ("enviorn:HOME", "environ"),
            ("https:docker", "http"),
            ("systmd", "systemd"),
            ("everything", ""),
        ] {
            let message = parse(word).unwrap_err().to_string();
            let told = message.split_once("did you mean `").map_or("", |(_, told)| told);
            assert_eq!(told.trim_end_matches("`?"), meant, "{message}");
        }
    }

    #[test]
    fn a_directory_covers_what_is_below_it_and_nothing_else() {
        let granted = parse("files.host:/var/lib/").unwrap();
        assert!(granted.covers(&parse("files.host:/var/lib/x").unwrap()));
        assert!(granted.covers(&parse("files.host:/var/lib/x/").unwrap()));
        assert!(granted.covers(&parse("files.host:/var/lib").unwrap()), "it can be listed");
        assert!(!granted.covers(&parse("files.host:/var/library").unwrap()));
        assert!(!granted.covers(&parse("files.workload:/var/lib/x").unwrap()));
        let file = parse("files.host:/var/lib").unwrap();
        assert!(!file.covers(&parse("files.host:/var/lib/x").unwrap()));
    }

    #[test]
    fn missing_is_what_was_asked_and_needs_a_grant() {
        let asked: Capabilities = ["process", "cmdline", "environ:A"]
            .into_iter()
            .map(|word| parse(word).unwrap())
            .collect();
        let granted: Capabilities = [parse("cmdline").unwrap()].into_iter().collect();
        assert_eq!(asked.missing_in(&granted), [parse("environ:A").unwrap()]);
        assert!(granted.reach(Interface::Cmdline) && !granted.reach(Interface::Environ));
    }

    #[test]
    fn a_capability_gives_the_facts_of_its_own_root_only() {
        let facts = |word| parse(word).unwrap().facts().collect::<Vec<_>>();
        assert_eq!(facts("files.host:/a"), [FactName::FilesHost]);
        assert_eq!(facts("executable").len(), 3);
        assert!(facts("cache:plugin").is_empty());
    }
}
