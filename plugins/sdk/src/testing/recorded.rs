use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use serde::Deserialize;

use super::json::Blob;
use crate::bindings::witgate::attestor::{
    ancestry::Ancestor,
    cache::Scope,
    cgroups::{ClaimedEntry, TrustedEntry},
    executable::Program,
    files::{DirectoryEntry, FileStatus, Root},
    http::{HttpError, Request, Response},
    namespaces::Namespace,
    process::{CredentialSet, NameSet, PrivilegeSet},
    systemd::UnitInfo,
    types::FactError,
};

/// A recorded fact: its value, or the error that reading it gave.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Fact<T, E = FactError> {
    Ok(T),
    Err(E),
}

/// A fixture. Every fact may be left out, and is unsupported then.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Recorded {
    #[serde(rename = "$schema")]
    _schema: serde::de::IgnoredAny,
    #[serde(rename = "about")]
    _about: serde::de::IgnoredAny,
    #[serde(rename = "challenged")]
    _challenged: serde::de::IgnoredAny,
    #[serde(rename = "process.credentials")]
    pub(super) credentials: Option<Fact<CredentialSet>>,
    #[serde(rename = "process.names")]
    pub(super) names: Option<Fact<NameSet>>,
    #[serde(rename = "process.label")]
    pub(super) label: Option<Fact<String>>,
    #[serde(rename = "process.privileges")]
    pub(super) privileges: Option<Fact<PrivilegeSet>>,
    #[serde(rename = "process.state")]
    pub(super) state: Option<Fact<String>>,
    #[serde(rename = "process.start-time")]
    pub(super) start_time: Option<Fact<u64>>,
    #[serde(rename = "process.comm")]
    pub(super) comm: Option<Fact<Blob>>,
    #[serde(rename = "cgroups.trusted")]
    pub(super) cgroups_trusted: Option<Fact<Vec<TrustedEntry>>>,
    #[serde(rename = "cgroups.claimed")]
    pub(super) cgroups_claimed: Option<Fact<Vec<ClaimedEntry>>>,
    #[serde(rename = "namespaces.all")]
    pub(super) namespaces: Option<Fact<Vec<Namespace>>>,
    #[serde(rename = "executable.doubts")]
    pub(super) doubts: Option<Fact<Vec<String>>>,
    #[serde(rename = "executable.info")]
    pub(super) executable: Option<Fact<Program>>,
    #[serde(rename = "executable.sha256")]
    pub(super) executable_sha256: Option<Fact<String>>,
    #[serde(rename = "ancestry.parents")]
    pub(super) ancestry: Option<Fact<Vec<Ancestor>>>,
    #[serde(rename = "cmdline.arguments")]
    pub(super) cmdline: Option<Fact<Vec<Blob>>>,
    #[serde(rename = "environ.variables")]
    pub(super) environ: BTreeMap<String, Fact<Option<Blob>>>,
    #[serde(rename = "files.host")]
    host_files: BTreeMap<String, RecordedFile>,
    #[serde(rename = "files.workload")]
    workload_files: BTreeMap<String, RecordedFile>,
    #[serde(rename = "systemd.unit")]
    pub(super) systemd_unit: Option<Fact<Option<UnitInfo>>>,
    #[serde(rename = "http.exchanges")]
    exchanges: Vec<Exchange>,
}

/// What was seen under one path.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RecordedFile {
    pub(super) content: Option<Fact<Option<Blob>>>,
    pub(super) entries: Option<Fact<Option<Vec<DirectoryEntry>>>>,
    pub(super) status: Option<Fact<Option<FileStatus>>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    endpoint: String,
    request: Asked,
    outcome: Fact<Response, HttpError>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    method: String,
    path: String,
    #[serde(rename = "headers", default)]
    _headers: serde::de::IgnoredAny,
    #[serde(default)]
    body: Blob,
}

impl Recorded {
    /// The first answer to the same request, as the daemon's replay finds it.
    pub(super) fn answer(&self, endpoint: &str, request: &Request) -> Result<Response, HttpError> {
        let same = |exchange: &&Exchange| {
            exchange.endpoint == endpoint
                && exchange.request.method == request.method
                && exchange.request.path == request.path
                && exchange.request.body.0 == request.body
        };
        match self.exchanges.iter().find(same).map(|exchange| &exchange.outcome) {
            Some(Fact::Ok(response)) => Ok(response.clone()),
            Some(Fact::Err(error)) => Err(error.clone()),
            None => Err(HttpError::Refused(format!(
                "the fixture has no answer of `{endpoint}` to {} {}",
                request.method, request.path
            ))),
        }
    }
}

/// One call natively: what it may ask for, and what it did.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) recorded: Recorded,
    /// A JSON object.
    pub(super) settings: String,
    /// All, if none.
    pub(super) wanted: Option<Vec<String>>,
    /// A fact said that the process has exited.
    pub(super) gone: Cell<bool>,
    pub(super) log: RefCell<Vec<String>>,
    pub(super) cache: RefCell<Vec<Kept>>,
}

/// What was put into the cache in this call: a later one begins with an empty cache.
#[derive(Debug)]
pub(super) struct Kept {
    scope: Scope,
    key: String,
    value: Vec<u8>,
}

impl Call {
    /// What is in the cache.
    pub(super) fn kept(&self, scope: Scope, key: &str) -> Option<Vec<u8>> {
        let cache = self.cache.borrow();
        let kept = cache.iter().rev().find(|kept| kept.scope == scope && kept.key == key);
        kept.map(|kept| kept.value.clone())
    }

    /// Puts something into the cache.
    pub(super) fn keep(&self, scope: Scope, key: &str, value: &[u8]) {
        let kept = Kept { scope, key: key.to_owned(), value: value.to_vec() };
        self.cache.borrow_mut().push(kept);
    }

    /// Whether this key is wanted.
    pub(super) fn wants(&self, key: &str) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|one| one == key))
    }

    /// A fact as the plugin sees it.
    pub(super) fn fact<T: Clone>(&self, fact: Option<&Fact<T>>) -> Result<T, FactError> {
        match fact {
            None => Err(FactError::Unsupported),
            Some(Fact::Ok(value)) => Ok(value.clone()),
            Some(Fact::Err(error)) => {
                self.gone.set(self.gone.get() || *error == FactError::Gone);
                Err(error.clone())
            }
        }
    }

    /// Bytes that may not be there.
    pub(super) fn bytes(
        &self,
        fact: Option<&Fact<Option<Blob>>>,
    ) -> Result<Option<Vec<u8>>, FactError> {
        self.fact(fact).map(|found| found.map(Into::into))
    }

    /// What was seen under a path.
    pub(super) fn file(&self, root: Root, path: &str) -> Option<&RecordedFile> {
        match root {
            Root::Host => self.recorded.host_files.get(path),
            Root::Workload => self.recorded.workload_files.get(path),
        }
    }
}
