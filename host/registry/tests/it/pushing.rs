//! What is not pushed at all: nobody is asked.

use witgate_provenance::{Component, Digest};
use witgate_registry::{Artifact, Info, PushError, Reference, limits, push};

use crate::{
    artifacts::{artifact, chain, component, info},
    registry::anonymous,
    server::Server,
};

async fn refusal(reference: &Reference, artifact: Artifact<'_>) -> String {
    chain(&push(reference, artifact, &anonymous()).await.unwrap_err())
}

#[tokio::test]
async fn what_is_wrong_is_seen_before_anybody_is_asked() {
    let server = Server::start(|_, _| {});
    let reference = server.reference("os:1.2.3");
    let (component, info) = (component(), info());
    let good = artifact(&component, &info);
    for (bytes, cause) in [
        (&b"\0asm\x01\0\0\0"[..], "it is a core WebAssembly module, not a component"),
        (b"hello", "it is not WebAssembly"),
        (b"", "it is not WebAssembly"),
        (&component.bytes()[..component.bytes().len() / 2], "it is not WebAssembly"),
    ] {
        let component = Component::new(bytes.to_vec());
        let error = refusal(&reference, Artifact { component: &component, ..good }).await;
        assert!(error.starts_with("only a component can be pushed as a plugin: "), "{error}");
        assert!(error.contains(cause), "{error}");
    }
    let huge = "x".repeat(limits::SIGNATURE_BYTES + 1);
    let error = refusal(&reference, Artifact { signature: Some(&huge), ..good }).await;
    assert_eq!(error, "the signature has 4097 bytes, the limit is 4096");
    let long = Info { description: "x".repeat(limits::INFO_BYTES + 1), ..info.clone() };
    let control = Info { version: "1\u{1b}[2J".to_owned(), ..info.clone() };
    let empty = Info { description: String::new(), ..info.clone() };
    for (info, field) in [(long, "description"), (control, "version"), (empty, "description")] {
        let error = refusal(&reference, Artifact { info: &info, ..good }).await;
        assert!(
            error.starts_with(&format!("the {field} of the plugin must have 1 to 512")),
            "{error}"
        );
    }
    assert!(server.asked().is_empty(), "{:?}", server.asked());
}

#[tokio::test]
async fn one_pushes_to_a_tag() {
    let server = Server::start(|_, _| {});
    let (component, info) = (component(), info());
    let digest = server.reference("os").pinned(Digest::of(b""));
    let error = push(&digest, artifact(&component, &info), &anonymous()).await.unwrap_err();
    assert!(matches!(error, PushError::DigestGiven { .. }), "{error}");
    for version in ["a b", "1/2", "../../../x", "1@sha256:x", &"1".repeat(200)] {
        let info = Info { version: version.to_owned(), ..info.clone() };
        let pushed = push(&server.reference("os"), artifact(&component, &info), &anonymous()).await;
        let error = pushed.unwrap_err();
        assert!(matches!(error, PushError::NotATag { .. }), "{version}: {error}");
    }
    assert!(server.asked().is_empty(), "{:?}", server.asked());
}
