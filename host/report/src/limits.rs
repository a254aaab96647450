//! How much a plugin can say.

/// Selectors in one report. The most talkative known source, the labels of a pod, has a few
/// dozen; a user in 500 groups gives 1 000 selectors of group ids and names.
pub const SELECTORS: usize = 1024;

/// Bytes of all names and values of one report. A single value may have 4096, as a path can, but
/// 1 024 such values would be 4 MiB in every audit record.
pub const REPORT_BYTES: usize = 128 << 10;

/// Keys in a manifest.
pub const KEYS: usize = 64;

/// Bytes of a meaning or an example in a manifest.
pub const DESCRIPTION_BYTES: usize = 512;

/// Bytes of the JSON schema of a plugin's settings.
pub const CONFIG_SCHEMA_BYTES: usize = 64 << 10;

/// Bytes of a reason that a plugin gives; the rest is cut off.
pub const REASON_BYTES: usize = 512;

/// Bytes of a wrong word that are shown in a message about it.
pub const SHOWN_BYTES: usize = 64;

/// Bytes of what the engine or a parser has to say about a component: it quotes the component.
pub const CAUSE_BYTES: usize = 2048;
