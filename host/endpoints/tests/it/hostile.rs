//! Servers that send too much, too slowly, too little, or something else.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    sync::mpsc,
    time::sleep,
};
use witgate_endpoints::{EndpointSettings, ErrorKind};
use witgate_facts::HttpError;

use crate::server::{endpoints, get, health, last_error, raw, read_head, send, unix_settings};

/// What a server sends once it was asked: something first, then something again and again.
#[derive(Clone)]
struct Attack {
    first: Vec<u8>,
    then: Vec<u8>,
    pause: Duration,
}

impl Attack {
    fn once(first: impl AsRef<[u8]>) -> Self {
        Self { first: first.as_ref().to_vec(), then: Vec::new(), pause: Duration::ZERO }
    }

    fn endless(first: &str, then: &str) -> Self {
        // As large writes as a determined server would make.
        let then = then.repeat(1 + 16 * 1024 / then.len()).into_bytes();
        Self { first: first.into(), then, pause: Duration::ZERO }
    }

    fn slow(first: &str, then: &str) -> Self {
        Self { first: first.into(), then: then.into(), pause: Duration::from_millis(10) }
    }

    /// Goes on until the connection is closed.
    async fn run(self, mut stream: UnixStream) {
        if !read_head(&mut stream).await || stream.write_all(&self.first).await.is_err() {
            return;
        }
        while !self.then.is_empty() && stream.write_all(&self.then).await.is_ok() {
            sleep(self.pause).await;
        }
    }

    /// How the endpoint sees it, and what the operator reads; returns once the server has noticed
    /// that nobody listens any more.
    async fn against(self, timeout_ms: u64) -> (HttpError, String, ErrorKind) {
        let (ended, mut end) = mpsc::channel(1);
        let attack = Arc::new(self);
        let server = raw(move |stream| {
            let (attack, ended) = (Self::clone(&attack), ended.clone());
            async move {
                attack.run(stream).await;
                ended.send(()).await.unwrap();
            }
        });
        let settings =
            EndpointSettings { timeout_ms: Some(timeout_ms), ..unix_settings(&server.path) };
        let endpoints = endpoints(&settings);
        let error = send(&endpoints, get("/")).await.unwrap_err();
        end.recv().await.unwrap();
        let health = health(&endpoints);
        assert_eq!((health.requests, health.under_way, health.answered), (1, 0, 0));
        (error, last_error(&endpoints), health.last_error.unwrap().kind)
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
/// Long enough that none of what must end sooner ever ends by it.
const PATIENT_MS: u64 = 30_000;

// #43
#[tokio::test]
async fn whatever_has_no_end_is_too_large() {
    let many = format!("{OK}{}\r\n", "a: b\r\n".repeat(101));
    let long = format!("{OK}a: {}\r\n\r\n", "b".repeat(33 * 1024));
    for (name, attack) in [
        ("a body", Attack::endless(&format!("{OK}\r\n"), "x")),
        ("chunks", Attack::endless(CHUNKED, "4\r\nabcd\r\n")),
        ("chunks of one byte", Attack::endless(CHUNKED, "1\r\nx\r\n")),
        ("header fields", Attack::endless(OK, "a: b\r\n")),
        ("a header field", Attack::endless(&format!("{OK}a: "), "b")),
        ("header fields, but for one too many", Attack::once(many)),
        ("a header field, but for a little", Attack::once(long)),
        ("a reason", Attack::endless("HTTP/1.1 200 ", "OK ")),
        ("interim responses", Attack::endless("", "HTTP/1.1 100 Continue\r\n\r\n")),
        ("hints", Attack::endless("", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")),
        ("announced", Attack::once(format!("{OK}Content-Length: 1048577\r\n\r\n"))),
        (
            "announced, as large as can be",
            Attack::once(format!("{OK}Content-Length: 9223372036854775807\r\n\r\n")),
        ),
    ] {
        let (error, text, kind) = attack.against(PATIENT_MS).await;
        assert_eq!(error, HttpError::TooLarge, "{name}: {text}");
        assert_eq!(kind, ErrorKind::TooLarge);
        assert!(text.starts_with("the response is too large: "), "{name}: {text}");
    }
}

#[tokio::test]
async fn trailers_and_chunk_extensions_without_end_get_nobody_anywhere() {
    for (name, attack) in [
        ("an extension", Attack::endless(&format!("{CHUNKED}1;"), "x")),
        ("extensions", Attack::endless(CHUNKED, "1;xxxxxxxx=yyyyyyyy\r\nz\r\n")),
        ("trailers", Attack::endless(&format!("{CHUNKED}0\r\n"), "a: b\r\n")),
        ("a trailer", Attack::endless(&format!("{CHUNKED}0\r\na: "), "b")),
        ("zeros", Attack::endless(CHUNKED, "0")),
    ] {
        let (error, text, _) = attack.against(PATIENT_MS).await;
        let bounded = matches!(error, HttpError::TooLarge | HttpError::Malformed(_));
        assert!(bounded, "{name}: {error:?}: {text}");
    }
}

#[tokio::test]
async fn the_operators_own_limit_counts_to_the_byte() {
    for (length, passes) in [(1024, true), (1025, false)] {
        for chunked in [false, true] {
            let body = "x".repeat(length);
            let sent = match chunked {
                true => format!("{CHUNKED}{length:x}\r\n{body}\r\n0\r\n\r\n"),
                false => format!("{OK}\r\n{body}"),
            };
            let server = raw(move |mut stream| {
                let sent = sent.clone();
                async move {
                    read_head(&mut stream).await;
                    let _ = stream.write_all(sent.as_bytes()).await;
                }
            });
            let settings =
                EndpointSettings { max_response_kib: Some(1), ..unix_settings(&server.path) };
            let answer = send(&endpoints(&settings), get("/")).await;
            assert_eq!(answer.is_ok(), passes, "{length} {chunked}");
            assert!(passes || answer == Err(HttpError::TooLarge));
        }
    }
}

// #43
#[tokio::test]
async fn whatever_takes_too_long_is_a_timeout() {
    let announced = format!("{OK}Content-Length: 1000000\r\n\r\n");
    for (name, attack) in [
        ("a body, byte by byte", Attack::slow(&announced, "x")),
        ("chunks, byte by byte", Attack::slow(CHUNKED, "1\r\nx\r\n")),
        ("a head, byte by byte", Attack::slow(OK, "a: b\r\n")),
        ("interim responses", Attack::slow("", "HTTP/1.1 102 Processing\r\n\r\n")),
        ("an unfinished chunk size", Attack::slow(CHUNKED, "0")),
    ] {
        let (error, text, kind) = attack.against(200).await;
        assert_eq!(error, HttpError::Timeout, "{name}: {text}");
        assert_eq!(kind, ErrorKind::Timeout);
        assert!(text.starts_with("out of time after 200 ms while "), "{name}: {text}");
    }
}

// #43
#[tokio::test]
async fn silence_is_a_timeout_and_closes_the_connection() {
    let (ended, mut end) = mpsc::channel(1);
    let server = raw(move |mut stream| {
        let ended = ended.clone();
        async move {
            read_head(&mut stream).await;
            ended.send(stream.read(&mut [0]).await.unwrap()).await.unwrap();
        }
    });
    let settings = EndpointSettings { timeout_ms: Some(100), ..unix_settings(&server.path) };
    assert_eq!(send(&endpoints(&settings), get("/")).await, Err(HttpError::Timeout));
    assert_eq!(end.recv().await, Some(0));
}

// #43
#[tokio::test]
async fn what_is_not_http_is_malformed() {
    for sent in [
        "garbage\r\n\r\n",
        "\0\0\0\0\0\0\0\0\0\0\0\0",
        "SSH-2.0-OpenSSH_9.9\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/0.9 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: \0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nETag: \u{f6}\r\nContent-Length: 0\r\n\r\n",
        "{\"message\":\"page not found\"}\n",
    ] {
        let (error, text, kind) = Attack::once(sent).against(PATIENT_MS).await;
        assert!(matches!(error, HttpError::Malformed(_)), "{sent:?}: {error:?}: {text}");
        assert_eq!(kind, ErrorKind::Malformed);
    }
}

// #43
#[tokio::test]
async fn what_ends_before_its_end_is_malformed() {
    for sent in [
        "H",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        let (error, text, _) = Attack::once(sent).against(PATIENT_MS).await;
        let words = "the response ended before it was whole".to_owned();
        assert_eq!(error, HttpError::Malformed(words), "{sent:?}: {text}");
    }
}

// #43
#[tokio::test]
async fn who_closes_without_a_word_is_unreachable() {
    let (error, text, kind) = Attack::once("").against(PATIENT_MS).await;
    let words = "the connection was closed without an answer".to_owned();
    assert_eq!((error, kind), (HttpError::Unreachable(words), ErrorKind::Unreachable), "{text}");
    // Nor need it wait to be asked.
    let server = raw(|stream| async { drop(stream) });
    let error = send(&endpoints(&unix_settings(&server.path)), get("/")).await.unwrap_err();
    assert!(matches!(error, HttpError::Unreachable(_)), "{error:?}");
}

// #43
#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_none() {
    let server = raw(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc").await;
        let _ = stream.read(&mut [0]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc").await;
    });
    let endpoints = endpoints(&unix_settings(&server.path));
    // Whether it came too early or just in time is a race, but nothing else may become of it.
    match send(&endpoints, get("/")).await {
        Ok(response) => assert_eq!(response.body.0, b"abc"),
        Err(error) => assert!(matches!(error, HttpError::Malformed(_)), "{error:?}"),
    }
}
