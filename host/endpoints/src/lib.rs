//! Requests of plugins to endpoints that the operator named: Unix sockets and TLS origins.
//!
//! An attestor may need to ask a runtime on the same machine, say Docker which container an id
//! belongs to, or the kubelet which pods it runs. It gets no socket for that. The operator names
//! an endpoint and lists what may be asked of it; the plugin says the name and a path.
//!
//! ```text
//! plugin ──("docker", GET /containers/ab12/json)──▶ NamedEndpoints
//!            method, path, header fields, body: checked against the operator's lists
//!            slot ─▶ token ─▶ connect ─▶ TLS ─▶ request ─▶ response, all within one deadline
//!        ◀──(status, three header fields, bounded body) or one of five errors──
//! ```
//!
//! ```
//! use witgate_endpoints::{EndpointConfig, EndpointSettings, NamedEndpoints};
//!
//! // [endpoints.docker]
//! // unix = "/run/docker.sock"
//! // paths = ["/containers/*/json"]
//! let docker = EndpointSettings {
//!     unix: Some("/run/docker.sock".into()),
//!     paths: Some(vec!["/containers/*/json".to_owned()]),
//!     ..EndpointSettings::default()
//! };
//! let endpoints = NamedEndpoints::new([EndpointConfig::new("docker", &docker).unwrap()]);
//! assert_eq!(endpoints.names().collect::<Vec<_>>(), ["docker"]);
//! ```
//!
//! # What a plugin cannot do
//!
//! - Reach anything that has no name, or learn where a name leads.
//! - Ask for a path that is not listed, however it is spelled: a path that a server could read
//!   differently than we do (dots, doubled or encoded slashes, backslashes, `;`, bad UTF-8) is
//!   refused, not repaired.
//! - Set a header field other than `accept`, `content-type` and `if-none-match`, or see one other
//!   than `content-type`, `etag` and `retry-after`. The token is never among them.
//! - Be led elsewhere: a redirect is a response like any other.
//! - Hold more than its share: slots, time and sizes are bounded ([`limits`]).
//!
//! # What an endpoint cannot do
//!
//! - Pass for another: over TLS its certificate must come from the authority in `ca_file`, be for
//!   its name, and be valid today. No authority of the system is trusted, no session is resumed.
//! - Send without end, in whatever form: head, interim responses, chunks, body, or one byte a
//!   second.
//!
//! # Decisions
//!
//! - **One connection for each request.** A connection that is kept has to be watched, retried
//!   when it was closed meanwhile, and thrown away after anything odd; here the future *is* the
//!   connection, and dropping it closes it. A Unix socket costs microseconds, a TLS handshake on
//!   the loopback a millisecond or two, and attestors that ask often have a cache.
//! - **Files are looked at before each use** and read again when they changed: tokens and
//!   certificates are replaced under running daemons.
//! - **A query is the plugin's.** A path that is listed may be asked for with any query; what a
//!   query can do is for whoever lists the path to know.
//! - **Two texts for one error.** The plugin learns which of the five kinds it is, in fixed words;
//!   place, file and the library's own words go to [`EndpointHealth`], for the operator. Neither
//!   ever has a token or a key in it.

mod config;
mod connect;
mod endpoint;
mod error;
mod exchange;
mod files;
#[cfg(test)]
mod fuzz;
mod health;
pub mod limits;
mod metered;
mod named;
mod pattern;
mod place;
mod request;
mod settings;
mod show;
mod target;
mod tls;
mod token;

pub use self::{
    config::EndpointConfig,
    error::ErrorKind,
    files::FileError,
    health::{EndpointHealth, LastError, LastSuccess},
    named::NamedEndpoints,
    settings::{ConfigError, EndpointSettings},
};
