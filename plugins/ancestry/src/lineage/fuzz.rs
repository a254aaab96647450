//! Fuzz target: lines of parents, each with a uid and a path, and the whole report about them.

use witgate_testkit::fuzz_target;

use super::{Lineage, RuntimeChild, is_shim, tests::ancestor};
use crate::report::report;

#[test]
fn lineages() {
    let words = &[
        "\n0/usr/sbin/sshd",
        "\n0/usr/bin/containerd-shim-runc-v2",
        "\n1/usr/bin/conmon",
        "\n1",
        "\n0/sbin/init",
        "/",
        " (deleted)",
        "\x1b[2J",
    ];
    fuzz_target!("lineages").words(words).inputs(2_000).check(|input| {
        let text = String::from_utf8_lossy(input);
        let mut ancestors: Vec<_> = text
            .split('\n')
            .take(16)
            .map(|line| {
                ancestor(u32::from(!line.starts_with('0')), line.get(1..).unwrap_or_default())
            })
            .collect();
        for ancestor in &mut ancestors {
            ancestor.comm = input.iter().copied().take(15).collect();
        }
        let lineage = Lineage(&ancestors);
        let paths: Vec<&str> =
            text.split('\n').take(16).map(|line| line.get(1..).unwrap_or_default()).collect();
        match lineage.runtime_child() {
            None => assert!(!ancestors.iter().any(is_shim)),
            Some(RuntimeChild::Itself) => {
                assert!(is_shim(&ancestors[0]) && !ancestors[1..].iter().any(is_shim));
            }
            Some(RuntimeChild::Ancestor(child)) => {
                let at =
                    ancestors.iter().rposition(|ancestor| std::ptr::eq(ancestor, child)).unwrap();
                assert!(is_shim(&ancestors[at + 1]) && !ancestors[at + 2..].iter().any(is_shim));
            }
        }
        if lineage.within_ssh() {
            assert!(paths.iter().any(|path| path.contains("/sshd")) && text.contains('0'));
        }
        assert_eq!(lineage.gap().is_some(), paths.len() == 16 || paths.contains(&""));
        // A key of which there is one is never said and unknown at once: the daemon refuses that.
        let report = report(&ancestors);
        for unknown in report.unknown_keys() {
            let several = unknown.key.starts_with("ancestor");
            assert!(several || report.selectors().iter().all(|said| said.key != unknown.key));
        }
    });
}
