//! TLS with real certificates: who is let in, and who is not.

use std::{fs, path::Path};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use witgate_endpoints::{EndpointSettings, ErrorKind, NamedEndpoints};
use witgate_facts::{HttpError, HttpResponse};

use crate::{
    authority::{Authority, Leaf},
    server::{TlsServer, endpoints, get, health, https, last_error, ok, raw_tcp, read_head, send},
};

struct Test {
    dir: TempDir,
    authority: Authority,
}

fn test() -> Test {
    let test = Test { dir: tempfile::tempdir().unwrap(), authority: Authority::new("ours") };
    test.authority.write(&test.dir.path().join("ca.pem"));
    test
}

impl Test {
    fn settings(&self, port: u16) -> EndpointSettings {
        EndpointSettings {
            url: Some(format!("https://127.0.0.1:{port}")),
            ca_file: Some(self.dir.path().join("ca.pem")),
            paths: Some(vec!["/pods".to_owned()]),
            timeout_ms: Some(30_000),
            ..EndpointSettings::default()
        }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> std::path::PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

async fn serve(leaf: &Leaf) -> TlsServer {
    https(leaf.server(), |_| ok("pods")).await
}

async fn ask(endpoints: &NamedEndpoints) -> Result<HttpResponse, HttpError> {
    send(endpoints, get("/pods")).await
}

/// Asks a server with this certificate, which must fail with these words.
async fn refused(test: &Test, leaf: &Leaf, words: &str) {
    let server = serve(leaf).await;
    let endpoints = endpoints(&test.settings(server.port));
    assert_eq!(ask(&endpoints).await, Err(HttpError::Unreachable(words.to_owned())));
    assert!(server.seen.lock().unwrap().is_empty());
    let health = health(&endpoints);
    assert_eq!(health.errors[&ErrorKind::Unreachable], 1);
    let text = last_error(&endpoints);
    assert!(text.starts_with(&format!("TLS with 127.0.0.1:{}", server.port)), "{text}");
}

#[tokio::test]
async fn a_certificate_of_the_right_authority_is_accepted() {
    let test = test();
    let server = serve(&test.authority.sign("127.0.0.1")).await;
    let token = test.write("token", "hush");
    let settings = EndpointSettings { token_file: Some(token), ..test.settings(server.port) };
    let endpoints = endpoints(&settings);
    for _ in 0..2 {
        let response = ask(&endpoints).await.unwrap();
        assert_eq!((response.status, &*response.body.0), (200, &b"pods"[..]));
    }
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].headers["authorization"], "Bearer hush");
    assert_eq!(seen[0].headers["host"], format!("127.0.0.1:{}", server.port));
    assert_eq!(seen[0].target, "/pods");
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let test = test();
    // Of the same name, to be sure that it is the key that counts.
    let other = Authority::new("ours").sign("127.0.0.1");
    // As the library reports a signature of a namesake.
    let server = serve(&other).await;
    let ours = endpoints(&test.settings(server.port));
    let error = ask(&ours).await.unwrap_err();
    assert!(
        matches!(&error, HttpError::Unreachable(words) if words.starts_with("its certificate"))
    );
    assert!(server.seen.lock().unwrap().is_empty());

    let words = "its certificate is from an authority that is not trusted";
    refused(&test, &Authority::new("theirs").sign("127.0.0.1"), words).await;
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let own = Leaf { certificate: own.self_signed(&key).unwrap(), key };
    refused(&test, &own, words).await;
}

#[tokio::test]
async fn a_certificate_must_be_valid_today() {
    let test = test();
    let expired = test.authority.sign_with("127.0.0.1", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    refused(&test, &expired, "its certificate has expired").await;
    let early = test.authority.sign_with("127.0.0.1", |params| {
        params.not_before = date_time_ymd(4000, 1, 1);
    });
    refused(&test, &early, "its certificate is not valid yet").await;
}

#[tokio::test]
async fn a_certificate_must_be_for_the_name_that_was_asked_for() {
    let test = test();
    let words = "its certificate is for another name";
    refused(&test, &test.authority.sign("127.0.0.2"), words).await;
    refused(&test, &test.authority.sign("localhost"), words).await;

    let server = serve(&test.authority.sign("node-1")).await;
    for (name, accepted) in [("node-1", true), ("node-2", false), ("127.0.0.1", false)] {
        let settings =
            EndpointSettings { server_name: Some(name.to_owned()), ..test.settings(server.port) };
        assert_eq!(ask(&endpoints(&settings)).await.is_ok(), accepted, "{name}");
    }
    assert_eq!(server.seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_host_may_be_a_name() {
    let test = test();
    let server = serve(&test.authority.sign("localhost")).await;
    let at = |host: &str| {
        let url = Some(format!("https://{host}:{}", server.port));
        endpoints(&EndpointSettings { url, ..test.settings(server.port) })
    };
    assert_eq!(ask(&at("localhost")).await.unwrap().status, 200);
    assert_eq!(
        server.seen.lock().unwrap()[0].headers["host"],
        format!("localhost:{}", server.port)
    );
    // A name that no resolver is asked for: it is too long for one.
    let nowhere = at(&["x".repeat(63), "x".repeat(63), "x".repeat(63), "x".repeat(61)].join("."));
    let error = ask(&nowhere).await.unwrap_err();
    let words = "its name cannot be looked up".to_owned();
    assert_eq!(error, HttpError::Unreachable(words), "{}", last_error(&nowhere));
}

#[tokio::test]
async fn a_redirect_over_tls_is_not_followed_either() {
    let test = test();
    let leaf = test.authority.sign("127.0.0.1");
    let server = https(leaf.server(), |seen| {
        let host = seen.headers["host"].to_str().unwrap();
        http::Response::builder()
            .status(307)
            .header("Location", format!("https://{host}/secrets"))
            .body(http_body_util::Full::default())
            .unwrap()
    })
    .await;
    assert_eq!(ask(&endpoints(&test.settings(server.port))).await.unwrap().status, 307);
    assert_eq!(server.seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn who_asks_for_our_certificate_gets_it() {
    let test = test();
    let clients = Authority::new("clients");
    let server = https(test.authority.sign("127.0.0.1").server_for(&clients), |_| ok("pods")).await;
    let files = |leaf: &Leaf| {
        // In one file, as the kubelet keeps them.
        let both = test.write("client.pem", leaf.certificate.pem() + &leaf.key.serialize_pem());
        EndpointSettings {
            client_certificate_file: Some(both.clone()),
            client_key_file: Some(both),
            ..test.settings(server.port)
        }
    };
    let good = endpoints(&files(&clients.sign("witgate")));
    assert_eq!(ask(&good).await.unwrap().status, 200);
    // Under the same endpoint, which reads its files again.
    files(&Authority::new("others").sign("witgate"));
    assert!(matches!(ask(&good).await, Err(HttpError::Unreachable(_))));
    files(&clients.sign("witgate"));
    assert_eq!(ask(&good).await.unwrap().status, 200);
    let none = endpoints(&test.settings(server.port));
    assert!(matches!(ask(&none).await, Err(HttpError::Unreachable(_))));
    assert_eq!(server.seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn an_authority_that_was_replaced_counts_from_then_on() {
    let test = test();
    let server = serve(&test.authority.sign("127.0.0.1")).await;
    let endpoints = endpoints(&test.settings(server.port));
    assert!(ask(&endpoints).await.is_ok());
    let other = Authority::new("new");
    test.write("ca.pem", other.pem());
    assert!(matches!(ask(&endpoints).await, Err(HttpError::Unreachable(_))));
    test.write("ca.pem", other.pem() + &test.authority.pem());
    assert!(ask(&endpoints).await.is_ok());
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_and_not_quoted() {
    let test = test();
    let leaf = test.authority.sign("127.0.0.1");
    let server = serve(&leaf).await;
    let certificate = test.write("client.pem", leaf.certificate.pem());
    let with_key = |key: &Path| EndpointSettings {
        client_certificate_file: Some(certificate.clone()),
        client_key_file: Some(key.to_path_buf()),
        ..test.settings(server.port)
    };
    let with_ca = |ca: &Path| EndpointSettings {
        ca_file: Some(ca.to_path_buf()),
        ..test.settings(server.port)
    };
    let pem = |label: &str, inner: &str| {
        format!("-----BEGIN {label}-----\n{inner}\n-----END {label}-----\n")
    };
    let other = KeyPair::generate().unwrap().serialize_pem();
    let cases = [
        (with_ca(&test.dir.path().join("absent")), "`ca_file`", "cannot be read"),
        (with_ca(test.dir.path()), "`ca_file`", "not a regular file"),
        (with_ca(&test.write("1", "")), "`ca_file`", "has no certificate"),
        (with_ca(&test.write("2", "hush")), "`ca_file`", "has no certificate"),
        (with_ca(&test.write("3", pem("CERTIFICATE", "hush!"))), "`ca_file`", "well-formed PEM"),
        (with_ca(&test.write("4", pem("CERTIFICATE", "aHVzaA=="))), "`ca_file`", "an authority"),
        (with_ca(&test.write("5", "-----BEGIN CERTIFICATE-----\nhush")), "`ca_file`", "PEM"),
        (with_ca(&test.write("6", "x".repeat(1 << 20 | 1))), "`ca_file`", "larger than 1048576"),
        (with_key(&test.write("7", "hush")), "`client_key_file`", "has no private key"),
        (
            with_key(&test.write("8", pem("PRIVATE KEY", "hush!"))),
            "`client_key_file`",
            "no private key",
        ),
        (
            with_key(&test.write("9", "-----BEGIN hush\n")),
            "`client_key_file`",
            "has no private key",
        ),
        (with_key(&test.write("10", pem("PRIVATE KEY", "aHVzaA=="))), "TLS", "private key"),
        (with_key(&test.write("11", &other)), "TLS", "KeyMismatch"),
    ];
    for (settings, key, words) in cases {
        let endpoints = endpoints(&settings);
        let told = "a file that the daemon needs for it cannot be used".to_owned();
        assert_eq!(ask(&endpoints).await, Err(HttpError::Unreachable(told)), "{words}");
        let text = endpoints.check_files().remove(0).1.to_string();
        assert_eq!(last_error(&endpoints), text);
        assert!(text.contains(key) && text.contains(words), "{words}: {text}");
        let shown = format!("{text} {endpoints:?} {:?}", health(&endpoints));
        for secret in ["hush", "aHVzaA", other.lines().nth(1).unwrap()] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn who_does_not_speak_tls_is_not_spoken_to() {
    let test = test();
    let plain = raw_tcp(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    })
    .await;
    let words = "the TLS handshake failed".to_owned();
    let error = ask(&endpoints(&test.settings(plain.port))).await;
    assert_eq!(error, Err(HttpError::Unreachable(words)));

    let silent = raw_tcp(|mut stream| async move {
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    })
    .await;
    let settings = EndpointSettings { timeout_ms: Some(100), ..test.settings(silent.port) };
    let slow = endpoints(&settings);
    assert_eq!(ask(&slow).await, Err(HttpError::Timeout));
    assert_eq!(last_error(&slow), "out of time after 100 ms while connecting");
}

#[tokio::test]
async fn a_body_that_somebody_cut_off_is_not_taken_for_whole() {
    let test = test();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(
        test.authority.sign("127.0.0.1").server(),
    ));
    let server = raw_tcp(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            read_head(&mut stream).await;
            // A body that ends with the connection, and a connection that ends without a word.
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n[1,2,").await.unwrap();
            stream.flush().await.unwrap();
        }
    })
    .await;
    let error = ask(&endpoints(&test.settings(server.port))).await;
    let words = "the response ended before it was whole".to_owned();
    assert_eq!(error, Err(HttpError::Malformed(words)));
}

#[tokio::test]
async fn without_tls_the_loopback_can_be_asked_if_the_operator_says_so() {
    let server = raw_tcp(|mut stream| async move {
        if read_head(&mut stream).await {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        }
    })
    .await;
    let settings = EndpointSettings {
        url: Some(format!("http://127.0.0.1:{}", server.port)),
        allow_plain_http: Some(true),
        paths: Some(vec!["/pods".to_owned()]),
        ..EndpointSettings::default()
    };
    assert_eq!(ask(&endpoints(&settings)).await.unwrap().body.0, b"ok");
}
