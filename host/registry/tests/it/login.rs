//! A real registry that wants a password.

use witgate_registry::{Access, ConnectionError, Credentials, PullError, PushError, pull, push};

use crate::{
    artifacts::{artifact, component, info},
    registry::{Kind, Registry, anonymous},
};

const MAX: usize = 1 << 20;

fn as_user(name: &str, password: &str) -> Access {
    Access { credentials: Some(Credentials::new(name, password).unwrap()), ..anonymous() }
}

#[tokio::test]
async fn with_the_password_it_opens_and_without_it_says_so() {
    let registry = Registry::of(Kind::Password);
    let (component, info) = (component(), info());
    let reference = registry.reference("attestors/os:1.2.3");
    let artifact = artifact(&component, &info);
    for access in [anonymous(), as_user("ann", "wrong"), as_user("bob", "se:cret")] {
        let error = push(&reference, artifact, &access).await.unwrap_err();
        let refused = ConnectionError::Unauthorized {
            registry: registry.address.clone(),
            answer: "it refuses the layer".to_owned(),
        };
        assert!(
            matches!(error, PushError::Connection(ConnectionError::Unauthorized { .. })),
            "{error}"
        );
        assert_eq!(error.to_string(), refused.to_string());
        let error = pull(&reference, MAX, &access).await.unwrap_err();
        assert!(
            matches!(error, PullError::Connection(ConnectionError::Unauthorized { .. })),
            "{error}"
        );
        assert!(error.to_string().contains("UNAUTHORIZED authentication required"), "{error}");
        assert!(!format!("{error:?}").contains("se:cret"), "{error:?}");
    }
    let ann = as_user("ann", "se:cret");
    push(&reference, artifact, &ann).await.unwrap();
    assert_eq!(pull(&reference, MAX, &ann).await.unwrap().component, component);
}

#[tokio::test]
async fn a_login_of_docker_is_enough() {
    let registry = Registry::of(Kind::Password);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let config =
        format!(r#"{{"auths": {{"{}": {{"auth": "YW5uOnNlOmNyZXQ="}}}}}}"#, registry.address);
    std::fs::write(&path, config).unwrap();
    let reference = registry.reference("attestors/os:1.2.3");
    let credentials = Credentials::from_docker_config(&path, &reference).unwrap();
    let access = Access { credentials, ..anonymous() };
    let (component, info) = (component(), info());
    push(&reference, artifact(&component, &info), &access).await.unwrap();
    assert_eq!(pull(&reference, MAX, &access).await.unwrap().component, component);
}
