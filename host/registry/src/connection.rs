//! Requests to one registry, and answers that are read with a limit.

use std::{error::Error as _, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Certificate, Client, ClientBuilder, Response, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue},
    redirect::Policy,
};
use serde::Deserialize;

use crate::{
    Credentials, Reference,
    authorization::{Action, Authorization},
    limits,
    text::shown,
};

/// How a registry is reached.
#[derive(Debug, Clone)]
pub struct Access {
    /// For a registry that asks for them.
    pub credentials: Option<Credentials>,
    /// With TLS or without.
    pub transport: Transport,
    /// Certificates (PEM) that are trusted besides those of the system.
    pub extra_roots: Vec<u8>,
    /// For the whole pull or push.
    pub time_limit: Duration,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            credentials: None,
            transport: Transport::default(),
            extra_roots: Vec::new(),
            time_limit: limits::WHOLE_TIME,
        }
    }
}

/// With TLS or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// TLS; plain HTTP for a registry on this machine, by its name: `localhost`, `127.0.0.0/8`,
    /// `[::1]`.
    #[default]
    Auto,
    /// TLS, on this machine too.
    Tls,
    /// Plain HTTP, wherever the registry is: whoever is on the way reads and changes everything.
    Plain,
}

impl Transport {
    pub(crate) fn is_plain(self, reference: &Reference) -> bool {
        match self {
            Self::Auto => reference.is_loopback(),
            Self::Tls => false,
            Self::Plain => true,
        }
    }
}

/// A registry that was found to speak the protocol, and what it wants to know about us.
#[derive(Debug)]
pub(crate) struct Connection {
    client: Client,
    base: Url,
    repository: String,
    registry: String,
    pub(crate) authorization: Authorization,
}

impl Connection {
    /// Greets the registry, and gets a token from it if it asks for one.
    pub(crate) async fn open(
        reference: &Reference,
        action: Action,
        access: &Access,
    ) -> Result<Self, ConnectionError> {
        let registry = reference.registry();
        let plain = access.transport.is_plain(reference);
        // As the library has it: Docker Hub's registry is not at its own name.
        let tagged = reference.tagged("latest");
        let scheme = if plain { "http" } else { "https" };
        let base = Url::parse(&format!("{scheme}://{}/v2/", tagged.resolve_registry()))
            .map_err(|error| ConnectionError::Setup { cause: error.to_string() })?;
        let client = client(&base, access)?;
        let mut connection = Self {
            client,
            base,
            repository: reference.repository().to_owned(),
            registry,
            authorization: Authorization::None,
        };
        let greeting = connection.get(connection.base.clone(), HeaderMap::new()).await?;
        match greeting.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => {
                connection.authorization =
                    connection.authorize(&greeting, action, access.credentials.as_ref()).await?;
            }
            _ => return Err(connection.refused(greeting).await),
        }
        Ok(connection)
    }

    pub(crate) fn registry(&self) -> &str {
        &self.registry
    }

    pub(crate) fn repository(&self) -> &str {
        &self.repository
    }

    pub(crate) const fn base(&self) -> &Url {
        &self.base
    }

    /// Asks for something in the repository, such as `manifests/1.2.0`.
    pub(crate) async fn ask(&self, path: &str, accept: &str) -> Result<Response, ConnectionError> {
        let path = format!("{}/{path}", self.repository);
        let url = self.base.join(&path);
        let url = url.map_err(|error| ConnectionError::Setup { cause: error.to_string() })?;
        let mut headers = HeaderMap::new();
        let accept = HeaderValue::from_str(accept);
        headers.extend(accept.ok().map(|accept| (ACCEPT, accept)));
        headers.extend(self.authorization.header().map(|value| (AUTHORIZATION, value)));
        self.get(url, headers).await
    }

    pub(crate) async fn get(
        &self,
        url: Url,
        headers: HeaderMap,
    ) -> Result<Response, ConnectionError> {
        let request = self.client.get(url).headers(headers);
        request.send().await.map_err(|error| self.failed(error))
    }

    /// The whole body, which must not have more than `limit` bytes: known before the first is read
    /// if the registry says so, and otherwise when there is one too many.
    pub(crate) async fn body(
        &self,
        mut response: Response,
        what: &'static str,
        limit: usize,
    ) -> Result<Bytes, ConnectionError> {
        let oversize =
            || ConnectionError::Oversize { registry: self.registry.clone(), what, limit };
        let said = response.content_length().unwrap_or(0);
        if usize::try_from(said).map_or(true, |said| said > limit) {
            return Err(oversize());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(error))? {
            if body.len() + chunk.len() > limit {
                return Err(oversize());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// What an answer that is not the wanted one says, as far as it is read.
    pub(crate) async fn refused(&self, mut response: Response) -> ConnectionError {
        let status = response.status();
        let mut body = Vec::new();
        while body.len() < limits::ERROR_BYTES
            && let Ok(Some(chunk)) = response.chunk().await
        {
            let room = limits::ERROR_BYTES - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        let registry = self.registry.clone();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return ConnectionError::Unauthorized { registry, answer: answer(&body) };
        }
        ConnectionError::Refused { registry, status: status.as_u16(), answer: answer(&body) }
    }

    fn failed(&self, error: reqwest::Error) -> ConnectionError {
        let registry = self.registry.clone();
        if error.is_redirect() {
            let mut innermost: &dyn std::error::Error = &error;
            while let Some(source) = innermost.source() {
                innermost = source;
            }
            return ConnectionError::Redirect { registry, cause: shown(&innermost.to_string()) };
        }
        // The address may have a token in it that the registry redirected to.
        ConnectionError::Unreachable { registry, source: error.without_url() }
    }
}

fn client(base: &Url, access: &Access) -> Result<Client, ConnectionError> {
    let setup = |error: reqwest::Error| ConnectionError::Setup {
        cause: error.source().map_or_else(|| error.to_string(), ToString::to_string),
    };
    let roots = Certificate::from_pem_bundle(&access.extra_roots).map_err(setup)?;
    let builder = ClientBuilder::new()
        .user_agent(concat!("witgate/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(limits::CONNECT_TIME)
        .read_timeout(limits::SILENCE)
        .referer(false)
        .tls_certs_merge(roots)
        .redirect(redirects(base.clone()));
    // What is not encrypted is not shown to a proxy either.
    let builder = if base.scheme() == "http" { builder.no_proxy() } else { builder };
    builder.build().map_err(setup)
}

/// A few redirects, to wherever a registry keeps its blobs, but never away from TLS. What comes from
/// there must have the digest that was asked for; credentials are not sent along.
fn redirects(base: Url) -> Policy {
    Policy::custom(move |attempt| {
        if attempt.previous().len() > limits::REDIRECTS {
            return attempt.error(format!("more than {} redirects", limits::REDIRECTS));
        }
        if is_as_safe(&base, attempt.url()) {
            return attempt.follow();
        }
        let cause = format!("a redirect to plain HTTP at {}", attempt.url().authority());
        attempt.error(cause)
    })
}

/// TLS, or the plain HTTP that the operator allowed: to this registry and no other server.
fn is_as_safe(base: &Url, next: &Url) -> bool {
    next.scheme() == "https" || next.origin() == base.origin()
}

/// The registry's own words for an error, or what there is instead.
fn answer(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Envelope {
        errors: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        code: String,
        #[serde(default)]
        message: String,
    }
    let words = match serde_json::from_slice::<Envelope>(body) {
        Ok(envelope) => {
            let items = envelope.errors.iter().take(3);
            let items = items.map(|Item { code, message }| format!("{code} {message}"));
            items.collect::<Vec<_>>().join("; ")
        }
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    shown(&words)
}

/// Why a registry cannot be talked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// Our own side: the certificates, the TLS library, the address.
    #[error("cannot prepare a connection: {cause}")]
    Setup {
        /// Why.
        cause: String,
    },
    /// No connection, no TLS, or it broke off.
    #[error("cannot talk to registry {registry}")]
    Unreachable {
        /// The registry.
        registry: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// It leads to somewhere that we do not go to.
    #[error("registry {registry} redirects where we do not follow: {cause}")]
    Redirect {
        /// The registry.
        registry: String,
        /// Where to, or how often.
        cause: String,
    },
    /// It wants to know who we are in a way that we do not have.
    #[error("registry {registry} asks for an authentication that cannot be given: {cause}")]
    Challenge {
        /// The registry.
        registry: String,
        /// What it asks for.
        cause: String,
    },
    /// It does not let us.
    #[error(
        "registry {registry} does not allow it ({answer}); log in with docker login, or give \
         other credentials"
    )]
    Unauthorized {
        /// The registry.
        registry: String,
        /// Its words.
        answer: String,
    },
    /// Any other answer than the wanted one.
    #[error("registry {registry} answered with status {status}: {answer}")]
    Refused {
        /// The registry.
        registry: String,
        /// The HTTP status.
        status: u16,
        /// Its words.
        answer: String,
    },
    /// It sends more than we read.
    #[error("registry {registry} sends {what} of more than {limit} bytes, which is the limit")]
    Oversize {
        /// The registry.
        registry: String,
        /// What it was.
        what: &'static str,
        /// The limit, in bytes.
        limit: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_unless_it_is_asked_for() {
        let is_plain =
            |transport: Transport, reference: &str| transport.is_plain(&reference.parse().unwrap());
        for here in ["localhost:5000/os", "127.0.0.1:5000/os", "127.1.2.3/os", "[::1]:5000/os"] {
            assert!(is_plain(Transport::Auto, here) && !is_plain(Transport::Tls, here), "{here}");
        }
        for there in ["registry.example/os", "10.0.0.1:5000/os", "127.0.0.1.example/os"] {
            assert!(!is_plain(Transport::Auto, there), "{there}");
            assert!(is_plain(Transport::Plain, there), "{there}");
        }
    }

    #[test]
    fn a_redirect_never_leads_away_from_tls() {
        let url = |text: &str| Url::parse(text).unwrap();
        let (tls, plain) = (url("https://registry.example/v2/"), url("http://127.0.0.1:5000/v2/"));
        assert!(is_as_safe(&tls, &url("https://blobs.example/x")));
        assert!(!is_as_safe(&tls, &url("http://registry.example/v2/x")));
        assert!(!is_as_safe(&tls, &url("http://127.0.0.1/x")));
        assert!(is_as_safe(&plain, &url("http://127.0.0.1:5000/x")));
        assert!(!is_as_safe(&plain, &url("http://127.0.0.1:8080/x")));
        assert!(!is_as_safe(&plain, &url("ftp://127.0.0.1:5000/x")));
    }

    #[test]
    fn an_error_is_told_in_the_registrys_words_if_it_has_any() {
        let body =
            br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{}}]}"#;
        assert_eq!(answer(body), "MANIFEST_UNKNOWN manifest unknown");
        assert_eq!(answer(b"<html>\x1b[2J"), "<html>\u{fffd}[2J");
    }
}
