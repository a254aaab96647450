use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities,
};

use crate::error::ConfineError;

/// Gives up every capability of the calling thread, for good if no new privileges can be had.
///
/// # Errors
/// [`ConfineError::Capabilities`]
pub fn give_up_capabilities() -> Result<(), ConfineError> {
    let none = CapabilitySet::empty();
    let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    clear_ambient_capability_set()
        .and_then(|()| set_capabilities(None, none))
        .map_err(|errno| ConfineError::Capabilities { source: errno.into() })
}
