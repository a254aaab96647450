//! What an attestor author reads is complete.

use std::{fs, path::Path};

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_first_party_attestor_has_its_page() {
    for builtin in witgate_builtins::ALL {
        let page = root().join("plugins").join(builtin.name).join("README.md");
        let page = fs::read_to_string(page).unwrap();
        for heading in ["## Configuration", "## Selectors", "## Security considerations"] {
            assert!(page.contains(heading), "{}: no {heading}", builtin.name);
        }
    }
}
