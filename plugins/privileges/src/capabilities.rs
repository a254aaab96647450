/// The capabilities by number, as `linux/capability.h` has them and libcap spells them.
const NAMES: [&str; 41] = [
    "cap_chown",
    "cap_dac_override",
    "cap_dac_read_search",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_setgid",
    "cap_setuid",
    "cap_setpcap",
    "cap_linux_immutable",
    "cap_net_bind_service",
    "cap_net_broadcast",
    "cap_net_admin",
    "cap_net_raw",
    "cap_ipc_lock",
    "cap_ipc_owner",
    "cap_sys_module",
    "cap_sys_rawio",
    "cap_sys_chroot",
    "cap_sys_ptrace",
    "cap_sys_pacct",
    "cap_sys_admin",
    "cap_sys_boot",
    "cap_sys_nice",
    "cap_sys_resource",
    "cap_sys_time",
    "cap_sys_tty_config",
    "cap_mknod",
    "cap_lease",
    "cap_audit_write",
    "cap_audit_control",
    "cap_setfcap",
    "cap_mac_override",
    "cap_mac_admin",
    "cap_syslog",
    "cap_wake_alarm",
    "cap_block_suspend",
    "cap_audit_read",
    "cap_perfmon",
    "cap_bpf",
    "cap_checkpoint_restore",
];

/// The names of a set, by number. One that has no name here has its number: `cap_41`.
pub(crate) fn names(set: u64) -> impl Iterator<Item = String> {
    (0..u64::BITS).filter(move |number| set & (1 << number) != 0).map(name)
}

fn name(number: u32) -> String {
    let known = usize::try_from(number).ok().and_then(|number| NAMES.get(number));
    known.map_or_else(|| format!("cap_{number}"), |&name| name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_capability_has_the_number_that_the_kernel_gives_it() {
        for (number, expected) in [
            (0, "cap_chown"),
            (7, "cap_setuid"),
            (10, "cap_net_bind_service"),
            (12, "cap_net_admin"),
            (19, "cap_sys_ptrace"),
            (21, "cap_sys_admin"),
            (27, "cap_mknod"),
            (33, "cap_mac_admin"),
            (40, "cap_checkpoint_restore"),
        ] {
            assert_eq!(names(1 << number).collect::<Vec<_>>(), [expected]);
        }
    }

    #[test]
    fn every_bit_has_one_name_of_its_own() {
        assert_eq!(names(0).count(), 0);
        let all: BTreeSet<String> = names(u64::MAX).collect();
        assert_eq!(all.len(), 64);
        assert!(all.contains("cap_41") && all.contains("cap_63"));
        let word = |name: &String| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        assert!(all.iter().all(word));
    }
}
