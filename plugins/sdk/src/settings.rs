//! Settings as a type. Give it `#[serde(deny_unknown_fields)]`, so that a misspelled setting is an
//! error and not silently without effect.

use serde::de::DeserializeOwned;

use crate::host::config;

/// Reads settings, a JSON object.
///
/// # Errors
/// What is wrong, for the operator, without a position: the operator wrote TOML.
pub fn parse<S: DeserializeOwned>(settings: &str) -> Result<S, String> {
    // serde also reads a struct from an array, which nobody means.
    if !settings.trim_start().starts_with('{') {
        return Err("settings are a JSON object".to_owned());
    }
    serde_json::from_str(settings).map_err(|error| {
        let text = error.to_string();
        text.rsplit_once(" at line ").map_or_else(|| text.clone(), |(what, _)| what.to_owned())
    })
}

/// The settings of this call.
///
/// # Errors
/// As [`parse`]; the daemon never lets it come so far, because it calls `validate` first.
pub fn current<S: DeserializeOwned>() -> Result<S, String> {
    parse(&config::settings())
}
