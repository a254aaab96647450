//! The arrows of `host/ARCHITECTURE.md`, read from the manifests.
#![expect(clippy::unwrap_used, reason = "a manifest that cannot be read fails the test")]

use std::{collections::BTreeSet, fs, path::Path};

/// Each crate, and the crates of ours that it may depend on.
#[rustfmt::skip]
const MAY: &[(&str, &[&str])] = &[
    ("admin", &["attestor", "confine", "decision", "identity", "policy"]),
    ("attestor", &["confine", "facts", "identity", "report"]),
    ("builtins", &[]),
    ("cli", &["admin", "attestor", "builtins", "client", "confine", "daemon", "decision", "endpoints", "facts", "identity", "peer", "policy", "protocol", "provenance", "registry", "workbench"]),
    ("client", &["identity", "protocol"]),
    ("confine", &[]),
    ("daemon", &["admin", "attestor", "builtins", "confine", "decision", "endpoints", "facts", "http2", "identity", "peer", "policy", "protocol", "provenance"]),
    ("decision", &["attestor", "facts", "identity", "peer", "policy", "protocol"]),
    ("endpoints", &["facts"]),
    ("facts", &["identity"]),
    ("http2", &[]),
    ("identity", &[]),
    ("peer", &["facts", "identity"]),
    ("policy", &["identity"]),
    ("protocol", &["identity"]),
    ("provenance", &["identity"]),
    ("registry", &["identity", "provenance"]),
    ("report", &["facts", "identity"]),
    ("testkit", &[]),
    ("workbench", &["facts", "identity"]),
    ("xtask", &[]),
];

/// Crates that only some of ours may name.
const ONLY: &[(&str, &[&str])] = &[
    ("axum", &["admin"]),
    ("landlock", &["confine"]),
    ("libc", &["confine", "peer", "testkit"]),
    ("minisign-verify", &["provenance"]),
    ("notify", &["cli", "daemon"]),
    ("oci-client", &["registry"]),
    ("reqwest", &["registry"]),
    ("rustls", &["endpoints"]),
    ("seccompiler", &["confine"]),
    ("tokio-rustls", &["endpoints"]),
    ("wasmtime", &["attestor"]),
    ("wasmtime-wasi", &["attestor"]),
];

fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join("Cargo.toml");
    let manifest: toml::Table = fs::read_to_string(manifest).unwrap().parse().unwrap();
    let table = manifest.get("dependencies").and_then(|table| table.as_table());
    table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn no_crate_knows_more_than_it_may() {
    let folders = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    let found: BTreeSet<String> = folders
        .map(Result::unwrap)
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let listed: BTreeSet<String> = MAY.iter().map(|(folder, _)| (*folder).to_owned()).collect();
    assert_eq!(found, listed, "a new crate is listed here, or it is a module");
    for (folder, may) in MAY {
        for dependency in dependencies(folder) {
            if let Some(ours) = dependency.strip_prefix("witgate-") {
                assert!(may.contains(&ours), "{folder} may not depend on {ours}");
            }
            if let Some((_, by)) = ONLY.iter().find(|(name, _)| *name == dependency) {
                assert!(by.contains(folder), "{folder} may not depend on {dependency}");
            }
        }
    }
}
