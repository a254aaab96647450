//! The upload, by the client library.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use oci_client::{
    Client, RegistryOperation,
    client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol},
    errors::OciDistributionError,
    secrets::RegistryAuth,
    token_cache::RegistryTokenType,
};
use reqwest::header::HeaderValue;
use tokio::time::timeout;
use witgate_provenance::{Component, Digest};

use crate::{
    Access, ConnectionError, Info, NotAComponent, PullError, Reference,
    authorization::{Action, Authorization},
    connection::Connection,
    limits,
    manifest::{self, Built, MEDIA_TYPE_MANIFEST, oci_digest},
    surface::Surface,
    text::{shown, with_sources},
};

/// What is pushed.
#[derive(Debug, Clone, Copy)]
pub struct Artifact<'a> {
    /// The component.
    pub component: &'a Component,
    /// What is said about it.
    pub info: &'a Info,
    /// The text of its `.minisig` file.
    pub signature: Option<&'a str>,
    /// With tag `1.2.3`, move the tags `1.2` and `1` here too, wherever they pointed.
    pub floating_tags: bool,
}

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The digest of the manifest: `registry/repository@sha256:…` is this very artifact.
    pub digest: Digest,
    /// The tags that lead to it now.
    pub tags: Vec<String>,
}

/// Pushes a plugin under the tag of the reference, or under its version if there is none, and looks
/// whether the registry gives back what it was given.
///
/// # Errors
/// If what is pushed is not a component, or something said about it is too long; if the reference
/// has a digest; if the registry cannot be reached or does not allow it; or if it takes longer than
/// the time limit.
pub async fn push(
    reference: &Reference,
    artifact: Artifact<'_>,
    access: &Access,
) -> Result<Pushed, PushError> {
    let tags = tags(reference, &artifact)?;
    let built = build(&artifact)?;
    let limit = access.time_limit;
    let late = |_| PushError::TimedOut { reference: reference.to_string(), limit };
    let pushing = Box::pin(upload(reference, &artifact, built, &tags, access));
    let digest = timeout(limit, pushing).await.map_err(late)??;
    Ok(Pushed { digest, tags })
}

fn build(artifact: &Artifact<'_>) -> Result<Built, PushError> {
    let Artifact { component, info, signature, .. } = *artifact;
    if let Some(field) = info.wrong_text() {
        return Err(PushError::Info { field });
    }
    let size = signature.map_or(0, str::len);
    if size > limits::SIGNATURE_BYTES {
        return Err(PushError::Signature { size });
    }
    let surface = Surface::of(component.bytes())?;
    let built = manifest::build(component, surface, info, signature);
    built.map_err(|error| PushError::Upload { what: "manifest", cause: error.to_string() })
}

async fn upload(
    reference: &Reference,
    artifact: &Artifact<'_>,
    built: Built,
    tags: &[String],
    access: &Access,
) -> Result<Digest, PushError> {
    let connection = Connection::open(reference, Action::Push, access).await?;
    let target = reference.tagged(tags.first().map_or("latest", String::as_str));
    let client = client(&target, reference, &connection.authorization, access).await?;
    let layer = Bytes::copy_from_slice(artifact.component.bytes());
    for (what, blob) in [("layer", layer), ("configuration", built.config)] {
        let (digest, size) = (oci_digest(Digest::of(&blob)), u64::try_from(blob.len()).ok());
        let blob = stream::iter([Ok(blob)]);
        let pushed = client.push_blob_stream(&target, blob, &digest, size).await;
        pushed.map_err(|error| failed(reference, what, &error))?;
    }
    for tag in tags {
        let (body, kind) = (built.manifest.clone(), HeaderValue::from_static(MEDIA_TYPE_MANIFEST));
        let pushed = client.push_manifest_raw(&reference.tagged(tag), body, kind).await;
        pushed.map_err(|error| failed(reference, "manifest", &error))?;
    }
    let digest = Digest::of(&built.manifest);
    connection.manifest(&reference.pinned(digest)).await.map_err(PushError::ReadBack)?;
    Ok(digest)
}

/// The library's client, with the authorization that we have: it never asks for one itself.
async fn client(
    target: &oci_client::Reference,
    reference: &Reference,
    authorization: &Authorization,
    access: &Access,
) -> Result<Client, PushError> {
    let client = Client::try_from(config(reference, access))
        .map_err(|error| ConnectionError::Setup { cause: shown(&error.to_string()) })?;
    let auth = match authorization {
        Authorization::None => return Ok(client),
        Authorization::Bearer(token) => RegistryAuth::Bearer(token.clone()),
        Authorization::Basic(credentials) => {
            let (name, password) = credentials.parts();
            let known = RegistryTokenType::Basic(name.to_owned(), password.to_owned());
            client.tokens.insert(target, RegistryOperation::Push, known).await;
            RegistryAuth::Basic(name.to_owned(), password.to_owned())
        }
    };
    client.store_auth_if_needed(target.resolve_registry(), &auth).await;
    Ok(client)
}

fn config(reference: &Reference, access: &Access) -> ClientConfig {
    let plain = access.transport.is_plain(reference);
    let root = Certificate { encoding: CertificateEncoding::Pem, data: access.extra_roots.clone() };
    ClientConfig {
        protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
        use_monolithic_push: true,
        extra_root_certificates: if access.extra_roots.is_empty() {
            Vec::new()
        } else {
            vec![root]
        },
        connect_timeout: Some(limits::CONNECT_TIME),
        read_timeout: Some(limits::SILENCE),
        user_agent: concat!("witgate/", env!("CARGO_PKG_VERSION")),
        // A proxy where nobody can listen, for every other server: what is not encrypted goes to the
        // registry, and neither to the environment's proxy nor to where the registry points.
        http_proxy: plain.then(|| "http://127.0.0.1:0".to_owned()),
        no_proxy: plain.then(|| reference.host().trim_matches(['[', ']']).to_owned()),
        ..ClientConfig::default()
    }
}

fn failed(reference: &Reference, what: &'static str, error: &OciDistributionError) -> PushError {
    let registry = reference.registry();
    match error {
        OciDistributionError::UnauthorizedError { .. }
        | OciDistributionError::ServerError { code: 401 | 403, .. } => {
            let answer = format!("it refuses the {what}");
            ConnectionError::Unauthorized { registry, answer }.into()
        }
        other => PushError::Upload { what, cause: shown(&with_sources(other)) },
    }
}

/// The tags to push under. OCI has no `+` in a tag, so that of a version becomes `_`.
fn tags(reference: &Reference, artifact: &Artifact<'_>) -> Result<Vec<String>, PushError> {
    if reference.digest().is_some() {
        return Err(PushError::DigestGiven { reference: reference.to_string() });
    }
    let tag = match reference.tag() {
        Some(tag) => tag.to_owned(),
        None => artifact.info.version.replace('+', "_"),
    };
    // The version may be anything; the library's grammar says whether it can be a tag.
    let named = format!("{}/{}:{tag}", reference.registry(), reference.repository());
    if named.parse::<Reference>().is_err() {
        return Err(PushError::NotATag { tag });
    }
    let mut tags = vec![tag.clone()];
    if artifact.floating_tags {
        let version = witgate_provenance::parse_version(&tag).ok();
        let release = version.filter(|version| version.pre.is_empty() && version.build.is_empty());
        let release = release.ok_or(PushError::NotARelease { tag })?;
        tags.push(format!("{}.{}", release.major, release.minor));
        tags.push(release.major.to_string());
    }
    Ok(tags)
}

/// A plugin that was not pushed, or not wholly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The registry cannot be talked to, or does not want to.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// Not a component.
    #[error("only a component can be pushed as a plugin")]
    NotAComponent(#[from] NotAComponent),
    /// Something that is said about it cannot be shown, is missing or too long.
    #[error(
        "the {field} of the plugin must have 1 to {} bytes and no control characters",
        limits::INFO_BYTES
    )]
    Info {
        /// Which field.
        field: &'static str,
    },
    /// The signature is too large to be one.
    #[error("the signature has {size} bytes, the limit is {}", limits::SIGNATURE_BYTES)]
    Signature {
        /// Its size, in bytes.
        size: usize,
    },
    /// A digest follows from what is pushed, and cannot be asked for.
    #[error("{reference} has a digest, and one pushes to a tag; leave out what begins with @")]
    DigestGiven {
        /// Where it should have gone.
        reference: String,
    },
    /// The version cannot be a tag.
    #[error("{tag:?} cannot be a tag; give one in the reference, like os:1.2.0")]
    NotATag {
        /// What should have been one.
        tag: String,
    },
    /// There are no shorter tags for this one.
    #[error("floating tags are for releases like 1.2.3, and {tag:?} is not one")]
    NotARelease {
        /// The tag.
        tag: String,
    },
    /// It takes too long.
    #[error("{reference} was not pushed within {} s, which is the limit", limit.as_secs())]
    TimedOut {
        /// Where it should have gone.
        reference: String,
        /// The limit.
        limit: Duration,
    },
    /// The registry did not take it.
    #[error("the registry does not take the {what}: {cause}")]
    Upload {
        /// Which part.
        what: &'static str,
        /// Its words.
        cause: String,
    },
    /// The registry took it and does not give it back.
    #[error("the registry does not give back what was pushed")]
    ReadBack(#[source] PullError),
}
