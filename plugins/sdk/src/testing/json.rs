//! How the records of `wit/` are written in a fixture: fields by their names, bytes as text.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::bindings::witgate::attestor::{
    ancestry::Ancestor,
    cgroups::{ClaimedEntry, TrustedEntry},
    executable::Program,
    files::{DirectoryEntry, FileStatus},
    http::{Header, HttpError, Response},
    namespaces::Namespace,
    process::{CredentialSet, NameSet, PrivilegeSet},
    systemd::UnitInfo,
    types::FactError,
};

/// Bytes: a string if they are UTF-8, else `{"base64": "…"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Blob(pub(super) Vec<u8>);

impl From<Blob> for Vec<u8> {
    fn from(blob: Blob) -> Self {
        blob.0
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Other { base64: String },
        }
        match Written::deserialize(deserializer)? {
            Written::Text(text) => Ok(Self(text.into_bytes())),
            Written::Other { base64 } => {
                STANDARD.decode(base64).map(Self).map_err(D::Error::custom)
            }
        }
    }
}

macro_rules! records {
    ($($record:ident { $($field:ident: $type:ty),* })*) => {$(
        impl<'de> Deserialize<'de> for $record {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(Deserialize)]
                struct Written { $($field: $type),* }
                let written = Written::deserialize(deserializer)?;
                Ok(Self { $($field: written.$field.into()),* })
            }
        }
    )*};
}

records! {
    CredentialSet { uid: u32, gid: u32, groups: Vec<u32> }
    NameSet { user: Option<String>, group: Option<String>, groups: Vec<Option<String>> }
    PrivilegeSet {
        seccomp: u8, no_new_privs: bool, inheritable: u64, permitted: u64, effective: u64,
        bounding: u64, ambient: u64
    }
    TrustedEntry {
        hierarchy: u32, controllers: Vec<String>, prefix: String, delegated: bool, mounted: bool
    }
    ClaimedEntry { hierarchy: u32, controllers: Vec<String>, path: String }
    Namespace { kind: String, inode: u64, host: bool }
    Program {
        path: String, device: u64, inode: u64, size: u64, deleted: bool, same_on_host: bool
    }
    Ancestor {
        uid: u32, gid: u32, comm: Blob, executable: Option<String>, start_time: u64
    }
    DirectoryEntry { name: String, kind: String }
    FileStatus { kind: String, size: u64, mode: u32, uid: u32, gid: u32, modified: i64 }
    UnitInfo {
        id: String, fragment_path: Option<String>, slice: Option<String>, active_state: String,
        sub_state: String, invocation_id: Option<String>, user: Option<String>
    }
}

impl<'de> Deserialize<'de> for FactError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        enum Written {
            Gone,
            Denied,
            Unsupported,
            TooLarge,
            Io(String),
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Gone => Self::Gone,
            Written::Denied => Self::Denied,
            Written::Unsupported => Self::Unsupported,
            Written::TooLarge => Self::TooLarge,
            Written::Io(message) => Self::Io(message),
        })
    }
}

impl<'de> Deserialize<'de> for HttpError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        enum Written {
            Unreachable(String),
            Timeout,
            TooLarge,
            Refused(String),
            Malformed(String),
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Unreachable(reason) => Self::Unreachable(reason),
            Written::Timeout => Self::Timeout,
            Written::TooLarge => Self::TooLarge,
            Written::Refused(reason) => Self::Refused(reason),
            Written::Malformed(reason) => Self::Malformed(reason),
        })
    }
}

impl<'de> Deserialize<'de> for Response {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            status: u16,
            #[serde(default)]
            headers: Vec<(String, String)>,
            #[serde(default)]
            body: Blob,
        }
        let Written { status, headers, body } = Written::deserialize(deserializer)?;
        let headers = headers.into_iter().map(|(name, value)| Header { name, value }).collect();
        Ok(Self { status, headers, body: body.0 })
    }
}
