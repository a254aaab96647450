use witgate_policy::{Standing, default_entries};

use crate::world::{load, now, refused, verdict, verdict_without};

#[test]
fn the_owner_gets_the_identity_of_their_name_and_nobody_else_does() {
    for uid in [0, 1000, 65_534, u32::MAX - 1] {
        let policy = load(&default_entries(uid));
        let own = format!("unix:uid:{uid}");
        assert_eq!(verdict(&policy, &[&own, "unix:user:ada", "unix:host:true"]), "allow /dev/ada");
        assert_eq!(verdict(&policy, &[&own, "unix:user:ada"]), "deny no_matching_entry");
        assert_eq!(
            verdict(&policy, &["unix:uid:7", "unix:user:ada", "unix:host:true"]),
            "deny no_matching_entry"
        );
        assert!(verdict_without(&policy, &[], &["unix"]).starts_with("unavailable"));
        assert_eq!(policy.entries().next().unwrap().standing(now()), Standing::Live);
        assert!(policy.warnings().is_empty(), "{:?}", policy.warnings());
    }
}

#[test]
fn its_tests_can_fail() {
    let text = default_entries(1000)
        .replace("unix.host = \"true\" }\nttl", "unix.user = \"owner\" }\nttl");
    let errors = refused(&text);
    assert!(
        errors.contains("test 'the owner's uid inside a container gets nothing' fails"),
        "{errors}"
    );
}
