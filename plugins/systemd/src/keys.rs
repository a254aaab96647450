use witgate_sdk::{Key, Manifest};

/// From `cgroups.trusted`: what the unit is.
pub(crate) const UNIT: [&str; 9] =
    ["id", "name", "type", "slice", "template", "instance", "instance_text", "scope", "session"];

/// From `cgroups.claimed`.
pub(crate) const USER_UNIT: &str = "user_unit";

/// Everything that can be reported.
pub(crate) fn manifest() -> Manifest {
    let key = |word, meaning, example| {
        Key::new(word, meaning, example).derived_from(&["cgroups.trusted"]).stable()
    };
    let single = [
        key("id", "the unit", "postgresql@16-main.service"),
        key("name", "its name without instance and type", "postgresql"),
        key("type", "its type: service, scope, socket, mount or swap", "service"),
        key("slice", "the slice that it is in", "system-postgresql.slice"),
        key("template", "the template that it was made of", "postgresql@.service"),
        key("instance", "what makes it of the template, as in its name", "16-main"),
        key("instance_text", "the same without systemd's escapes", "16/main"),
        key("scope", "the unit, if the service manager did not start it", "session-3.scope"),
        key("session", "the login session", "3"),
        key("owner_uid", "whose session or service manager it belongs to", "1000"),
    ];
    let claimed = Key::new(USER_UNIT, "the unit of a user's own service manager", "app-x.scope")
        .derived_from(&["cgroups.claimed"]);
    single
        .map(Key::single)
        .into_iter()
        .chain([key("in_slice", "a slice around it, at any depth", "user.slice"), claimed.single()])
        .fold(Manifest::new(), Manifest::key)
}
