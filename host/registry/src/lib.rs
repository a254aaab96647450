//! Plugins in an OCI registry: pull and push.
//!
//! # The artifact
//! A plugin lies in a registry as the CNCF Wasm layout has it, so that `wkg`, `oras`, `crane` and
//! whatever else moves artifacts can read, copy and delete it:
//!
//! ```text
//! manifest  application/vnd.oci.image.manifest.v1+json
//!   annotations  title, version, description, created; io.github.witgate.minisig
//!   config    application/vnd.wasm.config.v0+json   what it imports and exports
//!   layer     application/wasm                      the component, byte for byte
//! ```
//!
//! **The signature is an annotation** of the manifest, the text of the `.minisig` file. Other tools
//! ignore annotations that they do not know, copy them with the manifest, and find one layer, as
//! they expect. A second layer would make the layout another one, and an artifact that refers to
//! this one needs an interface that many registries do not have, and is left behind by a copy. The
//! price: to sign later is to push another manifest, with the same layer.
//!
//! The signature is over the component and not over the manifest: a registry can withhold it or give
//! an older component with its own good signature. `plugins.lock` is what notices the second, and
//! `require_signature` the first.
//!
//! # What a registry can do to us
//! Nothing it says is believed: the layer must have the digest and size that the manifest says, the
//! manifest the digest that the reference says, and what is read has a limit *while* it is read
//! ([`limits`]), errors and tokens included. There is plain HTTP for loopback only, unless asked
//! for; a redirect never leads from TLS to plain HTTP; credentials go to the registry and to the
//! token server that it names, over TLS.
//!
//! # What the client library does, and what not
//! `oci-client` brings the grammar of references, the types of the manifest, and the upload. The
//! download, and asking for a token, are ours, on the HTTP client that the library has: it reads a
//! manifest, a token and the text of an error whole before it looks at their size, follows ten
//! redirects to anywhere, and asks for a token wherever it is told to. For an upload that is
//! acceptable: one pushes where one has an account, nothing secret is sent but the credentials,
//! which stay with their registry, and there is a time limit. It never asks for a token: it is given
//! one. What it says was pushed is looked at again with our own eyes.

mod authorization;
mod connection;
mod credentials;
#[cfg(test)]
mod fuzz;
pub mod limits;
mod manifest;
mod pull;
mod push;
mod reference;
mod surface;
mod text;

pub use self::{
    connection::{Access, ConnectionError, Transport},
    credentials::{Credentials, CredentialsError, docker_config},
    manifest::{Info, MEDIA_TYPE_COMPONENT, MEDIA_TYPE_CONFIG, SIGNATURE_ANNOTATION},
    pull::{PullError, Pulled, pull},
    push::{Artifact, PushError, Pushed, push},
    reference::{Reference, ReferenceError},
    surface::NotAComponent,
};
