//! Tokens: a registry and a token server that work, and what they may try.

use std::net::TcpStream;

use witgate_registry::{Access, ConnectionError, Credentials, PullError, pull};

use crate::{
    registry::anonymous,
    server::{Asked, Server, for_ever, head, say, silence},
};

const MAX: usize = 1 << 20;

/// Asks everybody for a token from `realm`, and shows the manifest to nobody else.
fn asking(realm: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Server {
    Server::start(move |asked, stream| match asked.header("authorization") {
        Some("Bearer good.token") => say(stream, "404 Not Found", &[], b"let in"),
        _ => {
            let header =
                format!("WWW-Authenticate: Bearer realm=\"{}\",service=\"s & s\"", realm(asked));
            say(stream, "401 Unauthorized", &[&header], b"{}");
        }
    })
}

fn ann() -> Access {
    Access { credentials: Some(Credentials::new("ann", "se:cret").unwrap()), ..anonymous() }
}

async fn pull_from(server: &Server, access: &Access) -> PullError {
    pull(&server.reference("attestors/os:1"), MAX, access).await.unwrap_err()
}

/// The names and values of a query, in their order.
fn query(asked: &Asked) -> &str {
    asked.path().split_once('?').unwrap_or_default().1
}

#[tokio::test]
async fn a_token_is_fetched_with_the_password_and_used_without_it() {
    let tokens =
        Server::start(|_, stream| say(stream, "200 OK", &[], br#"{"token":"good.token"}"#));
    let address = tokens.address;
    let registry = asking(move |_| format!("http://{address}/token"));
    let error = pull_from(&registry, &ann()).await;
    assert!(matches!(error, PullError::NotFound { .. }), "it was let in: {error}");
    let [asked] = &tokens.asked()[..] else { panic!("{:?}", tokens.asked()) };
    assert_eq!(query(asked), "scope=repository%3Aattestors%2Fos%3Apull&service=s+%26+s");
    assert_eq!(asked.header("authorization"), Some("Basic YW5uOnNlOmNyZXQ="));
    for asked in registry.asked() {
        assert!(!format!("{asked:?}").contains("YW5u"), "the registry sees the token: {asked:?}");
    }
    // Who has no password asks as nobody.
    pull_from(&registry, &anonymous()).await;
    assert_eq!(tokens.asked()[1].header("authorization"), None);
}

#[tokio::test]
async fn a_password_is_not_sent_to_a_token_server_without_tls() {
    for realm in
        ["http://registry.example/token", "http://10.0.0.1/token", "file:///x", "token", ""]
    {
        let registry = asking(move |_| realm.to_owned());
        let error = pull_from(&registry, &ann()).await;
        let PullError::Connection(ConnectionError::Challenge { .. }) = &error else {
            panic!("{realm}: {error}")
        };
        assert!(!format!("{error:?}").contains("cret"), "{error:?}");
        assert_eq!(registry.asked().len(), 1);
    }
}

async fn with_tokens(answer: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> PullError {
    let tokens = Server::start(move |_, stream| answer(stream));
    let address = tokens.address;
    let registry = asking(move |_| format!("http://{address}/token"));
    pull_from(&registry, &ann()).await
}

#[tokio::test]
async fn a_token_server_may_not_send_anything_else_either() {
    let endless = with_tokens(|stream| {
        head(stream, "200 OK", &[]);
        for_ever(stream, &[b' '; 4096]);
    });
    let huge = with_tokens(|stream| {
        head(stream, "200 OK", &["Content-Length: 99999999999"]);
        silence(stream);
    });
    for error in [endless.await, huge.await] {
        let expected = "sends a token of more than 65536 bytes, which is the limit";
        assert!(error.to_string().ends_with(expected), "{error}");
    }
    for body in [&br#"{"token":"a\r\nX-Injected: b"}"#[..], b"{}", b"not json", br#"{"token":1}"#] {
        let error = with_tokens(move |stream| say(stream, "200 OK", &[], body)).await;
        assert!(
            matches!(error, PullError::Connection(ConnectionError::Challenge { .. })),
            "{error}"
        );
    }
    let error = with_tokens(|stream| say(stream, "401 Unauthorized", &[], b"wrong password")).await;
    assert!(error.to_string().contains("does not allow it (wrong password)"), "{error}");
}

/// A redirect takes the request along, and not the password.
#[tokio::test]
async fn a_token_server_that_leads_elsewhere_is_not_followed() {
    let thief = Server::start(|_, stream| say(stream, "200 OK", &[], br#"{"token":"good.token"}"#));
    let address = thief.address;
    let error = with_tokens(move |stream| {
        say(stream, "307 Temporary Redirect", &[&format!("Location: http://{address}/")], b"");
    });
    let error = error.await;
    assert!(matches!(error, PullError::Connection(ConnectionError::Redirect { .. })), "{error}");
    assert!(thief.asked().is_empty(), "{:?}", thief.asked());
}

#[tokio::test]
async fn a_token_that_does_not_help_is_not_fetched_for_ever() {
    let registry = asking(|asked| format!("http://{}/token", asked.header("host").unwrap()));
    let error = pull_from(&registry, &ann()).await;
    assert!(
        matches!(error, PullError::Connection(ConnectionError::Unauthorized { .. })),
        "{error}"
    );
    assert_eq!(registry.asked().len(), 2, "the greeting and the token: {:?}", registry.asked());
}
