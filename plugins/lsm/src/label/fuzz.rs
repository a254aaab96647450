//! Fuzz target: labels, which are put together again from what was read of them.

use witgate_testkit::fuzz_target;

use super::{Label, MODES, Module};

#[test]
fn labels() {
    let words = &[
        " (enforce)",
        " (complain)",
        "unconfined",
        "//&",
        ":ns://",
        "system_u:",
        "_t:s0",
        "s0-s0:c0.c1023",
        ":",
        " (",
        ")",
        "System::Run",
        "\0",
        "\n",
        "\x1b[2J",
        "\u{202e}",
    ];
    fuzz_target!("labels").words(words).check(|input| {
        let text = String::from_utf8_lossy(input);
        let all = [Some(Module::AppArmor), Some(Module::SeLinux), Some(Module::Smack)];
        for module in all {
            let Ok(label) = Label::parse(&text, module) else { continue };
            assert_eq!(Some(label.module()), module);
            assert_eq!(again(&label, &text), text);
        }
        // Without a module it is the first that can read it.
        let first = all.into_iter().find_map(|module| Label::parse(&text, module).ok());
        assert_eq!(Label::parse(&text, None).ok(), first);
    });
}

fn again(label: &Label<'_>, text: &str) -> String {
    match label {
        Label::AppArmor(found) if found.profiles.is_empty() => found.mode.to_owned(),
        Label::AppArmor(found) => {
            assert!(MODES.contains(&found.mode));
            format!("{} ({})", found.profiles.join("//&"), found.mode)
        }
        Label::SeLinux(found) => {
            let level = found.level.map(|level| format!(":{level}")).unwrap_or_default();
            format!("{}:{}:{}{level}", found.user, found.role, found.domain)
        }
        Label::Smack => {
            assert!(text.is_ascii() && !text.contains([' ', '/', '\n', '\0']));
            text.to_owned()
        }
    }
}
