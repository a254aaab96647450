//! Sizes and times that nothing here exceeds. The limit of a component is the caller's.

use std::time::Duration;

/// Bytes of a manifest. Ours have two thousand, with a signature.
pub const MANIFEST_BYTES: usize = 256 << 10;
/// Bytes of the answer of a token server.
pub const TOKEN_BYTES: usize = 64 << 10;
/// Bytes of the text of an error that are read; what is shown is shorter.
pub const ERROR_BYTES: usize = 8 << 10;
/// Bytes of something a registry said, where it is shown.
pub const SHOWN_BYTES: usize = 400;
/// Bytes of a signature in an annotation.
pub const SIGNATURE_BYTES: usize = witgate_provenance::limits::SIGNATURE_BYTES;
/// Bytes of the name, version or description of a plugin that is pushed.
pub const INFO_BYTES: usize = 512;
/// Imports and exports of a component that is pushed.
pub const SURFACE_NAMES: usize = 512;
/// Redirects that are followed for one request. A registry that keeps its blobs elsewhere needs one.
pub const REDIRECTS: usize = 3;
/// Bytes of a `config.json` of docker.
pub const DOCKER_CONFIG_BYTES: usize = 1 << 20;
/// Bytes of a reference.
pub const REFERENCE_BYTES: usize = 512;
/// Until there is a connection.
pub const CONNECT_TIME: Duration = Duration::from_secs(10);
/// Without a byte from the registry.
pub const SILENCE: Duration = Duration::from_secs(30);
/// For a whole pull or push, if the caller does not say otherwise.
pub const WHOLE_TIME: Duration = Duration::from_mins(10);
