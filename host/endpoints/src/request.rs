//! From what a plugin asks to what an endpoint is sent.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST, IF_NONE_MATCH, USER_AGENT},
    uri::PathAndQuery,
};
use http_body_util::Full;
use witgate_facts::HttpRequest;

use crate::{
    EndpointConfig, limits,
    show::cut,
    target::{Target, TargetError},
};

/// Why a request is not sent. The plugin reads this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("the body has {length} bytes, at most {} are possible", limits::REQUEST_BODY_BYTES)]
    BodyTooLarge { length: usize },
    #[error("only a POST has a body")]
    BodyUnexpected,
    #[error("header field {name:?} is not the plugin's to set; {SETTABLE}")]
    HeaderName { name: String },
    #[error("header field {name:?} is given twice")]
    HeaderTwice { name: String },
    #[error("the value of header field {name:?} is too long or not printable ASCII")]
    HeaderValue { name: String },
    #[error("{count} header fields, at most {} are possible", limits::REQUEST_HEADERS)]
    HeadersTooMany { count: usize },
    #[error("method {method:?} is not among those that the operator allows for this endpoint")]
    Method { method: String },
    #[error("path {path:?} is not among those that the operator lists for this endpoint")]
    Path { path: String },
    #[error("malformed path: {source}")]
    Target {
        #[from]
        source: TargetError,
    },
}

const SETTABLE: &str = "only accept, content-type and if-none-match are";

/// Checks a request against what the operator allows and makes it ready, but for the token.
pub(crate) fn prepare(
    config: &EndpointConfig,
    request: HttpRequest,
) -> Result<Request<Full<Bytes>>, RequestError> {
    let method = method(config, &request.method)?;
    let target = target(config, &request.path)?;
    let headers = headers(config.place.authority(), &request.headers)?;
    let length = request.body.0.len();
    if length > limits::REQUEST_BODY_BYTES {
        return Err(RequestError::BodyTooLarge { length });
    }
    if length > 0 && method != Method::POST {
        return Err(RequestError::BodyUnexpected);
    }
    let mut prepared = Request::new(Full::new(Bytes::from(request.body.0)));
    *prepared.method_mut() = method;
    *prepared.uri_mut() = target;
    *prepared.headers_mut() = headers;
    Ok(prepared)
}

fn method(config: &EndpointConfig, asked: &str) -> Result<Method, RequestError> {
    let allowed = config.methods.iter().find(|method| method.as_str() == asked);
    allowed.cloned().ok_or_else(|| RequestError::Method { method: cut(asked) })
}

fn target(config: &EndpointConfig, asked: &str) -> Result<Uri, RequestError> {
    let target = Target::parse(asked)?;
    let unlisted = || RequestError::Path { path: cut(target.path) };
    if !config.paths.iter().any(|pattern| pattern.matches(target.path)) {
        return Err(unlisted());
    }
    let sent = PathAndQuery::try_from(target.whole).map_err(|_| unlisted())?;
    // What is sent is what was checked, whatever the library makes of it.
    if sent.as_str() == target.whole { Ok(Uri::from(sent)) } else { Err(unlisted()) }
}

fn headers(authority: &str, given: &[(String, String)]) -> Result<HeaderMap, RequestError> {
    if given.len() > limits::REQUEST_HEADERS {
        return Err(RequestError::HeadersTooMany { count: given.len() });
    }
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let shown = || cut(name);
        let settable = settable(name).ok_or_else(|| RequestError::HeaderName { name: shown() })?;
        let value =
            header_value(value).ok_or_else(|| RequestError::HeaderValue { name: shown() })?;
        if headers.insert(settable, value).is_some() {
            return Err(RequestError::HeaderTwice { name: shown() });
        }
    }
    // An authority that was parsed is a valid value.
    let host = HeaderValue::from_str(authority).unwrap_or(HeaderValue::from_static("localhost"));
    headers.insert(HOST, host);
    headers.insert(USER_AGENT, HeaderValue::from_static("witgate"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(headers)
}

fn settable(name: &str) -> Option<HeaderName> {
    [ACCEPT, CONTENT_TYPE, IF_NONE_MATCH]
        .into_iter()
        .find(|settable| settable.as_str().eq_ignore_ascii_case(name))
}

fn header_value(value: &str) -> Option<HeaderValue> {
    let printable = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let short = value.len() <= limits::REQUEST_HEADER_VALUE_BYTES;
    (printable && short).then(|| HeaderValue::from_str(value).ok()).flatten()
}
