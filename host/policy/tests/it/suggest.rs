use witgate_policy::suggest;

use crate::world::{evidence, load, verdict, vocabulary};

/// The suggestion, which must load and match what it was made from.
#[track_caller]
fn works(selectors: &[&str], name: &str) -> String {
    let text = suggest(&evidence(selectors), name, &vocabulary());
    let found = verdict(&load(&text), selectors);
    assert!(found.starts_with("allow /"), "{found}\n{text}");
    text
}

#[test]
fn a_process_on_the_host_is_named_by_its_user() {
    let selectors = [
        "unix:uid:33",
        "unix:user:www-data",
        "unix:gid:33",
        "unix:group:www-data",
        "unix:host:true",
        "unix:path:/usr/sbin/nginx",
        "unix:supplementary_group:adm",
    ];
    let expected = "[[entry]]\nname = \"nginx\"\nidentity = \"/nginx\"   # choose the path below the trust domain\n\
                    match = { unix.host = \"true\", unix.user = \"www-data\" }\n";
    assert_eq!(works(&selectors, "nginx"), expected);
}

#[test]
fn a_uid_without_a_name_is_named_by_its_number() {
    assert!(works(&["unix:uid:12345"], "x").contains("match = { unix.uid = \"12345\" }"));
}

#[test]
fn what_lasts_of_a_container_is_used_and_its_id_is_not() {
    let id = format!("docker:id:{}", "0123456789abcdef".repeat(4));
    let selectors = [
        "unix:uid:0",
        "unix:user:root",
        &id,
        "docker:image:shop/web:1",
        "docker:label:com.x/y \"z\":we\\b",
        "docker:env:A:b",
    ];
    let text = works(&selectors, "../shop web");
    assert!(text.contains("docker.image = \"shop/web:1\", docker.label.\"com.x/y \\\"z\\\"\" = \"we\\\\b\", unix.user = \"root\""), "{text}");
    assert!(!text.contains("docker.id") && !text.contains("docker.env"), "{text}");
    assert!(
        text.contains("name = \"../shop-web\"") && text.contains("identity = \"/..-shop-web\""),
        "{text}"
    );
}

#[test]
fn what_can_be_forged_is_used_only_if_there_is_nothing_else() {
    let text = works(&["unix:path:/usr/bin/x", "unix:host:true"], "x");
    assert!(text.contains("match = { unix.path = \"/usr/bin/x\" }\nweak = true"), "{text}");
}

#[test]
fn of_nothing_comes_an_entry_to_fill_in() {
    let text = suggest(&evidence(&["unix:comm:x", "docker:token:abc"]), "", &vocabulary());
    assert!(text.contains("name = \"new-entry\"") && text.contains("# match = { … }"), "{text}");
}
