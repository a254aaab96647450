use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{KEPT, Recorder, Redaction};
use crate::{
    Blob, Capabilities, Capability, Endpoints as _, FactError, FactSource as _, FileRoot,
    HttpError, HttpRequest,
    fixture::{Fact, Recorded},
};

/// Answers of a recording are there at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing is to be waited for here"),
    }
}

fn granted(words: &[&str]) -> Capabilities {
    words.iter().map(|word| word.parse::<Capability>().unwrap()).collect()
}

/// Every field there is.
fn everything() -> Recorded {
    serde_json::from_str(include_str!("../../tests/everything.json")).unwrap()
}

/// What `everything` takes.
fn all() -> Capabilities {
    granted(&[
        "executable",
        "ancestry",
        "cmdline",
        "systemd",
        "environ:HOME",
        "environ:NONE",
        "files.host:/etc/hostname",
        "files.host:/etc/none",
        "files.workload:/data/",
        "http:docker",
    ])
}

fn request(exchange: &crate::fixture::Exchange) -> (String, HttpRequest) {
    (exchange.endpoint.clone(), exchange.request.clone())
}

/// Records a recording, asking for what it takes to be asked for.
fn record(source: &Recorded, redaction: Redaction, granted: &Capabilities) -> Recorded {
    let facts = Arc::new(source.clone());
    let recorder = Recorder::new(Arc::clone(&facts) as Arc<_>)
        .with_endpoints(Arc::clone(&facts) as Arc<_>)
        .with_redaction(redaction);
    for exchange in &source.exchanges {
        let (endpoint, request) = request(exchange);
        let _ = now(recorder.send(&endpoint, request));
    }
    for path in source.workload_files.keys() {
        let _ = now(recorder.file(FileRoot::Workload, path));
        let _ = now(recorder.entries(FileRoot::Workload, path));
        let _ = now(recorder.status(FileRoot::Workload, path));
    }
    now(recorder.finish(granted, source.about.clone()))
}

#[test]
fn a_recording_of_a_recording_answers_the_same() {
    let source = everything();
    let copy = record(&source, Redaction::Keep, &all());
    assert_eq!(copy, Recorded { schema: None, ..source });
    let text = serde_json::to_string_pretty(&copy).unwrap();
    let read: Recorded = serde_json::from_str(&text).unwrap();
    assert_eq!(record(&read, Redaction::Keep, &all()), copy);
}

#[test]
fn what_is_granted_is_recorded_though_nobody_asked() {
    let source = everything();
    let recorder = Recorder::new(Arc::new(source.clone()));
    let found = now(recorder.finish(&all(), String::new()));
    assert_eq!(found.ancestry, source.ancestry);
    assert_eq!(found.host_files, source.host_files);
    assert!(matches!(found.environ["HOME"], Fact::Ok(Some(_))));
    assert_eq!(found.environ["NONE"], Fact::Ok(None));
    // Of a directory, what is in it; and not what is below that.
    assert_eq!(found.workload_files.keys().collect::<Vec<_>>(), ["/data"]);
    assert_eq!(found.workload_files["/data"].entries, source.workload_files["/data"].entries);
    assert!(found.exchanges.is_empty());
}

#[test]
fn what_is_not_granted_is_not_recorded() {
    let found = now(Recorder::new(Arc::new(everything())).finish(&granted(&[]), "a".to_owned()));
    assert!(found.credentials.is_some() && found.namespaces.is_some());
    assert!(found.executable.is_none() && found.executable_sha256.is_none());
    assert!(found.ancestry.is_none() && found.cmdline.is_none() && found.systemd_unit.is_none());
    assert!(found.environ.is_empty() && found.host_files.is_empty());
    assert!(found.workload_files.is_empty());
}

#[test]
fn without_endpoints_a_request_is_refused_and_that_is_recorded() {
    let recorder = Recorder::new(Arc::new(Recorded::default()));
    let request = HttpRequest {
        method: "GET".to_owned(),
        path: "/".to_owned(),
        headers: Vec::new(),
        body: Blob::default(),
    };
    let refused = now(recorder.send("docker", request.clone())).unwrap_err();
    assert!(matches!(refused, HttpError::Refused(_)));
    let recorded = now(recorder.finish(&granted(&[]), String::new()));
    assert_eq!(now(recorded.send("docker", request)), Err(refused));
}

#[test]
fn what_is_noted_is_bounded_and_says_so() {
    let recorder = Recorder::new(Arc::new(Recorded::default())).with_redaction(Redaction::Keep);
    for number in 0..KEPT + 3 {
        let _ = now(recorder.variable(&format!("V{number}")));
        let _ = now(recorder.file(FileRoot::Host, &format!("/{number}")));
    }
    // What is kept already may be asked for again.
    let _ = now(recorder.status(FileRoot::Host, "/0"));
    let found = now(recorder.finish(&granted(&[]), "a loop".to_owned()));
    assert_eq!((found.environ.len(), found.host_files.len()), (KEPT, KEPT));
    assert_eq!(found.about, "a loop (6 answers left out)");
    assert_eq!(found.host_files["/0"].status, Some(Fact::Err(FactError::Unsupported)));
}

#[test]
fn how_much_was_redacted_is_said() {
    let source: Recorded = serde_json::from_value(json!({
        "about": "nginx",
        "environ.variables": { "HOME": { "ok": "/root" }, "EMPTY": { "ok": "" }, "NONE": { "ok": null } },
        "cmdline.arguments": { "ok": ["nginx", "--token=abc"] },
    }))
    .unwrap();
    let granted = granted(&["cmdline", "environ:HOME", "environ:EMPTY", "environ:NONE"]);
    let found = record(&source, Redaction::Secrets, &granted);
    assert_eq!(found.about, "nginx (2 values redacted)");
    assert_eq!(found.environ["HOME"], Fact::Ok(Some(Blob::from("<redacted, 5 bytes>"))));
    assert_eq!(found.environ["EMPTY"], Fact::Ok(Some(Blob::default())));
    assert_eq!(found.environ["NONE"], Fact::Ok(None));
    // Recorded again there is nothing to redact, and nothing changes.
    let again = record(&found, Redaction::Secrets, &granted);
    assert_eq!(again.about, "nginx (2 values redacted) (0 values redacted)");
    assert_eq!(again.environ, found.environ);
    assert_eq!(again.cmdline, found.cmdline);
    let kept = record(&source, Redaction::Keep, &granted);
    assert_eq!((&kept.about, &kept.environ), (&source.about, &source.environ));
}

#[test]
fn a_request_made_of_a_redacted_value_finds_its_redacted_answer() {
    let source: Recorded = serde_json::from_value(json!({
        "environ.variables": { "TOKEN": { "ok": "s3cret" } },
        "http.exchanges": [{
            "endpoint": "api",
            "request": { "method": "POST", "path": "/?token=s3cret", "body": "{\"token\":\"s3cret\"}" },
            "outcome": { "ok": { "status": 204 } },
        }],
    }))
    .unwrap();
    let found = record(&source, Redaction::Secrets, &granted(&["environ:TOKEN", "http:api"]));
    let token = now(found.variable("TOKEN")).unwrap().unwrap();
    let token = String::from_utf8(token).unwrap();
    let request = HttpRequest {
        method: "POST".to_owned(),
        path: format!("/?token={token}"),
        headers: Vec::new(),
        body: Blob(json!({ "token": token }).to_string().into_bytes()),
    };
    assert_eq!(now(found.send("api", request)).unwrap().status, 204);
}

/// Where a secret may stand so that it is known to be one.
fn hiding_place(secret: &str, place: usize) -> Value {
    let exchange = |path: &str, headers: Value, body: &str, answer: &str| {
        json!({ "http.exchanges": [{
            "endpoint": "e",
            "request": { "method": "GET", "path": path, "headers": headers, "body": body },
            "outcome": { "ok": { "status": 200, "headers": headers, "body": answer } },
        }]})
    };
    let arguments = |arguments: Value| json!({ "cmdline.arguments": { "ok": arguments } });
    let json = |body: Value| exchange("/", json!([]), &body.to_string(), &body.to_string());
    let file = |root: &str, path: &str| json!({ root: { path: { "content": { "ok": secret } } } });
    match place {
        0 => json!({ "environ.variables": { "V": { "ok": secret } } }),
        1 => arguments(json!(["a", format!("--password={secret}")])),
        2 => arguments(json!(["a", "--api-token", secret, "b"])),
        3 => arguments(json!([format!("SECRET_X={secret}")])),
        4 => arguments(json!(["a", format!("--db=postgres://u:{secret}@h/d")])),
        5 => exchange("/", json!([["Authorization", format!("Bearer {secret}")]]), "", ""),
        6 => exchange("/", json!([["set-cookie", secret], ["x-auth-token", secret]]), "", ""),
        7 => exchange(&format!("/x?a=b&token={secret}"), json!([]), "", ""),
        8 => json(json!({ "auth": { "user": "u", "x": [secret, { "y": secret }] } })),
        9 => json(json!([{ "Config": { "Env": [format!("PLAIN={secret}")] } }])),
        10 => json(json!({ "env": [{ "name": "N", "value": secret }], "Env": { "N": secret } })),
        11 => json(json!({ "Cmd": ["x", "--password", secret, format!("key={secret}")] })),
        12 => json(json!({ "note": json!({ "deep": { "password": secret } }).to_string() })),
        13 => exchange("/", json!([]), &format!("{{\"a\": \"{secret}"), &format!("[{secret}")),
        14 => exchange(
            "/",
            json!([["content-type", "application/x-www-form-urlencoded"]]),
            &format!("a=b&client_secret={secret}"),
            "",
        ),
        15 => file("files.workload", "/run/secrets/db"),
        16 => json(json!({ "httpHeaders": [{ "name": "Authorization", "value": secret }] })),
        17 => {
            let key = format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n");
            json!({ "files.workload": { "/data/plain": { "content": { "ok": key } } } })
        }
        18 => {
            let key =
                format!("-----BEGIN EC PRIVATE KEY-----\n{secret}\n-----END EC PRIVATE KEY-----\n");
            exchange("/", json!([["content-type", "text/plain"]]), "", &key)
        }
        19 => json(json!({ "note": format!("{{\"password\":\"{secret}\"") })),
        _ => file("files.host", "/etc/app/api-key"),
    }
}

const PLACES: usize = 21;

proptest! {
    #[test]
    fn a_secret_never_comes_through(secret in "[A-Za-z0-9+/\"\\\\é]{1,40}", place in 0..PLACES) {
        // Not a part of anything else that is in there.
        let secret = format!("S3{secret}");
        let source: Recorded = serde_json::from_value(hiding_place(&secret, place)).unwrap();
        let granted = granted(&[
            "cmdline",
            "environ:V",
            "files.host:/etc/app/api-key",
            "files.workload:/run/secrets/db",
            "files.workload:/data/plain",
        ]);
        let shown = |redaction| {
            let found = record(&source, redaction, &granted);
            (serde_json::to_string(&found).unwrap(), found.about)
        };
        let (text, about) = shown(Redaction::Secrets);
        prop_assert!(!text.contains("S3"), "{place}: {text}");
        prop_assert!(!about.starts_with('0'), "{place}: {about}");
        prop_assert!(shown(Redaction::Keep).0.contains("S3"));
    }

    #[test]
    fn any_bytes_can_be_recorded(
        argument: Vec<u8>, body: Vec<u8>, text in ".{0,40}", json in "[\\[\\]{}\":,a-e0-9]{0,60}",
    ) {
        let mut source = Recorded {
            cmdline: Some(Fact::Ok(vec![Blob(argument), Blob::from(&*text)])),
            ..Recorded::default()
        };
        for body in [Blob(body), Blob::from(&*json)] {
            let exchange: Value = json!({
                "endpoint": "e", "request": { "method": "GET", "path": text, "body": body },
                "outcome": { "err": "timeout" },
            });
            source.exchanges.push(serde_json::from_value(exchange).unwrap());
        }
        let found = record(&source, Redaction::Secrets, &granted(&["cmdline"]));
        let json = serde_json::to_string(&found).unwrap();
        prop_assert_eq!(serde_json::from_str::<Recorded>(&json).unwrap(), found);
    }
}
