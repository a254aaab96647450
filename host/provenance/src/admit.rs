use witgate_identity::{Fault, PluginName};

use crate::{
    Component, Digest, LockFile, SignatureError, SignedBy, Standing, TrustedKeys, Version,
};

/// What the operator asks of every plugin file.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Only what stands in the lock file.
    pub require_lock: bool,
    /// Only what is signed by a trusted key.
    pub require_signature: bool,
    /// The keys whose signatures count.
    pub trusted_keys: TrustedKeys,
}

/// A plugin file that wants to be loaded.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The operator's name for the plugin.
    pub name: &'a PluginName,
    /// The version that stands in the component.
    pub version: &'a Version,
    /// The bytes that would be loaded.
    pub component: &'a Component,
    /// The text of the signature that came with it.
    pub signature: Option<&'a str>,
}

/// Why a plugin file may be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Admitted {
    /// What may be loaded: these bytes and no others.
    pub sha256: Digest,
    /// The lock file says so.
    pub pinned: bool,
    /// A trusted key says so.
    pub signed_by: Option<SignedBy>,
}

/// Says whether a plugin file may be loaded, and why.
///
/// - A file that is not the one pinned under its name is refused, whatever the policy.
/// - A signature that is there must be good if any key is trusted, whatever the policy: a bad one
///   means that something was changed, or that a key is missing.
/// - What the policy requires must be there.
///
/// # Errors
/// The first of these that fails.
pub fn admit(
    policy: &Policy,
    lock: &LockFile,
    candidate: Candidate<'_>,
) -> Result<Admitted, ProvenanceError> {
    let Candidate { name, version, component, signature } = candidate;
    let sha256 = component.sha256();
    let pinned = match lock.check(name, version, sha256)? {
        Standing::Pinned(_) => true,
        Standing::NotPinned if policy.require_lock => {
            return Err(ProvenanceError::NotPinned { name: name.clone(), sha256 });
        }
        Standing::NotPinned => false,
    };
    // Without any key a signature says nothing, and without one that counts nothing is signed.
    let checkable = signature.filter(|_| !policy.trusted_keys.is_empty());
    let verify = |text| policy.trusted_keys.verify(component.bytes(), text);
    let signed_by = checkable
        .map(verify)
        .transpose()
        .map_err(|source| ProvenanceError::Signature { name: name.clone(), sha256, source })?;
    if policy.require_signature && signed_by.is_none() {
        let advice = if signature.is_none() { SIGN_IT } else { TRUST_A_KEY };
        return Err(ProvenanceError::Unsigned { name: name.clone(), sha256, advice });
    }
    Ok(Admitted { sha256, pinned, signed_by })
}

const SIGN_IT: &str = "it comes without a signature; minisign -S -m FILE puts one beside it";
const TRUST_A_KEY: &str =
    "there is a signature, but no key is trusted; name one in the configuration";

/// A plugin file that must not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProvenanceError {
    /// The version is the pinned one, the bytes are not.
    #[error(
        "plugin {name} {version} was changed: its sha256 is {sha256}, pinned is {pinned}; \
         put the pinned file back, or look at this one and pin it: witgate plugin add FILE"
    )]
    Changed {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
        /// What was found.
        sha256: Digest,
        /// What is pinned.
        pinned: Digest,
    },
    /// The version is lower than the pinned one.
    #[error(
        "plugin {name} would be downgraded from {pinned_version} to {version}: its sha256 is \
         {sha256}, pinned is {pinned}; put the pinned file back, or if going back is meant: \
         witgate plugin add --allow-downgrade FILE"
    )]
    Downgrade {
        /// The plugin.
        name: PluginName,
        /// The version that was found.
        version: Version,
        /// What was found.
        sha256: Digest,
        /// The version that is pinned.
        pinned_version: Version,
        /// What is pinned.
        pinned: Digest,
    },
    /// The version is higher than the pinned one.
    #[error(
        "plugin {name} {version} is an upgrade from {pinned_version} and is not pinned yet: its \
         sha256 is {sha256}, pinned is {pinned}; pin it: witgate plugin add FILE"
    )]
    Upgrade {
        /// The plugin.
        name: PluginName,
        /// The version that was found.
        version: Version,
        /// What was found.
        sha256: Digest,
        /// The version that is pinned.
        pinned_version: Version,
        /// What is pinned.
        pinned: Digest,
    },
    /// The bytes are the pinned ones, and the lock file says another version than they do.
    #[error(
        "plugin {name}: the lock file says version {pinned_version} of sha256 {sha256}, the file \
         itself says {version}; somebody edited the lock file: pin the plugin again, \
         witgate plugin add FILE"
    )]
    Mislabelled {
        /// The plugin.
        name: PluginName,
        /// The version in the component.
        version: Version,
        /// The version in the lock file.
        pinned_version: Version,
        /// What was found and is pinned.
        sha256: Digest,
    },
    /// The lock file does not know it, and the policy requires that.
    #[error(
        "plugin {name} is not pinned, and only pinned plugins are loaded (require_lock); its \
         sha256 is {sha256}; pin it: witgate plugin add FILE"
    )]
    NotPinned {
        /// The plugin.
        name: PluginName,
        /// What was found.
        sha256: Digest,
    },
    /// No signature that counts, and the policy requires one.
    #[error(
        "plugin {name} (sha256 {sha256}) is not signed by a trusted key, and only signed plugins \
         are loaded (require_signature): {advice}"
    )]
    Unsigned {
        /// The plugin.
        name: PluginName,
        /// What was found.
        sha256: Digest,
        /// Why there is none, and what to do.
        advice: &'static str,
    },
    /// A signature that is not good.
    #[error("plugin {name} (sha256 {sha256}) comes with a signature that does not count")]
    Signature {
        /// The plugin.
        name: PluginName,
        /// What was found.
        sha256: Digest,
        /// What is wrong with it.
        #[source]
        source: SignatureError,
    },
}

impl ProvenanceError {
    /// Whom to blame: it is the operator who says what may be loaded.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        Fault::Operator
    }
}
