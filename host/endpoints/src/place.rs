//! Where an endpoint is.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use http::{Uri, uri::Authority};
use rustls::pki_types::ServerName;

use crate::{ConfigError, EndpointSettings, config::absolute, limits, show::cut};

/// A Unix socket, a loopback address without TLS, or an origin with TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Unix(PathBuf),
    Plain { address: SocketAddr, authority: String },
    Tls(Origin),
}

/// An origin whose certificate is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) authority: String,
    pub(crate) host: Host,
    pub(crate) server_name: ServerName<'static>,
    pub(crate) ca_file: PathBuf,
    pub(crate) client: Option<ClientFiles>,
}

/// Our own certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// What we connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Address(SocketAddr),
    Name { name: String, port: u16 },
}

impl Place {
    /// Checks the keys that say where the endpoint is and how it is recognised.
    pub(crate) fn read(settings: &EndpointSettings, errors: &mut Vec<ConfigError>) -> Option<Self> {
        match (&settings.unix, &settings.url) {
            (Some(path), None) => {
                without_tls(settings, "unix", errors);
                if settings.allow_plain_http.is_some() {
                    let hint = "it is about `url`";
                    let (key, other) = ("allow_plain_http", "unix");
                    errors.push(ConfigError::Conflict { key, other, hint });
                }
                read_unix(path, errors)
            }
            (None, Some(url)) => read_url(url, settings, errors),
            (None, None) => {
                let hint = "name a Unix socket, or an origin with `url`";
                errors.push(ConfigError::Missing { key: "unix", hint });
                None
            }
            (Some(_), Some(_)) => {
                let hint = "an endpoint is in one place";
                errors.push(ConfigError::Conflict { key: "url", other: "unix", hint });
                None
            }
        }
    }

    /// What stands in the `host` field of a request. A Unix socket has no name of its own;
    /// `localhost` is what Docker's and Podman's clients send.
    pub(crate) fn authority(&self) -> &str {
        match self {
            Self::Unix(_) => "localhost",
            Self::Plain { authority, .. } | Self::Tls(Origin { authority, .. }) => authority,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Plain { authority, .. } => write!(f, "http://{authority}"),
            Self::Tls(origin) => write!(f, "https://{}", origin.authority),
        }
    }
}

fn read_unix(path: &Path, errors: &mut Vec<ConfigError>) -> Option<Place> {
    let bytes = path.as_os_str().as_bytes();
    absolute("unix", path, errors);
    if bytes.len() > limits::SOCKET_PATH_BYTES || bytes.contains(&0) {
        errors.push(ConfigError::Invalid {
            key: "unix",
            seen: cut(&path.to_string_lossy()),
            hint: format!(
                "a socket's path has at most {} bytes, none of them zero",
                limits::SOCKET_PATH_BYTES
            ),
        });
        return None;
    }
    Some(Place::Unix(path.to_path_buf()))
}

fn read_url(
    url: &str,
    settings: &EndpointSettings,
    errors: &mut Vec<ConfigError>,
) -> Option<Place> {
    let mut invalid = |hint: &str| {
        let hint = hint.to_owned();
        errors.push(ConfigError::Invalid { key: "url", seen: cut(url), hint });
    };
    let Some((secure, authority)) = split(url) else {
        invalid("write https://HOST or https://HOST:PORT, without user, path or query");
        return None;
    };
    let Some(host) = Host::read(&authority, if secure { 443 } else { 80 }) else {
        invalid("the port must be a number from 1 to 65535");
        return None;
    };
    if secure {
        return read_tls(authority.to_string(), host, settings, errors);
    }
    let Host::Address(address) = host else {
        invalid("without TLS only a loopback address is possible, such as 127.0.0.1");
        return None;
    };
    if !address.ip().is_loopback() {
        invalid("without TLS only a loopback address is possible, such as 127.0.0.1");
    } else if !settings.allow_plain_http.unwrap_or(false) {
        invalid("write https://, or set `allow_plain_http = true` if nothing on it is secret");
    }
    without_tls(settings, "url", errors);
    if settings.token_file.is_some() {
        let hint = "whoever gets hold of the port would be sent the token; use https://";
        errors.push(ConfigError::Conflict { key: "token_file", other: "url", hint });
    }
    Some(Place::Plain { address, authority: authority.to_string() })
}

/// Scheme (whether it is the one with TLS) and authority of an origin.
fn split(url: &str) -> Option<(bool, Authority)> {
    let (scheme, rest) = url.split_once("://")?;
    let secure = match scheme {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    // `Uri` drops a fragment in silence.
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#', '@', '\\', '%']) {
        return None;
    }
    let uri: Uri = url.parse().ok()?;
    uri.into_parts().authority.map(|authority| (secure, authority))
}

fn read_tls(
    authority: String,
    host: Host,
    settings: &EndpointSettings,
    errors: &mut Vec<ConfigError>,
) -> Option<Place> {
    let expected = settings.server_name.clone().unwrap_or_else(|| host.to_string());
    let server_name = ServerName::try_from(expected.clone()).map_err(|_| {
        let key = if settings.server_name.is_some() { "server_name" } else { "url" };
        let hint = "a certificate cannot be for this; write a DNS name or an address".to_owned();
        errors.push(ConfigError::Invalid { key, seen: cut(&expected), hint });
    });
    if settings.ca_file.is_none() {
        let hint = "https:// needs the authority that the certificate comes from; those of the \
                    system are not trusted";
        errors.push(ConfigError::Missing { key: "ca_file", hint });
    }
    let files = [
        ("ca_file", &settings.ca_file),
        ("client_certificate_file", &settings.client_certificate_file),
        ("client_key_file", &settings.client_key_file),
    ];
    for (key, path) in files {
        if let Some(path) = path {
            absolute(key, path, errors);
        }
    }
    let client = client_files(settings, errors);
    Some(Place::Tls(Origin {
        authority,
        host,
        server_name: server_name.ok()?,
        ca_file: settings.ca_file.clone()?,
        client,
    }))
}

fn client_files(settings: &EndpointSettings, errors: &mut Vec<ConfigError>) -> Option<ClientFiles> {
    let (certificate, key) =
        (settings.client_certificate_file.clone(), settings.client_key_file.clone());
    let missing = match (certificate, key) {
        (Some(certificate), Some(key)) => return Some(ClientFiles { certificate, key }),
        (None, None) => return None,
        (Some(_), None) => "client_key_file",
        (None, Some(_)) => "client_certificate_file",
    };
    let hint = "a client certificate and its key come together";
    errors.push(ConfigError::Missing { key: missing, hint });
    None
}

fn without_tls(settings: &EndpointSettings, other: &'static str, errors: &mut Vec<ConfigError>) {
    let keys = [
        ("ca_file", settings.ca_file.is_some()),
        ("client_certificate_file", settings.client_certificate_file.is_some()),
        ("client_key_file", settings.client_key_file.is_some()),
        ("server_name", settings.server_name.is_some()),
    ];
    for (key, _) in keys.into_iter().filter(|(_, given)| *given) {
        errors.push(ConfigError::Conflict { key, other, hint: "there is no TLS on it" });
    }
}

impl Host {
    /// `None` if there is something behind the host that is no port.
    fn read(authority: &Authority, default_port: u16) -> Option<Self> {
        let host = authority.host();
        let port = match authority.as_str().strip_prefix(host)? {
            "" => default_port,
            _ => authority.port_u16().filter(|port| *port != 0)?,
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Some(match bare.parse::<IpAddr>() {
            Ok(address) => Self::Address(SocketAddr::new(address, port)),
            Err(_) => Self::Name { name: host.to_owned(), port },
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.ip().fmt(f),
            Self::Name { name, .. } => f.write_str(name),
        }
    }
}
