//! The examples run as they stand.

use std::{path::Path, process::Command};

use witgate_testkit::daemon::text;

use crate::folder;

#[test]
fn a_client_in_every_language_gets_its_identity_or_is_told_why_not() {
    let daemon = folder().serve();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for program in ["client-shell/identity.sh", "client-python/identity.py"] {
        let run = || Command::new(examples.join(program)).arg(daemon.socket()).output().unwrap();
        let allowed = run();
        assert!(allowed.status.success(), "{program}: {}", text(&allowed));
        assert_eq!(text(&allowed).trim(), "spiffe://dev.internal/dev/root", "{program}");
    }
    daemon.folder.write(
        "entries.d/example.toml",
        "[[entry]]\nname = \"other\"\nidentity = \"/x\"\nmatch = { unix.uid = 7 }\n",
    );
    assert!(daemon.run(&["reload"]).status.success());
    for program in ["client-shell/identity.sh", "client-python/identity.py"] {
        let denied = Command::new(examples.join(program)).arg(daemon.socket()).output().unwrap();
        assert_eq!(denied.status.code(), Some(1), "{program}");
        assert!(text(&denied).contains("witgate why "), "{program}: {}", text(&denied));
    }
}
