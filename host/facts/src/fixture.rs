//! Facts as a JSON file: recorded from a process, or written by hand, and replayed offline.
//!
//! A fact that is left out is [`FactError::Unsupported`]. The same format will feed the tests of
//! plugin authors, so it is plain: one field per fact, named as in WIT.

use serde::{Deserialize, Serialize};
use witgate_identity::Assurance;

use crate::{
    Ancestor, CgroupClaim, CgroupTrust, Credentials, ExecutableInfo, FactError, FactFuture,
    FactName, FactResult, FactSource, Names, Namespace, Privileges,
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
    /// Whether the request was challenged; image facts of one that was not are claimed.
    pub challenged: bool,
    /// `process.credentials`.
    #[serde(rename = "process.credentials")]
    pub credentials: Option<Fact<Credentials>>,
    /// `process.names`.
    #[serde(rename = "process.names")]
    pub names: Option<Fact<Names>>,
    /// `process.label`.
    #[serde(rename = "process.label")]
    pub label: Option<Fact<String>>,
    /// `process.privileges`.
    #[serde(rename = "process.privileges")]
    pub privileges: Option<Fact<Privileges>>,
    /// `process.state`.
    #[serde(rename = "process.state")]
    pub state: Option<Fact<char>>,
    /// `process.start-time`.
    #[serde(rename = "process.start-time")]
    pub start_time: Option<Fact<u64>>,
    /// `process.comm`.
    #[serde(rename = "process.comm")]
    pub comm: Option<Fact<Vec<u8>>>,
    /// `cgroups.trusted`.
    #[serde(rename = "cgroups.trusted")]
    pub cgroups_trusted: Option<Fact<Vec<CgroupTrust>>>,
    /// `cgroups.claimed`.
    #[serde(rename = "cgroups.claimed")]
    pub cgroups_claimed: Option<Fact<Vec<CgroupClaim>>>,
    /// `namespaces.all`.
    #[serde(rename = "namespaces.all")]
    pub namespaces: Option<Fact<Vec<Namespace>>>,
    /// `executable.info`.
    #[serde(rename = "executable.info")]
    pub executable: Option<Fact<ExecutableInfo>>,
    /// `executable.sha256`.
    #[serde(rename = "executable.sha256")]
    pub executable_sha256: Option<Fact<String>>,
    /// `ancestry.parents`.
    #[serde(rename = "ancestry.parents")]
    pub ancestry: Option<Fact<Vec<Ancestor>>>,
    /// `cmdline.arguments`.
    #[serde(rename = "cmdline.arguments")]
    pub cmdline: Option<Fact<Vec<Vec<u8>>>>,
}

fn ready<'a, T: Clone + Send + 'a>(fact: &'a Option<Fact<T>>) -> FactFuture<'a, T> {
    let value = Fact::get(fact).cloned();
    Box::pin(async move { value })
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
        Fact::get(&self.comm).map(Vec::as_slice)
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
    fn executable_sha256(&self) -> FactFuture<'_, String> {
        ready(&self.executable_sha256)
    }
    fn ancestry(&self) -> FactFuture<'_, Vec<Ancestor>> {
        ready(&self.ancestry)
    }
    fn cmdline(&self) -> FactFuture<'_, Vec<Vec<u8>>> {
        ready(&self.cmdline)
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
