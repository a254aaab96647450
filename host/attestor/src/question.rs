use std::fmt;

use serde::Serialize;
use witgate_facts::{FactError, FactName, FactResult, FactSource, FileRoot};
use witgate_identity::KeyName;

use crate::{limits, lines::printable, plan::Wants};

/// Something that a guest asked, whose answer follows from the subject of the call, from what is
/// wanted of the plugin, and from nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// A fact as a whole.
    Fact(FactName),
    /// `environ.variable`.
    Variable(String),
    /// `files.read`.
    File(FileRoot, String),
    /// `files.entries`.
    Entries(FileRoot, String),
    /// `files.status`.
    Status(FileRoot, String),
    /// `config.wants`.
    Wants(KeyName),
}

/// An answer as bytes: equal if and only if the guest sees the same.
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    /// Which fact it was, and how reading it failed.
    pub(crate) fact: Option<(FactName, Option<FactError>)>,
}

impl Question {
    /// Answers it. Within one request a source gives the same answer every time, so it does not
    /// matter whether the guest has asked before.
    pub(crate) async fn answer(&self, facts: &dyn FactSource, wants: &Wants) -> Answer {
        match self {
            Self::Fact(fact) => whole(*fact, facts).await,
            Self::Variable(name) => answer(FactName::EnvironVariables, facts.variable(name).await),
            Self::File(root, path) => answer(root.fact(), facts.file(*root, path).await),
            Self::Entries(root, path) => answer(root.fact(), facts.entries(*root, path).await),
            Self::Status(root, path) => answer(root.fact(), facts.status(*root, path).await),
            Self::Wants(key) => {
                Answer { bytes: vec![u8::from(wants.wants(key.as_str()))], fact: None }
            }
        }
    }

    /// Bytes of its text.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Fact(_) => 0,
            Self::Variable(text)
            | Self::File(_, text)
            | Self::Entries(_, text)
            | Self::Status(_, text) => text.len(),
            Self::Wants(key) => key.as_str().len(),
        }
    }
}

async fn whole(fact: FactName, facts: &dyn FactSource) -> Answer {
    match fact {
        FactName::AncestryParents => answer(fact, facts.ancestry().await),
        FactName::CgroupsClaimed => answer(fact, facts.cgroups_claimed()),
        FactName::CgroupsTrusted => answer(fact, facts.cgroups_trusted()),
        FactName::CmdlineArguments => answer(fact, facts.cmdline().await),
        FactName::ExecutableDoubts => answer(fact, facts.doubts()),
        FactName::ExecutableInfo => answer(fact, facts.executable()),
        FactName::ExecutableSha256 => answer(fact, facts.executable_sha256().await),
        FactName::NamespacesAll => answer(fact, facts.namespaces()),
        FactName::ProcessComm => answer(fact, facts.comm()),
        FactName::ProcessCredentials => answer(fact, facts.credentials()),
        FactName::ProcessLabel => answer(fact, facts.label()),
        FactName::ProcessNames => answer(fact, facts.names()),
        FactName::ProcessPrivileges => answer(fact, facts.privileges()),
        FactName::ProcessStartTime => answer(fact, facts.start_time()),
        FactName::ProcessState => answer(fact, facts.state()),
        FactName::SystemdUnit => answer(fact, facts.systemd_unit().await),
        // These are asked for one by one, or do not follow from the subject.
        FactName::EnvironVariables
        | FactName::FilesHost
        | FactName::FilesWorkload
        | FactName::HttpResponse => answer::<()>(fact, Err(FactError::Unsupported)),
    }
}

/// JSON of one type says one thing only, so it tells all that a guest could tell apart.
fn answer<T: Serialize>(fact: FactName, found: FactResult<T>) -> Answer {
    // None of these types has a map whose keys are not strings, the one thing that cannot be said
    // in JSON; should one ever have, nothing equals the empty text and nothing is memoised.
    let bytes = serde_json::to_vec(&found).unwrap_or_default();
    Answer { bytes, fact: Some((fact, found.err())) }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = |root: &FileRoot| match root {
            FileRoot::Host => "host",
            FileRoot::Workload => "workload",
        };
        let path = |path: &str| printable(path, limits::REASON_BYTES);
        match self {
            Self::Fact(fact) => fact.fmt(f),
            Self::Variable(name) => write!(f, "environ.variable {name}"),
            Self::File(of, at) => write!(f, "files.read {}:{}", root(of), path(at)),
            Self::Entries(of, at) => write!(f, "files.entries {}:{}", root(of), path(at)),
            Self::Status(of, at) => write!(f, "files.status {}:{}", root(of), path(at)),
            Self::Wants(key) => write!(f, "config.wants {key}"),
        }
    }
}
