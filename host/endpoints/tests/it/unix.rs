//! What goes to a well-behaved server and what comes back.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use tokio::io::AsyncWriteExt as _;
use witgate_facts::{Blob, Endpoints as _, HttpError, HttpRequest};

use crate::server::{
    endpoints, get, health, http, last_error, ok, raw, read_head, send, socket_path, unix_settings,
};

fn with_headers(seen: &crate::server::Seen) -> Response<Full<Bytes>> {
    let body = if seen.method == "POST" { seen.body.clone() } else { Bytes::from_static(b"[]") };
    Response::builder()
        .header("Content-Type", "application/json")
        .header("ETag", "\"one\"")
        .header("Retry-After", "3")
        .header("Set-Cookie", "session=1")
        .header("Server", "test")
        .header("Docker-Experimental", "false")
        .body(Full::new(body))
        .unwrap()
}

#[tokio::test]
async fn a_request_arrives_whole_and_three_header_fields_come_back() {
    let server = http(with_headers);
    let endpoints = endpoints(&unix_settings(&server.path));
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let request = HttpRequest {
        method: "POST".to_owned(),
        path: "/v1.43/query?filters=%7B%22a%22%3A1%7D".to_owned(),
        headers: vec![
            header("content-type", "text/plain"),
            header("Accept", "application/json"),
            header("if-none-match", "\"zero\""),
        ],
        body: Blob(b"\x00\xffbody".to_vec()),
    };
    let response = send(&endpoints, request).await.unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(response.body.0, b"\x00\xffbody");
    assert_eq!(
        response.headers,
        [
            header("content-type", "application/json"),
            header("etag", "\"one\""),
            header("retry-after", "3"),
        ]
    );

    let seen = server.seen.lock().unwrap().remove(0);
    assert_eq!((&*seen.method, &*seen.target), ("POST", "/v1.43/query?filters=%7B%22a%22%3A1%7D"));
    assert_eq!(seen.body, &b"\x00\xffbody"[..]);
    let mut headers: Vec<_> =
        seen.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    headers.sort_unstable();
    assert_eq!(
        headers,
        [
            ("accept", "application/json"),
            ("connection", "close"),
            ("content-length", "6"),
            ("content-type", "text/plain"),
            ("host", "localhost"),
            ("if-none-match", "\"zero\""),
            ("user-agent", "witgate"),
        ]
    );
    let health = health(&endpoints);
    assert_eq!((health.requests, health.answered, health.under_way), (1, 1, 0));
    assert_eq!(health.last_success.unwrap().status, 200);
    assert_eq!(health.place, server.path.display().to_string());
}

// #43
#[tokio::test]
async fn a_status_is_an_answer_and_a_redirect_is_not_followed() {
    let server = http(|seen| {
        let status: u16 = seen.target.trim_start_matches('/').parse().unwrap();
        Response::builder()
            .status(StatusCode::from_u16(status).unwrap())
            .header("Location", "/200")
            .body(Full::from(if matches!(status, 204 | 304) { "" } else { "text" }))
            .unwrap()
    });
    let endpoints = endpoints(&unix_settings(&server.path));
    for status in [200, 204, 301, 302, 304, 307, 308, 401, 404, 429, 500, 503] {
        let response = send(&endpoints, get(&format!("/{status}"))).await.unwrap();
        assert_eq!(response.status, status);
        assert_eq!(response.headers, [], "{status}");
    }
    let asked: Vec<_> =
        server.seen.lock().unwrap().iter().map(|seen| seen.target.clone()).collect();
    assert_eq!(asked.len(), 12, "{asked:?}");
}

#[tokio::test]
async fn a_head_is_answered_by_a_head() {
    let server = http(|_| {
        Response::builder()
            .header("Content-Length", "99999999999")
            .header("ETag", "\"one\"")
            .body(Full::from(""))
            .unwrap()
    });
    let endpoints = endpoints(&unix_settings(&server.path));
    let head = HttpRequest { method: "HEAD".to_owned(), ..get("/_ping") };
    let response = send(&endpoints, head).await.unwrap();
    assert_eq!((response.status, response.body.is_empty()), (200, true));
    assert_eq!(response.headers.len(), 1);
}

#[tokio::test]
async fn every_framing_of_a_body_is_read_and_none_is_decoded() {
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    let length = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", gzip.len());
    let zipped = [length.as_bytes(), b"Content-Encoding: gzip\r\n\r\n", gzip].concat();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: ETag\r\n\r\n\
        3;x=\"y\"\r\nabc\r\n2\r\nde\r\n0\r\nETag: \"late\"\r\n\r\n";
    let closed = b"HTTP/1.0 200 OK\r\n\r\nabcde";
    let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde";
    for (sent, body) in [
        (&zipped[..], &gzip[..]),
        (chunked, b"abcde"),
        (closed, b"abcde"),
        (interim, b"abcde"),
        // More than was announced is not the body's.
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 200 OK\r\n\r\n", b"ab"),
    ] {
        let sent = sent.to_vec();
        let server = raw(move |mut stream| {
            let sent = sent.clone();
            async move {
                read_head(&mut stream).await;
                stream.write_all(&sent).await.unwrap();
            }
        });
        let endpoints = endpoints(&unix_settings(&server.path));
        let response = send(&endpoints, get("/")).await.unwrap();
        assert_eq!(response.body.0, body);
        assert_eq!(response.headers, []);
    }
}

#[tokio::test]
async fn the_largest_bodies_pass_both_ways() {
    let server = http(|seen| {
        assert_eq!(seen.body.len(), 64 * 1024);
        Response::new(Full::from(vec![b'x'; 1024 * 1024]))
    });
    let endpoints = endpoints(&unix_settings(&server.path));
    let request =
        HttpRequest { method: "POST".to_owned(), body: Blob(vec![b'x'; 64 * 1024]), ..get("/") };
    assert_eq!(send(&endpoints, request).await.unwrap().body.0.len(), 1024 * 1024);
}

// #43
#[tokio::test]
async fn where_nobody_answers_the_plugin_learns_no_path() {
    let (dir, path) = socket_path();
    let endpoints = endpoints(&unix_settings(&path));
    let unreachable = |words: &str| Err(HttpError::Unreachable(words.to_owned()));
    assert_eq!(send(&endpoints, get("/")).await, unreachable("entity not found"));
    // A listener that has gone leaves its socket behind.
    drop(tokio::net::UnixListener::bind(&path).unwrap());
    assert_eq!(send(&endpoints, get("/")).await, unreachable("connection refused"));
    assert!(last_error(&endpoints).contains(&path.display().to_string()));
    assert_eq!(health(&endpoints).errors.into_values().sum::<u64>(), 2);
    drop(dir);
}

#[tokio::test]
async fn a_name_that_is_not_there_is_refused() {
    let server = http(|_| ok(""));
    let endpoints = endpoints(&unix_settings(&server.path));
    for name in ["", "Here", "here ", "docker", "../here"] {
        let error = endpoints.send(name, get("/")).await.unwrap_err();
        assert!(matches!(error, HttpError::Refused(_)), "{name}: {error:?}");
    }
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_full_backlog_is_waited_for() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
    let (_dir, path) = socket_path();
    let listener = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    listen(&listener, 0).unwrap();
    let mut waiting = Vec::new();
    // Whoever is refused by the kernel would block.
    while let Ok(stream) = tokio::net::UnixStream::connect(&path).await {
        waiting.push(stream);
    }
    let settings =
        witgate_endpoints::EndpointSettings { timeout_ms: Some(50), ..unix_settings(&path) };
    assert_eq!(send(&endpoints(&settings), get("/")).await, Err(HttpError::Timeout));

    let patient = endpoints(&unix_settings(&path));
    let listener = std::os::unix::net::UnixListener::from(listener);
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::UnixListener::from_std(listener).unwrap();
    let serve = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            waiting.clear();
            if read_head(&mut stream).await {
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            }
        }
    };
    tokio::select! {
        response = send(&patient, get("/")) => assert_eq!(response.unwrap().status, 204),
        () = serve => {}
    }
}
