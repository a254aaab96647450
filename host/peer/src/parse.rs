//! Text of `/proc`, of which a workload may choose the names in it.
//!
//! Parsed here and not by the `procfs` crate, whose parsers refuse or change bytes that are not
//! UTF-8: `Status`, `ProcessCGroups` and `MountInfos` fail on them, so one odd name (a workload may
//! choose its own, and a user the path of a FUSE mount) would hide everything else; `Stat` replaces
//! them in `comm`. Nothing here panics or allocates more than its input, whatever the bytes.

mod cgroup;
#[cfg(test)]
mod fuzz;
mod maps;
mod mountinfo;
mod stat;
mod status;

pub(crate) use self::{
    cgroup::{CgroupLine, cgroups},
    maps::{MappedFile, mapped_file},
    mountinfo::{Mount, mounts},
    stat::{Stat, stat},
    status::{groups, ids, privileges, status_field, tracer},
};

/// Text that anybody may look at: characters that control terminals or end lines, and bytes that
/// are no characters, as `\xNN`.
///
/// With `backslash`, that is escaped too, so that different bytes never give equal text.
pub(crate) fn printable(bytes: &[u8], backslash: bool) -> String {
    use std::fmt::Write as _;
    let plain = |c: char| !(c.is_control() || backslash && c == '\\');
    if let Ok(text) = std::str::from_utf8(bytes)
        && text.chars().all(plain)
    {
        return text.to_owned();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if plain(c) {
                text.push(c);
            } else if c == '\\' {
                text.push_str(r"\\");
            } else {
                let mut utf8 = [0; 4];
                for byte in c.encode_utf8(&mut utf8).bytes() {
                    let _ = write!(text, r"\x{byte:02x}");
                }
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, r"\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_for_people_has_no_control_characters() {
        assert_eq!(printable(b"/bin/a\n\x1b[2J\xff\\", true), r"/bin/a\x0a\x1b[2J\xff\\");
        assert_eq!(printable(br"/a\x2db.slice", false), r"/a\x2db.slice");
        assert_eq!(printable("/bin/\u{85}é".as_bytes(), true), r"/bin/\xc2\x85é");
    }

    proptest! {
        // #31, #41
        #[test]
        fn different_bytes_never_print_alike(a: Vec<u8>, b: Vec<u8>) {
            let text = printable(&a, true);
            prop_assert!(!text.chars().any(char::is_control));
            prop_assert_eq!(a == b, text == printable(&b, true));
        }

        // #36, #41
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = stat(&bytes);
            let _ = ids(&bytes);
            let _ = groups(&bytes);
            let _ = privileges(&bytes);
            let _ = mounts(&bytes).count();
            for line in cgroups(&bytes) {
                let _ = line.components().count();
            }
        }

        #[test]
        fn lines_that_look_right_do_no_harm(text in "[0-9:a-z=,/. \\\\\n()-]{0,200}") {
            let bytes = text.as_bytes();
            let _ = stat(bytes);
            let _ = ids(bytes);
            let _ = mounts(bytes).count();
            for line in cgroups(bytes) {
                prop_assert!(line.components().all(|c| !c.is_empty() && c != b".."));
            }
        }
    }
}
