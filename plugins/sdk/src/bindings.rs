wit_bindgen::generate!({
    path: "wit",
    world: "plugin",
    additional_derives: [PartialEq, Eq],
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "witgate_sdk::bindings",
});
