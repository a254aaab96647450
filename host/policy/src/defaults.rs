/// The entry file of a daemon that keeps everything in one folder: its owner gets
/// `/dev/{unix.user}`, no other uid gets anything.
#[must_use]
pub fn default_entries(owner_uid: u32) -> String {
    let other_uid = if owner_uid == 65_534 { 65_533 } else { 65_534 };
    TEMPLATE.replace("@OWNER@", &owner_uid.to_string()).replace("@OTHER@", &other_uid.to_string())
}

const TEMPLATE: &str = include_str!("default_entries.toml");
