//! Rust types and traits generated from `wit/`, and nothing else.
//!
//! Host functions over facts that are already in memory are synchronous: an asynchronous one costs
//! a boxed future per call. Only the three that may have to wait for a file or for memory of the
//! workload are `async`; to the guest they look the same. All are `trappable`, because any of them
//! can be called where it must not be (`describe`, a start function).

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "plugin",
    imports: {
        "witgate:attestor/executable.sha256": async | trappable,
        "witgate:attestor/ancestry.parents": async | trappable,
        "witgate:attestor/cmdline.arguments": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});
