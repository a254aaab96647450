//! Facts as a JSON file: recorded from a process, or written by hand, and replayed offline.
//!
//! A fact that is left out is [`FactError::Unsupported`]. The same file feeds the tests that plugin
//! authors write in their own languages, so it is plain: one field per fact, named as in WIT.
//! Bytes are strings where they are text ([`Blob`]); what is not there on purpose, such as a file
//! that does not exist, is `{"ok": null}`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use witgate_identity::Assurance;

use crate::{
    Ancestor, Blob, CgroupClaim, CgroupTrust, Credentials, DirectoryEntry, Doubt, Endpoints,
    ExecutableInfo, FactError, FactFuture, FactName, FactResult, FactSource, FileRoot, FileStatus,
    HttpError, HttpFuture, HttpRequest, HttpResponse, Lifetimes, Names, Namespace, Privileges,
    SystemdUnit,
};

/// A recorded fact: its value, or the error that reading it gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact<T> {
    /// The value.
    Ok(T),
    /// Why it is not there.
    Err(FactError),
}

impl<T> Fact<T> {
    fn get(this: &Option<Self>) -> FactResult<&T> {
        match this {
            None => Err(FactError::Unsupported),
            Some(Self::Ok(value)) => Ok(value),
            Some(Self::Err(error)) => Err(error.clone()),
        }
    }
}

/// A process as it was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Recorded {
    /// Where the schema of this file is; for editors.
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// What was recorded, and when, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// Whether the request was challenged; image facts of one that was not are claimed.
    pub challenged: bool,
    /// `process.credentials`.
    #[serde(rename = "process.credentials", skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Fact<Credentials>>,
    /// `process.names`.
    #[serde(rename = "process.names", skip_serializing_if = "Option::is_none")]
    pub names: Option<Fact<Names>>,
    /// `process.label`.
    #[serde(rename = "process.label", skip_serializing_if = "Option::is_none")]
    pub label: Option<Fact<String>>,
    /// `process.privileges`.
    #[serde(rename = "process.privileges", skip_serializing_if = "Option::is_none")]
    pub privileges: Option<Fact<Privileges>>,
    /// `process.state`.
    #[serde(rename = "process.state", skip_serializing_if = "Option::is_none")]
    pub state: Option<Fact<char>>,
    /// `process.start-time`.
    #[serde(rename = "process.start-time", skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Fact<u64>>,
    /// `process.comm`.
    #[serde(rename = "process.comm", skip_serializing_if = "Option::is_none")]
    pub comm: Option<Fact<Blob>>,
    /// `cgroups.trusted`.
    #[serde(rename = "cgroups.trusted", skip_serializing_if = "Option::is_none")]
    pub cgroups_trusted: Option<Fact<Vec<CgroupTrust>>>,
    /// `cgroups.claimed`.
    #[serde(rename = "cgroups.claimed", skip_serializing_if = "Option::is_none")]
    pub cgroups_claimed: Option<Fact<Vec<CgroupClaim>>>,
    /// `namespaces.all`.
    #[serde(rename = "namespaces.all", skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<Fact<Vec<Namespace>>>,
    /// `executable.doubts`.
    #[serde(rename = "executable.doubts", skip_serializing_if = "Option::is_none")]
    pub doubts: Option<Fact<Vec<Doubt>>>,
    /// `executable.info`.
    #[serde(rename = "executable.info", skip_serializing_if = "Option::is_none")]
    pub executable: Option<Fact<ExecutableInfo>>,
    /// `executable.sha256`.
    #[serde(rename = "executable.sha256", skip_serializing_if = "Option::is_none")]
    pub executable_sha256: Option<Fact<String>>,
    /// `ancestry.parents`.
    #[serde(rename = "ancestry.parents", skip_serializing_if = "Option::is_none")]
    pub ancestry: Option<Fact<Vec<Ancestor>>>,
    /// `cmdline.arguments`.
    #[serde(rename = "cmdline.arguments", skip_serializing_if = "Option::is_none")]
    pub cmdline: Option<Fact<Vec<Blob>>>,
    /// `environ.variables`, by name. A variable that is left out is unsupported; one that the
    /// process does not have is `{"ok": null}`.
    #[serde(rename = "environ.variables", skip_serializing_if = "BTreeMap::is_empty")]
    pub environ: BTreeMap<String, Fact<Option<Blob>>>,
    /// `files.host`, by path.
    #[serde(rename = "files.host", skip_serializing_if = "BTreeMap::is_empty")]
    pub host_files: BTreeMap<String, RecordedFile>,
    /// `files.workload`, by path.
    #[serde(rename = "files.workload", skip_serializing_if = "BTreeMap::is_empty")]
    pub workload_files: BTreeMap<String, RecordedFile>,
    /// `systemd.unit`.
    #[serde(rename = "systemd.unit", skip_serializing_if = "Option::is_none")]
    pub systemd_unit: Option<Fact<Option<SystemdUnit>>>,
    /// `http.response`: what was asked, and what came back.
    #[serde(rename = "http.exchanges", skip_serializing_if = "Vec::is_empty")]
    pub exchanges: Vec<Exchange>,
}

/// What was seen under one path. What was not looked at is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordedFile {
    /// Content, if it is a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Fact<Option<Blob>>>,
    /// What is in it, if it is a directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<Fact<Option<Vec<DirectoryEntry>>>>,
    /// What the file system says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Fact<Option<FileStatus>>>,
}

/// A request to an endpoint and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The endpoint, by the operator's name.
    pub endpoint: String,
    /// What was asked.
    pub request: HttpRequest,
    /// What came back.
    pub outcome: Answered,
}

/// How a request to an endpoint ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answered {
    /// A response.
    Ok(HttpResponse),
    /// None.
    Err(HttpError),
}

impl Recorded {
    fn seen(&self, root: FileRoot, path: &str) -> Option<&RecordedFile> {
        match root {
            FileRoot::Host => self.host_files.get(path),
            FileRoot::Workload => self.workload_files.get(path),
        }
    }
}

/// Answers a request as the recording did: the first exchange of the same endpoint, method, path
/// and body.
impl Endpoints for Recorded {
    fn send<'a>(&'a self, endpoint: &'a str, request: HttpRequest) -> HttpFuture<'a> {
        let same = |exchange: &&Exchange| {
            exchange.endpoint == endpoint
                && exchange.request.method == request.method
                && exchange.request.path == request.path
                && exchange.request.body == request.body
        };
        let answer = match self.exchanges.iter().find(same).map(|exchange| &exchange.outcome) {
            Some(Answered::Ok(response)) => Ok(response.clone()),
            Some(Answered::Err(error)) => Err(error.clone()),
            None => Err(HttpError::Refused(format!(
                "the fixture has no answer of `{endpoint}` to {} {}",
                request.method, request.path
            ))),
        };
        Box::pin(async move { answer })
    }
}

fn ready<'a, T: Clone + Send + 'a>(fact: &'a Option<Fact<T>>) -> FactFuture<'a, T> {
    let value = Fact::get(fact).cloned();
    Box::pin(async move { value })
}

fn bytes<'a>(fact: Option<&Fact<Option<Blob>>>) -> FactFuture<'a, Option<Vec<u8>>> {
    let found = match fact {
        None => Err(FactError::Unsupported),
        Some(Fact::Ok(value)) => Ok(value.as_ref().map(|blob| blob.0.clone())),
        Some(Fact::Err(error)) => Err(error.clone()),
    };
    Box::pin(async move { found })
}

impl FactSource for Recorded {
    fn assurance(&self, fact: FactName) -> Assurance {
        match fact.best_assurance() {
            Assurance::Image if !self.challenged => Assurance::Claimed,
            best => best,
        }
    }

    fn credentials(&self) -> FactResult<&Credentials> {
        Fact::get(&self.credentials)
    }
    fn names(&self) -> FactResult<&Names> {
        Fact::get(&self.names)
    }
    fn label(&self) -> FactResult<&str> {
        Fact::get(&self.label).map(String::as_str)
    }
    fn privileges(&self) -> FactResult<&Privileges> {
        Fact::get(&self.privileges)
    }
    fn state(&self) -> FactResult<char> {
        Fact::get(&self.state).copied()
    }
    fn start_time(&self) -> FactResult<u64> {
        Fact::get(&self.start_time).copied()
    }
    fn comm(&self) -> FactResult<&[u8]> {
        Fact::get(&self.comm).map(|comm| comm.0.as_slice())
    }
    fn cgroups_trusted(&self) -> FactResult<&[CgroupTrust]> {
        Fact::get(&self.cgroups_trusted).map(Vec::as_slice)
    }
    fn cgroups_claimed(&self) -> FactResult<&[CgroupClaim]> {
        Fact::get(&self.cgroups_claimed).map(Vec::as_slice)
    }
    fn namespaces(&self) -> FactResult<&[Namespace]> {
        Fact::get(&self.namespaces).map(Vec::as_slice)
    }
    fn executable(&self) -> FactResult<&ExecutableInfo> {
        Fact::get(&self.executable)
    }
    fn doubts(&self) -> FactResult<&[Doubt]> {
        Fact::get(&self.doubts).map(Vec::as_slice)
    }
    fn executable_sha256(&self) -> FactFuture<'_, String> {
        ready(&self.executable_sha256)
    }
    fn ancestry(&self) -> FactFuture<'_, Vec<Ancestor>> {
        ready(&self.ancestry)
    }
    fn cmdline(&self) -> FactFuture<'_, Vec<Vec<u8>>> {
        let found = Fact::get(&self.cmdline)
            .map(|arguments| arguments.iter().map(|argument| argument.0.clone()).collect());
        Box::pin(async move { found })
    }
    fn variable<'a>(&'a self, name: &'a str) -> FactFuture<'a, Option<Vec<u8>>> {
        bytes(self.environ.get(name))
    }
    fn file<'a>(&'a self, root: FileRoot, path: &'a str) -> FactFuture<'a, Option<Vec<u8>>> {
        bytes(self.seen(root, path).and_then(|file| file.content.as_ref()))
    }
    fn entries<'a>(
        &'a self,
        root: FileRoot,
        path: &'a str,
    ) -> FactFuture<'a, Option<Vec<DirectoryEntry>>> {
        ready(self.seen(root, path).map_or(&None, |file| &file.entries))
    }
    fn status<'a>(&'a self, root: FileRoot, path: &'a str) -> FactFuture<'a, Option<FileStatus>> {
        ready(self.seen(root, path).map_or(&None, |file| &file.status))
    }
    fn systemd_unit(&self) -> FactFuture<'_, Option<SystemdUnit>> {
        ready(&self.systemd_unit)
    }
    fn lifetimes(&self) -> Lifetimes {
        let recorded = || Some("recorded".to_owned());
        Lifetimes { process: recorded(), cgroup: recorded() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixture_written_by_hand_reads_as_facts() {
        let text = r#"{
            "process.credentials": { "ok": { "uid": 33, "gid": 33, "groups": [33, 100] } },
            "executable.info": { "err": "denied" }
        }"#;
        let recorded: Recorded = serde_json::from_str(text).unwrap();
        assert_eq!(recorded.credentials().unwrap().uid, 33);
        assert_eq!(recorded.executable(), Err(FactError::Denied));
        assert_eq!(recorded.names(), Err(FactError::Unsupported));
        assert_eq!(recorded.assurance(FactName::ExecutableSha256), Assurance::Claimed);
        let again = serde_json::to_string(&recorded).unwrap();
        assert_eq!(serde_json::from_str::<Recorded>(&again).unwrap(), recorded);
    }

    #[test]
    fn an_unknown_fact_in_a_fixture_is_an_error() {
        assert!(serde_json::from_str::<Recorded>(r#"{"process.pid": {"ok": 1}}"#).is_err());
    }
}
