//! That it is an ordinary artifact: another tool reads ours, and we read another tool's.

use serde_json::{Value, json};
use witgate_provenance::Digest;
use witgate_registry::{Artifact, PullError, pull, push};

use crate::{
    artifacts::{artifact, component, info},
    curl,
    registry::{Registry, anonymous},
};

const MAX: usize = 1 << 20;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

#[tokio::test]
async fn another_tool_reads_what_we_pushed() {
    let registry = Registry::start();
    let (component, info) = (component(), info());
    let signed = Artifact { signature: Some("a signature"), ..artifact(&component, &info) };
    push(&registry.reference("attestors/os:1.2.3"), signed, &anonymous()).await.unwrap();

    let base = format!("http://{}/v2/attestors/os", registry.address);
    let manifest = curl::get(&format!("{base}/manifests/1.2.3"), MANIFEST);
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["schemaVersion"], 2);
    assert_eq!(manifest["mediaType"], MANIFEST);
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(manifest["annotations"]["io.github.witgate.minisig"], "a signature");
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 1);
    assert_eq!(layers[0]["mediaType"], "application/wasm");
    assert_eq!(layers[0]["size"], component.bytes().len());
    assert_eq!(layers[0]["annotations"]["org.opencontainers.image.title"], "os.wasm");

    let layer = layers[0]["digest"].as_str().unwrap();
    assert_eq!(curl::get(&format!("{base}/blobs/{layer}"), "*/*"), component.bytes());
    let config = manifest["config"]["digest"].as_str().unwrap();
    let config = curl::get(&format!("{base}/blobs/{config}"), "*/*");
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["created"], "2026-01-02T03:04:05Z");
    assert_eq!([&config["architecture"], &config["os"]], ["wasm", "wasip2"]);
    assert_eq!(config["layerDigests"], json!([layer]));
    assert_eq!(config["component"]["exports"], json!(["witgate:attestor/attestor@0.1.0"]));
    let imports = config["component"]["imports"].as_array().unwrap();
    assert!(imports.contains(&json!("witgate:attestor/process@0.1.0")), "{imports:?}");
}

#[tokio::test]
async fn we_read_what_another_tool_pushed() {
    let registry = Registry::start();
    let component = component();
    let base = format!("http://{}/v2/attestors/os", registry.address);
    let layer = curl::put_blob(&base, component.bytes());
    // With the fields that the layout allows and we do not write.
    let config = json!({
        "created": "2026-01-02T03:04:05.678901234Z", "author": null, "architecture": "wasm",
        "os": "wasip2", "layerDigests": [layer],
        "component": { "exports": [], "imports": [], "target": null },
    });
    let manifest = wasm_manifest(&base, &config.to_string(), &layer, component.bytes().len());
    curl::put_manifest(&base, "1.2.3", MANIFEST, &manifest.to_string());
    let reference = registry.reference("attestors/os:1.2.3");
    let pulled = pull(&reference, MAX, &anonymous()).await.unwrap();
    assert_eq!((&pulled.component, pulled.signature), (&component, None));
    assert_eq!(pulled.digest, Digest::of(manifest.to_string().as_bytes()));
}

fn wasm_manifest(base: &str, config: &str, layer: &str, size: usize) -> Value {
    let digest = curl::put_blob(base, config.as_bytes());
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.wasm.config.v0+json", "digest": digest,
            "size": config.len(),
        },
        "layers": [{ "mediaType": "application/wasm", "digest": layer, "size": size }],
    })
}

#[tokio::test]
async fn what_is_not_a_plugin_is_refused_with_what_it_is() {
    let registry = Registry::start();
    let base = format!("http://{}/v2/attestors/os", registry.address);
    let layer = curl::put_blob(&base, b"a layer");
    let good = wasm_manifest(&base, "{}", &layer, 7);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut manifest = good.clone();
        change(&mut manifest);
        manifest.to_string()
    };
    let image = with(&|m| {
        m["config"]["mediaType"] = json!("application/vnd.oci.image.config.v1+json");
        m["layers"][0]["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+gzip");
    });
    let tar = with(&|m| {
        m["layers"][0]["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+gzip");
    });
    let two = with(&|m| {
        let layer = m["layers"][0].clone();
        m["layers"].as_array_mut().unwrap().push(layer);
    });
    let none = with(&|m| m["layers"] = json!([]));
    for (manifest, found) in [
        (&image, "a configuration of type application/vnd.oci.image.config.v1+json"),
        (&tar, "a layer of type application/vnd.oci.image.layer.v1.tar+gzip"),
        (&two, "2 layers"),
        (&none, "0 layers"),
    ] {
        curl::put_manifest(&base, "x", MANIFEST, manifest);
        let error =
            pull(&registry.reference("attestors/os:x"), MAX, &anonymous()).await.unwrap_err();
        assert!(matches!(error, PullError::NotAPlugin { .. }), "{error}");
        assert!(
            error.to_string().contains(&format!("is not a plugin: it has {found};")),
            "{error}"
        );
    }

    curl::put_manifest(&base, "one", MANIFEST, &good.to_string());
    let digest = format!("sha256:{}", Digest::of(good.to_string().as_bytes()));
    let index = json!({
        "schemaVersion": 2, "mediaType": INDEX,
        "manifests": [{
            "mediaType": MANIFEST, "digest": digest, "size": good.to_string().len(),
            "platform": { "architecture": "amd64", "os": "linux" },
        }],
    });
    curl::put_manifest(&base, "many", INDEX, &index.to_string());
    let error =
        pull(&registry.reference("attestors/os:many"), MAX, &anonymous()).await.unwrap_err();
    assert!(matches!(error, PullError::Index { .. }), "{error}");
}
