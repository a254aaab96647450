use std::{collections::BTreeMap, time::Duration};

use reqwest::{Response, StatusCode};
use tokio::time::timeout;
use witgate_provenance::{Component, Digest};

use crate::{
    Access, ConnectionError, Reference,
    authorization::Action,
    connection::Connection,
    limits,
    manifest::{self, ACCEPTED, Checked, MEDIA_TYPE_COMPONENT, Refusal, oci_digest},
    reference::read_digest,
};

/// A plugin that was pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The component, which has the digest that the manifest says.
    pub component: Component,
    /// The digest of the manifest: what to pin the reference to.
    pub digest: Digest,
    /// The text of the signature that came with it. Nobody has checked it yet.
    pub signature: Option<String>,
    /// What the manifest says about itself, made safe to show. Nobody vouches for it.
    pub annotations: BTreeMap<String, String>,
}

/// Pulls a plugin of at most `max_bytes` bytes.
///
/// # Errors
/// If the registry cannot be reached or does not allow it; if there is nothing under the reference,
/// or something that is not a plugin; if anything has another digest or size than it was said to
/// have; or if it takes longer than the time limit.
pub async fn pull(
    reference: &Reference,
    max_bytes: usize,
    access: &Access,
) -> Result<Pulled, PullError> {
    let limit = access.time_limit;
    let pulling = async {
        let connection = Connection::open(reference, Action::Pull, access).await?;
        connection.pull(reference, max_bytes).await
    };
    let late = |_| PullError::TimedOut { reference: reference.to_string(), limit };
    timeout(limit, pulling).await.map_err(late)?
}

impl Connection {
    async fn pull(&self, reference: &Reference, max_bytes: usize) -> Result<Pulled, PullError> {
        let (digest, body) = self.manifest(reference).await?;
        let manifest = manifest::check(&body).map_err(|refusal| refused(reference, refusal))?;
        let component = self.layer(reference, &manifest, max_bytes).await?;
        let Checked { signature, annotations, .. } = manifest;
        Ok(Pulled { component, digest, signature, annotations })
    }

    /// The manifest under a reference, with its digest. If the reference has one it is that, and what
    /// the registry says of it must be true as well.
    pub(crate) async fn manifest(
        &self,
        reference: &Reference,
    ) -> Result<(Digest, Vec<u8>), PullError> {
        let path = format!("manifests/{}", reference.wanted());
        let answer = self.ask(&path, &ACCEPTED.join(", ")).await?;
        let answer = self.found(reference, answer).await?;
        let said = answer.headers().get("docker-content-digest").map(|said| said.to_str());
        let said = match said {
            // Another kind of digest is not ours to compare.
            Some(Ok(text)) if text.starts_with("sha256:") => {
                Some(read_digest(text).ok_or_else(|| PullError::Malformed {
                    reference: reference.to_string(),
                    cause: "the digest that the registry says it has is none".to_owned(),
                })?)
            }
            _ => None,
        };
        let body = self.body(answer, "a manifest", limits::MANIFEST_BYTES).await?;
        let found = Digest::of(&body);
        for expected in [reference.digest(), said].into_iter().flatten() {
            if expected != found {
                let reference = reference.to_string();
                return Err(PullError::Digest { reference, what: "manifest", expected, found });
            }
        }
        Ok((found, body.to_vec()))
    }

    /// The component, of the digest and size that the manifest says.
    async fn layer(
        &self,
        reference: &Reference,
        manifest: &Checked,
        max_bytes: usize,
    ) -> Result<Component, PullError> {
        let size = usize::try_from(manifest.size).ok().filter(|size| *size <= max_bytes);
        let Some(size) = size else {
            let (reference, size) = (reference.to_string(), manifest.size);
            return Err(PullError::TooLarge { reference, size, limit: max_bytes });
        };
        let path = format!("blobs/{}", oci_digest(manifest.layer));
        let answer = self.ask(&path, MEDIA_TYPE_COMPONENT).await?;
        let answer = self.found(reference, answer).await?;
        // More than was said is as wrong as more than is allowed.
        let body = self.body(answer, "a layer", size).await?;
        if body.len() != size {
            let (reference, found) = (reference.to_string(), body.len());
            return Err(PullError::Length { reference, expected: size, found });
        }
        let component = Component::new(body.to_vec());
        if component.sha256() == manifest.layer {
            return Ok(component);
        }
        let (expected, found) = (manifest.layer, component.sha256());
        Err(PullError::Digest { reference: reference.to_string(), what: "layer", expected, found })
    }

    async fn found(&self, reference: &Reference, answer: Response) -> Result<Response, PullError> {
        match answer.status() {
            StatusCode::OK => Ok(answer),
            StatusCode::NOT_FOUND => {
                let refusal = self.refused(answer).await;
                let ConnectionError::Refused { answer, .. } = refusal else {
                    return Err(refusal.into());
                };
                Err(PullError::NotFound { reference: reference.to_string(), answer })
            }
            _ => Err(self.refused(answer).await.into()),
        }
    }
}

fn refused(reference: &Reference, refusal: Refusal) -> PullError {
    let reference = reference.to_string();
    match refusal {
        Refusal::Index => PullError::Index { reference },
        Refusal::OtherKind(found) => PullError::NotAPlugin { reference, found },
        Refusal::Malformed(cause) => PullError::Malformed { reference, cause },
    }
}

/// A plugin that was not pulled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// The registry cannot be talked to, or does not want to.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// It takes too long.
    #[error("{reference} was not there within {} s, which is the limit", limit.as_secs())]
    TimedOut {
        /// What was wanted.
        reference: String,
        /// The limit.
        limit: Duration,
    },
    /// There is nothing.
    #[error("the registry has no {reference} ({answer}); look for the tags that it has")]
    NotFound {
        /// What was wanted.
        reference: String,
        /// The registry's words.
        answer: String,
    },
    /// There is a list of artifacts for several platforms.
    #[error(
        "{reference} is an index of several artifacts; a plugin is the same on every platform: \
         name one of them by its digest"
    )]
    Index {
        /// What was wanted.
        reference: String,
    },
    /// There is something else, such as a container image.
    #[error(
        "{reference} is not a plugin: it has {found}; a plugin has a configuration of type \
         application/vnd.wasm.config.v0+json and one layer of type application/wasm"
    )]
    NotAPlugin {
        /// What was wanted.
        reference: String,
        /// What is there.
        found: String,
    },
    /// The manifest makes no sense.
    #[error("the manifest of {reference} cannot be read: {cause}")]
    Malformed {
        /// What was wanted.
        reference: String,
        /// Why.
        cause: String,
    },
    /// Larger than the caller wants.
    #[error("{reference} has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// What was wanted.
        reference: String,
        /// What the manifest says, in bytes.
        size: u64,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Not as long as the manifest says.
    #[error("the layer of {reference} has {found} bytes, its manifest says {expected}; pull again")]
    Length {
        /// What was wanted.
        reference: String,
        /// What the manifest says, in bytes.
        expected: usize,
        /// What came, in bytes.
        found: usize,
    },
    /// Not what its digest says.
    #[error(
        "the {what} of {reference} was changed: its digest is sha256:{found}, it must be \
         sha256:{expected}; do not use this registry until you know why"
    )]
    Digest {
        /// What was wanted.
        reference: String,
        /// Which part.
        what: &'static str,
        /// What it must be.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
}
