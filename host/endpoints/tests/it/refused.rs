//! What is refused before a connection is made.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use witgate_endpoints::{EndpointSettings, ErrorKind};
use witgate_facts::{Blob, HttpError, HttpRequest};

use crate::server::{endpoints, get, health, http, ok, raw, send, unix_settings};

fn with_header(name: &str, value: &str) -> HttpRequest {
    HttpRequest { headers: vec![(name.to_owned(), value.to_owned())], ..get("/pods") }
}

fn with_method(method: &str) -> HttpRequest {
    HttpRequest { method: method.to_owned(), ..get("/pods") }
}

const PATHS: [&str; 27] = [
    "",
    "pods",
    "/",
    "/pod",
    "/pods/",
    "/Pods",
    "/pods/../secrets",
    "/pods/%2e%2e/secrets",
    "/pods#/x",
    "//pods",
    "/./pods",
    "/pods\r\nHost: x",
    "/pods HTTP/1.1\r\n\r\n",
    "/%70ods",
    "/containers/json",
    "/containers//json",
    "/containers/a/exec",
    "/containers/a/b/json",
    "/containers/a%2f..%2fb/json",
    "/containers/..;/json",
    "/containers/../json",
    "/containers/a/json/../../../secrets",
    "http://evil.example/pods",
    "*",
    "/pods\\..\\x",
    "/pods\0",
    "/p\u{f6}ds",
];

const METHODS: [&str; 11] = [
    "",
    "get",
    "PUT",
    "DELETE",
    "PATCH",
    "CONNECT",
    "OPTIONS",
    "TRACE",
    "GET ",
    "GET\r\n",
    "GET / HTTP/1.1\r\n\r\nDELETE",
];

const NAMES: [&str; 21] = [
    "host",
    "Host",
    "authorization",
    "Authorization",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "expect",
    "te",
    "cookie",
    "user-agent",
    "x-forwarded-for",
    "proxy-authorization",
    "x-remote-user",
    "impersonate-user",
    "accept-encoding",
    "range",
    "",
    "accept\r\nhost",
    "accept ",
];

const VALUES: [&str; 5] = ["x\r\nhost: y", "x\ny", "x\0", "\u{f6}", "\x7f"];

fn attacks() -> Vec<HttpRequest> {
    let header = |name: &str| (name.to_owned(), "x".to_owned());
    let mut attacks: Vec<_> = PATHS.map(get).into();
    attacks.extend(METHODS.map(with_method));
    attacks.extend(NAMES.map(|name| with_header(name, "x")));
    attacks.extend(VALUES.map(|value| with_header("accept", value)));
    attacks.extend([
        with_header("accept", &"x".repeat(1025)),
        HttpRequest { headers: ["accept", "Accept"].map(header).to_vec(), ..get("/pods") },
        HttpRequest { headers: vec![header("accept"); 33], ..get("/pods") },
        HttpRequest { body: Blob(vec![b'x']), ..get("/pods") },
        HttpRequest { body: Blob(vec![b'x'; 64 * 1024 + 1]), ..with_method("POST") },
        get(&format!("/pods?{}", "x".repeat(5000))),
    ]);
    attacks
}

#[tokio::test]
async fn no_attack_gets_as_far_as_a_connection() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let server = raw(move |_stream| {
        counted.fetch_add(1, Relaxed);
        async {}
    });
    let settings = EndpointSettings {
        paths: Some(vec!["/pods".to_owned(), "/containers/*/json".to_owned()]),
        methods: Some(vec!["GET".to_owned(), "POST".to_owned()]),
        ..unix_settings(&server.path)
    };
    let endpoints = endpoints(&settings);
    let attacks = attacks();
    for attack in &attacks {
        let error = send(&endpoints, attack.clone()).await.unwrap_err();
        assert!(matches!(error, HttpError::Refused(_)), "{attack:?}: {error:?}");
        let words = error.to_string();
        assert!(!words.chars().any(char::is_control) && words.len() < 800, "{words:?}");
    }
    let refused = health(&endpoints).errors[&ErrorKind::Refused];
    assert_eq!(refused, u64::try_from(attacks.len()).unwrap());
    // The server does count: one that is allowed reaches it, and none before it did.
    let _ = send(&endpoints, get("/pods")).await;
    assert_eq!(connections.load(Relaxed), 1);
}

#[tokio::test]
async fn only_get_is_allowed_unless_the_operator_says_more() {
    let server = http(|_| ok(""));
    let settings = EndpointSettings { methods: None, ..unix_settings(&server.path) };
    let endpoints = endpoints(&settings);
    for method in ["HEAD", "POST"] {
        let error = send(&endpoints, with_method(method)).await.unwrap_err();
        assert!(error.to_string().contains("method"), "{error}");
    }
    assert_eq!(send(&endpoints, with_method("GET")).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_refusal_is_a_sentence_for_the_author() {
    let server = http(|_| ok(""));
    let settings =
        EndpointSettings { paths: Some(vec!["/pods".to_owned()]), ..unix_settings(&server.path) };
    let endpoints = endpoints(&settings);
    for (request, sentence) in [
        (
            get("/x?y"),
            r#"refused: path "/x" is not among those that the operator lists for this endpoint"#,
        ),
        (get("/pods/.."), "refused: malformed path: the path has an empty, `.` or `..` segment"),
        (
            with_method("DELETE"),
            r#"refused: method "DELETE" is not among those that the operator allows for this endpoint"#,
        ),
        (
            with_header("host", "x"),
            r#"refused: header field "host" is not the plugin's to set; only accept, content-type and if-none-match are"#,
        ),
        (HttpRequest { body: Blob(vec![1]), ..get("/pods") }, "refused: only a POST has a body"),
    ] {
        assert_eq!(send(&endpoints, request).await.unwrap_err().to_string(), sentence);
    }
}
