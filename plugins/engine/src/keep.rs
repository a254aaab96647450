use serde::{Serialize, de::DeserializeOwned};
use witgate_sdk::{
    Failure,
    facts::cache::{self, Scope},
};

/// What is kept under this key, or what is found out, which then is kept.
///
/// Whoever asks for the same key meanwhile waits for this call. A cache that refuses is no failure: then
/// the engine is asked every time.
///
/// # Errors
/// Those of `find`, of which nothing is kept.
pub(crate) fn kept<T: Serialize + DeserializeOwned>(
    scope: Scope,
    key: &str,
    ttl_ms: u32,
    find: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    if let Ok(Some(hit)) = cache::get(scope, key)
        && let Ok(kept) = serde_json::from_slice(&hit.value)
    {
        return Ok(kept);
    }
    let found = find()?;
    if let Ok(value) = serde_json::to_vec(&found) {
        // Too large or against the rules of the scope: nothing is lost but time.
        let _ = cache::put(scope, key, &value, ttl_ms);
    }
    Ok(found)
}
