use witgate_sdk::{Key, Manifest};

/// The five sets of capabilities, as the host's user namespace gives them, then as another one does.
pub(crate) const SETS: [[&str; 5]; 2] = [
    ["effective", "permitted", "inheritable", "bounding", "ambient"],
    [
        "nested_effective",
        "nested_permitted",
        "nested_inheritable",
        "nested_bounding",
        "nested_ambient",
    ],
];

/// From `process.privileges` alone.
pub(crate) const LIMITS: [&str; 2] = ["seccomp", "no_new_privs"];

/// From `namespaces.all` alone.
pub(crate) const NAMESPACE: &str = "namespace";

/// Everything that can be reported.
pub(crate) fn manifest() -> Manifest {
    let limit = |word, meaning, example| {
        Key::new(word, meaning, example).derived_from(&["process.privileges"]).single()
    };
    let limits = [
        limit("seccomp", "mode of seccomp: none, strict or filter", "filter"),
        limit("no_new_privs", "nothing it executes gives it more than it has", "true"),
    ];
    let namespace = Key::new(NAMESPACE, "a kind of namespace that is not the host's", "net")
        .derived_from(&["namespaces.all"]);
    sets().chain(limits).chain([namespace]).fold(Manifest::new(), Manifest::key)
}

fn sets() -> impl Iterator<Item = Key> {
    let whose = ["", ", but only in its own user namespace"];
    SETS.into_iter().zip(whose).flat_map(|(keys, whose)| {
        keys.into_iter().zip(MEANINGS).map(move |(key, (meaning, example))| {
            Key::new(key, &format!("{meaning}{whose}"), example)
                .derived_from(&["process.privileges", "namespaces.all"])
        })
    })
}

const MEANINGS: [(&str, &str); 5] = [
    ("a capability that it can use now", "cap_net_bind_service"),
    ("a capability that it may make effective", "cap_net_bind_service"),
    ("a capability that it keeps over an exec of a file that has it, too", "cap_net_raw"),
    ("a capability that it can get by an exec at all", "cap_sys_chroot"),
    ("a capability that it keeps over an exec of a plain file", "cap_net_bind_service"),
];
