//! One endpoint as the operator writes it, and what can be wrong with it.

use std::path::PathBuf;

/// The keys of `[endpoints.<name>]`, as they are written; [`EndpointConfig::new`] checks them.
///
/// [`EndpointConfig::new`]: crate::EndpointConfig::new
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointSettings {
    /// Path of a Unix socket. Either this or `url`.
    pub unix: Option<PathBuf>,
    /// An origin: `https://HOST[:PORT]`, nothing behind it.
    pub url: Option<String>,
    /// Lets `url` begin with `http://`, for a loopback address and without a token.
    pub allow_plain_http: Option<bool>,
    /// The authorities that the endpoint's certificate must come from, PEM. Required for
    /// `https://`: no authority of the system is trusted.
    pub ca_file: Option<PathBuf>,
    /// The bearer token that each request carries.
    pub token_file: Option<PathBuf>,
    /// Our own certificate and those that vouch for it, PEM; together with `client_key_file`.
    pub client_certificate_file: Option<PathBuf>,
    /// The key of that certificate, PEM; may be the same file.
    pub client_key_file: Option<PathBuf>,
    /// The name or address that the endpoint's certificate must be for, if it is not the host of
    /// `url`.
    pub server_name: Option<String>,
    /// `GET` (the default), `HEAD`, `POST`.
    pub methods: Option<Vec<String>>,
    /// The paths that may be asked for; nothing else may. `*` is one segment, `**` at the end is
    /// everything below. A query is up to the plugin.
    pub paths: Option<Vec<String>>,
    /// Milliseconds for everything from waiting for a slot to the last byte of the response.
    pub timeout_ms: Option<u64>,
    /// Largest body of a response, in KiB.
    pub max_response_kib: Option<u64>,
    /// Requests under way at the same time.
    pub concurrency: Option<u64>,
}

/// What is wrong with one key of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Two keys exclude each other.
    #[error("`{key}` does not go with `{other}`: {hint}")]
    Conflict {
        /// The key that is to be taken out.
        key: &'static str,
        /// The one that it does not go with.
        other: &'static str,
        /// Why.
        hint: &'static str,
    },
    /// A value cannot be used.
    #[error("`{key}` is {seen:?}: {hint}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// What we saw, cut.
        seen: String,
        /// What to write instead.
        hint: String,
    },
    /// A key has to be there and is not.
    #[error("`{key}` is missing: {hint}")]
    Missing {
        /// The key.
        key: &'static str,
        /// What to write.
        hint: &'static str,
    },
    /// The endpoint's own name cannot be granted.
    #[error("an endpoint cannot be called {seen:?}: use lower-case letters, digits and dashes")]
    Name {
        /// The name, cut.
        seen: String,
    },
    /// A number is too small or too large.
    #[error("`{key}` is {seen}: it must be from {least} to {most}; no limit can be switched off")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// What we saw.
        seen: u64,
        /// The least that is possible.
        least: u64,
        /// The most that is possible.
        most: u64,
    },
}

impl ConfigError {
    /// The key to look at; empty for the endpoint's own name.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Conflict { key, .. }
            | Self::Invalid { key, .. }
            | Self::Missing { key, .. }
            | Self::OutOfRange { key, .. } => key,
            Self::Name { .. } => "",
        }
    }
}
