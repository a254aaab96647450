//! A plugin that misbehaves in a running daemon costs its own selectors and nothing else.

use witgate_client::Client;
use witgate_testkit::daemon::{Daemon, text};

use crate::{folder, json};

/// A daemon with the built-in attestors and one fixture guest.
fn serve_with(fixture: &str, required: bool) -> Daemon {
    let folder = folder();
    let guest =
        witgate_builtins::fixtures::find(fixture).unwrap_or_else(|| panic!("no fixture {fixture}"));
    folder.write("plugins/guest.wasm", guest);
    folder.write(
        "witgate.toml",
        format!(
            "[plugins.unix]\nsource = \"builtin:unix\"\n[plugins.container]\nsource = \"builtin:container\"\n\
             [plugins.guest]\nsource = \"guest.wasm\"\nrequired = {required}\n"
        ),
    );
    // The owner's entry, and one that makes somebody want the guest's only key.
    folder.write(
        "entries.d/entries.toml",
        "[[entry]]\nname = \"root\"\nidentity = \"/root\"\nmatch = { unix.uid = 0 }\n\
         [[entry]]\nname = \"guest\"\nidentity = \"/guest\"\nmatch = { unix.uid = 0, guest.uid = \"never\" }\n",
    );
    folder.serve()
}

#[test]
fn the_others_do_not_notice() {
    for fixture in ["busy-loop", "hoard", "panic"] {
        let daemon = serve_with(fixture, false);
        let answer =
            Client::new(daemon.socket()).attest().unwrap_or_else(|e| panic!("{fixture}: {e}"));
        assert_eq!(answer.identity.path(), "/root", "{fixture}");
        let detail = json(&daemon.run(&["why", "--last", "--json"]));
        let guest = detail["attestors"]
            .as_array()
            .unwrap()
            .iter()
            .find(|a| a["plugin"] == "guest")
            .unwrap();
        assert_ne!(guest["outcome"]["kind"], "reported", "{fixture}");
        assert!(guest["selectors"].as_array().unwrap().is_empty(), "{fixture}");
    }
}

#[test]
fn a_required_one_makes_the_decision_unavailable() {
    let daemon = serve_with("panic", true);
    let output = daemon.run(&["attest", "--json"]);
    assert_eq!(output.status.code(), Some(69), "{}", text(&output));
    assert_eq!(json(&output)["reason"], "attestor_failed");
    assert!(text(&daemon.run(&["why", "--last"])).contains("the required attestor guest"));
}
