//! Push to a real registry, pull back, and everything that may happen to what lies there.

use std::fs;

use witgate_registry::{
    Access, Artifact, ConnectionError, PullError, PushError, Transport, pull, push,
};

use crate::{
    artifacts::{artifact, chain, component, info},
    registry::{Kind, Registry, anonymous},
};

const MAX: usize = 1 << 20;
const SIGNATURE: &str = "untrusted comment: x\nRUQ\ntrusted comment: y\nabc\n";

#[tokio::test]
async fn what_is_pushed_is_what_is_pulled() {
    let registry = Registry::start();
    let (component, info) = (component(), info());
    let artifact = Artifact { signature: Some(SIGNATURE), ..artifact(&component, &info) };
    let reference = registry.reference("attestors/os:1.2.3");
    let pushed = push(&reference, artifact, &anonymous()).await.unwrap();
    assert_eq!(pushed.tags, ["1.2.3"]);

    let pulled = pull(&reference, MAX, &anonymous()).await.unwrap();
    assert_eq!(pulled.component, component);
    assert_eq!(pulled.digest, pushed.digest);
    assert_eq!(pulled.signature.as_deref(), Some(SIGNATURE), "to the byte");
    let said = |key: &str| pulled.annotations[&format!("org.opencontainers.image.{key}")].clone();
    assert_eq!([said("title"), said("version")], ["os", "1.2.3"]);
    assert_eq!(said("description"), info.description);
    assert_eq!(said("created"), "2026-01-02T03:04:05Z", "to the second");

    let pinned = reference.pinned(pushed.digest);
    assert_eq!(pull(&pinned, MAX, &anonymous()).await.unwrap(), pulled);
    let again = push(&reference, artifact, &anonymous()).await.unwrap();
    assert_eq!(again, pushed, "the same plugin is the same artifact");
}

#[tokio::test]
async fn without_a_tag_the_version_is_one_and_shorter_ones_follow_if_asked_for() {
    let registry = Registry::start();
    let (component, info) = (component(), info());
    let place = registry.reference("attestors/os");
    let floating = Artifact { floating_tags: true, ..artifact(&component, &info) };
    let pushed = push(&place, floating, &anonymous()).await.unwrap();
    assert_eq!(pushed.tags, ["1.2.3", "1.2", "1"]);
    for tag in &pushed.tags {
        let reference = registry.reference(&format!("attestors/os:{tag}"));
        assert_eq!(pull(&reference, MAX, &anonymous()).await.unwrap().digest, pushed.digest);
    }
    let next = witgate_registry::Info { version: "1.3.0".to_owned(), ..info.clone() };
    let moved = push(&place, Artifact { info: &next, ..floating }, &anonymous()).await.unwrap();
    let digest = async |tag: &str| {
        let reference = registry.reference(&format!("attestors/os:{tag}"));
        pull(&reference, MAX, &anonymous()).await.unwrap().digest
    };
    assert_eq!(digest("1").await, moved.digest);
    assert_eq!(digest("1.2").await, pushed.digest, "the newer one has no business there");

    let preview = witgate_registry::Info { version: "2.0.0-rc.1+git".to_owned(), ..info.clone() };
    let error =
        push(&place, Artifact { info: &preview, ..floating }, &anonymous()).await.unwrap_err();
    assert!(matches!(error, PushError::NotARelease { .. }), "{error}");
    let preview = push(&place, artifact(&component, &preview), &anonymous()).await.unwrap();
    assert_eq!(preview.tags, ["2.0.0-rc.1_git"]);
}

#[tokio::test]
async fn a_missing_tag_or_repository_is_told_in_a_sentence() {
    let registry = Registry::start();
    let (component, info) = (component(), info());
    let reference = registry.reference("attestors/os:1.2.3");
    push(&reference, artifact(&component, &info), &anonymous()).await.unwrap();
    for missing in ["attestors/os:9.9.9", "attestors/none:1", "attestors/os"] {
        let missing = registry.reference(missing);
        let error = pull(&missing, MAX, &anonymous()).await.unwrap_err();
        assert!(matches!(error, PullError::NotFound { .. }), "{error}");
        let expected = format!("the registry has no {missing} (MANIFEST_UNKNOWN manifest unknown)");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_told_with_the_reason() {
    let address = {
        let registry = Registry::start();
        registry.address.clone()
    };
    let reference = format!("{address}/os:1").parse().unwrap();
    let error = pull(&reference, MAX, &anonymous()).await.unwrap_err();
    let text = chain(&error);
    assert!(text.starts_with(&format!("cannot talk to registry {address}: ")), "{text}");
    assert!(text.contains("Connection refused"), "{text}");
}

#[tokio::test]
async fn a_blob_that_was_changed_on_the_registrys_disk_is_refused() {
    let registry = Registry::start();
    let (component, info) = (component(), info());
    let reference = registry.reference("attestors/os:1.2.3");
    push(&reference, artifact(&component, &info), &anonymous()).await.unwrap();
    let blob = registry.blob(component.sha256());
    let good = component.bytes();

    let mut changed = good.to_vec();
    changed[good.len() / 2] ^= 1;
    fs::write(&blob, &changed).unwrap();
    let error = pull(&reference, MAX, &anonymous()).await.unwrap_err();
    assert!(matches!(error, PullError::Digest { what: "layer", .. }), "{error}");
    assert!(error.to_string().contains(&component.sha256().to_string()), "{error}");

    fs::write(&blob, &good[..good.len() - 1]).unwrap();
    let error = pull(&reference, MAX, &anonymous()).await.unwrap_err();
    assert!(matches!(error, PullError::Length { .. }), "{error}");

    fs::write(&blob, [good, b"\0"].concat()).unwrap();
    let error = pull(&reference, MAX, &anonymous()).await.unwrap_err();
    assert!(matches!(error, PullError::Connection(ConnectionError::Oversize { .. })), "{error}");

    fs::write(&blob, good).unwrap();
    assert_eq!(pull(&reference, MAX, &anonymous()).await.unwrap().component, component);
}

#[tokio::test]
async fn a_manifest_that_was_changed_on_the_registrys_disk_is_refused() {
    let registry = Registry::start();
    let (component, info) = (component(), info());
    let reference = registry.reference("attestors/os:1.2.3");
    let pushed = push(&reference, artifact(&component, &info), &anonymous()).await.unwrap();
    let path = registry.blob(pushed.digest);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("1.2.3", "9.9.9")).unwrap();
    for reference in [&reference, &reference.pinned(pushed.digest)] {
        let error = pull(reference, MAX, &anonymous()).await.unwrap_err();
        assert!(matches!(error, PullError::Digest { what: "manifest", .. }), "{error}");
    }
}

#[tokio::test]
async fn more_than_the_caller_wants_is_not_asked_for() {
    let registry = Registry::start();
    let (component, info) = (component(), info());
    let reference = registry.reference("attestors/os:1.2.3");
    push(&reference, artifact(&component, &info), &anonymous()).await.unwrap();
    let size = component.bytes().len();
    assert!(pull(&reference, size, &anonymous()).await.is_ok());
    let error = pull(&reference, size - 1, &anonymous()).await.unwrap_err().to_string();
    assert!(error.ends_with(&format!("has {size} bytes, the limit is {}", size - 1)), "{error}");
}

#[tokio::test]
async fn over_tls_with_a_certificate_that_is_trusted_and_not_otherwise() {
    let registry = Registry::of(Kind::Tls);
    let (component, info) = (component(), info());
    let port = registry.address.split_once(':').unwrap().1;
    let reference = format!("localhost:{port}/attestors/os:1.2.3").parse().unwrap();
    let tls = Access { transport: Transport::Tls, ..anonymous() };
    let trusting = Access { extra_roots: registry.root.clone(), ..tls.clone() };
    push(&reference, artifact(&component, &info), &trusting).await.unwrap();
    assert_eq!(pull(&reference, MAX, &trusting).await.unwrap().component, component);

    let error = pull(&reference, MAX, &tls).await.unwrap_err();
    assert!(matches!(error, PullError::Connection(ConnectionError::Unreachable { .. })), "{error}");
    assert!(chain(&error).to_lowercase().contains("certificate"), "{}", chain(&error));
    let error = push(&reference, artifact(&component, &info), &tls).await.unwrap_err();
    assert!(matches!(error, PushError::Connection(_)), "{error}");

    // Plain HTTP, as loopback has it by default, is not what it speaks.
    let error = pull(&reference, MAX, &anonymous()).await.unwrap_err();
    assert!(matches!(error, PullError::Connection(ConnectionError::Refused { .. })), "{error}");

    let nonsense = Access { extra_roots: b"-----BEGIN CERTIFICATE-----\nx\n".to_vec(), ..tls };
    let error = pull(&reference, MAX, &nonsense).await.unwrap_err();
    assert!(matches!(error, PullError::Connection(ConnectionError::Setup { .. })), "{error}");
}
