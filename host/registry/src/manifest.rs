//! The artifact as it lies in a registry: what is written, and what is accepted.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use oci_client::{
    annotations,
    manifest::{
        IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
        OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest,
    },
};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use witgate_identity::PluginName;
use witgate_provenance::{Component, Digest};

use crate::{
    limits,
    reference::read_digest,
    surface::Surface,
    text::{is_printable, shown},
};

/// The media type of the one layer.
pub const MEDIA_TYPE_COMPONENT: &str = "application/wasm";
/// The media type of the configuration.
pub const MEDIA_TYPE_CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// The annotation of the manifest that holds the text of the `.minisig` file.
pub const SIGNATURE_ANNOTATION: &str = "io.github.witgate.minisig";
/// The media type of the manifest.
pub(crate) const MEDIA_TYPE_MANIFEST: &str = OCI_IMAGE_MEDIA_TYPE;
/// What is asked for. An index is not accepted, but only who asks for it learns that it is one.
pub(crate) const ACCEPTED: [&str; 4] = [
    OCI_IMAGE_MEDIA_TYPE,
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE,
    IMAGE_MANIFEST_LIST_MEDIA_TYPE,
];

/// What is said about a plugin that is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The author's name for it.
    pub name: PluginName,
    /// The author's version.
    pub version: String,
    /// What it does, in a sentence.
    pub description: String,
    /// When it was made. It goes into the manifest's digest: the same plugin pushed again is the
    /// same artifact only if this is the same.
    pub created: Timestamp,
}

impl Info {
    /// The first of the texts that cannot be shown, or is too long.
    pub(crate) fn wrong_text(&self) -> Option<&'static str> {
        let bad = |text: &str| {
            text.is_empty() || text.len() > limits::INFO_BYTES || !text.chars().all(is_printable)
        };
        let texts = [("version", &self.version), ("description", &self.description)];
        texts.into_iter().find(|(_, text)| bad(text)).map(|(field, _)| field)
    }
}

/// A manifest and what it refers to, ready to be uploaded.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) manifest: Bytes,
    pub(crate) config: Bytes,
}

/// The configuration of the CNCF Wasm layout.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    created: String,
    architecture: String,
    os: String,
    layer_digests: Vec<String>,
    component: ComponentNames,
}

#[derive(Debug, Serialize, Deserialize)]
struct ComponentNames {
    exports: Vec<String>,
    imports: Vec<String>,
}

/// `sha256:` and the digest, as OCI writes it.
pub(crate) fn oci_digest(digest: Digest) -> String {
    format!("sha256:{digest}")
}

/// Makes the manifest of a component: always the same for the same component and words.
pub(crate) fn build(
    component: &Component,
    surface: Surface,
    info: &Info,
    signature: Option<&str>,
) -> serde_json::Result<Built> {
    let created = Timestamp::from_second(info.created.as_second()).unwrap_or(info.created);
    let created = created.to_string();
    let config = Config {
        created: created.clone(),
        architecture: "wasm".to_owned(),
        os: "wasip2".to_owned(),
        layer_digests: vec![oci_digest(component.sha256())],
        component: ComponentNames { exports: surface.exports, imports: surface.imports },
    };
    let config = serde_json::to_vec(&config)?;
    let mut about = BTreeMap::from([
        (annotations::ORG_OPENCONTAINERS_IMAGE_TITLE.to_owned(), info.name.to_string()),
        (annotations::ORG_OPENCONTAINERS_IMAGE_VERSION.to_owned(), info.version.clone()),
        (annotations::ORG_OPENCONTAINERS_IMAGE_DESCRIPTION.to_owned(), info.description.clone()),
        (annotations::ORG_OPENCONTAINERS_IMAGE_CREATED.to_owned(), created),
    ]);
    about.extend(signature.map(|text| (SIGNATURE_ANNOTATION.to_owned(), text.to_owned())));
    // Tools that write layers to files take the name of the file from here.
    let file =
        (annotations::ORG_OPENCONTAINERS_IMAGE_TITLE.to_owned(), format!("{}.wasm", info.name));
    let layer = OciDescriptor {
        annotations: Some(BTreeMap::from([file])),
        ..descriptor(MEDIA_TYPE_COMPONENT, component.sha256(), component.bytes().len())
    };
    let manifest = OciImageManifest {
        schema_version: 2,
        media_type: Some(MEDIA_TYPE_MANIFEST.to_owned()),
        config: descriptor(MEDIA_TYPE_CONFIG, Digest::of(&config), config.len()),
        layers: vec![layer],
        subject: None,
        artifact_type: None,
        annotations: Some(about),
    };
    Ok(Built { manifest: serde_json::to_vec(&manifest)?.into(), config: config.into() })
}

fn descriptor(media_type: &str, digest: Digest, size: usize) -> OciDescriptor {
    OciDescriptor {
        media_type: media_type.to_owned(),
        digest: oci_digest(digest),
        size: i64::try_from(size).unwrap_or(i64::MAX),
        urls: None,
        annotations: None,
        artifact_type: None,
    }
}

/// A manifest that is one of a plugin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) layer: Digest,
    pub(crate) size: u64,
    pub(crate) signature: Option<String>,
    /// Safe to show; without the signature.
    pub(crate) annotations: BTreeMap<String, String>,
}

/// What a manifest is instead of one of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Several artifacts, one for each platform.
    Index,
    /// An artifact of another kind: what was found.
    OtherKind(String),
    /// Not a manifest: why.
    Malformed(String),
}

/// The outline of whatever may lie under a reference.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    schema_version: u64,
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
}

/// Accepts a manifest of one component, and nothing else.
pub(crate) fn check(manifest: &[u8]) -> Result<Checked, Refusal> {
    let malformed = |error: serde_json::Error| Refusal::Malformed(shown(&error.to_string()));
    let outline: Outline = serde_json::from_slice(manifest).map_err(malformed)?;
    let media_type = outline.media_type.as_deref().unwrap_or(MEDIA_TYPE_MANIFEST);
    if outline.manifests.is_some()
        || [OCI_IMAGE_INDEX_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE].contains(&media_type)
    {
        return Err(Refusal::Index);
    }
    if outline.schema_version != 2 || media_type != MEDIA_TYPE_MANIFEST {
        let version = outline.schema_version;
        let found = format!("a manifest of type {media_type}, version {version}");
        return Err(Refusal::OtherKind(shown(&found)));
    }
    let manifest: OciImageManifest = serde_json::from_slice(manifest).map_err(malformed)?;
    if manifest.config.media_type != MEDIA_TYPE_CONFIG {
        let found = format!("a configuration of type {}", manifest.config.media_type);
        return Err(Refusal::OtherKind(shown(&found)));
    }
    let [layer] = manifest.layers.as_slice() else {
        return Err(Refusal::OtherKind(format!("{} layers", manifest.layers.len())));
    };
    if layer.media_type != MEDIA_TYPE_COMPONENT {
        let found = format!("a layer of type {}", layer.media_type);
        return Err(Refusal::OtherKind(shown(&found)));
    }
    let digest = read_digest(&layer.digest)
        .ok_or_else(|| Refusal::Malformed("the digest of the layer is not sha256".to_owned()))?;
    let size = u64::try_from(layer.size)
        .map_err(|_| Refusal::Malformed("the size of the layer is negative".to_owned()))?;
    let mut annotations = manifest.annotations.unwrap_or_default();
    let signature = annotations.remove(SIGNATURE_ANNOTATION);
    if signature.as_ref().is_some_and(|text| text.len() > limits::SIGNATURE_BYTES) {
        let limit = limits::SIGNATURE_BYTES;
        return Err(Refusal::Malformed(format!("its signature has more than {limit} bytes")));
    }
    let annotations = annotations.into_iter().map(|(key, value)| (shown(&key), shown(&value)));
    Ok(Checked { layer: digest, size, signature, annotations: annotations.collect() })
}
