use witgate_facts::Privileges;

use crate::sys::Ids;

/// One field of proc(5) `status`. The kernel escapes newlines in `Name:`, which comes first, so a
/// line that begins with another field's name is that field.
pub(crate) fn status_field<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let line = text
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(b":"))?;
    Some(std::str::from_utf8(line).ok()?.trim())
}

/// Process and user ids: real, effective and saved.
pub(crate) fn ids(text: &[u8]) -> Option<Ids> {
    let [ruid, euid, suid] = three(status_field(text, b"Uid")?)?;
    let [rgid, egid, sgid] = three(status_field(text, b"Gid")?)?;
    let tgid = status_field(text, b"Tgid")?.parse().ok()?;
    Some(Ids { tgid, ruid, euid, suid, rgid, egid, sgid })
}

fn three(line: &str) -> Option<[u32; 3]> {
    let mut numbers = line.split_ascii_whitespace().map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?, next()?])
}

/// Supplementary groups.
pub(crate) fn groups(text: &[u8]) -> Option<Vec<u32>> {
    status_field(text, b"Groups")?.split_ascii_whitespace().map(|id| id.parse().ok()).collect()
}

/// Number of the process that traces it, 0 for none or one that we cannot see.
pub(crate) fn tracer(text: &[u8]) -> Option<u32> {
    status_field(text, b"TracerPid")?.parse().ok()
}

/// What the process may still do.
pub(crate) fn privileges(text: &[u8]) -> Option<Privileges> {
    let mask = |name: &[u8]| u64::from_str_radix(status_field(text, name)?, 16).ok();
    Some(Privileges {
        // A kernel without seccomp has no such line.
        seccomp: status_field(text, b"Seccomp").map_or(Some(0), |value| value.parse().ok())?,
        no_new_privs: status_field(text, b"NoNewPrivs")? == "1",
        inheritable: mask(b"CapInh")?,
        permitted: mask(b"CapPrm")?,
        effective: mask(b"CapEff")?,
        bounding: mask(b"CapBnd")?,
        ambient: mask(b"CapAmb")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] =
        b"Name:\ta\\nUid:\t0\t0\t0\t0\xff\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t42\n\
        Uid:\t1000\t1001\t1002\t1003\nGid:\t4294967294\t5\t6\t7\nGroups:\t4 24 4294967294 \n\
        CapInh:\t0000000000000000\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000000400\n\
        CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n\
        Seccomp_filters:\t1\n";

    // #36, #18
    #[test]
    fn a_name_cannot_pass_for_ids() {
        let ids = ids(TEXT).unwrap();
        assert_eq!((ids.tgid, ids.ruid, ids.euid, ids.suid), (42, 1000, 1001, 1002));
        assert_eq!((ids.rgid, ids.egid, ids.sgid), (u32::MAX - 1, 5, 6));
        assert_eq!(groups(TEXT).unwrap(), [4, 24, u32::MAX - 1]);
    }

    #[test]
    fn privileges_are_bit_masks() {
        let privileges = privileges(TEXT).unwrap();
        assert_eq!((privileges.seccomp, privileges.no_new_privs), (2, true));
        assert_eq!((privileges.effective, privileges.bounding), (1 << 10, (1 << 41) - 1));
    }
}
