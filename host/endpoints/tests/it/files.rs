//! Tokens and other files that change under a running daemon, or are not what they should be.

use std::{fs, os::unix::fs::symlink, path::Path};

use witgate_endpoints::{EndpointSettings, NamedEndpoints};
use witgate_facts::{Blob, HttpError, HttpRequest};

use crate::server::{
    UnixServer, endpoints, get, health, http, last_error, ok, send, unix_settings,
};

fn with_token(server: &UnixServer, token: &Path) -> NamedEndpoints {
    endpoints(&EndpointSettings {
        token_file: Some(token.to_path_buf()),
        ..unix_settings(&server.path)
    })
}

fn tokens_seen(server: &UnixServer) -> Vec<String> {
    let seen = server.seen.lock().unwrap();
    let token =
        |seen: &crate::server::Seen| seen.headers["authorization"].to_str().unwrap().to_owned();
    seen.iter().map(token).collect()
}

#[tokio::test]
async fn a_token_that_was_replaced_is_sent_from_then_on() {
    let server = http(|_| ok(""));
    let dir = tempfile::tempdir().unwrap();
    let in_dir = |name: &str| dir.path().join(name);
    // As a kubelet mounts them: the file is a link through a link that is swapped.
    for (generation, token) in [("1", "first\n"), ("2", "other\n")] {
        fs::create_dir(in_dir(generation)).unwrap();
        fs::write(in_dir(generation).join("token"), token).unwrap();
    }
    symlink("1", in_dir("data")).unwrap();
    symlink("data/token", in_dir("token")).unwrap();
    let endpoints = with_token(&server, &in_dir("token"));
    send(&endpoints, get("/")).await.unwrap();
    symlink("2", in_dir("next")).unwrap();
    fs::rename(in_dir("next"), in_dir("data")).unwrap();
    send(&endpoints, get("/")).await.unwrap();
    // Written over in place, of the same length, at once.
    fs::write(in_dir("2/token"), "third\n").unwrap();
    send(&endpoints, get("/")).await.unwrap();
    send(&endpoints, get("/")).await.unwrap();
    assert_eq!(
        tokens_seen(&server),
        ["Bearer first", "Bearer other", "Bearer third", "Bearer third"]
    );
}

#[tokio::test]
async fn without_a_good_token_nothing_is_sent() {
    let server = http(|_| ok(""));
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    let endpoints = with_token(&server, &token);
    let words = "a file that the daemon needs for it cannot be used".to_owned();
    let mut texts = Vec::new();
    for content in [
        None,
        Some(""),
        Some(" \n"),
        Some("hush two"),
        Some("hush\nX-Admin: yes"),
        Some("hush\0"),
        Some("h\u{fc}sh"),
        Some(&*"hush".repeat(5000)),
    ] {
        if let Some(content) = content {
            fs::write(&token, content).unwrap();
        }
        let error = send(&endpoints, get("/")).await.unwrap_err();
        assert_eq!(error, HttpError::Unreachable(words.clone()), "{content:?}");
        let [(name, unusable)] = &endpoints.check_files()[..] else { panic!("{content:?}") };
        assert_eq!((&**name, &*last_error(&endpoints)), ("here", &*unusable.to_string()));
        texts.push(unusable.to_string());
    }
    assert!(server.seen.lock().unwrap().is_empty());
    for text in texts {
        assert!(
            text.contains("`token_file`") && text.contains(&*token.to_string_lossy()),
            "{text}"
        );
        assert!(!text.contains("hush"), "{text}");
    }
    fs::write(&token, "hush").unwrap();
    assert_eq!(send(&endpoints, get("/")).await.unwrap().status, 200);
    assert!(endpoints.check_files().is_empty());
}

#[tokio::test]
async fn a_token_shows_up_nowhere_but_on_the_wire() {
    let server = http(|_| ok("not the token"));
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    fs::write(&token, "hush-hush").unwrap();
    let endpoints = with_token(&server, &token);
    let response = send(&endpoints, get("/")).await.unwrap();
    assert_eq!(tokens_seen(&server), ["Bearer hush-hush"]);
    let override_it = HttpRequest {
        headers: vec![("authorization".to_owned(), "Bearer mine".to_owned())],
        body: Blob::default(),
        ..get("/")
    };
    let refused = send(&endpoints, override_it).await.unwrap_err();
    let shown = format!("{endpoints:?} {response:?} {refused:?} {:?}", health(&endpoints));
    assert!(!shown.contains("hush-hush"), "{shown}");
    drop(server);
    let gone = send(&endpoints, get("/")).await.unwrap_err();
    let shown = format!("{endpoints:?} {gone:?} {:?}", health(&endpoints));
    assert!(!shown.contains("hush-hush"), "{shown}");
}
