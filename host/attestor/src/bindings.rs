//! Rust types and traits generated from `wit/`, and nothing else.
//!
//! Host functions over facts that are already in memory are synchronous: an asynchronous one costs
//! a boxed future per call. Only those that may have to wait, for a file, for memory of the
//! workload or for somebody else, are `async`; to the guest they look the same. All are `trappable`, because any of them
//! can be called where it must not be (`describe`, a start function).

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "plugin",
    imports: {
        "witgate:attestor/executable.sha256": async | trappable,
        "witgate:attestor/ancestry.parents": async | trappable,
        "witgate:attestor/cache.get": async | trappable,
        "witgate:attestor/cmdline.arguments": async | trappable,
        "witgate:attestor/environ.variable": async | trappable,
        "witgate:attestor/files.entries": async | trappable,
        "witgate:attestor/files.read": async | trappable,
        "witgate:attestor/files.status": async | trappable,
        "witgate:attestor/http.send": async | trappable,
        "witgate:attestor/systemd.unit": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});

/// What is not published yet; see `wit/README.md`.
pub(crate) mod preview {
    wasmtime::component::bindgen!({
        path: "../../wit/preview",
        world: "preview",
        imports: { default: trappable },
    });
}
