//! The plugin `empty`: it does next to nothing, so that what others do can be compared with it.

use witgate_sdk::{Attestor, Failure, Key, Manifest, Report};

struct Empty;

impl Attestor for Empty {
    fn describe() -> Manifest {
        let key = Key::new("nothing", "nothing: this key is never reported", "x");
        Manifest::new().key(key.derived_from(&["process.credentials"]))
    }

    fn attest() -> Result<Report, Failure> {
        Err(Failure::NotApplicable)
    }
}

witgate_sdk::export!(Empty, "plugin.toml");
