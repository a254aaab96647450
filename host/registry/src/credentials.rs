//! A user name and password for a registry, as `docker login` leaves them.

use std::{
    collections::BTreeMap,
    env, fmt,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;

use crate::{Reference, limits::DOCKER_CONFIG_BYTES};

/// A user name and a password or token, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    username: String,
    password: String,
}

impl Credentials {
    /// Takes a user name and a password.
    ///
    /// # Errors
    /// If the user name is empty or has a colon, which nothing could tell from the password.
    pub fn new(
        username: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<Self, CredentialsError> {
        let (username, password) = (username.into(), password.into());
        if username.is_empty() || username.contains(':') {
            return Err(CredentialsError::Username);
        }
        Ok(Self { username, password })
    }

    /// What `docker login` or `podman login` keep for the registry of a reference, in a file such as
    /// [`docker_config`]; none if there is no such file or nothing in it about the registry.
    ///
    /// # Errors
    /// If the file cannot be read or understood, or says that the password is kept by a helper
    /// program, which is not run.
    pub fn from_docker_config(
        path: &Path,
        reference: &Reference,
    ) -> Result<Option<Self>, CredentialsError> {
        let text = match read(path) {
            Ok(text) => text,
            Err(CredentialsError::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let config: DockerConfig = serde_json::from_str(&text).map_err(|error| {
            // Not the text around it: that is where the passwords are.
            let cause = format!("line {}, column {}", error.line(), error.column());
            CredentialsError::Malformed { path: path.to_owned(), cause }
        })?;
        config.find(path, reference)
    }

    /// The name and the password.
    pub(crate) fn parts(&self) -> (&str, &str) {
        (&self.username, &self.password)
    }

    /// As HTTP's basic authentication sends them.
    pub(crate) fn basic(&self) -> String {
        BASE64_STANDARD.encode(format!("{}:{}", self.username, self.password))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Where docker keeps its logins: `$DOCKER_CONFIG/config.json`, or `~/.docker/config.json`.
#[must_use]
pub fn docker_config() -> Option<PathBuf> {
    let folder = env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker"));
    Some(folder.or_else(home)?.join("config.json"))
}

fn read(path: &Path) -> Result<String, CredentialsError> {
    let failed = |source| CredentialsError::Io { path: path.to_owned(), source };
    let limit = u64::try_from(DOCKER_CONFIG_BYTES).unwrap_or(u64::MAX);
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(limit.saturating_add(1)).read_to_string(&mut text).map_err(failed)?;
    if text.len() > DOCKER_CONFIG_BYTES {
        return Err(CredentialsError::TooLarge { path: path.to_owned() });
    }
    Ok(text)
}

/// What we need of docker's file; there is much else in it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, DockerAuth>,
    #[serde(default)]
    creds_store: Option<String>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
struct DockerAuth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl DockerConfig {
    fn find(
        mut self,
        path: &Path,
        reference: &Reference,
    ) -> Result<Option<Credentials>, CredentialsError> {
        let registry = reference.registry();
        let helper = self.cred_helpers.get(&registry).or(self.creds_store.as_ref()).cloned();
        // Docker Hub's entry has a name of its own.
        let names = match reference.host() {
            "docker.io" => vec!["https://index.docker.io/v1/".to_owned(), registry.clone()],
            _ => vec![registry.clone(), format!("https://{registry}")],
        };
        let Some(entry) = names.iter().find_map(|name| self.auths.remove(name)) else {
            return match self.cred_helpers.contains_key(&registry) {
                true => {
                    Err(CredentialsError::Helper { registry, helper: helper.unwrap_or_default() })
                }
                false => Ok(None),
            };
        };
        let malformed = |cause: &str| CredentialsError::Malformed {
            path: path.to_owned(),
            cause: format!("auths.{registry}: {cause}"),
        };
        match entry {
            DockerAuth { identitytoken: Some(token), .. } if !token.is_empty() => {
                Err(malformed("an identity token is not supported; log in with a password"))
            }
            DockerAuth { auth: Some(auth), .. } if !auth.is_empty() => {
                let decoded = BASE64_STANDARD.decode(auth).ok();
                let pair = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
                let pair = pair.ok_or_else(|| malformed("`auth` is not Base64 of text"))?;
                let (username, password) =
                    pair.split_once(':').ok_or_else(|| malformed("`auth` has no colon in it"))?;
                Credentials::new(username, password.trim_end_matches('\0')).map(Some)
            }
            DockerAuth { username: Some(username), password: Some(password), .. } => {
                Credentials::new(username, password).map(Some)
            }
            // An empty entry is how a helper program says that it has the password.
            _ => match helper {
                Some(helper) => Err(CredentialsError::Helper { registry, helper }),
                None => Ok(None),
            },
        }
    }
}

/// Credentials that cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// A user name that is none.
    #[error("a user name must not be empty and has no colon in it")]
    Username,
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The file is too large.
    #[error("{path} has more than {DOCKER_CONFIG_BYTES} bytes, which is the limit")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is not docker's.
    #[error("{path} is not a configuration of docker: {cause}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, without any of its text.
        cause: String,
    },
    /// The password is with a program of docker's, which is not run.
    #[error(
        "the password for {registry} is kept by the helper program docker-credential-{helper}, \
         which is not run; give a user name and a password instead"
    )]
    Helper {
        /// The registry.
        registry: String,
        /// The helper's name.
        helper: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(config: &str, reference: &str) -> Result<Option<Credentials>, CredentialsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, config).unwrap();
        Credentials::from_docker_config(&path, &reference.parse().unwrap())
    }

    fn ann() -> Option<Credentials> {
        Some(Credentials::new("ann", "se:cret").unwrap())
    }

    #[test]
    fn what_docker_login_leaves_is_found_for_its_registry_only() {
        // "ann:se:cret"
        let config = r#"{"auths": {"registry.example:5000": {"auth": "YW5uOnNlOmNyZXQ="},
            "https://other.example": {"username": "ann", "password": "se:cret"},
            "https://index.docker.io/v1/": {"auth": "YW5uOnNlOmNyZXQ="}}, "HttpHeaders": {}}"#;
        for known in ["registry.example:5000/os", "other.example/os", "docker.io/ann/os"] {
            assert_eq!(find(config, known).unwrap(), ann(), "{known}");
        }
        for unknown in ["registry.example/os", "evil.registry.example:5000/os"] {
            assert_eq!(find(config, unknown).unwrap(), None, "{unknown}");
        }
        assert_eq!(find("{}", "registry.example/os").unwrap(), None);
        let missing = Path::new("/nowhere/config.json");
        let reference = "registry.example/os".parse().unwrap();
        assert_eq!(Credentials::from_docker_config(missing, &reference).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_used_is_said_without_the_secret() {
        for (entry, cause) in [
            (r#"{"auth": "c2VjcmV0"}"#, "no colon"),
            (r#"{"auth": "secret!"}"#, "not Base64"),
            (r#"{"auth": "OnNlY3JldA=="}"#, "user name must not be empty"),
            (r#"{"identitytoken": "secret"}"#, "identity token is not supported"),
            (r#"{"auth": 1, "x": "secret"}"#, "line 1, column"),
        ] {
            let config = format!(r#"{{"auths": {{"registry.example": {entry}}}}}"#);
            let error = find(&config, "registry.example/os").unwrap_err().to_string();
            assert!(error.contains(cause) && !error.contains("secret"), "{error}");
        }
        assert!(!format!("{:?}", ann()).contains("cret"), "{:?}", ann());
    }

    #[test]
    fn a_helper_program_is_named_and_not_run() {
        for config in [
            r#"{"auths": {"registry.example": {}}, "credsStore": "desktop"}"#,
            r#"{"credHelpers": {"registry.example": "desktop"}}"#,
        ] {
            let error = find(config, "registry.example/os").unwrap_err().to_string();
            assert!(error.contains("docker-credential-desktop"), "{error}");
            assert_eq!(find(config, "other.example/os").unwrap(), None);
        }
    }

    #[test]
    fn the_file_is_bounded() {
        let config = format!("{{}}{}", " ".repeat(DOCKER_CONFIG_BYTES));
        let error = find(&config, "registry.example/os").unwrap_err();
        assert!(matches!(error, CredentialsError::TooLarge { .. }), "{error}");
    }
}
