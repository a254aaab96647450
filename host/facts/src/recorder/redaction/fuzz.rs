//! Fuzz target: what a recording gives away.

use serde_json::json;
use witgate_testkit::fuzz_target;

use super::redact;
use crate::{
    Blob, HttpRequest, HttpResponse,
    fixture::{Answered, Exchange, Fact, Recorded, RecordedFile},
};

/// What nobody may see. No input of a target has it but where this module puts it.
const CANARY: &str = "cAnArY-7f3a";

/// Wherever a secret stands that [`Redaction`](crate::Redaction) promises to take out, and whatever
/// stands around it, nothing of it is left.
#[test]
fn redaction() {
    let words: &[&str] = &[
        "://",
        "@",
        ":",
        ": ",
        "=",
        "&",
        "?",
        "token=",
        "password=",
        "http://a:b@c/?key=x",
        "{\"env\":[",
        "\"",
        "\\",
        "<redacted, 5 bytes>",
        "-----BEGIN PRIVATE KEY-----",
    ];
    fuzz_target!("redaction").words(words).check(|input| {
        // Five texts of somebody else, without lines of their own.
        let text = String::from_utf8_lossy(input);
        let mut texts = text.split('\n').chain(std::iter::repeat(""));
        let around = std::array::from_fn(|_| texts.next().unwrap_or_default());
        let mut recorded = recording(around);
        redact(&mut recorded);
        let shown = serde_json::to_string(&recorded).unwrap();
        assert!(!shown.contains(CANARY), "{shown}");
    });
}

fn recording([a, b, c, d, e]: [&str; 5]) -> Recorded {
    let secret = format!("{a}{CANARY}{b}");
    let key =
        format!("{c}-----BEGIN EC PRIVATE KEY-----\n{CANARY}\n-----END EC PRIVATE KEY-----\n{d}");
    let content = |text: &str| RecordedFile {
        content: Some(Fact::Ok(Some(Blob::from(text)))),
        ..RecordedFile::default()
    };
    let inside = |text: &str| text.replace(['/', ':', '@'], "_");
    let address = format!("{c}://{}:{CANARY}@{d}", inside(e));
    let mut arguments = vec![d.to_owned(), format!("--password={secret}"), address];
    arguments.extend([
        "--header=Authorization: ".to_owned() + &secret,
        e.to_owned(),
        String::new(),
    ]);
    arguments.extend(["--api-key".to_owned(), secret.clone(), c.to_owned()]);
    let json = json!({
        c: d, "env": [format!("NAME={secret}"), { "name": c, "value": secret }],
        "list": [c, d, { "Token": secret }], "password": [secret, { e: secret }],
    });
    let twice = format!(r#"{{"x":{{"token":{}}},"x":{}}}"#, json!(secret), json!(d));
    Recorded {
        environ: [(e.to_owned(), Fact::Ok(Some(Blob::from(&*secret))))].into(),
        cmdline: Some(Fact::Ok(arguments.iter().map(|text| Blob::from(&**text)).collect())),
        host_files: [(format!("/etc/{}/password", inside(c)), content(&secret))].into(),
        workload_files: [(format!("/{e}"), content(&key))].into(),
        exchanges: vec![
            exchange(&secret, Blob::from(&*json.to_string()), "application/json"),
            exchange(&secret, Blob::from(&*json!({ "twice": twice }).to_string()), e),
            exchange(&secret, Blob::from(&*twice), "application/json"),
            exchange(&secret, Blob::from(&*key), e),
            exchange(&secret, form(&secret), "application/x-www-form-urlencoded"),
        ],
        ..Recorded::default()
    }
}

/// One field that is a secret; a form ends it at `&`.
fn form(secret: &str) -> Blob {
    Blob::from(&*format!("token={}", secret.replace('&', "%26")))
}

fn exchange(secret: &str, body: Blob, kind: &str) -> Exchange {
    let query = String::from_utf8_lossy(&form(secret).0).into_owned();
    let headers = vec![
        ("Content-Type".to_owned(), kind.to_owned()),
        ("Authorization".to_owned(), secret.to_owned()),
    ];
    let request = HttpRequest {
        method: "GET".to_owned(),
        path: format!("/v1?{query}"),
        headers: headers.clone(),
        body: body.clone(),
    };
    let outcome = Answered::Ok(HttpResponse { status: 200, headers, body });
    Exchange { endpoint: "e".to_owned(), request, outcome }
}
