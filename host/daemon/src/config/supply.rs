//! `[supply]`: which plugin files may be loaded.

use serde::Deserialize;
use witgate_provenance::{Policy, TrustedKeys};

use super::{ConfigError, Place, table::Table};

/// What one file says about it; everything may be absent.
#[derive(Debug, Default)]
pub(super) struct PartialSupply {
    require_lock: Option<bool>,
    require_signature: Option<bool>,
    trusted_keys: Option<TrustedKeys>,
    /// Where a signature is required, for when no key is trusted.
    required_at: Option<Place>,
}

/// One trusted key as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustedKey {
    name: String,
    key: String,
}

impl PartialSupply {
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let require_signature = table.take("require_signature");
        Self {
            require_lock: table.take("require_lock"),
            required_at: require_signature.map(|_: bool| table.place("require_signature")),
            require_signature,
            trusted_keys: table.convert("trusted_keys", |keys: Vec<TrustedKey>| {
                TrustedKeys::parse(keys.iter().map(|key| (key.name.as_str(), key.key.as_str())))
            }),
        }
    }

    /// Puts a later file over this one, key by key.
    pub(super) fn overlay(&mut self, later: Self) {
        self.require_lock = later.require_lock.or(self.require_lock);
        if later.require_signature.is_some() {
            self.require_signature = later.require_signature;
            self.required_at = later.required_at;
        }
        if later.trusted_keys.is_some() {
            self.trusted_keys = later.trusted_keys;
        }
    }

    pub(super) fn complete(self, errors: &mut Vec<ConfigError>) -> Policy {
        let policy = Policy {
            require_lock: self.require_lock.unwrap_or(false),
            require_signature: self.require_signature.unwrap_or(false),
            trusted_keys: self.trusted_keys.unwrap_or_default(),
        };
        if policy.require_signature && policy.trusted_keys.is_empty() && errors.is_empty() {
            let message = "no key is trusted, so no plugin file could be loaded; name one: \
                           trusted_keys = [{ name = \"release\", key = \"RW...\" }]";
            let place = self.required_at.unwrap_or_default();
            errors.push(place.error("supply.require_signature", message));
        }
        policy
    }
}
