//! Telling a registry who we are, in the two ways that registries ask for.

use std::fmt;

use reqwest::{
    Response, StatusCode, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE},
};
use serde::Deserialize;

use crate::{
    Credentials,
    connection::{Connection, ConnectionError},
    limits,
    text::shown,
};

/// What is to be done in the repository.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    Pull,
    Push,
}

impl Action {
    const fn scope(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
        }
    }
}

/// What is sent with every request to the registry.
#[derive(Clone)]
pub(crate) enum Authorization {
    None,
    Basic(Credentials),
    Bearer(String),
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic(_) => "Basic",
            Self::Bearer(_) => "Bearer",
        })
    }
}

impl Authorization {
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let text = match self {
            Self::None => return None,
            Self::Basic(credentials) => format!("Basic {}", credentials.basic()),
            Self::Bearer(token) => format!("Bearer {token}"),
        };
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// What a registry asks for.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    /// A token, from the server at this address, for this service.
    Bearer {
        realm: String,
        service: Option<String>,
    },
}

impl Connection {
    /// Answers the challenge of a refused greeting.
    pub(crate) async fn authorize(
        &self,
        refused: &Response,
        action: Action,
        credentials: Option<&Credentials>,
    ) -> Result<Authorization, ConnectionError> {
        let challenge = challenge(refused.headers()).map_err(|cause| self.challenge(cause))?;
        match (challenge, credentials) {
            (Challenge::Basic, Some(credentials)) => Ok(Authorization::Basic(credentials.clone())),
            // Some registries greet nobody without a password, and yet give to everybody.
            (Challenge::Basic, None) => Ok(Authorization::None),
            (Challenge::Bearer { realm, service }, _) => {
                let url = self.token_url(&realm, service.as_deref(), action)?;
                self.token(url, credentials).await.map(Authorization::Bearer)
            }
        }
    }

    /// The token server may be another one, but not one that is reached less safely.
    fn token_url(
        &self,
        realm: &str,
        service: Option<&str>,
        action: Action,
    ) -> Result<Url, ConnectionError> {
        let mut url = Url::parse(realm).map_err(|error| {
            self.challenge(format!("its token server {:?} has no address: {error}", shown(realm)))
        })?;
        let same_host = self.base().scheme() == "http" && url.host_str() == self.base().host_str();
        if url.scheme() != "https" && !(url.scheme() == "http" && same_host) {
            let server = shown(url.authority());
            return Err(self.challenge(format!("its token server {server} is reached without TLS")));
        }
        let scope = format!("repository:{}:{}", self.repository(), action.scope());
        url.query_pairs_mut().append_pair("scope", &scope);
        if let Some(service) = service {
            url.query_pairs_mut().append_pair("service", service);
        }
        Ok(url)
    }

    async fn token(
        &self,
        url: Url,
        credentials: Option<&Credentials>,
    ) -> Result<String, ConnectionError> {
        let basic = credentials.cloned().map(Authorization::Basic);
        let basic = basic.and_then(|basic| basic.header());
        let headers: HeaderMap = basic.map(|value| (AUTHORIZATION, value)).into_iter().collect();
        let answer = self.get(url, headers).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.refused(answer).await);
        }
        let body = self.body(answer, "a token", limits::TOKEN_BYTES).await?;
        read_token(&body).map_err(|cause| self.challenge(cause))
    }

    fn challenge(&self, cause: impl Into<String>) -> ConnectionError {
        ConnectionError::Challenge { registry: self.registry().to_owned(), cause: cause.into() }
    }
}

/// The challenge that we can answer; a token rather than a password, if there is a choice.
fn challenge(headers: &HeaderMap) -> Result<Challenge, String> {
    let mut found = None;
    let mut schemes = Vec::new();
    for header in headers.get_all(WWW_AUTHENTICATE) {
        let text = header.to_str().map_err(|_| "its challenge is not text".to_owned())?;
        let parsed = http_auth::parse_challenges(text);
        for challenge in parsed.map_err(|_| format!("{:?} is no challenge", shown(text)))? {
            let parameter = |name: &str| {
                let mut all = challenge.params.iter();
                let found = all.find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.to_unescaped())
            };
            schemes.push(shown(challenge.scheme));
            if challenge.scheme.eq_ignore_ascii_case("Bearer") {
                let realm = parameter("realm").ok_or("it names no token server")?;
                return Ok(Challenge::Bearer { realm, service: parameter("service") });
            }
            if challenge.scheme.eq_ignore_ascii_case("Basic") {
                found = Some(Challenge::Basic);
            }
        }
    }
    found.ok_or_else(|| format!("it knows {:?}, not Bearer or Basic", schemes.join(", ")))
}

/// The token in a token server's answer; it is sent back in a header, so it must fit into one.
fn read_token(body: &[u8]) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
    }
    let answer: Answer =
        serde_json::from_slice(body).map_err(|_| "its token server's answer is not JSON")?;
    let token = answer.token.or(answer.access_token).unwrap_or_default();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("its token server gives no token".to_owned());
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(challenges: &[&'static str]) -> Result<Challenge, String> {
        let header = |text: &&'static str| (WWW_AUTHENTICATE, HeaderValue::from_static(text));
        let mut headers = HeaderMap::new();
        for (name, value) in challenges.iter().map(header) {
            headers.append(name, value);
        }
        challenge(&headers)
    }

    #[test]
    fn a_token_is_preferred_to_a_password() {
        let bearer =
            r#"Bearer realm="https://auth.example/token",service="registry.example",scope="x""#;
        let expected = Challenge::Bearer {
            realm: "https://auth.example/token".to_owned(),
            service: Some("registry.example".to_owned()),
        };
        assert_eq!(asked(&[r#"Basic realm="x""#, bearer]), Ok(expected));
        assert_eq!(asked(&[r#"basic realm="x""#]), Ok(Challenge::Basic));
    }

    #[test]
    fn what_cannot_be_answered_is_said() {
        for (challenges, cause) in [
            (&[][..], "it knows \"\", not Bearer or Basic"),
            (&["Negotiate"], "it knows \"Negotiate\""),
            (&["Bearer service=x"], "names no token server"),
            (&["="], "is no challenge"),
        ] {
            let error = asked(challenges).unwrap_err();
            assert!(error.contains(cause), "{error}");
        }
    }

    #[test]
    fn a_token_that_does_not_fit_into_a_header_is_none() {
        assert_eq!(read_token(br#"{"token": "a.b-c_d==", "x": 1}"#).as_deref(), Ok("a.b-c_d=="));
        assert_eq!(read_token(br#"{"access_token": "t"}"#).as_deref(), Ok("t"));
        for body in
            [r#"{"token": "a\r\nX: y"}"#, r#"{"token": "a b"}"#, r#"{"token": ""}"#, "{}", "x"]
        {
            assert!(read_token(body.as_bytes()).is_err(), "{body}");
        }
    }
}
