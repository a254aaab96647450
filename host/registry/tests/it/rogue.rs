//! A registry that lies: about lengths, digests and where things are, or that never ends.

use std::{
    io::ErrorKind,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use witgate_provenance::Digest;
use witgate_registry::{Access, ConnectionError, PullError, PushError, limits, pull, push};

use crate::{
    artifacts::{artifact, component, info},
    registry::anonymous,
    server::{Asked, Server, for_ever, head, say, silence},
};

const MAX: usize = 1 << 20;
const LAYER: &[u8] = b"\0asm\x0d\0\x01\0";

fn manifest() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.wasm.config.v0+json",
            "digest": format!("sha256:{}", Digest::of(b"{}")), "size": 2,
        },
        "layers": [{
            "mediaType": "application/wasm", "digest": format!("sha256:{}", Digest::of(LAYER)),
            "size": LAYER.len(),
        }],
    })
}

/// Greets, gives a manifest, and answers for the layer as the test wants.
fn with_layer(answer: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> Server {
    with(manifest().to_string(), answer)
}

fn with(
    manifest: String,
    answer: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static,
) -> Server {
    Server::start(move |asked, stream| match asked.path() {
        "/v2/" => say(stream, "200 OK", &[], b"{}"),
        path if path.contains("/manifests/") => say(stream, "200 OK", &[], manifest.as_bytes()),
        _ => answer(asked, stream),
    })
}

/// Greets, and answers for the manifest as the test wants.
fn with_manifest(answer: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Server {
    Server::start(move |asked, stream| match asked.path() {
        "/v2/" => say(stream, "200 OK", &[], b"{}"),
        _ => answer(stream),
    })
}

async fn pull_from(server: &Server) -> PullError {
    pull(&server.reference("os:1"), MAX, &anonymous()).await.unwrap_err()
}

fn is_oversize(error: &PullError) -> bool {
    matches!(error, PullError::Connection(ConnectionError::Oversize { .. }))
}

/// The server can tell the truth as well: otherwise nothing below would mean anything.
#[tokio::test]
async fn an_honest_one_is_believed() {
    let server = with_layer(|_, stream| say(stream, "200 OK", &[], LAYER));
    let pulled = pull(&server.reference("os:1"), MAX, &anonymous()).await.unwrap();
    assert_eq!(pulled.component.bytes(), LAYER);
    let paths: Vec<_> = server.asked().iter().map(|asked| asked.path().to_owned()).collect();
    let layer = format!("/v2/os/blobs/sha256:{}", Digest::of(LAYER));
    assert_eq!(paths, ["/v2/", "/v2/os/manifests/1", &layer]);
}

/// Of what never ends a little more than the limit is read: what is in the kernel's buffers.
#[tokio::test]
async fn a_manifest_that_never_ends_is_cut_off() {
    let (counter, sent) = mpsc::channel();
    let server = with_manifest(move |stream| {
        head(stream, "200 OK", &["Transfer-Encoding: chunked"]);
        let chunk = [b"2000\r\n".as_slice(), &[b' '; 0x2000], b"\r\n"].concat();
        let _ = counter.send(for_ever(stream, &chunk));
    });
    let error = pull_from(&server).await;
    assert!(is_oversize(&error), "{error}");
    assert!(error.to_string().contains("sends a manifest of more than 262144 bytes"), "{error}");
    let sent = tokio::task::spawn_blocking(move || sent.recv().unwrap()).await.unwrap();
    assert!(sent < 64 << 20, "{sent}");
}

#[tokio::test]
async fn a_manifest_that_says_it_is_huge_is_not_read() {
    let server = with_manifest(|stream| {
        head(stream, "200 OK", &["Content-Length: 99999999999"]);
        silence(stream);
    });
    let error = pull_from(&server).await;
    assert!(is_oversize(&error), "{error}");
}

#[tokio::test]
async fn a_manifest_must_be_the_one_that_was_asked_for_and_announced() {
    let honest = manifest().to_string();
    let wrong = format!("Docker-Content-Digest: sha256:{}", Digest::of(b"another"));
    let body = honest.clone();
    let server = with_manifest(move |stream| say(stream, "200 OK", &[&wrong], body.as_bytes()));
    let error = pull_from(&server).await;
    assert!(matches!(error, PullError::Digest { what: "manifest", .. }), "{error}");

    // It announces what it sends, and that is not what was asked for.
    let right = format!("Docker-Content-Digest: sha256:{}", Digest::of(honest.as_bytes()));
    let server = with_manifest(move |stream| say(stream, "200 OK", &[&right], honest.as_bytes()));
    let pinned = server.reference("os:1").pinned(Digest::of(b"another"));
    let error = pull(&pinned, MAX, &anonymous()).await.unwrap_err();
    assert!(matches!(error, PullError::Digest { what: "manifest", .. }), "{error}");
    assert!(error.to_string().contains("was changed"), "{error}");

    let body = manifest().to_string();
    let server = with_manifest(move |stream| {
        say(stream, "200 OK", &["Docker-Content-Digest: sha256:x"], body.as_bytes());
    });
    let error = pull_from(&server).await;
    assert!(matches!(error, PullError::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn a_manifest_that_makes_no_sense_is_refused_before_a_layer_is_asked_for() {
    let change = |path: &str, value: Value| {
        let mut manifest = manifest();
        *manifest.pointer_mut(path).unwrap() = value;
        manifest.to_string()
    };
    let layer = |digest: &str| change("/layers/0/digest", json!(digest));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let mut both = manifest();
    both["manifests"] = json!([]);
    let signature = "x".repeat(limits::SIGNATURE_BYTES + 1);
    let mut signed = manifest();
    signed["annotations"] = json!({ "io.github.witgate.minisig": signature });
    for (manifest, words) in [
        (String::new(), "cannot be read"),
        ("null".to_owned(), "cannot be read"),
        (deep, "cannot be read"),
        (layer("sha256:../../../../evil"), "the digest of the layer is not sha256"),
        (layer(&format!("sha512:{}", "a".repeat(128))), "the digest of the layer is not sha256"),
        (change("/layers/0/size", json!(-1)), "the size of the layer is negative"),
        (change("/layers/0/size", json!(1.5)), "cannot be read"),
        (change("/layers/0/size", json!(i64::MAX)), "the limit is 1048576"),
        (change("/layers/0/size", json!(MAX + 1)), "the limit is 1048576"),
        (change("/schemaVersion", json!(1)), "a manifest of type"),
        (change("/mediaType", json!("\u{1b}[2J")), "a manifest of type \u{fffd}[2J"),
        (both.to_string(), "is an index"),
        (signed.to_string(), "its signature has more than 4096 bytes"),
    ] {
        let server = with(manifest.clone(), |_, stream| say(stream, "200 OK", &[], LAYER));
        let error = pull_from(&server).await.to_string();
        assert!(error.contains(words) && error.len() < 1000, "{error}");
        assert_eq!(server.asked().len(), 2, "{:?}", server.asked());
    }
}

#[tokio::test]
async fn what_a_manifest_says_of_itself_is_made_safe_to_show() {
    let mut manifest = manifest();
    let title = "org.opencontainers.image.title";
    manifest["annotations"] = json!({ title: "os\u{1b}[2J\u{202e}", "x\n": "y".repeat(5000) });
    let server = with(manifest.to_string(), |_, stream| say(stream, "200 OK", &[], LAYER));
    let pulled = pull(&server.reference("os:1"), MAX, &anonymous()).await.unwrap();
    assert_eq!(pulled.annotations[title], "os\u{fffd}[2J\u{fffd}");
    assert!(pulled.annotations["x"].len() < 500);
}

#[tokio::test]
async fn a_layer_must_have_the_length_and_the_bytes_that_the_manifest_says() {
    let longer = with_layer(|_, stream| {
        head(stream, "200 OK", &["Transfer-Encoding: chunked"]);
        for_ever(stream, b"8\r\n\0asm\x0d\0\x01\0\r\n");
    });
    let announced = with_layer(|_, stream| say(stream, "200 OK", &[], &[0; 9]));
    for server in [longer, announced] {
        let error = pull_from(&server).await;
        assert!(is_oversize(&error), "{error}");
    }

    let shorter = with_layer(|_, stream| say(stream, "200 OK", &[], &LAYER[..7]));
    let error = pull_from(&shorter).await;
    assert!(matches!(error, PullError::Length { expected: 8, found: 7, .. }), "{error}");

    let cut = with_layer(|_, stream| {
        head(stream, "200 OK", &["Content-Length: 8"]);
        let _ = std::io::Write::write_all(stream, &LAYER[..4]);
    });
    let error = pull_from(&cut).await;
    assert!(matches!(error, PullError::Connection(ConnectionError::Unreachable { .. })), "{error}");

    let other = with_layer(|_, stream| say(stream, "200 OK", &[], b"\0asm\x0d\0\x01\x01"));
    let error = pull_from(&other).await;
    assert!(matches!(error, PullError::Digest { what: "layer", .. }), "{error}");

    // A part is not the whole, even if it is as long.
    let partial = with_layer(|_, stream| say(stream, "206 Partial Content", &[], LAYER));
    let error = pull_from(&partial).await;
    assert!(
        matches!(error, PullError::Connection(ConnectionError::Refused { status: 206, .. })),
        "{error}"
    );
}

#[tokio::test]
async fn an_error_that_never_ends_is_read_for_a_while_and_shown_shorter() {
    for status in ["404 Not Found", "500 Oops", "403 Forbidden"] {
        let server = with_layer(move |_, stream| {
            head(stream, status, &["Content-Type: text/plain"]);
            for_ever(stream, &b"\x1b[2J no ".repeat(1000));
        });
        let error = pull_from(&server).await.to_string();
        assert!(error.contains("[2J no") && !error.contains('\u{1b}'), "{error}");
        assert!(error.len() < limits::SHOWN_BYTES + 300, "{}", error.len());
    }
}

#[tokio::test]
async fn headers_that_never_end_are_cut_off() {
    let server = with_manifest(|stream| {
        let _ = std::io::Write::write_all(stream, b"HTTP/1.1 200 OK\r\n");
        for_ever(stream, format!("X: {}\r\n", "y".repeat(1000)).as_bytes());
    });
    let error = pull_from(&server).await;
    assert!(matches!(error, PullError::Connection(ConnectionError::Unreachable { .. })), "{error}");
}

#[tokio::test]
async fn a_redirect_within_the_registry_is_followed_a_few_times() {
    let once = with_layer(|asked, stream| match asked.path() {
        "/elsewhere" => say(stream, "200 OK", &[], LAYER),
        _ => say(stream, "307 Temporary Redirect", &["Location: /elsewhere"], b""),
    });
    assert!(pull(&once.reference("os:1"), MAX, &anonymous()).await.is_ok());

    let round = with_layer(|_, stream| say(stream, "302 Found", &["Location: /again"], b""));
    let error = pull_from(&round).await;
    assert!(error.to_string().ends_with("more than 3 redirects"), "{error}");
    let again = round.asked().iter().filter(|asked| asked.path() == "/again").count();
    assert_eq!(again, limits::REDIRECTS);
}

/// What else listens on this machine is not asked on a registry's behalf.
#[tokio::test]
async fn a_redirect_to_another_server_without_tls_is_not_followed() {
    let other = Server::start(|_, stream| say(stream, "200 OK", &[], LAYER));
    let address = other.address;
    let server = with_layer(move |_, stream| {
        say(stream, "302 Found", &[&format!("Location: http://{address}/x")], b"");
    });
    let error = pull_from(&server).await;
    let expected =
        format!("redirects where we do not follow: a redirect to plain HTTP at {address}");
    assert!(error.to_string().ends_with(&expected), "{error}");
    for target in ["file:///etc/passwd", "http://localhost/x", "gopher://x/"] {
        let location = format!("Location: {target}");
        let server = with_layer(move |_, stream| say(stream, "302 Found", &[&location], b""));
        let error = pull_from(&server).await;
        assert!(matches!(error, PullError::Connection(_)), "{target}: {error}");
    }
    assert!(other.asked().is_empty(), "{:?}", other.asked());
}

fn impatient() -> Access {
    Access { time_limit: Duration::from_secs(1), ..anonymous() }
}

#[tokio::test]
async fn one_that_never_answers_or_only_drips_is_left() {
    let silent = Server::start(|_, stream| silence(stream));
    let dripping = with_layer(|_, stream| {
        head(stream, "200 OK", &["Content-Length: 8"]);
        for byte in LAYER {
            let _ = std::io::Write::write_all(stream, &[*byte]);
            thread::sleep(Duration::from_millis(400));
        }
    });
    for server in [silent, dripping] {
        let error = pull(&server.reference("os:1"), MAX, &impatient()).await.unwrap_err();
        assert!(matches!(error, PullError::TimedOut { .. }), "{error}");
        assert!(
            error.to_string().ends_with("was not there within 1 s, which is the limit"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_is_not_a_registry_is_told() {
    let server = Server::start(|_, stream| say(stream, "404 Not Found", &[], b"<h1>hello</h1>"));
    let error = pull_from(&server).await.to_string();
    assert!(error.contains("answered with status 404: <h1>hello</h1>"), "{error}");
    let server = Server::start(|_, stream| {
        for_ever(stream, b"SSH-2.0-x\r\n");
    });
    let error = pull_from(&server).await;
    assert!(matches!(error, PullError::Connection(ConnectionError::Unreachable { .. })), "{error}");
}

/// Where a registry that is pushed to may send us, and what it may answer.
#[tokio::test]
async fn a_push_ends_whatever_the_registry_says() {
    let (component, info) = (component(), info());
    // Without TLS it is the registry's own host or none.
    let other = TcpListener::bind("127.0.0.2:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let other_url = format!("http://{}/x", other.local_addr().unwrap());
    for location in [
        "",
        "http://[",
        "data:,x",
        "file:///tmp/x",
        "/\u{fffd}",
        "https://127.0.0.1:1/x",
        &other_url,
    ] {
        let header = format!("Location: {location}");
        let server = Server::start(move |asked, stream| match asked.path() {
            "/v2/" => say(stream, "200 OK", &[], b"{}"),
            _ => say(stream, "202 Accepted", &[&header], b""),
        });
        let pushed =
            push(&server.reference("os:1"), artifact(&component, &info), &anonymous()).await;
        let error = pushed.unwrap_err();
        assert!(matches!(error, PushError::Upload { what: "layer", .. }), "{location}: {error}");
    }
    let asked = other.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(asked, Err(ErrorKind::WouldBlock));
    let dripping = Server::start(|asked, stream| match asked.path() {
        "/v2/" => say(stream, "200 OK", &[], b"{}"),
        _ => {
            head(stream, "500 Oops", &[]);
            while std::io::Write::write_all(stream, b"no ").is_ok() {
                thread::sleep(Duration::from_millis(100));
            }
        }
    });
    let pushed = push(&dripping.reference("os:1"), artifact(&component, &info), &impatient()).await;
    assert!(matches!(pushed, Err(PushError::TimedOut { .. })), "{pushed:?}");
}

/// It says that it took everything, and gives back something else.
#[tokio::test]
async fn a_push_is_looked_at_afterwards() {
    let (component, info) = (component(), info());
    let server = Server::start(|asked, stream| match asked.line.split(' ').next() {
        Some("POST") => say(stream, "202 Accepted", &["Location: /v2/os/upload?x=y"], b""),
        Some("PUT") => say(stream, "201 Created", &["Location: /v2/os/x"], b""),
        _ => say(stream, "200 OK", &[], b"{}"),
    });
    let pushed = push(&server.reference("os:1"), artifact(&component, &info), &anonymous()).await;
    let error = pushed.unwrap_err();
    assert!(matches!(error, PushError::ReadBack(PullError::Digest { .. })), "{error:?}");
    assert_eq!(error.to_string(), "the registry does not give back what was pushed");
}
